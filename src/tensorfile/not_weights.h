#pragma once

#include <string>
#include <string_view>

namespace ddpm::tensorfile {

// A download that went wrong leaves something else under the name of a file of weights: a page of HTML, or the pointer
// that Git LFS keeps in place of a large file. If `head`, the beginning of the file (8 bytes or more), shows one of
// these, this throws a user_error that begins with `source` and names it.
void refuse_failed_download(std::string_view head, const std::string& source);

}  // namespace ddpm::tensorfile
