#include "checkpoint/foreign.h"

#include "checkpoint/outer_names.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm::checkpoint {

ForeignWeights::ForeignWeights(const WeightSource& source, const std::string& prefix) : source_(source), prefix_(prefix) {
    for (const auto& [name, item] : source.items())
        if (item.entry.name.rfind(prefix, 0) == 0) items_[item.entry.name.substr(prefix.size())] = &item;
}

std::string ForeignWeights::source() const {
    return source_.path().string() + (prefix_.empty() ? "" : ": under " + keys_text({prefix_}));
}

bool ForeignWeights::has_below(const std::string& prefix) const {
    const auto next = items_.lower_bound(prefix);
    return next != items_.end() && next->first.rfind(prefix, 0) == 0;
}

int64_t ForeignWeights::size(const std::string& name, size_t dim) const {
    const auto found = items_.find(name);
    if (found == items_.end()) user_error(fmt::format("{}: {} is missing", source(), name));
    const std::vector<int64_t>& shape = found->second->entry.shape;
    if (dim >= shape.size())
        user_error(fmt::format("{}: {} has the shape [{}], expected more dimensions", source(), name, fmt::join(shape, ", ")));
    return shape[dim];
}

int64_t ForeignWeights::count(const std::string& prefix) const {
    int64_t count = 0;
    while (has_below(fmt::format("{}.{}.", prefix, count))) ++count;
    return count;
}

at::Tensor ForeignWeights::read(const std::string& name) const { return source_.read(*items_.at(name)); }

void ForeignWeights::cannot_express(const std::string& why) const {
    user_error(fmt::format("{}: can't be expressed as diffusers' UNet2DModel: {}", source(), why));
}

void NameMap::add(const std::string& to, const std::string& from, const Change& change) {
    for (const char* part : {".weight", ".bias"}) add_tensor(to + part, from + part, change);
}

void NameMap::add_tensor(const std::string& to, const std::string& from, const Change& change) { origins_[to] = {from, change}; }

at::Tensor as_linear(const at::Tensor& tensor) {
    if (tensor.dim() <= 2 || tensor.numel() != tensor.size(0) * tensor.size(1)) return tensor;
    return tensor.reshape({tensor.size(0), tensor.size(1)});
}

std::array<int64_t, 2> square_size(const std::optional<int64_t>& image_size, const std::string& format) {
    if (!image_size)
        user_error(format + ".image_size: missing; the file does not say how large the pictures are",
                   "add --set image_size=N, their height and width in pixels");
    return {*image_size, *image_size};
}

std::string down_block_type(bool attends, bool resamples, bool by_resnet) {
    return attends ? "AttnDownBlock2D" : resamples && by_resnet ? "ResnetDownsampleBlock2D" : "DownBlock2D";
}

std::string up_block_type(bool attends, bool resamples, bool by_resnet) {
    return attends ? "AttnUpBlock2D" : resamples && by_resnet ? "ResnetUpsampleBlock2D" : "UpBlock2D";
}

}  // namespace ddpm::checkpoint
