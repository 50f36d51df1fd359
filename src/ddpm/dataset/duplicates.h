#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/dataset/dataset.h"
#include "ddpm/image/image.h"

namespace ddpm {

// A picture in grey, reduced to 16×16 (resize of ddpm/image/transform.h), rows top to bottom.
inline constexpr int kThumbnailSide = 16;
using Thumbnail = std::array<uint8_t, kThumbnailSide * kThumbnailSide>;
Thumbnail make_thumbnail(const Image& picture);

// Pearson's correlation of the pixels, −1 … 1. It does not see brightness and contrast. A thumbnail of one grey has none with
// anything: 0.
double correlation(const Thumbnail& a, const Thumbnail& b);

// Pictures whose thumbnails correlate more than this are nearly the same.
inline constexpr double kNearlyTheSame = 0.99;

// An example of one of several data sets.
struct PictureOf {
    size_t part = 0;
    int64_t index = 0;
    auto operator<=>(const PictureOf&) const = default;
};

struct DuplicatePair {
    PictureOf first, second;  // ascending
    bool same = false;        // pixel for pixel; false: nearly the same
    double correlation = 1;   // 1 if they are the same
    bool is_across() const { return first.part != second.part; }
};

struct Duplicates {
    int64_t compared = 0;                 // pictures that could be read
    std::vector<std::string> unreadable;  // why others could not, a line for each
    int64_t copies = 0;                   // pictures that an earlier one is equal to
    int64_t near_pairs = 0;  // pairs of different pictures that are nearly the same; of equal ones the first stands for all
    // Pictures of a later part, such as held-out ones, that the first part has pixel for pixel, and others that it has nearly.
    int64_t copies_across = 0, near_across = 0;
    // A copy with the first picture that it is equal to, or two that are nearly the same. Pairs across parts come first, among them
    // and among the others copies, each in the order of the pictures.
    std::vector<DuplicatePair> pairs;
};

// Finds pictures that are in the data twice, as training sees them but never mirrored. The parts have pictures of one size; those of
// a later part come after all of an earlier one. Keeps at most `most_pairs` pairs. The result does not depend on the number of
// threads. The time grows with the square of the number of pictures, the memory with the number: 1.5 KiB a picture.
Duplicates find_duplicates(const std::vector<const Dataset*>& parts, size_t most_pairs, int threads);

}  // namespace ddpm
