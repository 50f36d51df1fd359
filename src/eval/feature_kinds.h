#pragma once

#include <filesystem>
#include <memory>

#include "ddpm/eval/features.h"

namespace ddpm::eval {

// The functions behind the rows of feature_kinds().
std::unique_ptr<Features> make_scatter_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);
std::unique_ptr<Features> make_pixel_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);
std::unique_ptr<Features> make_dinov2_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);
std::unique_ptr<Features> make_clip_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);
std::unique_ptr<Features> make_script_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);

}  // namespace ddpm::eval
