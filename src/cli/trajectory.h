#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/report/tiles.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

// How the first pictures of a batch come out of noise: for each a row of x_t and one of x̂_0 ("x₀ as expected"), at up to nine steps.
class Trajectory {
public:
    explicit Trajectory(int64_t pictures) : pictures_(pictures) {}

    // Keeps what the drawing needs of a step, and nothing of most steps.
    void add(const SamplingStep& step);
    // Draws the rows. Below each tile stands the t of its level; that of an x̂_0 is the t that the network was asked at.
    Image picture() const;

private:
    struct Column {
        std::vector<Tile> x, pred_x0;  // one a picture
    };
    int64_t pictures_;
    std::vector<Column> columns_;
};

}  // namespace ddpm::cli
