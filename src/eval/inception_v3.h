#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace ddpm::eval {

// Inception v3 (arXiv 1512.00567) as TensorFlow published it on 2015-12-05 and as FID is measured by: 1008 classes, average
// pooling that leaves the padding out, and in the last block max pooling in its place. The tensors have the names that pytorch-fid
// and torch-fidelity give them ("Mixed_7c.branch_pool.conv.weight").
class InceptionV3 {
public:
    static constexpr int64_t kSide = 299, kPooled = 2048, kSpatial = 7 * 17 * 17;

    // The tensors that the network is made of, in the order in which it uses them: of each of its 94 convolutions the weight, and
    // weight, bias, running_mean and running_var of the batch norm behind it.
    static std::vector<std::pair<std::string, std::vector<int64_t>>> tensors();

    // Asks `weight` for each of them, floating and of its shape, and keeps them on `device` in float32, each batch norm within its
    // convolution. Throws a user_error that begins with `source` and names the tensor if a number is not finite or a variance
    // is negative.
    InceptionV3(const std::function<at::Tensor(const std::string& name)>& weight, const std::string& source, c10::Device device);

    // Takes pictures [n, 3, 299, 299] float32 in [−1, 1] on the device and returns the means of the last block over its 8×8
    // places, [n, 2048] ("pool_3" in TensorFlow's graph).
    at::Tensor pooled(const at::Tensor& pictures) const;

    // Returns the first 7 channels of the first branch of Mixed_6d ("mixed_6/conv"), [n, 17·17·7] with the channel last: what
    // sFID is measured by (arXiv 2103.03841).
    at::Tensor spatial(const at::Tensor& pictures) const;

private:
    struct Convolution {
        at::Tensor weight, bias;
    };
    friend struct InceptionTensors;

    std::map<std::string, Convolution> convolutions_;
};

// Reads the network from a file of weights: .pth of torch.save or .safetensors. Tensors that are missing, that this network does not
// have, or of another shape are a user_error that names them and the file. The classifier (fc) is not read.
InceptionV3 read_inception(const std::filesystem::path& file, c10::Device device);

}  // namespace ddpm::eval
