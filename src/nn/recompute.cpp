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

// The state of the first run, which a second run has to find again.
struct Surroundings : torch::CustomClassHolder {
    Body body;
    c10::Device device;
    bool autocast;
    at::ScalarType autocast_type;
    at::Tensor random_state;

    Surroundings(Body what, const c10::Device& where)
        : body(std::move(what)),
          device(where),
          autocast(at::autocast::is_autocast_enabled(where.type())),
          autocast_type(at::autocast::get_autocast_dtype(where.type())),
          random_state(generator().get_state()) {}

    at::Generator generator() const { return at::globalContext().defaultGenerator(device); }

    at::Tensor run_again(const variable_list& inputs) const {
        const bool was_autocast = at::autocast::is_autocast_enabled(device.type());
        const at::ScalarType was_type = at::autocast::get_autocast_dtype(device.type());
        const at::Tensor was_random = generator().get_state();
        at::autocast::set_autocast_enabled(device.type(), autocast);
        at::autocast::set_autocast_dtype(device.type(), autocast_type);
        generator().set_state(random_state);
        const at::AutoGradMode gradients(true);
        at::Tensor result = body(inputs);
        generator().set_state(was_random);
        at::autocast::set_autocast_enabled(device.type(), was_autocast);
        at::autocast::set_autocast_dtype(device.type(), was_type);
        return result;
    }
};

class Recompute : public torch::autograd::Function<Recompute> {
public:
    static at::Tensor forward(AutogradContext* context, at::TensorList list, const Body& body) {
        const variable_list inputs = list.vec();
        auto surroundings = c10::make_intrusive<Surroundings>(body, inputs.front().device());
        const at::Tensor result = body(inputs);
        context->save_for_backward(inputs);
        context->saved_data["surroundings"] = c10::IValue::make_capsule(surroundings);
        return result;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        variable_list inputs;
        for (const at::Tensor& saved : context->get_saved_variables())
            inputs.push_back(saved.detach().requires_grad_(saved.requires_grad()));
        const auto capsule = context->saved_data["surroundings"].toCapsule();
        const at::Tensor result = static_cast<const Surroundings&>(*capsule).run_again(inputs);
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
