#pragma once

#include <filesystem>
#include <memory>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "ddpm/eval/features.h"

namespace ddpm::eval {

// Which of the numbers that are called Inception features. All are of one network and differ in how a picture comes to 299×299,
// which changes every distance; spatial takes other numbers of it.
enum class InceptionForm {
    legacy_tensorflow,  // bilinear as TensorFlow 1 does it, without half-pixel centres, then (x − 128)/128: the first FID
    pytorch_fid,        // bilinear with half-pixel centres and not antialiased, of x/255, then 2x − 1: pytorch-fid
    clean_fid,  // Pillow's bicubic on floats, antialiased, clipped to 0 … 255, then (x − 128)/128: clean-fid (arXiv 2104.11222)
    spatial,    // resized as legacy_tensorflow, for sFID (InceptionV3::spatial)
};

// Takes bytes [n, 3, H, W] on the CPU and returns what the network is given, [n, 3, 299, 299] float32 on the CPU.
at::Tensor inception_input(InceptionForm form, const at::Tensor& bytes);

// The functions behind the rows of feature_kinds(). `file` is read by read_inception.
template <InceptionForm form>
std::unique_ptr<Features> make_inception_features(const PictureFormat& format, c10::Device device,
                                                  const std::filesystem::path& file);

}  // namespace ddpm::eval
