#pragma once

#include <functional>
#include <string_view>

namespace ddpm::report {

// Calls plot(x, y, coverage) for every pixel that the text touches: x along the line, beginning at `pen`; y down from
// the baseline (negative above it); coverage in (0, 1].
void rasterise(std::string_view utf8, double size, double pen, const std::function<void(int, int, double)>& plot);

}  // namespace ddpm::report
