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
    std::string format;  // the one of convert_formats() that it came in
    UNetConfig unet;
    SchedulerConfig scheduler;
    NamedTensors weights;
};

struct ConvertRequest {
    std::string from = "auto";       // or one of convert_formats()
    Json settings = Json::object();  // keys of convert_settings(format), which its files can't say
    std::string key;                 // the names of the network's tensors begin with "KEY."; empty: it is found
};

// "diffusers", "openai" and "pesser". "diffusers" stands for everything that open_pipeline opens.
const std::vector<std::string>& convert_formats();

// The keys that ConvertRequest::settings may hold, with types, defaults and meanings; diffusers has none.
std::vector<FieldInfo> convert_settings(const std::string& format);

// Reads a checkpoint that UNet2DModel can express. The architecture follows from names and shapes; a file may hold more
// than the network, as long as the names say where it begins. A user_error says what can't be expressed and why, which
// setting is missing, or that the format is not known.
ConvertedModel read_model(const std::filesystem::path& source, const ConvertRequest& request);

}  // namespace ddpm
