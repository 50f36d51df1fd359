#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ddpm/tensorfile/zip.h"

namespace ddpm::tensorfile {

// Reads what an entry of a zip archive holds, from its beginning on, stored or deflated.
class ZipStream {
public:
    ZipStream(ReadBytes read, ZipEntry entry, std::string source);
    ~ZipStream();
    ZipStream(const ZipStream&) = delete;
    ZipStream& operator=(const ZipStream&) = delete;

    uint64_t position() const { return position_; }

    // Returns the next `count` bytes, which lie within ZipEntry::content_size. A deflated entry that is damaged is a user_error, and
    // so is, at the end of an entry that was read without a gap, a content that its checksum does not fit.
    std::string next(uint64_t count);

    // Goes forward to `position`. A stored entry is not read on the way, so its checksum is not verified then.
    void skip_to(uint64_t position);

private:
    struct Inflater;

    std::string unpacked(uint64_t count);

    ReadBytes read_;
    ZipEntry entry_;
    std::string source_;
    uint64_t position_ = 0, taken_ = 0;  // of the content; of the stored bytes, if they are deflated
    uint32_t crc_ = 0;                   // of the content so far
    bool whole_ = true;                  // nothing was left out
    std::unique_ptr<Inflater> inflater_;
    std::string packed_;  // that the inflater is reading
};

}  // namespace ddpm::tensorfile
