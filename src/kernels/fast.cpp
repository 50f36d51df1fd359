#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/forms.h"
#include "kernels/norm_act.h"
#include "kernels/winograd.h"

namespace ddpm {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Autograd's functions take no undefined tensors.
using Maybe = std::optional<at::Tensor>;
Maybe maybe(const at::Tensor& x) {
    return x.defined() ? Maybe(x) : std::nullopt;
}

bool is_fast_type(const at::Tensor& x) {
    return x.device().is_cpu() && x.dim() == 4 && x.numel() > 0 &&
           (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

at::Tensor channels_last(const at::Tensor& x) {
    return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor as_float(const at::Tensor& x) {
    return x.to(at::kFloat).contiguous();
}

// f(pointer to the numbers) with bfloat16 as uint16_t.
template <class F>
void by_type(const at::Tensor& x, const F& f) {
    if (x.scalar_type() == at::kFloat)
        f(static_cast<const float*>(x.const_data_ptr()));
    else
        f(static_cast<const uint16_t*>(x.const_data_ptr()));
}

template <class T>
const T* data_or_null(const at::Tensor& x) {
    return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}

template <class T>
T* data(const at::Tensor& x) {
    return static_cast<T*>(x.mutable_data_ptr());
}

// ---- convolution ----

at::Tensor transform(const ConvShape& shape, const at::Tensor& weight, bool transpose) {
    const at::Tensor packed = at::empty({static_cast<int64_t>(winograd_weight_size(shape))}, weight.options());
    winograd_transform_weight(shape, weight.const_data_ptr<float>(), transpose, data<float>(packed));
    return packed;
}

at::Tensor convolve(const ConvShape& shape, const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                    const at::Tensor& residual) {
    const at::Tensor y =
        at::empty({shape.images, shape.out, shape.height, shape.width}, x.options(), at::MemoryFormat::ChannelsLast);
    by_type(x, [&]<class T>(const T* pixels) {
        winograd_convolve(shape, pixels, packed.const_data_ptr<float>(), data_or_null<float>(bias),
                          data_or_null<T>(residual), data<T>(y));
    });
    return y;
}

ConvShape shape_of(const at::Tensor& x, const at::Tensor& weight) {
    return {x.size(0), x.size(2), x.size(3), weight.size(1), weight.size(0)};
}

class Conv3x3 : public torch::autograd::Function<Conv3x3> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const Maybe& bias,
                              const Maybe& residual) {
        const ConvShape shape = shape_of(x, weight);
        context->save_for_backward({x, weight});
        context->saved_data["has_bias"] = bias.has_value();
        context->saved_data["has_residual"] = residual.has_value();
        return convolve(shape, x, transform(shape, weight, false), bias.value_or(at::Tensor()),
                        residual.value_or(at::Tensor()));
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor dy = channels_last(gradients[0].to(x.scalar_type()));
        const ConvShape shape = shape_of(x, weight);
        at::Tensor dx, dweight, dbias;
        if (context->needs_input_grad(0)) {
            const ConvShape turned{shape.images, shape.height, shape.width, shape.out, shape.in};
            dx = convolve(turned, dy, transform(turned, weight, true), {}, {});
        }
        if (context->needs_input_grad(1)) {
            if (winograd_suits_weight_gradient(shape)) {
                dweight = at::empty_like(weight);
                by_type(x, [&]<class T>(const T* pixels) {
                    winograd_weight_gradient(shape, pixels, static_cast<const T*>(dy.const_data_ptr()),
                                             data<float>(dweight));
                });
            } else {
                dweight = std::get<1>(at::convolution_backward(dy, x, weight.to(x.scalar_type()), at::OptionalIntArrayRef{},
                                                               {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1,
                                                               {false, true, false}))
                              .to(at::kFloat);
            }
        }
        if (context->saved_data["has_bias"].toBool()) dbias = dy.sum({0, 2, 3}, false, at::kFloat);
        return {dx, dweight, dbias, context->saved_data["has_residual"].toBool() ? dy : at::Tensor()};
    }
};

// ---- normalization ----

template <class T>
NormInput<T> norm_input(const T* x, const at::Tensor& shift, const at::Tensor& weight, const at::Tensor& bias) {
    return {x, data_or_null<float>(shift), weight.const_data_ptr<float>(), bias.const_data_ptr<float>(),
            weight.dim() == 1 ? 0 : weight.size(1)};
}

class Norm : public torch::autograd::Function<Norm> {
public:
    // weight and bias: [C] or [N,C]
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Maybe& given_shift,
                              const at::Tensor& weight, const at::Tensor& bias, int64_t groups, double eps, bool silu) {
        const at::Tensor shift = given_shift.value_or(at::Tensor());
        const NormShape shape{x.size(0), x.size(2) * x.size(3), x.size(1), groups, eps, silu};
        const at::Tensor mean = at::empty({x.size(0), groups}, weight.options()), rstd = at::empty_like(mean);
        const at::Tensor y = at::empty_like(x);
        by_type(x, [&]<class T>(const T* pixels) {
            norm_act_forward(shape, norm_input(pixels, shift, weight, bias), data<T>(y), data<float>(mean),
                             data<float>(rstd));
        });
        context->save_for_backward({x, shift, weight, bias, mean, rstd});
        context->saved_data["groups"] = groups;
        context->saved_data["eps"] = eps;
        context->saved_data["silu"] = silu;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &shift = saved[1], &weight = saved[2], &bias = saved[3], &mean = saved[4],
                         &rstd = saved[5];
        const NormShape shape{x.size(0),
                              x.size(2) * x.size(3),
                              x.size(1),
                              context->saved_data["groups"].toInt(),
                              context->saved_data["eps"].toDouble(),
                              context->saved_data["silu"].toBool()};
        const at::Tensor dy = channels_last(gradients[0].to(x.scalar_type()));
        const at::Tensor dx = at::empty_like(x);
        const at::Tensor dweight = at::empty({shape.images, shape.channels}, weight.options());
        const at::Tensor dbias = at::empty_like(dweight), dshift = shift.defined() ? at::empty_like(dweight) : shift;
        by_type(x, [&]<class T>(const T* pixels) {
            norm_act_backward(shape, norm_input(pixels, shift, weight, bias), static_cast<const T*>(dy.const_data_ptr()),
                              mean.const_data_ptr<float>(), rstd.const_data_ptr<float>(), data<T>(dx),
                              data<float>(dweight), data<float>(dbias), shift.defined() ? data<float>(dshift) : nullptr);
        });
        const bool shared = weight.dim() == 1;
        return {dx,           dshift,       shared ? dweight.sum(0) : dweight, shared ? dbias.sum(0) : dbias,
                at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}  // namespace

at::Tensor fast_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& residual, PackedWeight& packed) {
    if (!is_fast_type(x) || weight.scalar_type() != at::kFloat || !weight.is_contiguous() ||
        (residual.defined() && residual.scalar_type() != x.scalar_type()) || !winograd_suits(shape_of(x, weight)))
        return plain_conv3x3(x, weight, bias, residual, packed);
    const at::Tensor pixels = channels_last(x), added = residual.defined() ? channels_last(residual) : residual;
    if (at::GradMode::is_enabled()) return Conv3x3::apply(pixels, weight, maybe(bias), maybe(added));
    const ConvShape shape = shape_of(pixels, weight);
    const int64_t version = weight.is_inference() ? 0 : weight._version();
    if (!packed.packed.defined() || packed.data != weight.const_data_ptr() || packed.version != version)
        packed = {transform(shape, weight, false), weight.const_data_ptr(), version};
    return convolve(shape, pixels, packed.packed, bias, added);
}

at::Tensor fast_norm(const at::Tensor& x, const NormArguments& arguments) {
    if (!is_fast_type(x) || x.size(1) % 16 != 0 || arguments.weight.scalar_type() != at::kFloat)
        return plain_norm(x, arguments);
    const at::Tensor shift = arguments.shift.defined() ? as_float(arguments.shift) : arguments.shift;
    at::Tensor weight = arguments.weight, bias = arguments.bias;
    if (arguments.scale.defined()) {
        const at::Tensor scale = as_float(arguments.scale);
        weight = weight * scale;
        bias = bias * scale + as_float(arguments.offset);
    }
    return Norm::apply(channels_last(x), maybe(shift), weight, bias, arguments.groups, arguments.eps, arguments.silu);
}

}  // namespace ddpm
