#include "ddpm/nn/working_copy.h"

#include <set>

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "ddpm/nn/unet.h"

namespace ddpm {

WorkingCopy::WorkingCopy(UNet2D& original, c10::ScalarType type)
    : type_(type), network_(std::make_shared<UNet2D>(original.config(), original.kernels())) {
    network_->train(original.is_training());
    std::set<const void*> cast;
    for (const auto& module : network_->modules())
        if (module->as<torch::nn::Conv2dImpl>() != nullptr || module->as<torch::nn::LinearImpl>() != nullptr)
            for (const at::Tensor& parameter : module->parameters(/*recurse=*/false)) cast.insert(parameter.unsafeGetTensorImpl());
    theirs_ = original.parameters();
    ours_ = network_->parameters();
    for (size_t i = 0; i < ours_.size(); ++i) {
        const bool held = type != theirs_[i].scalar_type() && cast.contains(ours_[i].unsafeGetTensorImpl());
        ours_[i].set_data(held ? theirs_[i].detach().to(type) : theirs_[i].detach());
        if (!held) continue;
        cast_theirs_.push_back(theirs_[i]);
        cast_ours_.push_back(ours_[i]);
    }
}

at::Tensor WorkingCopy::forward(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
    return network_->forward(x_t.to(type_), t, y);
}

at::Tensor WorkingCopy::forward(const at::Tensor& x_t, const std::vector<at::Tensor>& conditions) {
    return network_->forward(x_t.to(type_), conditions);
}

std::vector<at::Tensor> WorkingCopy::conditions(const at::Tensor& t, const at::Tensor& y) { return network_->conditions(t, y); }

void WorkingCopy::set_dropout_seeds(const at::Tensor& seeds) { network_->set_dropout_seeds(seeds); }

void WorkingCopy::refresh() {
    const at::NoGradGuard no_grad;
    if (!cast_ours_.empty()) at::_foreach_copy_(cast_ours_, cast_theirs_);
}

void WorkingCopy::clear_gradients() {
    for (at::Tensor& parameter : ours_) parameter.mutable_grad().reset();
}

void WorkingCopy::add_gradients_to_original() {
    const at::NoGradGuard no_grad;
    struct Lists {
        std::vector<at::Tensor> to, from;
    };
    Lists copied, cast, added;  // of one type on each side; torch goes through mixed lists tensor by tensor
    for (size_t i = 0; i < ours_.size(); ++i) {
        const at::Tensor& ours = ours_[i].grad();
        if (!ours.defined()) continue;
        at::Tensor& theirs = theirs_[i].mutable_grad();
        Lists& lists = theirs.defined() ? added : ours.scalar_type() == type_ && type_ != at::kFloat ? cast : copied;
        if (!theirs.defined()) theirs = at::empty_like(theirs_[i]);
        lists.to.push_back(theirs);
        lists.from.push_back(ours);
    }
    for (const Lists* lists : {&copied, &cast})
        if (!lists->to.empty()) at::_foreach_copy_(lists->to, lists->from);
    if (!added.to.empty()) at::_foreach_add_(added.to, added.from);
}

}  // namespace ddpm
