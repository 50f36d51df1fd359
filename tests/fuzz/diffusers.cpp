// Fuzzes the JSON files of a diffusers pipeline: unet/config.json, scheduler_config.json and the index of shards.

#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/scheduler.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/tensorfile/safetensors_index.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    spdlog::set_level(spdlog::level::off);  // unknown keys are warned about
    Json json;
    if (!fuzz::takes([&] { json = parse_json(fuzz::view(data, size), "fuzz"); })) return 0;
    fuzz::takes([&] { read_safetensors_index(json, "fuzz"); });
    fuzz::takes([&] {
        const Json unet = unet_to_json(unet_from_json(json, "fuzz"));
        fuzz::require(unet_to_json(unet_from_json(unet, "written")) == unet, "a network reads back as it was written");
    });
    fuzz::takes([&] {
        const SchedulerConfig config = scheduler_from_json(json, "fuzz");
        const Json scheduler = scheduler_to_json(config);
        fuzz::require(scheduler_to_json(scheduler_from_json(scheduler, "written")) == scheduler,
                      "a scheduler reads back as it was written");
        variance_type(config);
        if (config.num_train_timesteps <= 2000)  // a million betas take too long
            fuzz::require(make_betas(config).size() == static_cast<size_t>(config.num_train_timesteps), "a beta a timestep");
    });
    return 0;
}
