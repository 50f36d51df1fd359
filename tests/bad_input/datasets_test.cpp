#include <zlib.h>

#include "bad_input/bad_input.h"

namespace ddpm {
namespace {

using test::BadInput;
using Files = std::vector<std::pair<std::string, std::string>>;

std::function<void(const fs::path&)> files(const Files& all) {
    return [=](const fs::path& folder) {
        for (const auto& [name, bytes] : all) test::file(name, bytes)(folder);
    };
}

std::string idx(const std::vector<int64_t>& shape, size_t bytes, char kind = 8) {
    std::string text{0, 0, kind, static_cast<char>(shape.size())};
    for (const int64_t extent : shape)
        for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(extent >> shift);
    return text + std::string(bytes, '\0');
}

std::string gzip(const std::string& bytes) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

TEST(BadInput, Mnist) {
    const std::string config = R"({"dataset": {"type": "mnist", "path": "m", "image_size": 8, "channels": 1},
        "model": {"block_out_channels": [8], "norm_num_groups": 4}})";
    const auto mnist = [&](const std::string& name, const std::string& images, const std::string& labels,
                           std::vector<std::string> words, const std::string& ending = "") {
        return BadInput{
            name,
            {"data", "c.json"},
            std::move(words),
            files({{"c.json", config}, {"m/train-images-idx3-ubyte" + ending, images}, {"m/train-labels-idx1-ubyte", labels}})};
    };
    const std::string good = idx({2, 8, 8}, 128), labels = idx({2}, 2);
    std::string flipped = gzip(good);
    flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);
    test::expect_refusals({
        mnist("zero bytes", "", labels, {"train-images", "not an IDX file"}),
        mnist("text", "hello there", labels, {"train-images", "not an IDX file"}),
        mnist("floats", idx({2, 8, 8}, 512, 13), labels, {"not an IDX file of bytes"}),
        mnist("labels for pictures", labels, labels, {"1 dimension, expected 3"}),
        mnist("pictures for labels", good, good, {"train-labels", "3 dimensions, expected 1"}),
        mnist("a header that is cut off", good.substr(0, 10), labels, {"cut off within the IDX header"}),
        mnist("pixels that are cut off", good.substr(0, 100), labels, {"84 bytes", "expected 128"}),
        mnist("a byte too many", good + "x", labels, {"129 bytes", "expected 128"}),
        mnist("no pictures", idx({0, 8, 8}, 0), labels, {"a dimension of 0"}),
        mnist("4 GB by the header", idx({0xFFFFFFFF, 1, 1}, 1), labels, {"expected 4294967295"}),
        mnist("a size beyond 2^63", idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, 1), labels, {"impossible size"}),
        mnist("more labels than pictures", good, idx({3}, 3), {"3 labels for the 2 pictures"}),
        mnist("fewer labels than pictures", good, idx({1}, 1), {"1 label for the 2 pictures"}),
        mnist("pictures of 1×10000", idx({2, 1, 10000}, 20000), labels, {"10000x1", "8192"}),
        mnist("a gzip that is cut off", gzip(good).substr(0, 20), labels, {"cut off"}, ".gz"),
        mnist("a gzip with a wrong checksum", flipped, labels, {"damaged gzip data"}, ".gz"),
        mnist("something after a gzip", gzip(good) + "xx", labels, {"2 bytes after the end"}, ".gz"),
        mnist("a gzip of text", gzip("hello there"), labels, {"not an IDX file"}, ".gz"),
        mnist("a bomb: 300 MB of zeros behind a small header", gzip(idx({2, 8, 8}, 300 << 20)), labels, {"more than the 144 bytes"},
              ".gz"),
        {"no files", {"data", "c.json"}, {"train-images-idx3-ubyte", "no such file"}, files({{"c.json", config}})},
    });
}

// A file of zeros is a hole: it takes no room, here or on the disk.
void write_zeros(const fs::path& path, uintmax_t size) {
    write_file(path, "");
    fs::resize_file(path, size);
}

TEST(BadInput, Cifar10) {
    constexpr uintmax_t kWhole = 10000 * 3073;
    using Make = std::function<void(const fs::path& batch)>;
    const auto cifar = [](const std::string& name, std::vector<std::string> words, const Make& make, const Files& more = {}) {
        Files all{{"c.json", R"({"dataset": {"type": "cifar10", "path": "c", "split": "test"},
            "model": {"block_out_channels": [8, 8], "norm_num_groups": 4, "attention_resolutions": []}})"}};
        all.insert(all.end(), more.begin(), more.end());
        return BadInput{name, {"data", "c.json"}, std::move(words), [=](const fs::path& folder) {
                            files(all)(folder);
                            fs::create_directories(folder / "c");
                            if (make) make(folder / "c" / "test_batch.bin");
                        }};
    };
    const auto zeros = [](uintmax_t size) { return Make([=](const fs::path& batch) { write_zeros(batch, size); }); };
    const auto wrong_label = [](const fs::path& batch) {
        std::string bytes(kWhole, '\0');
        bytes[3073 * 7] = 11;
        write_file(batch, bytes);
    };
    test::expect_refusals({
        cifar("no files", {"test_batch.bin", "no such file"}, {}),
        cifar("zero bytes", {"test_batch.bin", "0 bytes", "30730000"}, zeros(0)),
        cifar("cut off", {"5000 bytes", "10000 records"}, zeros(5000)),
        cifar("a byte too many", {"30730001 bytes"}, zeros(kWhole + 1)),
        cifar("64 GiB", {"larger than"}, zeros(uintmax_t{64} << 30)),
        cifar("a label of 11", {"label 11 in record 7", "0 … 9"}, wrong_label),
        cifar("CIFAR-100's names", {"batches.meta.txt", "2 class names"}, zeros(kWhole), {{"c/batches.meta.txt", "apple\nbear\n"}}),
        cifar("the Python version", {"test_batch.bin", "no such file", "binary version"}, {}, {{"c/test_batch", "pickle"}}),
    });
}

}  // namespace
}  // namespace ddpm
