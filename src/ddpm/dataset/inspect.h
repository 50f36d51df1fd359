#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/dataset/dataset.h"
#include "ddpm/dataset/left_out.h"
#include "ddpm/image/image.h"

namespace ddpm {

// What `ddpm data` says about a data set before it is trained on.
struct DatasetReport {
    struct Count {
        std::string name;
        int64_t count = 0;
    };

    DatasetOptions options;
    std::string source;          // Dataset::describe()
    int64_t images = 0;          // those that can be trained on
    std::vector<Count> classes;  // in the order of the labels; empty without labels

    // The rest describes files, so only an image_folder has it.
    std::vector<Count> sizes, formats, kinds;  // "640x480" (width x height), "PNG", "RGBA 16-bit"; most common first
    std::string smallest, median, largest;     // sizes, by area
    int64_t enlarged = 0;                      // pictures smaller than the size they are trained at
    int64_t bytes = 0;                         // of memory that all pictures take, resized
    bool kept = false;                         // whether training keeps them in memory
    int64_t transparent = 0;                   // pictures with an alpha channel
    bool is_made_by_ddpm = false;              // whether this program has made all pictures
    std::vector<LeftOut> left_out;             // by kind, then by path
    int64_t hidden = 0;                        // hidden files that don't look like pictures
    std::vector<Count> others;                 // files that are no pictures, by extension
};

// Opens a data set and counts what is in it. Every picture of an image_folder is decoded, whatever `options.on_broken` says; a
// folder without a readable picture is a user_error.
DatasetReport inspect_dataset(const DatasetOptions& options, uint64_t seed, int threads);

// Returns the report as text of several lines, which begins with "1797 images".
std::string format_report(const DatasetReport& report);

// Returns a grid of up to `count` examples as training sees them, small ones enlarged. The examples are drawn at random, but
// the same ones each time.
Image contact_sheet(const Dataset& dataset, int count);

}  // namespace ddpm
