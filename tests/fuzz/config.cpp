// Fuzzes a configuration: its JSON, then its sections. Each is read, checked, written and read again.

#include <algorithm>

#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/dataset/options.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/nn/options.h"
#include "ddpm/sampling/options.h"
#include "ddpm/sampling/spacing.h"
#include "ddpm/train/judging_options.h"
#include "ddpm/train/options.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

namespace {

// Returns the section if the configuration has it and it can be read.
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
    read_section(config, "eval", judging_fields());
    if (const auto diffusion = read_section(config, "diffusion", diffusion_fields());
        diffusion && diffusion->timesteps <= 2000)  // a million betas take too long
        fuzz::takes([&] { check(*diffusion); });
    if (const auto sample = read_section(config, "sample", sample_fields()))
        fuzz::takes([&] {
            const std::string spacing = sample->timestep_spacing.value_or("leading");
            const int64_t steps = sample->steps.value_or(1000);
            if (spaces_noise(spacing)) {
                const auto ratios = spaced_ratios(spacing, std::min<int64_t>(steps, 1000), 157, 0.01, sample->rho.value_or(7));
                for (size_t i = 1; i < ratios.size(); ++i) fuzz::require(ratios[i - 1] >= ratios[i], "noise levels fall");
                return;
            }
            const auto times = spaced_timesteps(spacing, 1000, steps, sample->steps_offset.value_or(0));
            fuzz::require(times.size() == static_cast<size_t>(steps), "as many times as steps");
            fuzz::require(times.front() >= 0 && times.back() < 1000, "times within 0 … T-1");
            for (size_t i = 1; i < times.size(); ++i) fuzz::require(times[i - 1] < times[i], "times ascend");
        });
    if (const auto model = read_section(config, "model", model_fields()))
        fuzz::takes([&] {
            const UNetConfig unet = resolve_unet(settle_model(*model, 32, 32), 32, 32, 3);
            const Json json = unet_to_json(unet);
            fuzz::require(unet_to_json(unet_from_json(json, "written")) == json, "a network reads back as it was written");
        });
    return 0;
}
