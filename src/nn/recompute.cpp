#include "nn/recompute.h"

#include <utility>

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace ddpm::nn {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Body = std::function<at::Tensor(const variable_list&)>;

// What a body depends on besides its inputs and parameters.
class Surroundings {
public:
    explicit Surroundings(const c10::Device& device)
        : device_(device),
          autocast_(at::autocast::is_autocast_enabled(device.type())),
          autocast_type_(at::autocast::get_autocast_dtype(device.type())),
          random_state_(generator().get_state()) {}

    const c10::Device& device() const { return device_; }

    void enter() const {
        at::autocast::set_autocast_enabled(device_.type(), autocast_);
        at::autocast::set_autocast_dtype(device_.type(), autocast_type_);
        generator().set_state(random_state_);
    }

private:
    at::Generator generator() const { return at::globalContext().defaultGenerator(device_); }

    c10::Device device_;
    bool autocast_;
    at::ScalarType autocast_type_;
    at::Tensor random_state_;
};

// Comes back to the surroundings that it finds, whatever is thrown meanwhile.
class Excursion {
public:
    explicit Excursion(const Surroundings& there) : here_(there.device()) { there.enter(); }
    ~Excursion() { here_.enter(); }
    Excursion(const Excursion&) = delete;
    Excursion& operator=(const Excursion&) = delete;

private:
    Surroundings here_;
};

// The first run of a body, which a second one has to repeat.
struct FirstRun : torch::CustomClassHolder {
    Body body;
    Surroundings surroundings;

    FirstRun(Body what, const c10::Device& device) : body(std::move(what)), surroundings(device) {}

    at::Tensor repeat(const variable_list& inputs) const {
        const Excursion excursion(surroundings);
        const at::AutoGradMode gradients(true);
        return body(inputs);
    }
};

class Recompute : public torch::autograd::Function<Recompute> {
public:
    static at::Tensor forward(AutogradContext* context, at::TensorList list, const Body& body) {
        const variable_list inputs = list.vec();
        auto first = c10::make_intrusive<FirstRun>(body, inputs.front().device());
        const at::Tensor result = body(inputs);
        context->save_for_backward(inputs);
        context->saved_data["first"] = c10::IValue::make_capsule(first);
        return result;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        variable_list inputs;
        for (const at::Tensor& saved : context->get_saved_variables())
            inputs.push_back(saved.detach().requires_grad_(saved.requires_grad()));
        const auto capsule = context->saved_data["first"].toCapsule();
        const at::Tensor result = static_cast<const FirstRun&>(*capsule).repeat(inputs);
        torch::autograd::backward({result}, {outputs[0]});  // this reaches the parameters too
        variable_list gradients;
        for (const at::Tensor& input : inputs) gradients.push_back(input.grad());
        gradients.emplace_back();  // the body has none
        return gradients;
    }
};

}  // namespace

at::Tensor recompute(const variable_list& inputs, const Body& body) {
    return at::GradMode::is_enabled() ? Recompute::apply(at::TensorList(inputs), body) : body(inputs);
}

}  // namespace ddpm::nn
