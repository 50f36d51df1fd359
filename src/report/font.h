#pragma once

namespace ddpm::report {

// A TrueType font: DejaVu Sans reduced to Latin letters and the Greek letters and signs of the formulas. See make_font.py.
extern const unsigned char kFont[];

}  // namespace ddpm::report
