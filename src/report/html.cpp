#include "report/html.h"

#include <cstdint>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm::report {

std::string escape_html(std::string_view text) {
    std::string html;
    for (const char c : as_utf8(text)) {
        switch (c) {
            case '&':
                html += "&amp;";
                break;
            case '<':
                html += "&lt;";
                break;
            case '>':
                html += "&gt;";
                break;
            case '"':
                html += "&quot;";
                break;
            case '\'':
                html += "&#39;";
                break;
            case '\0':
                html += "\xEF\xBF\xBD";
                break;
            default:
                html += c;
        }
    }
    return html;
}

std::string json_for_script(const Json& json) {
    std::string safe;
    for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    }
    return safe;
}

std::string png_url(std::string_view png) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string url = "data:image/png;base64,";
    url.reserve(url.size() + (png.size() + 2) / 3 * 4);
    for (size_t i = 0; i < png.size(); i += 3) {
        const auto byte = [&](size_t k) { return k < png.size() ? static_cast<uint32_t>(static_cast<uint8_t>(png[k])) : 0U; };
        const uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        url += digits[three >> 18];
        url += digits[three >> 12 & 63];
        url += i + 1 < png.size() ? digits[three >> 6 & 63] : '=';
        url += i + 2 < png.size() ? digits[three & 63] : '=';
    }
    return url;
}

std::string brief_number(double value) { return fmt::format("{:.4g}", value); }

std::string css_percent(double fraction) { return fmt::format("{:.2f}%", 100 * fraction); }

}  // namespace ddpm::report
