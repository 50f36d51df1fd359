#include "ddpm/eval/picture_views.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ddpm {
namespace {

// Pictures whose every pixel is another one, [n, c, h, w] bytes.
at::Tensor counted(int64_t n, int64_t c, int64_t h, int64_t w) {
    return (at::arange(n * c * h * w, at::kLong) * 37).remainder(251).to(at::kByte).view({n, c, h, w});
}

// Moves a picture [C, H, W] to the right and down; what comes in at the edge is the value given.
at::Tensor moved(const at::Tensor& picture, int64_t right, int64_t down, uint8_t edge) {
    at::Tensor result = at::full_like(picture, edge);
    const int64_t h = picture.size(1), w = picture.size(2);
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x)
            if (y - down >= 0 && y - down < h && x - right >= 0 && x - right < w)
                result.select(1, y).select(1, x).copy_(picture.select(1, y - down).select(1, x - right));
    return result;
}

TEST(PictureViews, AreTheNineWindowsAndTheirMirrorImages) {
    const PictureViews views({2, 5, 6}, true);
    const at::Tensor pictures = counted(3, 2, 5, 6), all = views.all(pictures);
    ASSERT_EQ(all.sizes(), (std::vector<int64_t>{3, 18, 2 * 3 * 4}));
    EXPECT_EQ(views.count(), 18);
    EXPECT_EQ(views.bytes(), 24);
    for (int64_t v = 0; v < 18; ++v)
        for (int64_t y = 0; y < 3; ++y)
            for (int64_t x = 0; x < 4; ++x) {
                const int64_t row = y + v % 9 / 3, column = x + v % 3;
                EXPECT_EQ(all[1][v][12 + y * 4 + x].item<int64_t>(),
                          pictures[1][1][row][v < 9 ? column : 5 - column].item<int64_t>());
            }
    EXPECT_TRUE(at::equal(views.middle(pictures), all.select(1, 4))) << "the middle window is the picture as it is";
    EXPECT_EQ(PictureViews({2, 5, 6}, false).count(), 9);
}

TEST(PictureViews, ACopyIsOneThoughItIsMovedOrMirrored) {
    const PictureViews views({3, 8, 7}, true);
    const at::Tensor picture = counted(1, 3, 8, 7)[0];
    for (int64_t right = -1; right <= 1; ++right)
        for (int64_t down = -1; down <= 1; ++down)
            for (const bool mirrored : {false, true}) {
                const at::Tensor laid = moved(picture, right, down, 77), copy = mirrored ? laid.flip(2) : laid;
                const PictureViews::Difference difference = views.difference(copy, picture);
                EXPECT_EQ(difference.mean, 0) << right << " " << down << " " << mirrored;
                EXPECT_EQ(difference.pixels.sizes(), (std::vector<int64_t>{3, 6, 5}));
            }
    EXPECT_GT(views.difference(moved(picture, 2, 0, 77), picture).mean, 10) << "by two pixels it is another one";
    EXPECT_GT(PictureViews({3, 8, 7}, false).difference(picture.flip(2), picture).mean, 10);
}

// The picture above is laid so as to meet the one below.
TEST(PictureViews, SayHowThePictureIsLaid) {
    const PictureViews views({1, 8, 8}, true);
    const at::Tensor picture = counted(1, 1, 8, 8)[0];
    EXPECT_EQ(views.difference(picture, picture).words, "");
    EXPECT_EQ(views.difference(moved(picture, 1, 0, 0), picture).words, "1 left");
    EXPECT_EQ(views.difference(moved(picture, -1, 0, 0), picture).words, "1 right");
    EXPECT_EQ(views.difference(moved(picture, 0, 1, 0), picture).words, "1 up");
    EXPECT_EQ(views.difference(moved(picture, -1, -1, 0), picture).words, "1 right, 1 down");
    EXPECT_EQ(views.difference(picture.flip(2), picture).words, "mirrored");
    const PictureViews::Difference brighter = views.difference(picture.clamp_max(240) + 3, picture.clamp_max(240));
    EXPECT_EQ(brighter.mean, 3);
    EXPECT_TRUE(brighter.pixels.eq(3).all().item<bool>());
}

TEST(PictureViews, SmallPicturesAreNotMovedAndLargeOnesAreReduced) {
    const PictureViews small({1, 2, 9}, false);
    const at::Tensor strip = counted(2, 1, 2, 9);
    EXPECT_EQ(small.count(), 1);
    EXPECT_TRUE(at::equal(small.middle(strip), strip.flatten(1).to(at::kDouble)));
    EXPECT_EQ(small.difference(strip[0], strip[0]).words, "");
    const PictureViews large({3, 128, 96}, false);
    const at::Tensor reduced = large.reduced(at::full({1, 3, 128, 96}, 9, at::kByte));
    EXPECT_EQ(reduced.sizes(), (std::vector<int64_t>{1, 3, 64, 48}));
    EXPECT_TRUE(reduced.eq(9).all().item<bool>());
    EXPECT_EQ(large.bytes(), 3 * 62 * 46);
    EXPECT_NE(large.definition().find("reduced to 48x64"), std::string::npos) << large.definition();
    const at::Tensor as_it_is = counted(1, 1, 64, 64);
    EXPECT_TRUE(at::equal(PictureViews({1, 64, 64}, false).reduced(as_it_is), as_it_is));
}

}  // namespace
}  // namespace ddpm
