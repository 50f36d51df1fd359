#include "ddpm/tensorfile/safetensors_index.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"

namespace ddpm {

std::map<std::string, std::string> read_safetensors_index(const Json& index, const std::string& source) {
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
        user_error(source + ": expected an object with the key weight_map, which maps tensors to files");
    std::map<std::string, std::string> file_of;
    for (const auto& item : index["weight_map"].items()) {
        const std::string file = read_text(item.value(), source + ": weight_map." + one_line(item.key()));
        if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos)
            user_error(fmt::format("{}: weight_map names the file {}, expected one beside it", source, quote(file)));
        file_of[item.key()] = file;
    }
    return file_of;
}

}  // namespace ddpm
