#include "ddpm/core/file_kind.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

using std::string_view;

bool begins(string_view head, string_view magic) { return head.substr(0, magic.size()) == magic; }
bool holds(string_view head, size_t at, string_view magic) {
    return head.size() >= at + magic.size() && head.substr(at, magic.size()) == magic;
}
unsigned byte(string_view head, size_t at) { return at < head.size() ? static_cast<unsigned char>(head[at]) : 0; }

// Whether bytes are UTF-8 without control characters. The last character may be cut off.
bool is_text(string_view head) {
    while (!head.empty()) {
        const Utf8Character next = first_character(head);
        if (!next.valid) return head.size() < 4 && static_cast<unsigned char>(head.front()) >= 0xC2;
        if ((next.code < 0x20 && next.code != '\n' && next.code != '\r' && next.code != '\t' && next.code != '\f') ||
            next.code == 0x7F)
            return false;
        head.remove_prefix(next.length);
    }
    return true;
}

string_view without_blanks(string_view text) {
    constexpr string_view mark = "\xEF\xBB\xBF";  // which Windows puts before UTF-8
    if (begins(text, mark)) text.remove_prefix(mark.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    return text;
}

std::string in_lower_case(string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

FileLook pickle_look() {
    return {FileKind::pickle, "a pickle of Python objects, which only Python can open, with the code that made them",
            "there, save the weights alone: torch.save(model.state_dict(), FILE)"};
}

FileLook look_at_text(string_view head) {
    const string_view text = without_blanks(head);
    const std::string start = in_lower_case(text.substr(0, 9));
    if (begins(head, "version https://git-lfs.github.com/") || begins(head, "version https://hawser.github.com/"))
        return {FileKind::other, "a pointer of Git LFS", "`git lfs pull` in its repository fetches the file that it points to"};
    for (const char* tag : {"<!doctype", "<html", "<head", "<!--"})
        if (begins(start, tag))
            return {FileKind::other, "a page of HTML",
                    "the download went wrong; download the file itself; on Hugging Face its address holds /resolve/, not /blob/"};
    if (begins(start, "<?xml") || begins(start, "<svg")) return {FileKind::other, "a file of XML", ""};
    if (begins(text, "{") || begins(text, "[")) return {FileKind::json, "a file of JSON", ""};
    return {FileKind::text, "a file of text", ""};
}

// Whether a file begins with a length of at most 100 MB in eight bytes, and then an object of JSON. The bytes of such a length
// may be those by which any other kind begins.
bool is_safetensors(string_view head) {
    uint64_t length = 0;
    for (size_t i = 0; i < 8; ++i) length |= uint64_t{byte(head, i)} << (8 * i);
    return head.size() > 8 && head[8] == '{' && length >= 2 && length <= 100'000'000;
}

// Returns the name of a picture's format, or null.
const char* picture_format(string_view head) {
    if (begins(head, "\x89PNG\r\n\x1a\n")) return "PNG";
    if (begins(head, "\xff\xd8\xff")) return "JPEG";
    if (begins(head, "GIF87a") || begins(head, "GIF89a")) return "GIF";
    if (begins(head, "BM") && holds(head, 6, string_view("\0\0\0\0", 4))) return "BMP";
    if (head.size() > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' &&
        string_view(" \t\r\n").find(head[2]) != string_view::npos)
        return "PPM or PGM";
    if (begins(head, "RIFF") && holds(head, 8, "WEBP")) return "WebP";
    if (begins(head, string_view("II*\0", 4)) || begins(head, string_view("MM\0*", 4))) return "TIFF";
    if (holds(head, 4, "ftypavif")) return "AVIF";
    for (const char* brand : {"ftypheic", "ftypheix", "ftypmif1", "ftypmsf1"})
        if (holds(head, 4, brand)) return "HEIC";
    if (begins(head, "8BPS")) return "Photoshop";
    if (begins(head, string_view("\0\0\0\x0cjP  ", 8)) || begins(head, "\xff\x4f\xff\x51")) return "JPEG 2000";
    return nullptr;
}

// Takes an identifier of Python with dots ("collections") and the line's end behind it from the head.
bool take_python_name(string_view& head) {
    size_t length = 0;
    const auto belongs = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    };
    while (length < head.size() && belongs(head[length])) ++length;
    if (length == 0 || length == head.size() || head[length] != '\n') return false;
    head.remove_prefix(length + 1);
    return true;
}

// Whether a file begins like a pickle of protocol 0 or 1, which have no mark: an empty or begun container or the name of a class
// ("c", module, name), kept in the memo (PUT "p0\n", BINPUT "q" and a zero byte), or arguments for the class.
bool is_old_pickle(string_view head) {
    if (begins(head, "(d") || begins(head, "(l")) {
        head.remove_prefix(2);
    } else if (begins(head, "}") || begins(head, "]")) {
        head.remove_prefix(1);
    } else if (begins(head, "c")) {
        head.remove_prefix(1);
        if (!take_python_name(head) || !take_python_name(head)) return false;
        if (begins(head, "(")) return true;
    }
    return begins(head, "p0\n") || begins(head, string_view("q\0", 2));
}

// Whether a file begins like a pickle of Python: PROTO, and an opcode that can come first.
bool is_pickle(string_view head) {
    if (is_old_pickle(head)) return true;
    return byte(head, 0) == 0x80 && byte(head, 1) >= 2 && byte(head, 1) <= 5 &&
           string_view("\x95\x8a}])(cXK.N\x8c").find(head.size() > 2 ? head[2] : '\0') != string_view::npos;
}

// Returns the name of the first file in a zip archive.
string_view first_zip_entry(string_view head) {
    const size_t length = byte(head, 26) | byte(head, 27) << 8;
    return head.size() > 30 ? head.substr(30, length) : string_view();
}

FileLook look_at_zip(string_view head) {
    const string_view name = first_zip_entry(head);
    if (name.ends_with("/data.pkl"))
        return {FileKind::zip, "a file of torch.save (a zip archive)",
                "`ddpm convert FILE FOLDER` reads such files of other programs"};
    if (name.find("/data/") != name.npos || name.find("/code/") != name.npos)
        return {FileKind::zip, "an archive of TorchScript or torch.export (a zip archive)",
                "in Python save its state_dict() with torch.save, which `ddpm convert` reads"};
    if (name.ends_with(".npy")) return {FileKind::zip, "an archive of NumPy (.npz)", ""};
    return {FileKind::zip, "a zip archive", "unpack it, and name what was in it"};
}

struct Magic {
    size_t at;
    string_view bytes;
    const char* words;
};
constexpr Magic kOther[] = {
    {0, "\x89HDF\r\n\x1a\n", "a file of HDF5, as Keras writes"},
    {0, "\x93NUMPY", "an array of NumPy (.npy)"},
    {0, "GGUF", "a file of GGUF"},
    {4, "TFL3", "a model of TensorFlow Lite"},
    {0, "MATLAB 5.0 MAT-file", "a file of MATLAB"},
    {0, "PAR1", "a table of Parquet"},
    {0, "ARROW1", "a table of Arrow"},
    {0, string_view("SQLite format 3\0", 16), "a data base of SQLite"},
    {0, "%PDF-", "a PDF document"},
    {0,
     "\x7f"
     "ELF",
     "a program"},
    {0, "OggS", "a sound or film"},
    {8, "WAVEfmt", "a sound"},
    {8, "AVI ", "a film"},
    {0, "\x1a\x45\xdf\xa3", "a film"},
    {4, "ftyp", "a film"},
};
constexpr Magic kArchives[] = {
    {257, "ustar", "a tar archive"},
    {0, "\x1f\x8b", "a gzip archive"},
    {0, "BZh", "a bzip2 archive"},
    {0,
     "\xfd"
     "7zXZ",
     "an xz archive"},
    {0, "\x28\xb5\x2f\xfd", "a zstd archive"},
    {0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
    {0, "Rar!\x1a\x07", "a RAR archive"},
};

// Whether a file begins like a ModelProto (onnx.proto): with a small version, and then the producer, the domain or the graph.
bool is_onnx(string_view head) {
    return byte(head, 0) == 0x08 && byte(head, 1) >= 1 && byte(head, 1) < 0x20 && head.size() > 8 &&
           (byte(head, 2) == 0x12 || byte(head, 2) == 0x1a || byte(head, 2) == 0x3a || byte(head, 2) == 0x42);
}

bool is_idx(string_view head) {
    return head.size() > 8 && byte(head, 0) == 0 && byte(head, 1) == 0 && byte(head, 2) >= 8 && byte(head, 2) <= 14 &&
           byte(head, 3) >= 1 && byte(head, 3) <= 4;
}

}  // namespace

FileLook look_at_bytes(string_view head) {
    head = head.substr(0, kLookBytes);
    if (head.empty()) return {FileKind::empty, "empty", "it was cut off, or a program was stopped while it wrote it"};
    if (is_safetensors(head)) return {FileKind::safetensors, "a safetensors file", ""};
    if (const char* format = picture_format(head))
        return {FileKind::picture, fmt::format("{} {} picture", std::string_view(format) == "AVIF" ? "an" : "a", format), ""};
    if (begins(head, "PK\x03\x04") || begins(head, "PK\x05\x06")) return look_at_zip(head);
    if (begins(head, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"))
        return {FileKind::pickle, "a file of torch.save in the format of torch before 1.6",
                "`ddpm convert FILE FOLDER` reads such files of other programs"};
    if (is_pickle(head)) return pickle_look();
    for (const Magic& magic : kArchives)
        if (holds(head, magic.at, magic.bytes)) return {FileKind::other, magic.words, "unpack it, and name what was in it"};
    for (const Magic& magic : kOther)
        if (holds(head, magic.at, magic.bytes)) return {FileKind::other, magic.words, ""};
    if (is_onnx(head)) return {FileKind::other, "a model of ONNX", ""};
    if (is_idx(head)) return {FileKind::idx, "a file of IDX, as MNIST has", ""};
    if (begins(head, "\xff\xfe") || begins(head, "\xfe\xff"))
        return {FileKind::other, "a file of text in UTF-16", "save it as UTF-8"};
    if (is_text(head)) return look_at_text(head);
    return {FileKind::unknown, "a file of an unknown kind", ""};
}

std::string advice_for_missing(const fs::path& path) {
    if (const std::string hint = hint_of_spelling(path); !hint.empty()) return hint;
    if (!path.empty() && path.native().front() == '~')
        return "the shell puts the home folder in place of ~ only where it is not quoted and begins the word; give the whole path";
    return "";
}

namespace {

// Says why nothing is there: a link leads nowhere, or the path goes through a file.
FileLook look_at_nothing(const fs::path& path) {
    FileLook look{FileKind::missing, "not found", advice_for_missing(path)};
    if (own_type(path) == fs::file_type::symlink) {
        std::error_code error;
        look.words += fmt::format(" (a link to {}, which is not there)", quote(fs::read_symlink(path, error).string()));
        return look;
    }
    for (fs::path above = path.parent_path(); !above.empty() && above != above.parent_path(); above = above.parent_path())
        if (is_present(above)) {
            if (!is_folder(above)) look.words += fmt::format(" ({} is no folder)", above.string());
            break;
        }
    return look;
}

std::string first_bytes(const fs::path& path) {
    const Descriptor file = open_to_read(path);
    std::string head(kLookBytes, '\0');
    ssize_t count = 0;
    do count = ::pread(file.get(), head.data(), head.size(), 0);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        throw Unreadable(Error::Kind::user,
                         fmt::format("{}: can't read: {}", path.string(), std::generic_category().message(errno)));
    head.resize(static_cast<size_t>(count));
    return head;
}

}  // namespace

FileLook look_at(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    switch (type) {
        case fs::file_type::not_found:
            return look_at_nothing(path);
        case fs::file_type::regular:
            return look_at_bytes(first_bytes(path));
        case fs::file_type::directory:
            return {FileKind::folder, "a folder", ""};
        case fs::file_type::fifo:
            return {FileKind::pipe, "a pipe", ""};
        case fs::file_type::socket:
            return {FileKind::special, "a socket", ""};
        case fs::file_type::none:
            if (error == std::errc::filename_too_long) return {FileKind::missing, "not found", ""};
            throw Unreadable(Error::Kind::user, fmt::format("{}: can't read: {}", path.string(), error.message()));
        default:
            return {FileKind::special, "a device", ""};
    }
}

void refuse_kind(const std::string& source, const FileLook& look, const std::string& expected) {
    const bool missing = look.kind == FileKind::missing;
    throw WrongKind(fmt::format("{}: {}{} expected {}", source, missing ? "" : "is ", look.words + (missing ? ";" : ","), expected),
                    look);
}

void expect_kind(string_view head, std::initializer_list<FileKind> accepted, const std::string& source,
                 const std::string& expected) {
    const FileLook look = look_at_bytes(head);
    if (look.kind != FileKind::unknown && std::find(accepted.begin(), accepted.end(), look.kind) == accepted.end())
        refuse_kind(source, look, expected);
}

void expect_kind(const fs::path& path, std::initializer_list<FileKind> accepted, const std::string& expected) {
    const FileLook look = look_at(path);
    if (look.kind != FileKind::unknown && std::find(accepted.begin(), accepted.end(), look.kind) == accepted.end())
        refuse_kind(path.string(), look, expected);
}

}  // namespace ddpm
