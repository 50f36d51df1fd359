#include "ddpm/train/optimizer.h"

#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/run/power_ema.h"

namespace ddpm {

Optimizer::Optimizer(const Named& parameters, std::vector<at::Tensor> averages, const TrainOptions& options, const Kernels& kernels)
    : averages_(std::move(averages)), options_(options), kernels_(&kernels) {
    for (const auto& [name, parameter] : parameters) {
        exp_avg_.push_back(at::zeros_like(parameter));
        exp_avg_sq_.push_back(at::zeros_like(parameter));
        names_.push_back(name);
        parameters_.push_back(parameter);
    }
    for (const double width : options.ema_widths) {
        powers_.push_back(power_of_width(width));
        power_averages_.emplace_back();
        for (const at::Tensor& parameter : parameters_) power_averages_.back().push_back(parameter.detach().clone());
    }
}

void Optimizer::zero_grad() {
    for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

std::vector<at::Tensor> Optimizer::gradients() const {
    std::vector<at::Tensor> all;
    all.reserve(parameters_.size());
    for (size_t i = 0; i < parameters_.size(); ++i) {
        if (!parameters_[i].grad().defined()) runtime_failure(names_[i] + ": has no gradient");
        all.push_back(parameters_[i].grad());
    }
    return all;
}

double Optimizer::clip_grad_norm(double max_norm) {
    const at::NoGradGuard no_grad;
    const double norm = kernels_->gradient_norm(gradients());
    gradient_scale_ = max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1.0;
    return norm;
}

void Optimizer::step(double learning_rate, double ema_decay) {
    const at::NoGradGuard no_grad;
    const std::vector<at::Tensor> all = gradients();
    ++steps_done_;
    AdamUpdate update;
    update.learning_rate = learning_rate;
    update.beta1 = options_.adam_beta1;
    update.beta2 = options_.adam_beta2;
    update.epsilon = options_.adam_epsilon;
    update.weight_decay = options_.weight_decay;
    update.decoupled = options_.optimizer == "adamw";
    update.step = steps_done_;
    update.gradient_scale = std::exchange(gradient_scale_, 1.0);
    update.ema_decay = ema_decay;
    for (const double gamma : powers_) update.more_decays.push_back(power_ema_decay(steps_done_, gamma));
    kernels_->adam({parameters_, all, exp_avg_, exp_avg_sq_, averages_, power_averages_}, update);
}

Optimizer::Named Optimizer::state() const {
    Named all;
    for (size_t i = 0; i < names_.size(); ++i) {
        all.emplace_back("exp_avg." + names_[i], exp_avg_[i]);
        all.emplace_back("exp_avg_sq." + names_[i], exp_avg_sq_[i]);
    }
    for (size_t k = 0; k < powers_.size(); ++k)
        for (const auto& [name, tensor] : average(k))
            all.emplace_back(fmt::format("average.{}.{}", options_.ema_widths[k], name), tensor);
    return all;
}

Optimizer::Named Optimizer::average(size_t i) const {
    Named all;
    for (size_t k = 0; k < names_.size(); ++k) all.emplace_back(names_[k], power_averages_[i][k]);
    return all;
}

}  // namespace ddpm
