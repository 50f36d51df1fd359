#include "ddpm/sampling/guidance.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

// The standard deviation of each picture, [N,1].
at::Tensor deviation(const at::Tensor& pictures) {
    return at::std(pictures.flatten(1), at::IntArrayRef{1}, /*unbiased=*/false, /*keepdim=*/true);
}

}  // namespace

at::Tensor guided_output(const at::Tensor& c, const at::Tensor& u, int64_t channels, const Guidance& guidance) {
    const at::Tensor with = c.slice(1, 0, channels), without = u.to(c.scalar_type()).slice(1, 0, channels);
    if (with.sizes() != without.sizes())
        runtime_failure(c10::str("sampling: guidance got answers of ", u.sizes(), " beside ", c.sizes()));
    at::Tensor g = without + guidance.scale * (with - without);
    if (guidance.rescale > 0) {
        const at::Tensor now = deviation(g), ratio = at::where(now > 0, deviation(with) / now, at::ones_like(now));
        g = (g.flatten(1) * (guidance.rescale * ratio + (1 - guidance.rescale))).view_as(g);
    }
    return c.size(1) > channels ? at::cat({g, c.slice(1, channels)}, 1) : g;
}

// The first of two answers is copied: the second call may overwrite it.

Network guided_by_label(Network network, int64_t empty_label, const Guidance& guidance, bool one_batch) {
    return [=, network = std::move(network)](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        const at::Tensor empty = at::full_like(y, empty_label);
        if (one_batch) {
            const std::vector<at::Tensor> answers =
                network(at::cat({x_t, x_t}), at::cat({t, t}), at::cat({y, empty})).to(x_t.scalar_type()).chunk(2, 0);
            return guided_output(answers.at(0), answers.at(1), x_t.size(1), guidance);
        }
        const at::Tensor c = network(x_t, t, y).to(x_t.scalar_type()).clone();
        return guided_output(c, network(x_t, t, empty), x_t.size(1), guidance);
    };
}

Network guided_by_network(Network network, Network guide, const Guidance& guidance) {
    return [=, network = std::move(network), guide = std::move(guide)](const at::Tensor& x_t, const at::Tensor& t,
                                                                       const at::Tensor& y) {
        const at::Tensor c = network(x_t, t, y).to(x_t.scalar_type()).clone();
        return guided_output(c, guide(x_t, t, y), x_t.size(1), guidance);
    };
}

bool fits_one_batch(int64_t pass, std::optional<int64_t> available) { return !available || pass <= *available / 3; }

}  // namespace ddpm
