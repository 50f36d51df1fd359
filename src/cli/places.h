#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ddpm::cli {

// A file that the user named as a result: the folder it goes into must be there and writable, and the name, and that of
// what it links to, must be of a PNG or a table, so that a slip replaces no configuration, checkpoint or data. Else a
// user_error that begins with `flag`; asked before the work, not after it.
enum class Written { picture, table };
void check_place(const std::string& flag, const std::filesystem::path& file, Written kind);

// The same for several, which must differ; an empty path was not asked for.
struct Place {
    std::string flag;
    std::filesystem::path file;
    Written kind = Written::picture;
};
void check_places(const std::vector<Place>& files);

}  // namespace ddpm::cli
