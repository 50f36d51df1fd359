#include "ddpm/image/codec.h"

#include <algorithm>
#include <fstream>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"
#include "ddpm/image/unread.h"
#include "formats.h"
#include "png_notes.h"

namespace ddpm {

namespace image {

uint8_t Source::u8(size_t at) const {
    if (at >= bytes.size()) cut_off();
    return static_cast<uint8_t>(bytes[at]);
}

uint32_t Source::big32(size_t at) const {
    return static_cast<uint32_t>(u8(at)) << 24 | static_cast<uint32_t>(u8(at + 1)) << 16 | static_cast<uint32_t>(u8(at + 2)) << 8 |
           u8(at + 3);
}

void Source::broken(const std::string& what) const { user_error(name + ": " + what); }

void Source::cut_off() const { broken(fmt::format("damaged picture: the file is cut off after {} bytes", bytes.size())); }

void Source::expect_size(uint64_t size) const {
    if (bytes.size() < size) cut_off();
}

const std::vector<Format>& formats() {
    static const std::vector<Format> table = {
        {"PNG", is_png, probe_png, decode_png},
        {"JPEG", is_jpeg, probe_jpeg, decode_jpeg},
        {"GIF", is_gif, probe_gif, decode_gif},
        {"BMP", is_bmp, probe_bmp, decode_bmp},
        {"PPM/PGM", is_pnm, probe_pnm, decode_pnm},
        {"TGA", is_tga, probe_tga, decode_tga},  // last, because it has no mark of its own
    };
    return table;
}

}  // namespace image

namespace {

constexpr uint64_t kMaxFileBytes = (uint64_t{1} << 31) - 1;  // stb_image counts in int
constexpr size_t kProbeBytes = size_t{1} << 18;

const image::Format& find_format(const image::Source& source) {
    if (source.bytes.empty()) source.broken("the file is empty");
    if (source.bytes.size() > kMaxFileBytes) source.broken("2 GiB or more, too large for a picture");
    std::vector<std::string> names;
    for (const image::Format& format : image::formats()) {
        if (format.matches(source)) return format;
        names.push_back(format.name);
    }
    const FileLook look = look_at_bytes(source.bytes);
    std::string what = "not a picture";
    if (const std::string unread = unread_format(source.bytes.substr(0, kUnreadHead)); !unread.empty())
        what = fmt::format("{} is not supported", unread);
    else if (look.kind == FileKind::picture)
        what = look.words + " of a kind that is not supported";
    else if (look.kind != FileKind::text && look.kind != FileKind::unknown)
        what += " but " + look.words;
    user_error(fmt::format("{}: {}; read are {}", source.name, what, join(names)), look.advice);
}

// Refuses folders, devices and pipes. Opening a pipe that nobody writes to would wait for ever.
void refuse_other_than_files(const fs::path& path) {
    if (is_present(path) && !is_file(path)) refuse_kind(path.string(), look_at(path), "a picture");
}

ImageHeader probe(const image::Format& format, const image::Source& source) {
    ImageHeader header = format.probe(source);
    header.format = format.name;
    return header;
}

}  // namespace

ImageHeader probe_image(const fs::path& path) {
    const std::string name = path.string();
    refuse_other_than_files(path);
    std::error_code failure;
    const bool long_file = is_file(path) && fs::file_size(path, failure) > kProbeBytes && !failure;
    if (long_file) {
        std::string bytes(kProbeBytes, '\0');
        std::ifstream file(path, std::ios::binary);
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        bytes.resize(static_cast<size_t>(file.gcount()));
        if (image::is_png({bytes, name})) bytes = image::read_png_without_pixels(path);  // some notes stand behind the pixels
        const image::Source source{bytes, name};
        try {
            return probe(find_format(source), source);
        } catch (const Error&) {
            // A JPEG may hold a long colour profile before its size, so the whole file decides.
        }
    }
    const std::string bytes = read_file(path, kMaxFileBytes);
    const image::Source source{bytes, name};
    return probe(find_format(source), source);
}

Image decode_image(std::string_view bytes, const std::string& name, const DecodeOptions& options) {
    const image::Source source{bytes, name};
    const image::Format& format = find_format(source);
    const ImageHeader header = probe(format, source);
    const int64_t count = static_cast<int64_t>(header.width) * header.height;
    if (count > options.max_pixels)
        source.broken(fmt::format("{}x{} = {} pixels, more than the limit of {}", header.width, header.height, with_commas(count),
                                  with_commas(options.max_pixels)));
    return convert_channels(format.decode(source, header), options.channels, options.background);
}

Image read_image(const fs::path& path, const DecodeOptions& options) {
    refuse_other_than_files(path);
    return decode_image(read_file(path, kMaxFileBytes), path.string(), options);
}

bool has_image_extension(const fs::path& path) {
    static constexpr std::string_view known[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif",
                                                 ".bmp", ".dib", ".ppm",  ".pgm", ".pnm",  ".tga"};
    std::string extension = path.extension().string();
    for (char& c : extension)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return std::find(std::begin(known), std::end(known), extension) != std::end(known);
}

}  // namespace ddpm
