#include "ddpm/report/tiles.h"

#include <algorithm>
#include <cmath>

#include "ddpm/core/text.h"
#include "ddpm/report/canvas.h"

namespace ddpm {

namespace {

constexpr Color kTitleInk = {38, 38, 38}, kCaptionInk = {80, 80, 80};
constexpr double kHeadingSize = 22, kLabelSize = 17, kLargestCaption = 16, kSmallestCaption = 12;
constexpr double kAscent = 0.79, kLineHeight = 1.12;  // of the size
constexpr int kPageMargin = 16, kGap = 8, kRowGap = 14, kCaptionGap = 4;

struct Layout {
    std::vector<int> column_widths, row_heights;  // without captions
    double caption_size = kLargestCaption;
    int caption_lines = 0;
    int label_width = 0;

    int captions_height() const {
        return caption_lines == 0 ? 0 : kCaptionGap + static_cast<int>(std::ceil(caption_lines * caption_size * kLineHeight));
    }
};

Layout lay_out(const std::vector<TileRow>& rows) {
    Layout layout;
    for (const TileRow& row : rows) {
        const std::vector<std::string> lines = split(row.label, '\n');
        int height = static_cast<int>(std::ceil(lines.size() * kLabelSize * kLineHeight));
        for (const std::string& line : lines)
            layout.label_width = std::max(layout.label_width, static_cast<int>(std::ceil(text_width(line, kLabelSize))));
        for (size_t column = 0; column < row.tiles.size(); ++column) {
            const Tile& tile = row.tiles[column];
            height = std::max(height, tile.image.height);
            if (layout.column_widths.size() <= column) layout.column_widths.push_back(0);
            layout.column_widths[column] = std::max(layout.column_widths[column], tile.image.width);
            layout.caption_lines = std::max(layout.caption_lines, static_cast<int>(tile.captions.size()));
        }
        layout.row_heights.push_back(height);
    }
    const auto for_each_caption = [&](const auto& action) {
        for (const TileRow& row : rows)
            for (size_t column = 0; column < row.tiles.size(); ++column)
                for (const std::string& caption : row.tiles[column].captions) action(layout.column_widths[column], caption);
    };
    // The largest letters with which every caption fits under its tile.
    for_each_caption([&](int& width, const std::string& caption) {
        layout.caption_size = std::min(layout.caption_size, width / text_width(caption, 1.0));
    });
    layout.caption_size = std::max(layout.caption_size, kSmallestCaption);
    for_each_caption([&](int& width, const std::string& caption) {
        width = std::max(width, static_cast<int>(std::ceil(text_width(caption, layout.caption_size))));
    });
    return layout;
}

}  // namespace

Image draw_tiles(const std::string& title, const std::vector<TileRow>& rows) {
    const Layout layout = lay_out(rows);
    const int title_height = title.empty() ? 0 : static_cast<int>(kHeadingSize) + 14;
    const int tiles_left = kPageMargin + (layout.label_width > 0 ? layout.label_width + kPageMargin : 0);
    int width = tiles_left + kPageMargin - kGap, height = 2 * kPageMargin + title_height - kRowGap;
    for (const int column : layout.column_widths) width += column + kGap;
    for (const int row : layout.row_heights) height += row + layout.captions_height() + kRowGap;
    width = std::max(width, 2 * kPageMargin + static_cast<int>(std::ceil(text_width(title, kHeadingSize))));

    Canvas canvas(width, height);
    canvas.text({width / 2.0, kPageMargin + kAscent * kHeadingSize}, title, kHeadingSize, kTitleInk, Align::centre);
    int top = kPageMargin + title_height;
    for (size_t r = 0; r < rows.size(); ++r) {
        const int row_height = layout.row_heights[r];
        const std::vector<std::string> lines = split(rows[r].label, '\n');
        double baseline = top + row_height / 2.0 - lines.size() * kLabelSize * kLineHeight / 2 + kAscent * kLabelSize;
        for (const std::string& line : lines) {
            canvas.text({tiles_left - kPageMargin * 1.0, baseline}, line, kLabelSize, kTitleInk, Align::right);
            baseline += kLabelSize * kLineHeight;
        }
        int left = tiles_left;
        for (size_t column = 0; column < rows[r].tiles.size(); ++column) {
            const Tile& tile = rows[r].tiles[column];
            const int column_width = layout.column_widths[column];
            canvas.picture(left + (column_width - tile.image.width) / 2, top + (row_height - tile.image.height) / 2, tile.image);
            double caption_line = top + row_height + kCaptionGap + kAscent * layout.caption_size;
            for (const std::string& caption : tile.captions) {
                canvas.text({left + column_width / 2.0, caption_line}, caption, layout.caption_size, kCaptionInk, Align::centre);
                caption_line += layout.caption_size * kLineHeight;
            }
            left += column_width + kGap;
        }
        top += row_height + layout.captions_height() + kRowGap;
    }
    return canvas.image();
}

}  // namespace ddpm
