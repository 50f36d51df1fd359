#pragma once

#include <string>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

struct Tile {
    Image image;
    std::vector<std::string> captions;  // lines below it
};

struct TileRow {
    std::string label;  // left of the row; may hold line breaks
    std::vector<Tile> tiles;
};

// Draws a labelled matrix of pictures. A column is as wide as its widest tile, and wider if a caption would not fit even in
// the smallest letters. Images may have any size and channel count; the title and the labels may be empty.
Image draw_tiles(const std::string& title, const std::vector<TileRow>& rows);

}  // namespace ddpm
