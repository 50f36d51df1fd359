#include <bit>
#include <limits>

#include "bad_input/bad_input.h"
#include "bad_input/parts.h"
#include "ddpm/tensorfile/npz.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::little;

struct Array {
    std::string name, descr;
    std::vector<int64_t> shape;
    std::string bytes;
};

std::function<void(const fs::path&)> npz(const std::string& name, std::vector<Array> arrays) {
    return [=](const fs::path& folder) {
        NpzWriter writer(folder / name);
        for (const Array& array : arrays) {
            writer.begin(array.name, array.descr, array.shape);
            writer.write(array.bytes);
        }
        writer.commit();
    };
}

std::string doubles(std::initializer_list<double> values) {
    std::string bytes;
    for (const double value : values) bytes += little(std::bit_cast<uint64_t>(value), 8);
    return bytes;
}

Array mu() { return {"mu", "<f8", {2}, doubles({0, 0})}; }
Array sigma(std::initializer_list<double> values) { return {"sigma", "<f8", {2, 2}, doubles(values)}; }
Array pictures() { return {"arr_0", "|u1", {20, 8, 8, 3}, std::string(20 * 8 * 8 * 3, 'x')}; }
Array text(const std::string& json) { return {"protocol", "|u1", {static_cast<int64_t>(json.size())}, json}; }

// `ddpm eval quality` of 20 pictures beside statistics in s.npz.
BadInput beside(const std::string& name, std::vector<Array> arrays, std::vector<std::string> words) {
    return {name, {"eval", "quality", "--samples", "p.npz", "--ref", "s.npz"}, std::move(words), [=](const fs::path& folder) {
                npz("p.npz", {pictures()})(folder);
                npz("s.npz", arrays)(folder);
            }};
}

// `ddpm eval quality` of samples in p.npz.
BadInput samples(const std::string& name, std::vector<Array> arrays, std::vector<std::string> words) {
    return {name, {"eval", "quality", "--samples", "p.npz", "--data", "."}, std::move(words), npz("p.npz", std::move(arrays))};
}

BadInput stats(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
               std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"eval", "stats"});
    return {name, std::move(flags), std::move(words), std::move(make)};
}

TEST(BadInput, StatisticsOfReferences) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const std::string other = R"({"format": "ddpm eval quality"})", newer = R"({"format": "ddpm eval stats", "schema": 9})",
                      bare = R"({"format": "ddpm eval stats", "schema": 1})",
                      sound =
                          R"({"format": "ddpm eval stats", "schema": 1, "protocol": {"features": "scatter", "pictures": "3x8x8"},
                                  "reference": {"source": "x", "sha256_of_pixels": "y"}})";
    const Array n{"n", "<i8", {}, little(2, 8)};
    test::expect_refusals({
        beside("a sigma that is not symmetric", {mu(), sigma({1, 0.5, 0, 1})}, {"--ref: s.npz: sigma is not symmetric"}),
        beside("a sigma that is not finite", {mu(), sigma({1, nan, nan, 1})}, {"s.npz: \"sigma\" has numbers that are not finite"}),
        beside("a negative variance", {mu(), sigma({1, 0, 0, -1})}, {"s.npz: sigma has a negative variance"}),
        beside("a sigma of another size", {mu(), {"sigma", "<f8", {4}, doubles({1, 0, 0, 1})}},
               {"s.npz: \"sigma\" is float64 4", "2x2"}),
        beside("a mu of whole numbers", {{"mu", "<i8", {2}, std::string(16, '\0')}, sigma({1, 0, 0, 1})}, {"\"mu\" is int64 2"}),
        beside("a mu that is too wide", {{"mu", "<f8", {9000}, std::string(72000, '\0')}, sigma({1, 0, 0, 1})}, {"9000", "4096"}),
        beside("no sigma", {mu()}, {"s.npz: holds no mu and sigma"}),
        beside("statistics of Inception for other features", {mu(), sigma({1, 0, 0, 1})},
               {"--ref: s.npz: says no protocol", "Inception", "scatter"}),
        beside("a protocol that is no JSON", {mu(), sigma({1, 0, 0, 1}), text("{")}, {"s.npz: protocol"}),
        beside("a protocol of another file", {mu(), sigma({1, 0, 0, 1}), text(other)}, {"s.npz: protocol: is not that of"}),
        beside("a newer protocol", {mu(), sigma({1, 0, 0, 1}), text(newer)}, {"s.npz: protocol: schema 9"}),
        beside("a protocol that says nothing", {mu(), sigma({1, 0, 0, 1}), text(bare)}, {"lacks protocol or reference"}),
        beside("no number of pictures", {mu(), sigma({1, 0, 0, 1}), text(sound)}, {"s.npz: holds no array \"n\""}),
        beside("a picture too few", {mu(), sigma({1, 0, 0, 1}), text(sound), {"n", "<i8", {}, little(1, 8)}},
               {"statistics of 1 pictures"}),
        beside("hashes of other pictures",
               {mu(), sigma({1, 0, 0, 1}), text(sound), n, {"hashes", "<i8", {3}, std::string(24, 'x')}},
               {"\"hashes\" is int64 3, expected", "2"}),
        beside("features of another width",
               {mu(),
                sigma({1, 0, 0, 1}),
                text(sound),
                n,
                {"hashes", "<i8", {2}, std::string(16, 'x')},
                {"features", "<f4", {2, 3}, std::string(24, '\0')}},
               {"\"features\" is float32 2x3, expected", "2x2"}),
        {"statistics that are no archive",
         {"eval", "quality", "--samples", "p.npz", "--ref", "s.npz"},
         {"--ref: s.npz: is a file of JSON", ".npz"},
         [](const fs::path& folder) {
             npz("p.npz", {pictures()})(folder);
             file("s.npz", "{\"mu\": []}")(folder);
         }},
        {"statistics that are not there",
         {"eval", "quality", "--samples", "p.npz", "--ref", "s.npz"},
         {"--ref: s.npz: not found"},
         npz("p.npz", {pictures()})},
    });
}

TEST(BadInput, SamplesInArrays) {
    test::expect_refusals({
        samples("samples in floats", {{"arr_0", "<f4", {20, 8, 8, 3}, std::string(20 * 8 * 8 * 3 * 4, '\0')}},
                {"--samples: p.npz: \"arr_0\" is float32 20x8x8x3, expected pictures: uint8", "astype"}),
        samples("samples in planes", {{"arr_0", "|u1", {20, 3, 8, 8}, std::string(20 * 8 * 8 * 3, 'x')}},
                {"\"arr_0\" is uint8 20x3x8x8", "transpose"}),
        samples("samples without channels", {{"x", "|u1", {20, 8, 8}, std::string(20 * 8 * 8, 'x')}}, {"\"x\" is uint8 20x8x8"}),
        samples("no samples", {{"arr_0", "|u1", {0, 8, 8, 3}, ""}}, {"holds no pictures"}),
        samples("two arrays of samples",
                {{"a", "|u1", {1, 8, 8, 3}, std::string(192, 'x')}, {"b", "|u1", {1, 8, 8, 3}, std::string(192, 'x')}},
                {"several arrays of pictures"}),
        {"samples in a picture",
         {"eval", "quality", "--samples", "x.png", "--data", "."},
         {"--samples: x.png", ".npz"},
         file("x.png", "\x89PNG\r\n\x1a\n and so on")},
        {"samples of another size than the configuration's",
         {"eval", "quality", "--samples", "p.npz", "--data", "c.json"},
         {"--samples: p.npz: pictures of 8x8 with 3 channels", "16x16"},
         [](const fs::path& folder) {
             npz("p.npz", {pictures()})(folder);
             file("c.json", R"({"dataset": {"image_size": 16, "length": 50}})")(folder);
         }},
        {"more samples than there are",
         {"eval", "quality", "--samples", "p.npz", "--data", "c.json", "--n", "21"},
         {"--n: got 21", "20 pictures"},
         [](const fs::path& folder) {
             npz("p.npz", {pictures()})(folder);
             file("c.json", R"({"dataset": {"image_size": 8, "length": 50}})")(folder);
         }},
        {"a setting without a configuration",
         {"eval", "quality", "--ckpt", "p", "--set", "dataset.length=5"},
         {"--set", "--data CONFIG"}},
    });
}

TEST(BadInput, MakingStatistics) {
    test::expect_refusals({
        stats("statistics of nothing", {"--out", "s.npz"}, {"eval stats: of which pictures"}),
        stats("no place", {"--data", "."}, {"--size"}),
        stats("no place for sized pictures", {"--data", ".", "--size", "8"}, {"eval stats: where to", "--out"}),
        stats("a result of another kind", {"--data", ".", "--size", "8", "--out", "s.npy"}, {"--out: s.npy", ".npz"}),
        stats("a result where no folder is", {"--data", ".", "--size", "8", "--out", "none/s.npz"},
              {"--out: none/s.npz", "no folder"}),
        stats("a result in the place of other arrays", {"--data", ".", "--size", "8", "--out", "s.npz", "--overwrite"},
              {"s.npz: is no file of `ddpm eval stats`", "not even by --overwrite"}, npz("s.npz", {mu(), sigma({1, 0, 0, 1})})),
        stats("a size for a configuration", {"--data", "c.json", "--size", "8", "--out", "s.npz"}, {"--size", "dataset.image_size"},
              file("c.json", "{}")),
        stats("more pictures than there are", {"--data", "c.json", "--n", "60", "--out", "s.npz"}, {"--n: got 60", "50 pictures"},
              file("c.json", R"({"dataset": {"image_size": 8, "length": 50}})")),
        stats("unknown features", {"--data", ".", "--size", "8", "--features", "scater", "--out", "s.npz"},
              {"--features", "scatter"}),
        stats("features that are too wide", {"--data", "c.json", "--features", "pixel", "--out", "s.npz"},
              {"pixel features have", "4,096"}, file("c.json", R"({"dataset": {"image_size": 64, "length": 50}})")),
        stats("an unknown key", {"--data", "c.json", "--set", "dataset.lenght=5", "--out", "s.npz"}, {"dataset.lenght"},
              file("c.json", "{}")),
    });
}

}  // namespace
}  // namespace ddpm
