#include <cstdio>
#include <memory>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "ddpm/core/error.h"
#include "ddpm/run/describe.h"
#include "ddpm/run/verify.h"

namespace ddpm::cli {

namespace {

// Prints a line for each. Returns the exit code, 1 if one of them is damaged or holds numbers that are not finite.
int print_verdicts(const std::vector<Verdict>& verdicts) {
    int code = 0;
    for (const Verdict& verdict : verdicts) {
        if (verdict.damage || verdict.not_finite) code = 1;
        std::puts(fmt::format("{}: {}", verdict.path.string(),
                              !verdict.readable       ? "unknown: " + *verdict.damage
                              : verdict.damage        ? "damaged: " + *verdict.damage
                              : verdict.not_finite    ? "not finite: " + *verdict.not_finite
                              : verdict.has_checksums ? "sound"
                                                      : "sound as far as one can see: it carries no checksums")
                      .c_str());
    }
    return code;
}

}  // namespace

std::function<int()> add_info(CLI::App& command) {
    auto path = std::make_shared<std::string>();
    command.add_option("path", *path, "a run, a checkpoint, a diffusers folder, a .safetensors file or a .pt file");
    auto checks = std::make_shared<bool>(false);
    command.add_flag(
        "--verify", *checks,
        "read every file, hold it to its checksum and look for numbers that are not finite; of a run: all of its checkpoints");
    return [path, checks] {
        if (path->empty()) user_error("info: of what? give a folder or a .safetensors file", "for example: ddpm info runs/shapes");
        if (*checks) return print_verdicts(verify(*path));
        std::fputs(describe_checkpoint(*path).c_str(), stdout);
        return 0;
    };
}

}  // namespace ddpm::cli
