// JPEG is decoded by libjpeg-turbo. Its errors leave by longjmp, so the functions that call it create nothing that has
// a destructor; their callers do.

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstring>
#include <utility>

#include <jerror.h>
#include <jpeglib.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "exif.h"
#include "formats.h"

namespace ddpm::image {

namespace {

struct ErrorManager {
    jpeg_error_mgr base;  // first, so that libjpeg's pointer is also ours
    std::jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr jpeg) {
    auto* manager = reinterpret_cast<ErrorManager*>(jpeg->err);
    manager->base.format_message(jpeg, manager->message);
    std::longjmp(manager->escape, 1);
}

// libjpeg continues with grey where data is missing or wrong; here that is an error. Warnings that healthy files of
// cameras and editors cause are ignored.
void on_message(j_common_ptr jpeg, int level) {
    if (level >= 0) return;  // a trace
    switch (jpeg->err->msg_code) {
        case JWRN_EXTRANEOUS_DATA:
        case JWRN_TOO_MUCH_DATA:
        case JWRN_JFIF_MAJOR:
        case JWRN_ADOBE_XFORM:
            return;
        default:
            leave(jpeg);
    }
}

// A progressive file can ask for any number of passes over the whole picture; real ones have about ten.
void on_progress(j_common_ptr jpeg) {
    constexpr int kMaxScans = 100;
    if (jpeg->is_decompressor && reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kMaxScans)
        ERREXIT(jpeg, JERR_BAD_PROGRESSION);
}

class Decompressor {
public:
    explicit Decompressor(const Source& source) : source_(source) {
        jpeg_.err = jpeg_std_error(&errors_.base);
        errors_.base.error_exit = leave;
        errors_.base.emit_message = on_message;
        progress_.progress_monitor = on_progress;
        if (!read_header()) fail();
    }
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;

    const jpeg_decompress_struct& header() const { return jpeg_; }

    // Returns 1 channel if the file is grey, 4 (CMYK) if it is for print, else 3.
    Image decode() {
        switch (jpeg_.jpeg_color_space) {
            case JCS_GRAYSCALE:
                jpeg_.out_color_space = JCS_GRAYSCALE;
                break;
            case JCS_CMYK:
            case JCS_YCCK:
                jpeg_.out_color_space = JCS_CMYK;
                break;
            default:
                jpeg_.out_color_space = JCS_RGB;
        }
        const int channels = jpeg_.out_color_space == JCS_GRAYSCALE ? 1 : jpeg_.out_color_space == JCS_CMYK ? 4 : 3;
        Image image = make_image(static_cast<int>(jpeg_.image_width), static_cast<int>(jpeg_.image_height), channels);
        if (!read_rows(image.pixels.data(), image.stride())) fail();
        return image;
    }

private:
    bool read_header() {
        if (setjmp(errors_.escape)) return false;
        jpeg_create_decompress(&jpeg_);
        jpeg_.progress = &progress_;
        jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(source_.bytes.data()),
                     static_cast<unsigned long>(source_.bytes.size()));
        jpeg_save_markers(&jpeg_, JPEG_APP0 + 1, 0xFFFF);
        jpeg_read_header(&jpeg_, TRUE);
        return true;
    }

    bool read_rows(uint8_t* pixels, size_t stride) {
        if (setjmp(errors_.escape)) return false;
        jpeg_start_decompress(&jpeg_);
        while (jpeg_.output_scanline < jpeg_.output_height) {
            JSAMPROW row = pixels + jpeg_.output_scanline * stride;
            jpeg_read_scanlines(&jpeg_, &row, 1);
        }
        jpeg_finish_decompress(&jpeg_);
        return true;
    }

    [[noreturn]] void fail() { source_.broken("damaged JPEG: " + one_line(errors_.message)); }

    const Source& source_;
    ErrorManager errors_{};
    jpeg_progress_mgr progress_{};
    // This is also released when the constructor throws.
    struct Decompress : jpeg_decompress_struct {
        Decompress() : jpeg_decompress_struct{} {}
        ~Decompress() { jpeg_destroy_decompress(this); }
    } jpeg_;
};

// Returns the orientation of the file's EXIF block, 1 if there is none.
int orientation(const jpeg_decompress_struct& jpeg) {
    for (jpeg_saved_marker_ptr marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
        const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
        if (!data.starts_with(std::string_view("Exif\0\0", 6))) continue;
        if (const int found = exif_orientation(data).value_or(1); found != 1) return found;
    }
    return 1;
}

// Converts without colour profiles, as Pillow does: light is what neither ink nor black takes away. Adobe's programs
// store all four channels inverted.
Image rgb_from_cmyk(const Image& cmyk, bool inverted) {
    Image rgb = make_image(cmyk.width, cmyk.height, 3);
    const uint8_t* from = cmyk.pixels.data();
    for (uint8_t *to = rgb.pixels.data(), *end = to + rgb.pixels.size(); to != end; to += 3, from += 4) {
        const int flip = inverted ? 0 : 255;
        for (int c = 0; c < 3; ++c) to[c] = static_cast<uint8_t>(((from[c] ^ flip) * (from[3] ^ flip) + 127) / 255);
    }
    return rgb;
}

}  // namespace

bool is_jpeg(const Source& source) { return source.bytes.substr(0, 3) == "\xff\xd8\xff"; }

ImageHeader probe_jpeg(const Source& source) {
    const Decompressor decompressor(source);
    const jpeg_decompress_struct& jpeg = decompressor.header();
    ImageHeader header;
    header.width = static_cast<int>(jpeg.image_width);
    header.height = static_cast<int>(jpeg.image_height);
    if (is_transposed(orientation(jpeg))) std::swap(header.width, header.height);
    header.channels = jpeg.num_components;
    header.bits = jpeg.data_precision;
    return header;
}

Image decode_jpeg(const Source& source, const ImageHeader&) {
    Decompressor decompressor(source);
    // The orientation is read first, because decoding drops the markers.
    const int turned = orientation(decompressor.header());
    const bool inverted = decompressor.header().saw_Adobe_marker;
    Image image = decompressor.decode();
    if (image.channels == 4) image = rgb_from_cmyk(image, inverted);
    return turned == 1 ? image : upright(image, turned);
}

}  // namespace ddpm::image
