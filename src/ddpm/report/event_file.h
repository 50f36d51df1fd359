#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/report/append_file.h"

namespace ddpm {

// The files that TensorBoard reads: records of TensorFlow (tensorflow/core/lib/io/record_writer.h), each a message Event
// (tensorflow/core/util/event.proto) in the encoding of protocol buffers. A reader takes the records of a file up to the first that
// is not whole.

// The crc32 with Castagnoli's polynomial (RFC 3720, B.4), and the form in which records keep it.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

// A record around an event: length, checksum of the length, event, checksum of the event.
std::string event_record(std::string_view event);

// A point of a curve. TensorBoard puts curves whose tags begin alike up to a slash into one group.
struct EventScalar {
    std::string tag;
    double value = 0;  // becomes a float; may be NaN or infinite
};

// The events. `wall_time`: seconds since 1 January 1970, UTC; `step` ≥ 0.
std::string version_event(double wall_time);  // the first one of every file
// Steps from `step` on come anew: a reader drops what it has of them.
std::string restart_event(double wall_time, int64_t step);
std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars);
// `png`: a PNG of this size; channels 1 to 4, as in Image.
struct EventImage {
    std::string tag;
    int64_t height = 0, width = 0, channels = 0;
    std::string_view png;
};
std::string image_event(double wall_time, int64_t step, const EventImage& image);

// Writes an event file. TensorBoard reads the files of a folder in the order of their names.
class EventFile {
public:
    // Begins a new file at `path`, which holds version_event. Errors are those of write_file and AppendFile.
    explicit EventFile(const std::filesystem::path& path);

    // As AppendFile::append and sync.
    void append(const std::string& event) { file_.append(event_record(event)); }
    void sync() { file_.sync(); }

private:
    AppendFile file_;
};

}  // namespace ddpm
