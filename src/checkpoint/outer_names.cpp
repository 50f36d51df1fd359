#include "checkpoint/outer_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::checkpoint {

namespace {

constexpr std::string_view kParts[] = {"conv_in",   "time_proj", "time_embedding", "class_embedding", "down_blocks",
                                       "mid_block", "up_blocks", "conv_norm_out",  "conv_out"};
// These may stand between the parts of a name too: compiled, sharded or recomputed blocks.
constexpr std::string_view kWrappers[] = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};

template <size_t count>
bool is_one_of(std::string_view word, const std::string_view (&words)[count]) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool begins_with(const WeightSource& source, std::string_view prefix) {
    return std::any_of(source.items().begin(), source.items().end(),
                       [&](const auto& item) { return item.second.entry.name.starts_with(prefix); });
}

// "module._orig_mod." as a key.
std::string key_of(const std::string& prefix) { return prefix.empty() ? "none" : quote(prefix.substr(0, prefix.size() - 1)); }

}  // namespace

std::optional<OuterName> take_apart(const std::string& name) {
    const std::vector<std::string> words = split(name, '.');
    const auto first = std::find_if(words.begin(), words.end(), [](const std::string& word) { return is_one_of(word, kParts); });
    if (first == words.end()) return std::nullopt;
    OuterName outer;
    for (auto word = words.begin(); word != first; ++word) outer.prefix += *word + ".";
    for (auto word = first; word != words.end(); ++word)
        if (!is_one_of(*word, kWrappers)) outer.name += (outer.name.empty() ? "" : ".") + *word;
    return outer;
}

std::vector<std::string> unet_prefixes(const WeightSource& source) {
    std::map<std::string, std::set<std::string>> parts;  // by prefix
    for (const auto& [unused, item] : source.items())
        if (const auto outer = take_apart(item.entry.name))
            parts[outer->prefix].insert(outer->name.substr(0, outer->name.find('.')));
    std::vector<std::string> prefixes;
    for (const auto& [prefix, found] : parts)  // halves of autoencoders have one of the two
        if (found.contains("down_blocks") && found.contains("up_blocks")) prefixes.push_back(prefix);
    return prefixes;
}

std::string keys_text(const std::vector<std::string>& prefixes) {
    std::vector<std::string> keys;
    for (const std::string& prefix : prefixes) keys.push_back(key_of(prefix));
    return join(keys);
}

std::string prefix_of_key(const std::string& key) {
    if (key == "none") return "";
    return key.ends_with('.') ? key : key + ".";
}

void settle_outer_names(WeightSource& source, const std::string& key) {
    const std::vector<std::string> prefixes = unet_prefixes(source);
    const std::string path = source.path().string();
    const auto is_network = [&](const std::string& prefix) {
        return std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end();
    };
    if (!key.empty() && !is_network(prefix_of_key(key)))
        user_error(fmt::format("{}: --key: holds no network under {}{}", path, quote(key),
                               is_network("")     ? "; its names have nothing before them, so leave --key out"
                               : prefixes.empty() ? ""
                                                  : ", but under " + keys_text(prefixes)));
    if (key.empty() && prefixes.size() > 1)
        throw SeveralNetworks(Error::Kind::user,
                              fmt::format("{}: holds {} networks, under {}", path, prefixes.size(), keys_text(prefixes)),
                              "`ddpm convert` takes one of them out: its --key says which");
    if (prefixes.empty()) return;
    const std::string prefix = key.empty() ? prefixes.front() : prefix_of_key(key);
    const std::vector<std::string> others = source.keep(prefix, [&](const std::string& name) -> std::optional<std::string> {
        if (!name.starts_with(prefix)) return std::nullopt;
        const auto outer = take_apart(name);
        if (!outer) return name.substr(prefix.size());
        if (outer->prefix != prefix && is_network(outer->prefix)) return std::nullopt;
        return outer->prefix.substr(prefix.size()) + outer->name;
    });
    if (prefix.empty()) return;
    const std::string aside =
        others.empty() ? ""
                       : fmt::format("; {} beside it ({}{}) left aside", plural(static_cast<int64_t>(others.size()), "tensor"),
                                     one_line(others.front()), others.size() > 1 ? ", …" : "");
    spdlog::info("{}: its network is under {}, which its names go without here{}", path, key_of(prefix), aside);
}

std::string writer_of(const WeightSource& source) {
    if (begins_with(source, "state_dict.") && begins_with(source, "optimizer_states.")) return "PyTorch Lightning";
    if (begins_with(source, "ema.ema_model.") || begins_with(source, "ema.online_model.")) return "lucidrains' trainer";
    return "";
}

}  // namespace ddpm::checkpoint
