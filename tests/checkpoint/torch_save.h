#pragma once

#include <ATen/ATen.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/files.h"
#include "tensorfile/archive.h"

namespace ddpm::test {

// Writes float32 tensors as torch.save does: {name: tensor, …}, or {"outer": {name: tensor, …}, "epoch": 3}.
inline void torch_save(const fs::path& path, const NamedTensors& tensors, const std::string& outer = "") {
    Files files{{"m/data.pkl", ""}};
    std::string dictionary = "}";
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor whole = tensor.detach().to(at::kFloat).contiguous();
        const std::string key = std::to_string(files.size() - 1);
        dictionary += pickle::entry(name, pickle::tensor(pickle::storage("FloatStorage", key, whole.numel()), 0,
                                                         whole.sizes().vec(), whole.strides().vec()));
        files.emplace_back("m/data/" + key,
                           std::string(reinterpret_cast<const char*>(whole.const_data_ptr<float>()), whole.nbytes()));
    }
    if (!outer.empty()) dictionary = joined({"}", pickle::entry(outer, dictionary), pickle::entry("epoch", pickle::integer(3))});
    files.front().second = joined({"\x80\x02", dictionary, "."});
    write_file(path, zip_archive(files));
}

}  // namespace ddpm::test
