// CIFAR-10's and MNIST's files.

#include <limits>

#include <gtest/gtest.h>
#include <zlib.h>

#include "dataset/cifar10_records.h"
#include "dataset/fixtures.h"
#include "dataset/gzip.h"
#include "dataset/idx.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm::dataset {
namespace {

std::string big_endian(uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
    return bytes;
}

std::string idx(const std::vector<uint32_t>& shape, const std::string& data) {
    std::string bytes{0, 0, 8, static_cast<char>(shape.size())};
    for (const uint32_t extent : shape) bytes += big_endian(extent);
    return bytes + data;
}

std::string gzip(const std::string& content) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string bytes(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    deflate(&stream, Z_FINISH);
    bytes.resize(stream.total_out);
    deflateEnd(&stream);
    return bytes;
}

TEST(Gzip, ReturnsTheContent) {
    std::string content;
    for (uint32_t i = 0; i < 300000; ++i) content += static_cast<char>(i * i >> 5);
    EXPECT_TRUE(is_gzip(gzip(content)));
    EXPECT_EQ(gunzip(gzip(content), "test", content.size()), content);
    EXPECT_EQ(gunzip(gzip(""), "test", 0), "");
    EXPECT_EQ(gunzip_head(gzip(content), "test", 16), content.substr(0, 16));
    EXPECT_EQ(gunzip_head(gzip("abc"), "test", 16), "abc");
}

TEST(Gzip, RefusesDamageAndTooMuch) {
    const std::string bytes = gzip(std::string(100000, 'x') + "end");
    const auto error = [](const std::string& damaged, size_t limit = 1000000) {
        return error_of([&] { gunzip(damaged, "test", limit); });
    };
    for (size_t length = 0; length < bytes.size(); ++length) EXPECT_NE(error(bytes.substr(0, length)), "no error") << length;
    EXPECT_NE(error(bytes + "more"), "no error");
    EXPECT_NE(error(bytes, 100002).find("more than the 100002 bytes"), std::string::npos);
    std::string flipped = bytes;
    flipped[bytes.size() - 6] ^= 1;  // the checksum
    EXPECT_NE(error(flipped).find("damaged"), std::string::npos);
}

TEST(Idx, ReadsShapeAndData) {
    const std::string bytes = idx({2, 1, 3}, "abcdef");
    const IdxArray array = parse_idx(bytes, "test", 3);
    EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 1, 3}));
    EXPECT_EQ(array.data, "abcdef");
    EXPECT_EQ(idx_file_size(bytes), bytes.size());
    EXPECT_EQ(idx_file_size(bytes.substr(0, 15)), 0u) << "the header is cut off";
    EXPECT_EQ(idx_file_size(idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")),
              static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

TEST(Idx, RefusesWhatIsNotExactlyThat) {
    const auto error = [](const std::string& bytes, int dimensions = 3) {
        return error_of([&] { parse_idx(bytes, "test", dimensions); });
    };
    const std::string good = idx({2, 1, 3}, "abcdef");
    for (size_t length = 0; length < good.size(); ++length) EXPECT_EQ(error(good.substr(0, length)).rfind("test: ", 0), 0u);
    EXPECT_NE(error(good + "g"), "no error");
    EXPECT_NE(error(good, 1).find("3 dimensions, expected 1"), std::string::npos);
    EXPECT_NE(error(idx({0, 1, 3}, "")).find("a dimension of 0"), std::string::npos);
    EXPECT_NE(error(idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "abc")).find("impossible"), std::string::npos);
    std::string floats = good;
    floats[2] = 13;
    EXPECT_NE(error(floats).find("not an IDX file of bytes"), std::string::npos);
}

DatasetOptions mnist_options(const fs::path& folder) {
    DatasetOptions options;
    options.type = "mnist";
    options.path = folder.string();
    options.height = options.width = 4;
    options.channels = 1;
    return options;
}

TEST(Mnist, ReadsPlainAndCompressedFiles) {
    TempFolder folder;
    std::string pixels;
    for (int i = 0; i < 3 * 16; ++i) pixels += static_cast<char>(i * 5);
    put(folder / "train-images-idx3-ubyte", idx({3, 4, 4}, pixels));
    put(folder / "train-labels-idx1-ubyte.gz", gzip(idx({3}, {7, 0, 9})));
    const auto dataset = open_dataset(mnist_options(folder.path()), 0, 1);
    EXPECT_EQ(dataset->describe(), "mnist, train, 4x4 grey");
    ASSERT_EQ(dataset->size(), 3);
    EXPECT_EQ(dataset->class_names().size(), 10u);
    int64_t label = -1;
    const std::vector<uint8_t> second = read_example(*dataset, 1, 0, &label);
    EXPECT_EQ(label, 0);
    for (size_t i = 0; i < 16; ++i) EXPECT_EQ(second[i], (16 + i) * 5 % 256);
    // Another size and three channels.
    DatasetOptions larger = mnist_options(folder.path());
    larger.height = larger.width = 6;
    larger.channels = 3;
    const std::vector<uint8_t> color = read_example(*open_dataset(larger, 0, 1), 2);
    ASSERT_EQ(color.size(), 108u);
    for (size_t i = 0; i < 36; ++i) EXPECT_EQ(color[3 * i], color[3 * i + 2]);
}

TEST(Mnist, ErrorsNameTheFile) {
    TempFolder folder;
    const auto error = [&](const char* split) {
        DatasetOptions options = mnist_options(folder.path());
        options.split = split;
        return error_of([&] { open_dataset(options, 0, 1); });
    };
    EXPECT_NE(error("train").find("train-images-idx3-ubyte: no such file"), std::string::npos);
    EXPECT_NE(error("test").find("t10k-images-idx3-ubyte: no such file"), std::string::npos);
    put(folder / "MNIST/raw/train-images-idx3-ubyte.gz", gzip(idx({2, 1, 1}, "ab")));
    EXPECT_NE(error("train").find("train-labels-idx1-ubyte: no such file"), std::string::npos);
    put(folder / "MNIST/raw/train-labels-idx1-ubyte", idx({3}, {1, 2, 3}));
    EXPECT_NE(error("train").find("3 labels for the 2 pictures"), std::string::npos);
}

std::string cifar10_record(uint8_t label, uint8_t red, uint8_t green, uint8_t blue) {
    std::string record(1, static_cast<char>(label));
    for (const uint8_t value : {red, green, blue}) record += std::string(1024, static_cast<char>(value));
    return record;
}

TEST(Cifar10, RecordsAreLabelAndPlanes) {
    std::string bytes = cifar10_record(3, 10, 20, 30) + cifar10_record(9, 40, 50, 60);
    bytes[1 + 1024 + 33] = 99;  // green of row 1, column 1 of the first
    std::vector<uint8_t> labels, pixels;
    append_cifar10_records(bytes, "test", 2, labels, pixels);
    EXPECT_EQ(labels, (std::vector<uint8_t>{3, 9}));
    ASSERT_EQ(pixels.size(), 2u * 3072);
    EXPECT_EQ(pixels[0], 10);
    EXPECT_EQ(pixels[1], 20);
    EXPECT_EQ(pixels[2], 30);
    EXPECT_EQ(pixels[33 * 3 + 1], 99);
    EXPECT_EQ(pixels[3072 + 2], 60);
}

TEST(Cifar10, RecordsOfAnotherLengthOrLabelAreRefused) {
    std::vector<uint8_t> labels, pixels;
    const auto error = [&](const std::string& bytes) {
        return error_of([&] { append_cifar10_records(bytes, "test", 1, labels, pixels); });
    };
    const std::string good = cifar10_record(1, 2, 3, 4);
    EXPECT_EQ(error(good), "no error");
    EXPECT_EQ(error(good.substr(1)), "test: 3072 bytes, expected 3073 (1 records of CIFAR-10's binary version)");
    EXPECT_NE(error(good + "x"), "no error");
    EXPECT_NE(error(""), "no error");
    EXPECT_NE(error(cifar10_record(10, 2, 3, 4)).find("label 10 in record 0"), std::string::npos);
}

TEST(Cifar10, FolderOrItsParent) {
    TempFolder folder;
    DatasetOptions options;
    options.type = "cifar10";
    options.path = folder.path().string();
    options.split = "test";
    EXPECT_NE(error_of([&] { open_dataset(options, 0, 1); }).find("test_batch.bin: no such file"), std::string::npos);

    std::string bytes;
    for (int i = 0; i < 10000; ++i) bytes += cifar10_record(static_cast<uint8_t>(i % 10), static_cast<uint8_t>(i), 5, 6);
    put(folder / "cifar-10-batches-bin/test_batch.bin", bytes);
    const auto dataset = open_dataset(options, 0, 1);
    EXPECT_EQ(dataset->size(), 10000);
    EXPECT_EQ(dataset->class_names()[3], "cat");
    EXPECT_EQ(dataset->describe(), "cifar10, test, 32x32 RGB");
    int64_t label = -1;
    EXPECT_EQ(read_example(*dataset, 9217, 0, &label)[0], 9217 % 256);
    EXPECT_EQ(label, 7);

    options.path = (folder / "cifar-10-batches-bin").string();
    put(folder / "cifar-10-batches-bin/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    EXPECT_EQ(open_dataset(options, 0, 1)->class_names()[9], "j");
    put(folder / "cifar-10-batches-bin/test_batch.bin", bytes.substr(0, 1000 * 3073));
    EXPECT_NE(error_of([&] { open_dataset(options, 0, 1); }).find("3073000 bytes, expected 30730000"), std::string::npos);
}

}  // namespace
}  // namespace ddpm::dataset
