#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/features.h"

namespace ddpm {

// The ways to lay one picture over another so that a copy counts as one though it is moved by a pixel or mirrored. Of the picture laid
// below only the middle counts, all but the outermost pixels; of the one above each of the nine windows of that size, and, with
// `mirrored`, those of its mirror image. So no pixel is made up at an edge. A picture with a side below three pixels is not moved.
// Pictures whose longer side is above 64 pixels are reduced to it first, as for scatter; a pixel is one of those then.
class PictureViews {
public:
    PictureViews(const PictureFormat& format, bool mirrored);

    int64_t count() const { return windows_ * (mirrored_ ? 2 : 1); }
    // The bytes of the middle of a picture.
    int64_t bytes() const { return channels_ * middle_height_ * middle_width_; }
    // What is compared, on one line.
    std::string definition() const;

    // Takes bytes [N, C, H, W] of the format and returns them reduced, [N, C, h, w]; the same tensor where nothing is reduced.
    at::Tensor reduced(const at::Tensor& pictures) const;
    // These take reduced pictures and return numbers 0 … 255 as float64 on the CPU: of the middle [N, D], of all views [N, V, D].
    at::Tensor middle(const at::Tensor& pictures) const;
    at::Tensor all(const at::Tensor& pictures) const;

    // How two reduced pictures [C, h, w] differ in the nearest view, the first one of equally near ones.
    struct Difference {
        at::Tensor pixels;  // [C, h − 2, w − 2] bytes: |above − below|
        double mean;        // of them
        std::string words;  // "mirrored, 1 left, 1 up": how the picture above was laid; empty: as it is
    };
    Difference difference(const at::Tensor& above, const at::Tensor& below) const;

private:
    int64_t channels_, height_, width_, middle_height_, middle_width_, windows_;
    bool mirrored_, reduces_;
};

}  // namespace ddpm
