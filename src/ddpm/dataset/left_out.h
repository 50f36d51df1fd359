#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/dataset/options.h"

namespace ddpm {

// Something in a folder of pictures that looks like a picture, like many or like a class, and that nothing is learnt of.
struct LeftOut {
    enum class Why : uint8_t {
        unreadable,       // a picture by its name or its first bytes: damaged, too large, a link to nothing, …
        other_format,     // a picture of a format that is not read
        back_up,          // an editor's or a download's copy of a picture ("a.png~", "a.png.part")
        hidden,           // a picture whose name, or that of a folder above it, begins with a dot
        archive,          // which may hold pictures
        repeated,         // a link to a folder that is looked through already, or that the data set lies in
        empty_class,      // a subfolder without a picture, where the others are classes
        is_made_by_ddpm,  // a picture that this program has made
        run,              // the folder of a run of this program
        product,          // the folder of a pipeline, of a checkpoint or of one file of samples
    };

    Why why;
    std::string path;      // as the system has it
    std::string reason;    // one line, begins with the path
    std::string format{};  // of other_format: its name
};

// How many there are of each kind, in the order of the enumeration: "2 pictures that can't be read, 18 of formats that are not
// read (9 TIFF, 9 WebP), 1 archive".
std::string count_left_out(const std::vector<LeftOut>& all);

// What dataset.on_broken "error" refuses, and what that key has no say in: what this program has made.
bool is_refused(const LeftOut& left_out);

// user_error, where dataset.on_broken is "error" and there is something that it refuses.
void refuse_left_out(const std::vector<LeftOut>& all, const DatasetOptions& options);

}  // namespace ddpm
