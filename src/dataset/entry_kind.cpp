#include "dataset/entry_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/image/unread.h"

namespace ddpm::dataset {

namespace {

using Why = LeftOut::Why;

// What editors, browsers and people put behind the name of a file that they don't want to lose or have not finished.
constexpr std::string_view kBackUpEndings[] = {"~",    ".bak", ".backup", ".orig", ".old",     ".tmp",        ".temp",
                                               ".swp", ".swo", ".swn",    ".part", ".partial", ".crdownload", ".download"};
constexpr std::string_view kArchiveEndings[] = {".zip", ".tar", ".tgz", ".gz",  ".bz2", ".tbz2", ".xz", ".txz", ".zst",
                                                ".lz4", ".7z",  ".rar", ".cbz", ".cbr", ".lzma", ".z",  ".iso"};

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

// The name of the file that this is a copy of: "a.png" of "a.png~" and "#a.png#", ".a.png" of ".a.png.swp"; empty where it is
// none.
std::string original_of_back_up(std::string name) {
    if (name.size() > 2 && name.front() == '#' && name.back() == '#') return name.substr(1, name.size() - 2);
    if (name.starts_with(".#")) return name.substr(2);
    // Emacs numbers them: "a.png.~1~".
    if (const size_t dot = name.rfind(".~"); dot != name.npos && dot + 3 < name.size() && name.back() == '~')
        return name.substr(0, dot);
    const std::string lower = lower_case(name);
    for (const std::string_view ending : kBackUpEndings)
        if (lower.size() > ending.size() && lower.ends_with(ending)) return name.substr(0, name.size() - ending.size());
    return {};
}

bool is_archive_name(const fs::path& file) {
    const std::string extension = extension_of(file);
    return std::find(std::begin(kArchiveEndings), std::end(kArchiveEndings), extension) != std::end(kArchiveEndings);
}

std::string read_head(const fs::path& file) {
    std::string head(kUnreadHead, '\0');
    std::ifstream stream(file, std::ios::binary);
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<size_t>(stream.gcount()));
    return head;
}

bool begins_like_picture(std::string_view head) {
    const auto begins = [&](std::string_view magic) { return head.substr(0, magic.size()) == magic; };
    return begins("\x89PNG\r\n\x1a\n") || begins("\xff\xd8\xff") || begins("GIF87a") || begins("GIF89a") ||
           (begins("BM") && head.size() >= 10 && head.substr(6, 4) == std::string_view("\0\0\0\0", 4)) ||
           ((begins("P5") || begins("P6")) && head.size() > 2 && std::isspace(static_cast<unsigned char>(head[2])));
}

EntryKind left_out(Why why, const fs::path& file, const std::string& what, const std::string& format = {}) {
    return {{}, LeftOut{why, file.string(), fmt::format("{}: {}", file.string(), what), format}};
}

// Of a file that has a picture's name or first bytes.
EntryKind kind_of_picture(const fs::path& file, const DatasetOptions& options) try {
    const ImageHeader header = probe_image(file);
    const int64_t pixels = int64_t{header.width} * header.height;
    if (pixels > options.max_pixels)
        return left_out(Why::unreadable, file,
                        fmt::format("{}x{} are {} pixels, more than dataset.max_pixels ({})", header.width, header.height, pixels,
                                    options.max_pixels));
    EntryKind kind;
    if (header.is_made_by_ddpm) kind = left_out(Why::is_made_by_ddpm, file, "a picture that this program has made");
    kind.picture = header;
    return kind;
} catch (const Error& error) {
    const std::string format = unread_format(read_head(file));
    return {{}, LeftOut{format.empty() ? Why::unreadable : Why::other_format, file.string(), error.what(), format}};
}

}  // namespace

bool is_dangling_link(const fs::path& path) { return own_type(path) == fs::file_type::symlink && !is_special(path); }

bool is_picture_name(const std::string& name) { return has_image_extension(name) || !unread_format_of_name(name).empty(); }

std::string extension_of(const fs::path& path) { return lower_case(path.extension().string()); }

EntryKind kind_of_file(const fs::path& file, bool hidden, const DatasetOptions& options) {
    const std::string name = file.filename().string(), original = original_of_back_up(name);
    const std::string back_up = fmt::format("a back-up or unfinished copy of {}", quote(original));
    if (!original.empty() && is_picture_name(original)) return left_out(Why::back_up, file, back_up);
    if (hidden) {
        if (is_picture_name(name)) return left_out(Why::hidden, file, "hidden, so it is not trained on");
        return {};
    }
    if (has_image_extension(file)) return kind_of_picture(file, options);
    const std::string head = read_head(file);
    if (begins_like_picture(head)) return original.empty() ? kind_of_picture(file, options) : left_out(Why::back_up, file, back_up);
    std::string format = unread_format(head);
    if (format.empty()) format = unread_format_of_name(name);
    if (!format.empty()) return left_out(Why::other_format, file, fmt::format("{} is not supported", format), format);
    if (is_archive_name(file)) return left_out(Why::archive, file, "an archive, which is not looked into; unpack it");
    return {};
}

std::optional<LeftOut> kind_of_other(const fs::path& path, bool hidden) {
    const std::string name = path.filename().string();
    // A name without an extension may have been a picture's or a class's.
    if (!is_picture_name(name) && !path.extension().empty()) return {};
    if (hidden)
        return is_picture_name(name) ? left_out(Why::hidden, path, "hidden, so it is not trained on").left_out : std::nullopt;
    if (is_dangling_link(path)) return left_out(Why::unreadable, path, "a link to nothing that can be read").left_out;
    if (!is_picture_name(name)) return {};
    return left_out(Why::unreadable, path, "is a device or a pipe, expected a picture's file").left_out;
}

}  // namespace ddpm::dataset
