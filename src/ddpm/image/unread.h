#pragma once

#include <string>
#include <string_view>

namespace ddpm {

// How many bytes of a file unread_format looks at.
inline constexpr size_t kUnreadHead = 32;

// The name of a picture format that this program does not read ("WebP", "TIFF", "HEIC", …), by the first bytes of a file
// (`head`, kUnreadHead of them or all). Empty for formats that it reads, and for what is no picture.
std::string unread_format(std::string_view head);

// The same by the ending of a file's name, whatever the case of its letters.
std::string unread_format_of_name(const std::string& name);

}  // namespace ddpm
