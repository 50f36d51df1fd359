#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "ddpm/checkpoint/describe.h"
#include "ddpm/core/error.h"

namespace ddpm {

std::function<int()> add_info(CLI::App& command) {
    auto path = std::make_shared<std::string>();
    command.add_option("path", *path, "a run, a checkpoint, a diffusers folder, a .safetensors file or a .pt file");
    return [path] {
        if (path->empty()) user_error("info: of what? give a folder or a .safetensors file", "for example: ddpm info runs/shapes");
        std::fputs(describe_checkpoint(*path).c_str(), stdout);
        return 0;
    };
}

}  // namespace ddpm
