#include "cli/places.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <map>

#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"

namespace ddpm::cli {

void check_place(const std::string& flag, const fs::path& file, ResultKind kind) {
    const fs::path real = behind_links(file);
    if (own_type(real) == fs::file_type::symlink)
        user_error(fmt::format("{}: {}: is a link that leads round in a circle", flag, file.string()));
    if (real != file) check_place(fmt::format("{}: {} (a link)", flag, file.string()), real, kind);
    if (!is_folder(folder_of(file)))
        user_error(fmt::format("{}: {}: there is no folder {}; make it first", flag, file.string(), folder_of(file).string()));
    if (::access(folder_of(file).c_str(), W_OK | X_OK) != 0)
        user_error(
            fmt::format("{}: {}: can't write into {}: {}", flag, file.string(), folder_of(file).string(), std::strerror(errno)));
    if (is_folder(file)) user_error(fmt::format("{}: {}: is a folder, expected a file's name", flag, file.string()));
    if (is_special(file)) user_error(fmt::format("{}: {}: is a device or a pipe, expected a file's name", flag, file.string()));
    check_partial_file(file);
    std::string extension = file.extension().string();
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (kind == ResultKind::picture && extension != ".png")
        user_error(fmt::format("{}: {}: pictures are written as PNG, expected a name that ends in .png", flag, file.string()));
    if (kind == ResultKind::table && extension != ".csv")
        user_error(fmt::format("{}: {}: expected a name that ends in .csv", flag, file.string()));
    if (kind == ResultKind::tensors && extension != ".safetensors")
        user_error(fmt::format("{}: {}: expected a name that ends in .safetensors", flag, file.string()));
    if (kind == ResultKind::json && extension != ".json")
        user_error(fmt::format("{}: {}: expected a name that ends in .json", flag, file.string()));
    if (kind == ResultKind::page && extension != ".html")
        user_error(fmt::format("{}: {}: expected a name that ends in .html", flag, file.string()));
    if (kind == ResultKind::arrays && extension != ".npz")
        user_error(fmt::format("{}: {}: expected a name that ends in .npz", flag, file.string()));
}

void check_places(const std::vector<ResultFile>& files) {
    std::map<fs::path, std::string> taken;
    for (const auto& [flag, file, kind] : files) {
        if (file.empty()) continue;
        check_place(flag, file, kind);
        const auto [other, fresh] = taken.emplace(fs::weakly_canonical(fs::absolute(behind_links(file))), flag);
        if (!fresh) user_error(fmt::format("{} and {} name the same file, {}", other->second, flag, file.string()));
    }
}

void check_apart(const std::vector<FlagAndPath>& results, const std::vector<FlagAndPath>& inputs) {
    const auto place = [](const fs::path& path) { return fs::weakly_canonical(fs::absolute(behind_links(path))); };
    const auto lies_in = [](const fs::path& path, const fs::path& folder) {
        return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
    };
    for (const auto& [flag, file] : results)
        for (const auto& [input_flag, input] : inputs) {
            if (file.empty() || input.empty()) continue;
            const fs::path result = place(file), read = place(input);
            if (lies_in(read, result) || (lies_in(result, read) && !is_folder(result) && flag != "--out"))
                user_error(fmt::format("{}: {}: {} what {} reads; choose another place", flag, file.string(),
                                       result == read          ? "is"
                                       : lies_in(read, result) ? "holds"
                                                               : "lies in",
                                       input_flag));
        }
}

void refuse_to_replace(const fs::path& path, const std::string& why, const std::string& instead) {
    user_error(fmt::format("{}: {}, and is not replaced, not even by --overwrite; {}", path.string(), why, instead));
}

void expect_data_source(const fs::path& path) {
    expect_kind(path, {FileKind::folder, FileKind::json, FileKind::text, FileKind::empty, FileKind::pipe},
                "a folder of pictures or a configuration (JSON)");
}

}  // namespace ddpm::cli
