#include "pipeline/evaluator.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

namespace ddpm::pipeline {

Evaluator::Evaluator(UNet2D& network, const c10::Device& device, const std::string& precision,
                     const std::vector<NoiseLevel>& levels)
    : network_(network), device_(device), precision_(precision) {
    if (records_on(device) && network.kernels().name == "fast")
        copy_ = std::make_unique<WorkingCopy>(network, precision == "bf16" ? at::kBFloat16 : at::kFloat);
    // Without labels all pictures have the same conditions, and these depend on the time alone. They are computed once,
    // a row for each time, by ascending t.
    const UNetConfig& config = network.config();
    if (config.has_classes() || config.time_embedding_type == "fourier") return;
    const c10::InferenceMode no_gradients;
    const PrecisionGuard precise = guard();
    std::set<float> times;
    for (const NoiseLevel& level : levels) times.insert(static_cast<float>(level.t));
    times_ = at::tensor(std::vector<float>(times.begin(), times.end())).to(device);
    const std::vector<at::Tensor> conditions = copy_ ? copy_->conditions(times_) : network.conditions(times_);
    for (const at::Tensor& condition : conditions) widths_.push_back(condition.size(1));
    conditions_ = at::cat(conditions, 1);
}

at::Tensor Evaluator::operator()(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
    if (!copy_) return evaluate(x_t, t, y);
    Recorded& recorded = recorded_for(x_t, t, y);
    recorded.x_t.copy_(x_t);
    recorded.t.copy_(t);
    if (y.defined()) recorded.y.copy_(y);
    recorded.recording->run();
    return recorded.answer;
}

// Guidance asks for N and for 2N pictures in turn, so the recordings of two sizes are kept.
Evaluator::Recorded& Evaluator::recorded_for(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
    constexpr size_t kSizes = 2;
    const auto found = std::find_if(recorded_.begin(), recorded_.end(),
                                    [&](const Recorded& recorded) { return recorded.x_t.sizes() == x_t.sizes(); });
    if (found != recorded_.end()) {
        recorded_.splice(recorded_.begin(), recorded_, found);
        return recorded_.front();
    }
    if (recorded_.size() == kSizes) recorded_.pop_back();
    Recorded& fresh = recorded_.emplace_front();
    fresh.x_t = at::empty_like(x_t);
    fresh.t = at::empty_like(t);
    if (y.defined()) fresh.y = at::empty_like(y);
    fresh.recording.emplace(device_, [this, &fresh] { fresh.answer = evaluate(fresh.x_t, fresh.t, fresh.y); });
    return fresh;
}

// The working copy has its own mixed precision, so autocast is off with it.
PrecisionGuard Evaluator::guard() const { return PrecisionGuard(device_, copy_ ? "fp32" : precision_); }

at::Tensor Evaluator::evaluate(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
    const PrecisionGuard precise = guard();
    if (!conditions_.defined()) return (copy_ ? copy_->forward(x_t, t, y) : network_.forward(x_t, t, y)).to(x_t.scalar_type());
    const at::Tensor row = conditions_.index_select(0, at::searchsorted(times_, t.slice(0, 0, 1)));
    const std::vector<at::Tensor> now = row.split_with_sizes(widths_, 1);
    return (copy_ ? copy_->forward(x_t, now) : network_.forward(x_t, now)).to(x_t.scalar_type());
}

}  // namespace ddpm::pipeline
