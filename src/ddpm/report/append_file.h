#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "ddpm/core/descriptor.h"

namespace ddpm {

// A file that grows by whole records, lines or others, while a run goes on. A full disk does not end the run. Thread-safe.
class AppendFile {
public:
    // Opens a file that is there; what is in it counts as whole records. The log calls the records `plural` ("lines"). If it can't
    // be opened, it is a runtime_failure.
    AppendFile(std::filesystem::path path, std::string plural);
    ~AppendFile();
    AppendFile(const AppendFile&) = delete;
    AppendFile& operator=(const AppendFile&) = delete;

    // Hands a record to the operating system before it returns. If that fails, one warning says so, and up to 1 MiB of records, or
    // one larger one, wait until they can be written; further records are lost, which is said then.
    void append(std::string_view record);

    // Calls fsync: when it returns, the records handed over are on the disk. A failure is ignored.
    void sync();

private:
    void write_waiting();

    const std::filesystem::path path_;
    const std::string plural_;
    std::mutex mutex_;
    Descriptor descriptor_;
    int64_t size_ = 0;     // of the whole records in the file
    std::string waiting_;  // records that are not in the file yet
    int64_t lost_ = 0;     // records that found no room to wait
    bool failing_ = false;
};

}  // namespace ddpm
