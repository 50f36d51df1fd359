#include "dataset/gzip.h"

#include <limits>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::dataset {

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1f\x8b"; }

namespace {

struct Inflater : z_stream {
    Inflater(std::string_view bytes, const std::string& source) : z_stream{} {
        // zlib counts input in 32 bits; nothing that is read here comes near.
        if (bytes.size() > std::numeric_limits<uInt>::max()) user_error(source + ": too large for a gzip file of this kind");
        constexpr int gzip_only = 16 + MAX_WBITS;
        if (inflateInit2(this, gzip_only) != Z_OK) runtime_failure("zlib does not start: no memory");
        next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        avail_in = static_cast<uInt>(bytes.size());
    }
    ~Inflater() { inflateEnd(this); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // Unpacks up to `size` bytes into `piece` and returns how many. Sets `ended` to whether they were the last.
    size_t next(char* piece, size_t size, bool& ended, const std::string& source) {
        next_out = reinterpret_cast<Bytef*>(piece);
        avail_out = static_cast<uInt>(size);
        const int state = inflate(this, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END)
            user_error(
                fmt::format("{}: {}", source,
                            state == Z_BUF_ERROR ? "gzip data is cut off" : "damaged gzip data: " + one_line(msg ? msg : "?")));
        ended = state == Z_STREAM_END;
        return size - avail_out;
    }
};

}  // namespace

std::string gunzip_head(std::string_view bytes, const std::string& source, size_t count) {
    Inflater stream(bytes, source);
    std::string head(count, '\0');
    size_t got = 0;
    for (bool ended = false; !ended && got < count;) got += stream.next(head.data() + got, count - got, ended, source);
    head.resize(got);
    return head;
}

std::string gunzip(std::string_view bytes, const std::string& source, size_t max_bytes) {
    Inflater stream(bytes, source);
    std::string content;
    for (bool ended = false; !ended;) {
        char piece[1 << 16];
        const size_t count = stream.next(piece, sizeof piece, ended, source);
        if (content.size() + count > max_bytes)
            user_error(fmt::format("{}: holds more than the {} bytes that such a file may have", source, max_bytes));
        content.append(piece, count);
    }
    if (stream.avail_in > 0) user_error(fmt::format("{}: {} bytes after the end of the gzip data", source, stream.avail_in));
    return content;
}

}  // namespace ddpm::dataset
