#pragma once

#include <memory>

#include "ddpm/eval/features.h"

namespace ddpm::eval {

// The functions behind the rows of feature_kinds().
std::unique_ptr<Features> make_scatter_features(const PictureFormat& format, c10::Device device);
std::unique_ptr<Features> make_pixel_features(const PictureFormat& format, c10::Device device);

}  // namespace ddpm::eval
