#include <utility>

#include "bad_input/bad_input.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using test::BadInput;

fs::path data(const std::string& name) { return fs::path(DDPM_TEST_DATA_DIR) / name; }

// `ddpm eval quality` of twenty small pictures by the features of FILE, which is a copy of tests/data/`from` or has these bytes.
BadInput judged(const std::string& name, const std::string& features, std::vector<std::string> words, const std::string& from = "",
                const std::string& bytes = "") {
    const std::string file = features.substr(features.find(':') + 1);
    return {name,
            {"eval", "quality", "--samples", "s", "--data", "s", "--features", features},
            std::move(words),
            [=](const fs::path& folder) {
                fs::create_directories(folder / "s");
                for (char i = 'a'; i < 'a' + 20; ++i)
                    write_file(folder / "s" / (std::string(1, i) + ".ppm"), "P6 8 8 255\n" + std::string(192, i));
                if (!from.empty()) fs::copy_file(data(from), folder / file);
                if (!bytes.empty()) write_file(folder / file, bytes);
            }};
}

TEST(BadInput, FilesOfInception) {
    using namespace test::pickle;
    const std::string wrong = entry("Conv2d_1a_3x3.conv.weight", tensor(storage("FloatStorage", "0", 6), 0, {3, 2}, {2, 1}));
    const std::string state_dict =
        test::zip_archive({{"m/data.pkl", "\x80\x02}" + wrong + "."}, {"m/data/0", std::string(24, '\0')}});
    test::expect_refusals({
        judged("no file named", "inception", {"--features", "need a file of weights", "inception:FILE"}),
        judged("a file that is not there", "inception:w.pth", {"--features", "w.pth: not found"}),
        judged("a picture", "inception-clean-fid:w.png", {"w.png: is a PNG picture, expected a file of weights"}, "image/rgb8.png"),
        judged("weights of another network", "inception:w.pth",
               {"w.pth: does not fit Inception v3 of 2015-12-05", "Conv2d_1a_3x3.conv.weight is missing", "pytorch-fid"},
               "checkpoint/state_dict.pt"),
        judged("those in the old format", "inception-spatial:w.pth", {"w.pth: does not fit Inception v3 of 2015-12-05"},
               "checkpoint/old_nested.pt"),
        judged("wrong shapes", "inception-pytorch-fid:w.pth",
               {"w.pth", "Conv2d_1a_3x3.conv.weight has the shape [3, 2], expected [32, 3, 3, 3]"}, "", state_dict),
        judged("a pickle that would run code", "inception:w.pth", {"w.pth", "posix.system", "no code is run"},
               "checkpoint/code.pt"),
        judged("a pickle that is cut off", "inception:w.pth", {"w.pth", "is cut off"}, "",
               "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}"),
    });
}

}  // namespace
}  // namespace ddpm
