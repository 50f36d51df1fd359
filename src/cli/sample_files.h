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

// The formats in which `ddpm sample` fills its folder:
//   png          000000.png, 000001.png, …
//   safetensors  samples.safetensors with the key `images`, float32 [N,C,H,W], as the sampler returns them
//   npz          samples.npz with arr_0, uint8 [N,H,W,C], and if there are labels arr_1, int64 [N], as the evaluator of
//                guided-diffusion reads it
const std::vector<std::string>& sample_formats();

// Checks that the folder can end up with those files alone. These are user_errors: anything in the folder that `ddpm sample` has
// not written; an earlier sample, unless `overwrite` is set; one of the `others` (flag and path; an empty path is not checked)
// that would lie in the folder; a folder that can't be replaced (place_of_folder).
void check_sample_folder(const std::filesystem::path& folder, bool overwrite,
                         const std::vector<std::pair<std::string, std::filesystem::path>>& others);

// Writes pictures, batch by batch, into a folder beside the final one. commit() gives it its name, and with `overwrite` replaces
// an earlier one.
class SampleFiles {
public:
    // `count` is the number of all pictures.
    SampleFiles(const std::filesystem::path& folder, bool overwrite, std::string format, int64_t count);

    // Writes pictures first … first + n − 1: `batch`, [n,C,H,W] float32 on the CPU, and the same as `pictures`. `labels` has one
    // for each or is empty. made(index) returns the text that a PNG carries.
    void add(const at::Tensor& batch, const std::vector<Image>& pictures, int64_t first, const std::vector<int64_t>& labels,
             const std::function<PngText(int64_t index)>& made);
    // Returns the folder. It is NAME-2, NAME-3, … instead of NAME if somebody else has written into NAME meanwhile.
    std::filesystem::path commit();

private:
    std::filesystem::path target_;
    bool overwrite_;
    std::string format_;
    int64_t count_;
    std::unique_ptr<StagedFolder> staged_;
    std::unique_ptr<SafetensorsWriter> tensors_;  // for safetensors; null before the first batch
    std::unique_ptr<NpzWriter> arrays_;           // for npz; null before the first batch
    std::vector<int64_t> labels_;
};

}  // namespace ddpm::cli
