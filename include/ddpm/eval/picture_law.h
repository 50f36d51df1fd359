#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/frechet.h"

namespace ddpm {

// What pictures of one size look like as a whole, by means and covariances that a few dozen pictures determine. A picture is
// taken apart into a Laplacian pyramid: while a side is longer than 4, x_{l+1} is x_l averaged over blocks of 2×2, and
// band_l = x_l − x_{l+1}, enlarged, is what this loses; a picture of 32×32 has bands of 32, 16 and 8 pixels and a rest of 4×4.
//   - Of a band the points are its patches of 3×3 pixels, all channels together, at every position of every picture (D = 9·C).
//   - Of the rest a point is the whole of it in one picture (D = C·height·width, at most 16·C).
// The distance of two laws is Σ over bands and rest of frechet_distance/D. It has the unit of a squared pixel in [−1, 1]: adding
// d to every pixel of one side makes it d². It sees colours, contrast, edges, texture and what lies where roughly; it does not
// see whether a shape is whole. The fits of few pictures differ by chance, so compare it with the distance between two halves
// of one set.
class PictureLaw {
public:
    // Adds pictures [N,C,H,W], floating, of the same C, H and W each time. The result does not depend on how they were divided
    // but for rounding in float64.
    void add(const at::Tensor& pictures);

    int64_t pictures() const { return pictures_; }
    bool finite() const;  // whether every number so far was finite

    // The bands from the finest on, then the rest; covariances are divided by the number of points. There must be a picture.
    std::vector<GaussianFit> fits() const;

private:
    struct Sums {
        double points = 0;
        at::Tensor sum, products;  // [D], [D, D] float64
    };
    void add_points(size_t part, const at::Tensor& points);

    int64_t pictures_ = 0;
    std::vector<Sums> parts_;
};

// Returns the distance above, NaN if a number of either is not finite or one is empty. Both are of pictures of one size.
double law_distance(const PictureLaw& one, const PictureLaw& other);

}  // namespace ddpm
