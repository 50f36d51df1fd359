#pragma once

#include <string>
#include <vector>

#include "ddpm/core/files.h"

namespace ddpm::dataset {

// What a folder of pictures and all folders below it hold. No picture is opened. Links are followed; a folder is entered once,
// by its own place rather than by a link to it. Everything is sorted by the bytes of its path.
struct FolderWalk {
    std::vector<fs::path> files;          // regular files
    std::vector<fs::path> others;         // links to nothing, devices, pipes
    std::vector<fs::path> repeated;       // links to folders that are entered already, or that lie above the root
    std::vector<fs::path> runs;           // folders of runs of this program, which are not entered; of the root, if it is one,
                                          // samples and checkpoints are not; also links to such folders
    std::vector<fs::path> products;       // folders of a pipeline, of a checkpoint or of one file of samples, which are entered;
                                          // also links to such folders
    std::vector<std::string> subfolders;  // names of the folders directly in the root that are entered, hidden ones left out
};

// user_error: a folder that is not hidden can't be read or listed.
FolderWalk walk_folder(const fs::path& root);

// Whether a name, or that of a folder above it, begins with a dot or is one that systems keep for themselves.
bool is_hidden(const fs::path& relative);

}  // namespace ddpm::dataset
