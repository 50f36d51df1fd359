#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"
#include "ddpm/core/random.h"
#include "ddpm/image/codec.h"

// `ddpm data --duplicates`.

namespace ddpm {
namespace {

Image noise(uint64_t seed, uint8_t brighter = 0) {
    RandomStream random(seed, Purpose::synthetic);
    Image image = make_image(16, 16, 3);
    for (size_t i = 0; i < image.pixels.size(); i += 3) {
        const auto grey = static_cast<uint8_t>(brighter + random.below(200));
        for (size_t channel = 0; channel < 3; ++channel) image.pixels[i + channel] = grey;
    }
    return image;
}

// A folder `pictures` of 12 pictures: b is a's copy, d is a brighter c, the others are by themselves.
struct Folder : Tiny {
    Folder() {
        make_folders(folder / "pictures");
        const auto put = [&](const std::string& name, const Image& image) { write_png(folder / "pictures" / name, image); };
        put("a.png", noise(1));
        put("b.png", noise(1));
        put("c.png", noise(2));
        put("d.png", noise(2, 30));
        for (uint64_t i = 0; i < 8; ++i) put(fmt::format("e{}.png", i), noise(10 + i));
    }
    ProcessResult data(std::vector<std::string> more) const {
        more.insert(more.begin(), {"data", "pictures", "--set", "dataset.image_size=16"});
        return run(more);
    }
};

TEST(Duplicates, AreListedWithTheirLikeness) {
    const Folder tiny;
    const ProcessResult result = tiny.data({"--duplicates", "--pairs", "pairs.png", "--sheet", "sheet.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out.rfind("12 images", 0), 0u) << result.out;
    EXPECT_NE(result.out.find("twice     1 picture the same as an earlier one, 1 pair nearly the same"), std::string::npos)
        << result.out;
    EXPECT_NE(result.out.find("\n            a.png and b.png: the same\n"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("\n            c.png and d.png: 1.0000\n"), std::string::npos) << result.out;
    EXPECT_EQ(result.err.find("warning"), std::string::npos) << result.err;
    EXPECT_TRUE(is_made_by_ddpm(tiny.folder / "sheet.png"));
    const ImageHeader pairs = probe_image(tiny.folder / "pairs.png");
    EXPECT_GE(pairs.width, 2 * 96);
    EXPECT_GE(pairs.height, 2 * 96);
    EXPECT_EQ(tiny.data({"--duplicates", "--set", "dataset.workers=1"}).out,
              tiny.data({"--duplicates", "--set", "dataset.workers=3"}).out);
}

// Half of the pictures is held out, by some seed one of two that are the same and by some not. The warning comes with the first.
TEST(Duplicates, AcrossTheHoldoutAreWarnedOf) {
    const Folder tiny;
    int warned = 0, seeds = 0;
    for (; seeds < 30; ++seeds) {
        const ProcessResult result =
            tiny.data({"--duplicates", "--set", "dataset.holdout=6", "--set", "seed=" + std::to_string(seeds)});
        ASSERT_EQ(result.code, 0) << result.err;
        size_t across = 0;  // pairs of which one picture alone is held out
        for (const auto& [a, b] : {std::pair{"a.png", "b.png"}, {"c.png", "d.png"}}) {
            const bool first = result.out.find(std::string(a) + " (held out)") != std::string::npos;
            const bool second = result.out.find(std::string(b) + " (held out)") != std::string::npos;
            across += first != second ? 1 : 0;
        }
        const bool has_warning = result.err.find("warning: dataset.holdout: of 6 held-out pictures, ") != std::string::npos;
        EXPECT_EQ(has_warning, across > 0) << result.out << result.err;
        if (across == 2) {
            EXPECT_NE(result.err.find("pictures, 1 are among those of training too, pixel for pixel, and 1 nearly; the first: "),
                      std::string::npos)
                << result.err;
        }
        warned += has_warning ? 1 : 0;
    }
    EXPECT_GT(warned, 0);
    EXPECT_LT(warned, seeds);
}

TEST(Duplicates, NoneAreSaidToo) {
    const Folder tiny;
    for (const char* name : {"b.png", "d.png"}) fs::remove(tiny.folder / "pictures" / name);
    const ProcessResult result = tiny.data({"--duplicates", "--pairs", "pairs.png"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.out.find("twice     none of 10 pictures\n"), std::string::npos) << result.out;
    EXPECT_NE(result.err.find("pairs.png is not written"), std::string::npos) << result.err;
    EXPECT_FALSE(tiny.exists("pairs.png"));
}

TEST(Duplicates, LongListsEndWithTheCountOfTheRest) {
    const Folder tiny;
    for (int i = 0; i < 30; ++i) write_png(tiny.folder / "pictures" / fmt::format("f{}.png", 100 + i), noise(99));
    const ProcessResult result = tiny.data({"--duplicates"});
    EXPECT_NE(result.out.find("twice     30 pictures the same as an earlier one, 1 pair nearly"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("\n            … and 11 more\n"), std::string::npos) << result.out;
}

TEST(Duplicates, WrongPlacesAreRefused) {
    const Folder tiny;
    for (const auto& [flags, words] :
         {std::pair<std::vector<std::string>, std::string>{{"--pairs", "p.png"}, "--pairs: shows what"},
          {{"--duplicates", "--pairs", "p.jpg"}, "--pairs: p.jpg: "},
          {{"--duplicates", "--pairs", "none/p.png"}, "--pairs: none/p.png: "},
          {{"--duplicates", "--pairs", "pictures/p.png"}, "--pairs: pictures/p.png: lies among"},
          {{"--duplicates", "--pairs", "p.png", "--sheet", "p.png"}, "same file"}}) {
        const ProcessResult result = tiny.data(flags);
        EXPECT_EQ(result.code, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
        EXPECT_EQ(result.error_lines(), 1) << result.err;
    }
}

}  // namespace
}  // namespace ddpm
