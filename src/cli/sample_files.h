#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/staging.h"
#include "ddpm/image/codec.h"
#include "ddpm/tensorfile/npz.h"

namespace ddpm::cli {

// What `ddpm sample` leaves in its folder: png, a picture each (000000.png, …); safetensors, samples.safetensors with
// the key `images`, float32 [N,C,H,W] as the sampler left them; npz, samples.npz with arr_0, uint8 [N,H,W,C], and with
// labels arr_1, int64 [N]: what the evaluator of guided-diffusion reads.
const std::vector<std::string>& sample_formats();

// The folder must end up with those files alone: what else is there, and with `overwrite` what `ddpm sample` did not draw, is
// a user_error, and so are an earlier sample without `overwrite`, one of the `others` (flag and path; empty: not asked for)
// that would lie there, and a folder that can't be replaced (place_of_folder).
void check_sample_folder(const std::filesystem::path& folder, bool overwrite,
                         const std::vector<std::pair<std::string, std::filesystem::path>>& others);

// Writes pictures as they come, beside the folder; it appears, or with `overwrite` is replaced, when all are there.
class SampleFiles {
public:
    // `count`: how many pictures there will be.
    SampleFiles(const std::filesystem::path& folder, bool overwrite, std::string format, int64_t count);

    // Pictures first … first + n − 1 of the batch, [n,C,H,W] float32 on the CPU. labels: one each, or none at all.
    // made(index): the text that a PNG carries.
    void add(const at::Tensor& batch, const std::vector<Image>& pictures, int64_t first, const std::vector<int64_t>& labels,
             const std::function<PngText(int64_t index)>& made);
    // Returns the folder: another than asked for where that has come to hold something meanwhile.
    std::filesystem::path commit();

private:
    std::filesystem::path target_;
    bool overwrite_;
    std::string format_;
    int64_t count_;
    std::unique_ptr<StagedFolder> staged_;
    std::unique_ptr<SafetensorsWriter> tensors_;  // safetensors, from the first batch on
    std::unique_ptr<NpzWriter> arrays_;           // npz, likewise
    std::vector<int64_t> labels_;
};

}  // namespace ddpm::cli
