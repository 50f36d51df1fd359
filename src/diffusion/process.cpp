#include "ddpm/diffusion/process.h"

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"
#include "ddpm/core/named_rows.h"
#include "ddpm/core/text.h"

namespace ddpm {

at::Tensor q_sample(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise) {
    return schedule.sqrt_alphas_cumprod().gather(t, x_start) * x_start +
           schedule.sqrt_one_minus_alphas_cumprod().gather(t, x_start) * noise;
}

at::Tensor q_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise) {
    const double beta = schedule.betas()[t];
    return std::sqrt(1 - beta) * x_prev + std::sqrt(beta) * noise;
}

at::Tensor naive_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise) {
    return x_prev + std::sqrt(schedule.betas()[t]) * noise;
}

at::Tensor naive_sample(const NoiseSchedule& schedule, const at::Tensor& x_start, int64_t t, const at::Tensor& noise) {
    const Table& betas = schedule.betas();
    return x_start + std::sqrt(std::accumulate(betas.begin(), betas.begin() + t + 1, 0.0)) * noise;
}

at::Tensor rootless_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise) {
    const double beta = schedule.betas()[t];
    return (1 - beta) * x_prev + beta * noise;
}

namespace {

using Step = at::Tensor (*)(const NoiseSchedule&, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise);

std::vector<at::Tensor> run_closed_form(const NoiseSchedule& schedule, const at::Tensor& x_start,
                                        const std::vector<int64_t>& timesteps, const ForwardMethod::Noise& noise) {
    check_timesteps(timesteps, schedule.size());
    std::vector<at::Tensor> reached;
    for (const int64_t t : timesteps)
        reached.push_back(q_sample(schedule, x_start, at::full({x_start.size(0)}, t, at::kLong), noise(t)));
    return reached;
}

template <Step step>
std::vector<at::Tensor> run_chain(const NoiseSchedule& schedule, const at::Tensor& x_start, const std::vector<int64_t>& timesteps,
                                  const ForwardMethod::Noise& noise) {
    check_timesteps(timesteps, schedule.size());
    std::vector<at::Tensor> reached;
    at::Tensor x = x_start;
    int64_t t = 0;
    for (const int64_t asked : timesteps) {
        for (; t <= asked; ++t) x = step(schedule, x, t, noise(t));
        reached.push_back(x);
    }
    return reached;
}

}  // namespace

const std::vector<ForwardMethod>& forward_methods() {
    static const std::vector<ForwardMethod> table = {
        {"closed_form", "straight from x_0 to x_t, as training does it", run_closed_form},
        {"iterated", "step by step; the same law as closed_form", run_chain<q_step>},
        {"naive", "step by step without shrinking x: the variance grows", run_chain<naive_step>},
        {"rootless", "step by step with alpha and 1 - alpha instead of their roots: it all fades", run_chain<rootless_step>},
    };
    return table;
}

std::vector<std::string> forward_method_names() { return names_of(forward_methods()); }

const ForwardMethod& forward_method(const std::string& name) { return row_named(forward_methods(), "method", name); }

}  // namespace ddpm
