#include "ddpm/eval/bpd.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/process.h"

namespace ddpm {

namespace {

// Reduces [N,…] to [N], float64 on the CPU.
at::Tensor mean_over_dimensions(const at::Tensor& x) { return x.to(at::kDouble).reshape({x.size(0), -1}).mean(1).to(at::kCPU); }

at::Tensor squared_error(const at::Tensor& x, const at::Tensor& truth) {
    return mean_over_dimensions((x.to(at::kDouble) - truth).square());
}

// Converts nats to bits, on the CPU.
at::Tensor in_bits(const at::Tensor& nats) { return nats.to(at::kCPU) / std::numbers::ln2; }

}  // namespace

at::Tensor BoundTerms::total() const { return vb.sum(0) + prior; }

BoundTerms bound_terms(const Denoiser& denoiser, const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& y,
                       const BoundSettings& settings, const NoiseSource& noise, const std::function<void(int64_t done)>& on_term) {
    const c10::InferenceMode no_gradients;
    // The network gets x_t in the dtype of x_start. The terms are sums of small differences, so they are computed in float64.
    const at::Tensor exact_start = x_start.to(at::kDouble);
    std::vector<at::Tensor> vb, x_start_mse, eps_mse;
    for (int64_t i = 0; i < schedule.size(); ++i) {
        const at::Tensor z = noise(schedule.original_t()[i]).to(x_start.options());
        const at::Tensor t = at::full({x_start.size(0)}, i, at::kLong), x_t = q_sample(schedule, x_start, t, z);
        const Prediction prediction = denoiser.predict(x_t, schedule.level(i), y);
        const at::Tensor log_variance =
            settings.variance == VarianceType::learned_range
                ? learned_range_log_variance(schedule, prediction.variance_fraction.value(), t).to(at::kDouble)
                : fixed_log_variance(schedule, settings.variance, t, exact_start);
        vb.push_back(in_bits(bound_term(schedule, t, exact_start, x_t.to(at::kDouble), prediction.pred_x0.to(at::kDouble),
                                        log_variance, settings.cdf)));
        x_start_mse.push_back(squared_error(prediction.pred_x0, exact_start));
        eps_mse.push_back(squared_error(prediction.pred_eps, z.to(at::kDouble)));
        if (on_term) on_term(i + 1);
    }
    return {at::stack(vb), at::stack(x_start_mse), at::stack(eps_mse), in_bits(prior_term(schedule, exact_start))};
}

NoiseSource bound_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape) {
    return [=](int64_t t) { return image_noise(seed, Purpose::eval, t, first, count, shape); };
}

namespace {

// Adds the columns of [S, N] to `sums` one after the other, so that the result does not depend on the batches.
void add_columns(std::vector<double>& sums, const at::Tensor& values) {
    sums.resize(static_cast<size_t>(values.size(0)));
    const at::Tensor rows = values.contiguous();
    const double* value = rows.const_data_ptr<double>();
    for (double& sum : sums)
        for (int64_t n = 0; n < rows.size(1); ++n) sum += *value++;
}

}  // namespace

void BoundMean::add(const BoundTerms& terms) {
    add_columns(vb_, terms.vb);
    add_columns(x_start_mse_, terms.x_start_mse);
    add_columns(eps_mse_, terms.eps_mse);
    const at::Tensor total = terms.total().contiguous();
    for (int64_t n = 0; n < total.numel(); ++n) {
        totals_.push_back(total.const_data_ptr<double>()[n]);
        prior_ += terms.prior[n].item<double>();
    }
}

double BoundMean::total() const {
    double sum = 0;
    for (const double total : totals_) sum += total;
    return sum / static_cast<double>(images());
}

double BoundMean::standard_error() const {
    const double mean = total(), n = static_cast<double>(images());
    double squares = 0;
    for (const double total : totals_) squares += (total - mean) * (total - mean);
    return std::sqrt(squares / (n - 1) / n);  // 0/0 for a single image
}

std::vector<double> BoundMean::mean(std::vector<double> sums) const {
    for (double& sum : sums) sum /= static_cast<double>(images());
    return sums;
}

}  // namespace ddpm
