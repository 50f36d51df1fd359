#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ddpm::cli {

// The kind of a file that the user names for a result.
enum class ResultKind { picture, table };

// Throws a user_error that begins with `flag` if the program can't or should not write this file. The folder must exist and be
// writable. The name must end in .png for a picture and in .csv for a table, so that a slip replaces no configuration, checkpoint
// or data; if it is a link, so must the name of its target. Verbs call it before their work.
void check_place(const std::string& flag, const std::filesystem::path& file, ResultKind kind);

// Checks several files, which must all be different. A file with an empty path is not checked.
struct ResultFile {
    std::string flag;
    std::filesystem::path file;
    ResultKind kind = ResultKind::picture;
};
void check_places(const std::vector<ResultFile>& files);

}  // namespace ddpm::cli
