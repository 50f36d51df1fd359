#include "ddpm/core/normal_form.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include <spdlog/fmt/fmt.h>
#include <utf8proc.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

// Returns the normal form C of a text that is UTF-8 throughout.
std::string normalized(std::string_view text) {
    utf8proc_uint8_t* composed = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &composed,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (length < 0) return std::string(text);  // with a character that Unicode does not know
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(composed, &std::free);
    return {reinterpret_cast<const char*>(composed), static_cast<size_t>(length)};
}

}  // namespace

std::string to_normal_form(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        size_t end = 0;
        while (end < text.size()) {  // to the first byte that is not UTF-8
            const Utf8Character next = first_character(text.substr(end));
            if (!next.valid) break;
            end += next.length;
        }
        out += normalized(text.substr(0, end));
        if (end < text.size()) out += text[end++];
        text.remove_prefix(end);
    }
    return out;
}

std::string text_of_name(std::string_view name) { return as_utf8(to_normal_form(name)); }

std::string hint_of_spelling(const fs::path& path) {
    if (path.empty() || is_present(path)) return {};
    fs::path found;
    bool is_other = false;
    for (const fs::path& part : path) {
        fs::path next = found / part;
        if (own_type(next) == fs::file_type::not_found) {  // a link to nothing is there by this very name
            std::vector<fs::path> entries;
            try {
                entries = entries_of(found.empty() ? fs::path(".") : found);
            } catch (const Error&) {
            }
            const auto same = [&](const fs::path& entry) {
                return text_of_name(entry.filename().string()) == text_of_name(part.string());
            };
            const auto entry = std::find_if(entries.begin(), entries.end(), same);
            if (entry == entries.end()) return {};
            next = found / entry->filename();
            is_other = true;
        }
        found = next;
    }
    if (!is_other || !is_present(found)) return {};
    return fmt::format(
        "{} looks the same and is there, but its name is other bytes (another normal form of Unicode); let the "
        "shell complete it, or rename it",
        found.string());
}

}  // namespace ddpm
