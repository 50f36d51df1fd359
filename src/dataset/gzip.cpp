#include "dataset/gzip.h"

#include <limits>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1f\x8b"; }

std::string gunzip(std::string_view bytes, const std::string& source, size_t max_bytes) {
    struct Inflater : z_stream {
        Inflater() : z_stream{} {
            constexpr int gzip_only = 16 + MAX_WBITS;
            if (inflateInit2(this, gzip_only) != Z_OK) runtime_failure("zlib does not start: no memory");
        }
        ~Inflater() { inflateEnd(this); }
    } stream;
    // zlib counts input in 32 bits; nothing that is read here comes near.
    if (bytes.size() > std::numeric_limits<uInt>::max()) user_error(source + ": too large for a gzip file of this kind");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());

    std::string content;
    for (int state = Z_OK; state != Z_STREAM_END;) {
        char piece[1 << 16];
        stream.next_out = reinterpret_cast<Bytef*>(piece);
        stream.avail_out = sizeof piece;
        state = inflate(&stream, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END)
            user_error(fmt::format("{}: {}", source,
                                   state == Z_BUF_ERROR ? "gzip data is cut off"
                                                        : "damaged gzip data: " + one_line(stream.msg ? stream.msg : "?")));
        const size_t count = sizeof piece - stream.avail_out;
        if (content.size() + count > max_bytes)
            user_error(fmt::format("{}: holds more than the {} bytes that such a file may have", source, max_bytes));
        content.append(piece, count);
    }
    if (stream.avail_in > 0) user_error(fmt::format("{}: {} bytes after the end of the gzip data", source, stream.avail_in));
    return content;
}

}  // namespace ddpm
