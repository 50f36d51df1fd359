#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ddpm {

// A picture that a page holds in itself.
struct ReportPicture {
    int64_t step = 0;
    std::string png;       // the file's bytes
    int width = 0;         // pixels
    int reduced_from = 0;  // the file's width, if the picture was made smaller; otherwise 0
};

struct ReportPictures {
    std::vector<ReportPicture> shown;  // ascending by step
    int64_t left_out = 0;              // for want of room
    int64_t unreadable = 0;
};

// Reads the PNGs step-….png of a folder for a page, in at most `budget` bytes in all. Where they are more, or more than sixty, some are
// left out so that the others are evenly spread over the steps; the first and the last stay. One that would take more than its part is
// made smaller. A missing folder has none.
ReportPictures read_step_pictures(const std::filesystem::path& folder, size_t budget);

// Reads one picture in at most `budget` bytes, made smaller if need be. The errors are those of read_image.
ReportPicture read_report_picture(const std::filesystem::path& file, size_t budget);

}  // namespace ddpm
