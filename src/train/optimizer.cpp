#include "ddpm/train/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

namespace ddpm {

Optimizer::Optimizer(Named parameters, const TrainOptions& options) : options_(options) {
    for (auto& [name, parameter] : parameters) {
        names_.push_back(name);
        parameters_.push_back(parameter);
        exp_avg_.push_back(at::zeros_like(parameter));
        exp_avg_sq_.push_back(at::zeros_like(parameter));
    }
    const at::Tensor count = at::scalar_tensor(0, parameters_.front().options().requires_grad(false));
    step_counts_.assign(parameters_.size(), count);
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
    std::vector<at::Tensor> all = gradients();
    const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(all, 2))).item<double>();
    if (max_norm > 0 && norm > max_norm) at::_foreach_mul_(all, max_norm / (norm + 1e-6));
    return norm;
}

void Optimizer::step(double learning_rate) {
    const at::NoGradGuard no_grad;
    const std::vector<at::Tensor> all = gradients();
    ++steps_done_;
    step_counts_.front().fill_(static_cast<double>(steps_done_));
    const auto update = [&](auto fused) {
        fused(parameters_, all, exp_avg_, exp_avg_sq_, at::TensorList{}, step_counts_, learning_rate,
              options_.adam_beta1, options_.adam_beta2, options_.weight_decay, options_.adam_epsilon,
              /*amsgrad=*/false, /*maximize=*/false);
    };
    if (options_.optimizer == "adamw")
        update([](const auto&... arguments) { at::_fused_adamw_(arguments...); });
    else
        update([](const auto&... arguments) { at::_fused_adam_(arguments...); });
}

Optimizer::Named Optimizer::state() const {
    Named all;
    for (size_t i = 0; i < names_.size(); ++i) {
        all.emplace_back("exp_avg." + names_[i], exp_avg_[i]);
        all.emplace_back("exp_avg_sq." + names_[i], exp_avg_sq_[i]);
    }
    return all;
}

}  // namespace ddpm
