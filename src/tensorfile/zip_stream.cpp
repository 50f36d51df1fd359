#include "tensorfile/zip_stream.h"

#include <algorithm>
#include <utility>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::tensorfile {

namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;  // bytes that are unpacked or skipped at a time

}  // namespace

struct ZipStream::Inflater : z_stream {
    Inflater() : z_stream{} {
        if (inflateInit2(this, -MAX_WBITS) != Z_OK) runtime_failure("zlib does not start: no memory");
    }
    ~Inflater() { inflateEnd(this); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
};

ZipStream::ZipStream(ReadBytes read, ZipEntry entry, std::string source)
    : read_(std::move(read)), entry_(std::move(entry)), source_(std::move(source)) {
    if (entry_.deflated) inflater_ = std::make_unique<Inflater>();
}

ZipStream::~ZipStream() = default;

std::string ZipStream::unpacked(uint64_t count) {
    std::string content(count, '\0');
    uint64_t got = 0;
    while (got < count) {
        if (inflater_->avail_in == 0 && taken_ < entry_.size) {
            packed_ = read_(entry_.begin + taken_, std::min(kPiece, entry_.size - taken_));
            taken_ += packed_.size();
            inflater_->next_in = reinterpret_cast<Bytef*>(packed_.data());
            inflater_->avail_in = static_cast<uInt>(packed_.size());
        }
        const uint64_t wanted = std::min(kPiece, count - got);
        inflater_->next_out = reinterpret_cast<Bytef*>(content.data() + got);
        inflater_->avail_out = static_cast<uInt>(wanted);
        const int state = inflate(inflater_.get(), Z_NO_FLUSH);
        got += wanted - inflater_->avail_out;
        const bool goes_on =
            state == Z_OK || (state == Z_STREAM_END && got == count) || (state == Z_BUF_ERROR && taken_ < entry_.size);
        if (!goes_on)
            user_error(fmt::format("{}: {} is damaged: its compressed bytes end early or are none", source_, quote(entry_.name)));
    }
    return content;
}

std::string ZipStream::next(uint64_t count) {
    if (count > entry_.content_size - position_)
        user_error(fmt::format("{}: {} has {} bytes, but {} more after {} are asked for", source_, quote(entry_.name),
                               entry_.content_size, count, position_));
    std::string content = entry_.deflated ? unpacked(count) : read_(entry_.begin + position_, count);
    position_ += count;
    crc_ = static_cast<uint32_t>(crc32_z(crc_, reinterpret_cast<const Bytef*>(content.data()), content.size()));
    if (position_ == entry_.content_size && whole_ && crc_ != entry_.crc)
        user_error(fmt::format("{}: {} is damaged: its checksum does not fit", source_, quote(entry_.name)));
    return content;
}

void ZipStream::skip_to(uint64_t position) {
    if (position == position_) return;
    if (!entry_.deflated) {
        whole_ = false;
        position_ = position;
        return;
    }
    while (position_ < position) next(std::min(kPiece, position - position_));
}

}  // namespace ddpm::tensorfile
