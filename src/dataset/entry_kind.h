#pragma once

#include <optional>
#include <string>

#include "ddpm/core/files.h"
#include "ddpm/dataset/left_out.h"
#include "ddpm/dataset/options.h"
#include "ddpm/image/codec.h"

namespace ddpm::dataset {

// What a file in a folder of pictures is.
struct EntryKind {
    std::optional<ImageHeader> picture;  // one that can be read
    std::optional<LeftOut> left_out;     // not to be trained on, though it looks like a picture or several; both: made here
};

// Looks at the name and the first bytes of a file, and where these are a picture's at its header. `hidden`: the file or a
// folder above it is, and only its name is looked at.
EntryKind kind_of_file(const fs::path& file, bool hidden, const DatasetOptions& options);

// The same of what is neither a file nor a folder: a link to nothing, a device.
std::optional<LeftOut> kind_of_other(const fs::path& path, bool hidden);

// Whether a path is a link that leads to nothing.
bool is_dangling_link(const fs::path& path);

// Whether the extension is that of a picture, of a format that is read or of another.
bool is_picture_name(const std::string& name);

// The extension in lower case: ".jpg", or "" for none.
std::string extension_of(const fs::path& path);

}  // namespace ddpm::dataset
