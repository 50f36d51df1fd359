#pragma once

#include <string>
#include <string_view>

#include "ddpm/core/json.h"

namespace ddpm::report {

// Returns the text as it may stand in HTML, between tags and in a quoted attribute. Bytes that are not UTF-8 become \xNN.
std::string escape_html(std::string_view text);

// Returns the JSON as it may stand in a <script> element: each `<` is \u003c. Bytes that are not UTF-8 become U+FFFD.
std::string json_for_script(const Json& json);

// "data:image/png;base64,…"
std::string png_url(std::string_view png);

// "0.0312", "1.5e-07": four digits.
std::string brief_number(double value);

// "12.35%" of 0.12345
std::string css_percent(double fraction);

}  // namespace ddpm::report
