#pragma once

#include <filesystem>
#include <string>

#include "formats.h"

namespace ddpm::image {

// What a PNG says of itself besides its size and its pixels.
struct PngNotes {
    bool transparent_color = false;  // a tRNS chunk, which adds alpha
    int orientation = 1;             // 1 … 8 as in EXIF: of the chunk eXIf, or else of ImageMagick's "Raw profile type exif"
    bool is_made_by_ddpm = false;    // its text `Software` names this program
};

// Reads the chunks as far as they go: a file that is cut off has the notes before the cut. Checksums are not looked at.
PngNotes read_png_notes(const Source& source);

// Reads a PNG's file without its pixels: the signature and all small chunks but IDAT, which probe_png needs. Ends where
// the file is cut off.
std::string read_png_without_pixels(const std::filesystem::path& path);

}  // namespace ddpm::image
