// A configuration: JSON, then the sections that need no LibTorch (`sample` names samplers, which do), each read, checked,
// written and read again.

#include "ddpm/dataset/options.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/nn/options.h"
#include "ddpm/train/options.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

namespace {

// The section if the configuration has it and it can be read.
template <class Options>
std::optional<Options> read_section(const Json& config, const char* name, const FieldTable<Options>& fields) {
    if (!config.contains(name)) return std::nullopt;
    Options options, again;
    if (!fuzz::takes([&] { fields.read(options, config[name], name); })) return std::nullopt;
    const Json written = fields.write(options);
    fields.read(again, parse_json(dump_json(written), "written"), name);
    fuzz::require(fields.write(again) == written, "a section reads back as it was written");
    return options;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Json config;
    if (!fuzz::takes([&] { config = parse_json(fuzz::view(data, size), "fuzz"); }) || !config.is_object()) return 0;
    if (const auto dataset = read_section(config, "dataset", dataset_fields())) fuzz::takes([&] { check(*dataset); });
    if (const auto train = read_section(config, "train", train_fields())) fuzz::takes([&] { check(*train); });
    if (const auto diffusion = read_section(config, "diffusion", diffusion_fields());
        diffusion && diffusion->timesteps <= 2000)  // a million betas take their time
        fuzz::takes([&] { check(*diffusion); });
    if (const auto model = read_section(config, "model", model_fields()))
        fuzz::takes([&] {
            const UNetConfig unet = resolve_unet(settle_model(*model, 32, 32), 32, 32, 3);
            const Json json = unet_to_json(unet);
            fuzz::require(unet_to_json(unet_from_json(json, "written")) == json, "a network reads back as it was written");
        });
    return 0;
}
