#pragma once

namespace ddpm::report {

// A TrueType font: DejaVu Sans reduced to Latin, and the Greek and signs of the formulas. See make_font.py.
extern const unsigned char kFont[];

}  // namespace ddpm::report
