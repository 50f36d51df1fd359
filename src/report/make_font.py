"""Makes font.cpp: the few glyphs of DejaVu Sans that plots and labels need, unhinted, as an array.

    python3 src/report/make_font.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf > src/report/font.cpp

Needs fonttools. The licence is in font_license.txt.
"""
import io
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

GLYPHS = (
    [*range(0x20, 0x7F), *range(0xA1, 0x100)]  # ASCII, Latin-1
    + [ord(c) for c in "αβγδεηθλμσφΔΣᾱ"]
    + [ord(c) for c in "–—’•…→−√∞≈≤≥∑"]
    + [ord(c) for c in "⁰⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉₊₋ₙₜᵀ"]
)

options = subset.Options(hinting=False, layout_features=[], notdef_outline=True)
options.drop_tables += ["GDEF", "GPOS", "GSUB", "MATH", "OS/2", "gasp", "kern", "name", "FFTM"]
options.glyph_names = False
font = TTFont(sys.argv[1])
missing = [chr(code) for code in GLYPHS if code not in font.getBestCmap()]
assert not missing, missing
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=GLYPHS)
subsetter.subset(font)
font.recalcTimestamp = False
buffer = io.BytesIO()
font.save(buffer)
data = buffer.getvalue()

lines, line = [], ""
for byte in data:
    if len(line) + len(f"{byte},") > 120:
        lines.append(line)
        line = ""
    line += f"{byte},"
lines.append(line)
print("// clang-format off\n// Made by make_font.py from DejaVu Sans 2.37; see font_license.txt. Do not edit.\n")
print('#include "font.h"\n\nnamespace ddpm::detail {\n')
print(f"const unsigned char kFont[{len(data)}] = {{")
print("\n".join(lines))
print("};\n\n}  // namespace ddpm::detail")
