#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/picture_law.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

// Draws pictures first … first + count − 1 in one way: [count,C,H,W] float32 on the CPU, about [−1, 1]. Ways that are compared
// begin at the same x_T: that of picture i follows from i alone.
using DrawPictures = std::function<at::Tensor(int64_t first, int64_t count)>;

// A mean over pictures with its standard error. Both are NaN if a number is not finite; the error is NaN for one picture.
struct MeanOfPictures {
    double mean, standard_error;
};

// Returns the distance of two lists of pictures [N,…] that began at the same x_T: of each picture the root of the mean
// squared difference of its numbers, and of these the mean.
MeanOfPictures same_noise_distance(const at::Tensor& pictures, const at::Tensor& others);

// Returns what to draw the reference with: the keys of `asked` that say what the ODE is (clipping, thresholding, …) but none
// that says how it is solved, `steps` steps of UniPC of order 2, evenly spaced in the logarithm of the noise level down to the
// schedule's t = 0. With `trailing` they have that spacing, for a network that takes whole t alone or no t = 0.
SampleOptions reference_options(SampleOptions asked, int64_t steps, bool trailing);

// The pictures that ways of sampling are measured by.
struct Reference {
    at::Tensor pictures;               // [N,C,H,W] float32 on the CPU
    MeanOfPictures error;              // its distance to the same solver in half the steps, which is at least its own error
    PictureLaw law;                    // of the pictures
    double law_floor;                  // law_distance of their first half to their second; NaN for one picture
    std::optional<PictureLaw> data{};  // of real pictures, if there are some
    double data_floor = 0;             // law_distance of every other real picture to the rest
    double seconds = 0;                // that drawing all pictures took
};

// Draws `n` pictures by `whole` and by `half`, the same solver in half the steps, `batch` at a time.
Reference draw_reference(const DrawPictures& whole, const DrawPictures& half, int64_t n, int64_t batch);

// Sets `data` and `data_floor` from `count` real pictures: read(first, count) returns them as [count,C,H,W] in [−1, 1].
void measure_data(Reference& reference, const DrawPictures& read, int64_t count, int64_t batch);

// What is known of one way of sampling.
struct WayMeasured {
    double seconds = 0;                        // that drawing all pictures took
    bool finite = true;                        // false: a number of a picture is NaN or infinite, and so are the distances
    std::optional<MeanOfPictures> distance{};  // to the reference, by same_noise_distance; none if noise is added
    double law_distance = 0;                   // to the reference's law
    std::optional<double> data_distance{};     // to the law of the real pictures, if there are some
    at::Tensor shown;                          // the first pictures, at most `show`
};

// Draws as many pictures as the reference has, `batch` at a time, and measures them.
WayMeasured measure_way(const DrawPictures& draw, bool noisy, const Reference& reference, int64_t batch, int64_t show);

}  // namespace ddpm
