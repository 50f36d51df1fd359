#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/load.h"
#include "ddpm/core/json.h"
#include "ddpm/core/options.h"

namespace ddpm::checkpoint {

// The tensors of another program's network, which are those whose names begin with `prefix`. Here their names lack the
// prefix.
class ForeignWeights {
public:
    ForeignWeights(const WeightSource& source, const std::string& prefix);

    std::string source() const;  // for messages: the file, and the prefix if there is one
    const std::map<std::string, const WeightSource::Item*>& items() const { return items_; }
    bool has(const std::string& name) const { return items_.contains(name); }
    // Whether any name begins with this.
    bool has_below(const std::string& prefix) const;
    // Returns the length of dimension `dim`. A tensor that is missing or has fewer dimensions is a user_error.
    int64_t size(const std::string& name, size_t dim) const;
    // Counts prefix.0., prefix.1., … up to the first gap.
    int64_t count(const std::string& prefix) const;
    at::Tensor read(const std::string& name) const;

    // Throws the user_error for a network that UNet2DModel can't express.
    [[noreturn]] void cannot_express(const std::string& why) const;

private:
    const WeightSource& source_;
    std::string prefix_;
    std::map<std::string, const WeightSource::Item*> items_;
};

// Says from which of their tensors each of ours is made, and how.
class NameMap {
public:
    using Change = std::function<at::Tensor(const at::Tensor&)>;
    struct Origin {
        std::string name;
        Change change;  // empty: as it is
    };

    // Makes TO.weight and TO.bias from FROM.weight and FROM.bias.
    void add(const std::string& to, const std::string& from, const Change& change = {});
    // Does the same for a single tensor.
    void add_tensor(const std::string& to, const std::string& from, const Change& change = {});

    const std::map<std::string, Origin>& origins() const { return origins_; }

private:
    std::map<std::string, Origin> origins_;
};

// Returns a convolution over single pixels, [out, in, 1…], as the linear map [out, in]. Biases stay as they are.
at::Tensor as_linear(const at::Tensor& tensor);

// A foreign network, described in this program's terms.
struct ForeignNetwork {
    UNetConfig unet;
    SchedulerConfig scheduler;
    NameMap names;
    NamedTensors made;  // tensors of ours that follow from settings alone
};

// An entry in the table of formats.
struct ForeignFormat {
    const char* name;
    const char* landmark;  // a tensor that each of its networks has
    std::vector<FieldInfo> (*settings)();
    ForeignNetwork (*describe)(const ForeignWeights& weights, const Json& settings);
};

ForeignFormat openai_format();
ForeignFormat pesser_format();

// Returns the picture size from the settings, because no weights say it. A missing size is a user_error.
std::array<int64_t, 2> square_size(const std::optional<int64_t>& image_size, const std::string& format);

// The block types of a level. `resamples` says whether the level has a down- or upsampler, `by_resnet` of which kind.
std::string down_block_type(bool attends, bool resamples, bool by_resnet);
std::string up_block_type(bool attends, bool resamples, bool by_resnet);

}  // namespace ddpm::checkpoint
