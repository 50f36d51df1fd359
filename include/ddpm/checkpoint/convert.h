#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/json.h"
#include "ddpm/core/options.h"

namespace ddpm {

// A model of this or another program under diffusers' names, its weights on the CPU in float32.
struct ConvertedModel {
    std::string format;  // that it came in
    UNetConfig unet;
    SchedulerConfig scheduler;
    NamedTensors weights;
};

struct ConvertRequest {
    std::string from = "auto";       // or one of convert_formats()
    Json settings = Json::object();  // what files of the format can't say: convert_settings(format)
    std::string key;                 // the names of the network's tensors begin with "KEY."; empty: found out
};

// diffusers, openai, pesser. "diffusers" stands for whatever open_pipeline opens.
const std::vector<std::string>& convert_formats();

// The keys of `settings`, with types, defaults and meanings; none for diffusers.
std::vector<FieldInfo> convert_settings(const std::string& format);

// Reads a checkpoint that UNet2DModel can express. The architecture follows from names and shapes; a file may hold more
// than the network, as long as the names say where it begins. user_error: what can't be expressed and why, which
// setting is missing, a format that is not known.
ConvertedModel read_model(const std::filesystem::path& source, const ConvertRequest& request);

}  // namespace ddpm
