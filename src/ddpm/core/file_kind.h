#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "ddpm/core/error.h"

namespace ddpm {

// What a path leads to. From `empty` on it is a file, and its first bytes say which.
enum class FileKind {
    missing,
    folder,
    pipe,
    special,  // a device or a socket
    empty,
    text,  // UTF-8 of no kind below
    json,  // text that begins like JSON
    picture,
    idx,
    safetensors,
    zip,     // also what torch.save and numpy.savez write
    pickle,  // also what torch.save wrote before 1.6
    other,   // one of the many that nothing here reads: HTML, a pointer of Git LFS, HDF5, tar, …
    unknown,
};

struct FileLook {
    FileKind kind = FileKind::unknown;
    std::string words;   // "a PNG picture", "a page of HTML", "not found"; for `unknown` "a file of an unknown kind"
    std::string advice;  // what to do where something else is expected; may be empty
};

// How many bytes of a file are enough to recognise every kind.
inline constexpr size_t kLookBytes = 512;

// Recognises a file by its first kLookBytes bytes, or by all of a shorter one. This is the one table of what the readers
// don't read; each reader still decides by itself what it reads.
FileLook look_at_bytes(std::string_view head);

// Recognises what a path leads to. It reads the first bytes of a regular file, and nothing of a pipe or device. It
// throws an Unreadable if the system does not allow it to look.
FileLook look_at(const std::filesystem::path& path);

// The user's mistake of naming something of another kind than expected.
class WrongKind : public Error {
public:
    WrongKind(const std::string& message, FileLook look) : Error(Kind::user, message, look.advice), look_(std::move(look)) {}

    const FileLook& look() const { return look_; }

private:
    FileLook look_;
};

// Throws the WrongKind "SOURCE: is a PNG picture, expected EXPECTED", or "SOURCE: not found; expected EXPECTED".
[[noreturn]] void refuse_kind(const std::string& source, const FileLook& look, const std::string& expected);

// Throws that error if `head`, the first bytes of a file, shows a kind that is not among the `accepted` ones. It lets pass
// what is not recognised, about which the reader knows more.
void expect_kind(std::string_view head, std::initializer_list<FileKind> accepted, const std::string& source,
                 const std::string& expected);

// Does the same for a path, and refuses one that leads to nothing.
void expect_kind(const std::filesystem::path& path, std::initializer_list<FileKind> accepted, const std::string& expected);

// Returns what to do about a path that is not there, as far as its text tells; may be empty.
std::string advice_for_missing(const std::filesystem::path& path);

}  // namespace ddpm
