#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ddpm::cli {

// The kind of a file that the user names for a result.
enum class ResultKind { picture, table, tensors, json, page, arrays };

// Throws a user_error that begins with `flag` if the program can't or should not write this file. The folder must exist and be
// writable. The name must end in .png for a picture, in .csv for a table, in .safetensors for tensors, in .json for JSON, in .html
// for a page and in .npz for arrays of NumPy, so that a slip replaces no configuration, checkpoint or data; if it is a link, so must the name of its target. Verbs call
// it before their work.
void check_place(const std::string& flag, const std::filesystem::path& file, ResultKind kind);

// Checks several files, which must all be different. A file with an empty path is not checked.
struct ResultFile {
    std::string flag;
    std::filesystem::path file;
    ResultKind kind = ResultKind::picture;
};
void check_places(const std::vector<ResultFile>& files);

// Refuses a result that would replace an input, lie in a folder that is read, or be a folder that an input lies in. Each is a flag and its
// path; empty paths are not checked. A folder of results may lie in a folder that is read.
using FlagAndPath = std::pair<std::string, std::filesystem::path>;
void check_apart(const std::vector<FlagAndPath>& results, const std::vector<FlagAndPath>& inputs);

// Refuses to replace what a verb has not written itself, with the user_error "PATH: WHY, and is not replaced, not even by
// --overwrite; INSTEAD".
[[noreturn]] void refuse_to_replace(const std::filesystem::path& path, const std::string& why, const std::string& instead);

// Refuses what `data` and `eval --data` don't take: a single picture, an archive, … They take a folder of pictures or a
// configuration. The user_error says what the path leads to.
void expect_data_source(const std::filesystem::path& path);

}  // namespace ddpm::cli
