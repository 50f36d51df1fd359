#include <cstdio>
#include <memory>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/config.h"

namespace ddpm::cli {

namespace {

std::string in_words(const FieldInfo& info) {
    std::string text = fmt::format("{}\n    {}; default {}", info.name, info.type, info.default_value);
    if (!info.allowed.empty()) text += "; allowed: " + info.allowed;
    if (info.free_on_resume) text += "; may change on --resume";
    return text + "\n    " + info.meaning + "\n";
}

int list_config(const std::string& key) {
    const std::vector<FieldInfo> all = describe_config();
    bool found = false;
    for (const FieldInfo& info : all) {
        const bool chosen = key.empty() || info.name == key || info.name.rfind(key + ".", 0) == 0;
        if (chosen) std::fputs(in_words(info).c_str(), stdout);
        found = found || chosen;
    }
    if (!found) {
        std::vector<std::string> names;
        for (const FieldInfo& info : all) names.push_back(info.name);
        const std::string near = nearest_name(key, names);
        user_error(fmt::format("unknown key {}{}", quote(key), near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)),
                   "`ddpm config` lists every key");
    }
    return 0;
}

}  // namespace

std::function<int()> add_config(CLI::App& command) {
    auto key = std::make_shared<std::string>();
    command.add_option("key", *key, "a key (train.steps) or a section (train); without it, all of them");
    return [key] { return list_config(*key); };
}

}  // namespace ddpm::cli
