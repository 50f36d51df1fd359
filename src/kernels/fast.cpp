#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ddpm/kernels/instruction_set.h"
#include "kernels/adam.h"
#include "kernels/attention.h"
#include "kernels/forms.h"
#include "kernels/gpu.h"
#include "kernels/linear.h"
#include "kernels/norm_act.h"
#include "kernels/winograd.h"

namespace ddpm::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Autograd's functions take no undefined tensors, so those become optional ones.
using Maybe = std::optional<at::Tensor>;
Maybe maybe(const at::Tensor& x) { return x.defined() ? Maybe(x) : std::nullopt; }

bool is_fast_type(const at::Tensor& x) {
    return has_wide_vectors() && x.device().is_cpu() && x.numel() > 0 &&
           (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

at::Tensor channels_last(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

at::Tensor as_float(const at::Tensor& x) { return x.to(at::kFloat).contiguous(); }

// Calls f with a pointer to the numbers: const float*, or const uint16_t* for bfloat16.
template <class F>
void visit_type(const at::Tensor& x, const F& f) {
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

at::Tensor convolve(const ConvShape& shape, const at::Tensor& x, const at::Tensor& weight, bool transpose, const at::Tensor& bias,
                    const at::Tensor& residual) {
    RECORD_USER_SCOPE("ddpm::conv3x3");
    const at::Tensor y =
        at::empty({shape.images, shape.out, shape.height, shape.width}, x.options(), at::MemoryFormat::ChannelsLast);
    visit_type(x, [&]<class T>(const T* pixels) {
        winograd_convolve(shape, pixels, weight.const_data_ptr<float>(), transpose, data_or_null<float>(bias),
                          data_or_null<T>(residual), data<T>(y));
    });
    return y;
}

ConvShape shape_of(const at::Tensor& x, const at::Tensor& weight) {
    return {x.size(0), x.size(2), x.size(3), weight.size(1), weight.size(0)};
}

struct ConvGradients {
    at::Tensor x, weight;
};

// dy: channels last, in the dtype of x.
ConvGradients conv_gradients(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& dy, bool want_x, bool want_weight) {
    const ConvShape shape = shape_of(x, weight);
    ConvGradients gradients;
    if (want_x) {
        const ConvShape turned{shape.images, shape.height, shape.width, shape.out, shape.in};
        gradients.x = convolve(turned, dy, weight, true, {}, {});
    }
    if (want_weight) {
        RECORD_USER_SCOPE("ddpm::conv3x3, weight gradient");
        gradients.weight = at::empty_like(weight);
        visit_type(x, [&]<class T>(const T* pixels) {
            winograd_weight_gradient(shape, pixels, static_cast<const T*>(dy.const_data_ptr()), data<float>(gradients.weight));
        });
    }
    return gradients;
}

// Returns the gradient of a bias, [columns]. dy: contiguous rows of `columns` numbers, or images channels last with as many
// channels.
at::Tensor bias_gradient(const at::Tensor& dy, int64_t columns) {
    RECORD_USER_SCOPE("ddpm::bias gradient");
    const at::Tensor sums = at::empty({columns}, dy.options().dtype(at::kFloat), at::MemoryFormat::Contiguous);
    visit_type(dy, [&]<class T>(const T* x) { column_sums(dy.numel() / columns, columns, x, data<float>(sums)); });
    return sums;
}

class Conv3x3 : public torch::autograd::Function<Conv3x3> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const Maybe& bias,
                              const Maybe& residual) {
        const ConvShape shape = shape_of(x, weight);
        context->save_for_backward({x, weight});
        context->saved_data["has_bias"] = bias.has_value();
        context->saved_data["has_residual"] = residual.has_value();
        return convolve(shape, x, weight, false, bias.value_or(at::Tensor()), residual.value_or(at::Tensor()));
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor dy = channels_last(outputs[0].to(x.scalar_type()));
        const ConvGradients gradients = conv_gradients(x, weight, dy, context->needs_input_grad(0), context->needs_input_grad(1));
        return {gradients.x, gradients.weight,
                context->saved_data["has_bias"].toBool() ? bias_gradient(dy, dy.size(1)) : at::Tensor(),
                context->saved_data["has_residual"].toBool() ? dy : at::Tensor()};
    }
};

// ---- normalization ----

template <class T>
NormInput<T> norm_input(const T* x, const at::Tensor& shift, const at::Tensor& weight, const at::Tensor& bias) {
    return {x, data_or_null<float>(shift), weight.const_data_ptr<float>(), bias.const_data_ptr<float>(),
            weight.dim() == 1 ? 0 : weight.size(1)};
}

// The arguments and statistics of a normalization. weight and bias are [C], or [N,C].
struct NormParts {
    at::Tensor x, shift, weight, bias;
    int64_t groups = 0;
    double eps = 0;
    bool silu = false;
    at::Tensor mean, rstd;  // filled in by normalize

    NormShape shape() const { return {x.size(0), x.size(2) * x.size(3), x.size(1), groups, eps, silu}; }
};

at::Tensor normalize(NormParts& parts) {
    RECORD_USER_SCOPE("ddpm::norm");
    parts.mean = at::empty({parts.x.size(0), parts.groups}, parts.weight.options());
    parts.rstd = at::empty_like(parts.mean);
    const at::Tensor y = at::empty_like(parts.x);
    visit_type(parts.x, [&]<class T>(const T* pixels) {
        norm_act_forward(parts.shape(), norm_input(pixels, parts.shift, parts.weight, parts.bias), data<T>(y),
                         data<float>(parts.mean), data<float>(parts.rstd));
    });
    return y;
}

// Gradients of x, shift, weight and bias. dy: channels last, in the dtype of x.
std::array<at::Tensor, 4> norm_gradients(const NormParts& parts, const at::Tensor& dy) {
    RECORD_USER_SCOPE("ddpm::norm, gradient");
    const NormShape shape = parts.shape();
    const at::Tensor dx = at::empty_like(parts.x);
    const at::Tensor dweight = at::empty({shape.images, shape.channels}, parts.weight.options());
    const at::Tensor dbias = at::empty_like(dweight), dshift = parts.shift.defined() ? at::empty_like(dweight) : parts.shift;
    visit_type(parts.x, [&]<class T>(const T* pixels) {
        norm_act_backward(shape, norm_input(pixels, parts.shift, parts.weight, parts.bias),
                          static_cast<const T*>(dy.const_data_ptr()), parts.mean.const_data_ptr<float>(),
                          parts.rstd.const_data_ptr<float>(), data<T>(dx), data<float>(dweight), data<float>(dbias),
                          dshift.defined() ? data<float>(dshift) : nullptr);
    });
    const bool shared = parts.weight.dim() == 1;
    return {dx, dshift, shared ? dweight.sum(0) : dweight, shared ? dbias.sum(0) : dbias};
}

void save(AutogradContext* context, const NormParts& parts, variable_list more) {
    more.insert(more.begin(), {parts.x, parts.shift, parts.weight, parts.bias, parts.mean, parts.rstd});
    context->save_for_backward(std::move(more));
    context->saved_data["groups"] = parts.groups;
    context->saved_data["eps"] = parts.eps;
    context->saved_data["silu"] = parts.silu;
}

NormParts restore(AutogradContext* context, const variable_list& saved) {
    return {saved[0],
            saved[1],
            saved[2],
            saved[3],
            context->saved_data["groups"].toInt(),
            context->saved_data["eps"].toDouble(),
            context->saved_data["silu"].toBool(),
            saved[4],
            saved[5]};
}

class Norm : public torch::autograd::Function<Norm> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Maybe& shift, const at::Tensor& weight,
                              const at::Tensor& bias, int64_t groups, double eps, bool silu) {
        NormParts parts{x, shift.value_or(at::Tensor()), weight, bias, groups, eps, silu, {}, {}};
        const at::Tensor y = normalize(parts);
        save(context, parts, {});
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const NormParts parts = restore(context, context->get_saved_variables());
        auto [dx, dshift, dweight, dbias] = norm_gradients(parts, channels_last(outputs[0].to(parts.x.scalar_type())));
        return {dx, dshift, dweight, dbias, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

// A normalization and the convolution after it. What lies between the two is not kept, but computed again for the gradients:
// that saves a quarter of a U-Net's memory for a fiftieth of its time.
class NormConv3x3 : public torch::autograd::Function<NormConv3x3> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Maybe& shift, const at::Tensor& norm_weight,
                              const at::Tensor& norm_bias, int64_t groups, double eps, bool silu, const at::Tensor& weight,
                              const Maybe& bias, const Maybe& residual) {
        NormParts parts{x, shift.value_or(at::Tensor()), norm_weight, norm_bias, groups, eps, silu, {}, {}};
        const at::Tensor y = normalize(parts);
        save(context, parts, {weight});
        context->saved_data["has_bias"] = bias.has_value();
        context->saved_data["has_residual"] = residual.has_value();
        const ConvShape shape = shape_of(y, weight);
        return convolve(shape, y, weight, false, bias.value_or(at::Tensor()), residual.value_or(at::Tensor()));
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        NormParts parts = restore(context, saved);
        const at::Tensor& weight = saved[6];
        const at::Tensor dz = channels_last(outputs[0].to(parts.x.scalar_type()));
        const ConvGradients conv = conv_gradients(normalize(parts), weight, dz, true, true);
        auto [dx, dshift, dnorm_weight, dnorm_bias] = norm_gradients(parts, conv.x);
        const at::Tensor none;
        return {dx,
                dshift,
                dnorm_weight,
                dnorm_bias,
                none,
                none,
                none,
                conv.weight,
                context->saved_data["has_bias"].toBool() ? bias_gradient(dz, dz.size(1)) : none,
                context->saved_data["has_residual"].toBool() ? dz : none};
    }
};

// ---- linear maps ----

LinearShape linear_shape(const at::Tensor& x, const at::Tensor& weight) {
    return {x.numel() / weight.size(1), weight.size(1), weight.size(0)};
}

class Linear : public torch::autograd::Function<Linear> {
public:
    // x: […, in], contiguous
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const Maybe& bias,
                              const Maybe& residual) {
        context->save_for_backward({x, weight});
        context->saved_data["has_bias"] = bias.has_value();
        context->saved_data["has_residual"] = residual.has_value();
        std::vector<int64_t> sizes = x.sizes().vec();
        sizes.back() = weight.size(0);
        const at::Tensor y = at::empty(sizes, x.options());
        RECORD_USER_SCOPE("ddpm::linear");
        visit_type(x, [&]<class T>(const T* rows) {
            linear_forward(linear_shape(x, weight), rows, weight.const_data_ptr<float>(),
                           data_or_null<float>(bias.value_or(at::Tensor())), data_or_null<T>(residual.value_or(at::Tensor())),
                           data<T>(y));
        });
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor dy = gradients[0].to(x.scalar_type()).contiguous();
        const LinearShape shape = linear_shape(x, weight);
        at::Tensor dx, dweight, dbias;
        visit_type(x, [&]<class T>(const T* rows) {
            const T* dy_rows = static_cast<const T*>(dy.const_data_ptr());
            if (context->needs_input_grad(0)) {
                RECORD_USER_SCOPE("ddpm::linear, input gradient");
                dx = at::empty_like(x);
                linear_input_gradient(shape, dy_rows, weight.const_data_ptr<float>(), data<T>(dx));
            }
            if (context->needs_input_grad(1)) {
                RECORD_USER_SCOPE("ddpm::linear, weight gradient");
                dweight = at::empty_like(weight);
                linear_weight_gradient(shape, rows, dy_rows, data<float>(dweight));
            }
        });
        if (context->saved_data["has_bias"].toBool()) dbias = bias_gradient(dy, shape.out);
        return {dx, dweight, dbias, context->saved_data["has_residual"].toBool() ? dy : at::Tensor()};
    }
};

// ---- attention ----

AttentionShape attention_shape(const at::Tensor& qkv) { return {qkv.size(0), qkv.size(1), qkv.size(3), qkv.size(4)}; }

class SelfAttention : public torch::autograd::Function<SelfAttention> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv) {
        const AttentionShape shape = attention_shape(qkv);
        const at::Tensor out = at::empty({shape.images, shape.tokens, shape.heads * shape.head_dim}, qkv.options());
        const at::Tensor log_sums = at::empty({shape.images, shape.heads, shape.tokens}, qkv.options().dtype(at::kFloat));
        RECORD_USER_SCOPE("ddpm::attention");
        visit_type(qkv, [&]<class T>(const T* tokens) { attention_forward(shape, tokens, data<T>(out), data<float>(log_sums)); });
        context->save_for_backward({qkv, out, log_sums});
        return out;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &qkv = saved[0], &out = saved[1], &log_sums = saved[2];
        const at::Tensor dout = gradients[0].to(qkv.scalar_type()).contiguous();
        const at::Tensor dqkv = at::empty_like(qkv);
        RECORD_USER_SCOPE("ddpm::attention, gradient");
        visit_type(qkv, [&]<class T>(const T* tokens) {
            attention_backward(attention_shape(qkv), tokens, static_cast<const T*>(out.const_data_ptr()),
                               log_sums.const_data_ptr<float>(), static_cast<const T*>(dout.const_data_ptr()), data<T>(dqkv));
        });
        return {dqkv};
    }
};

}  // namespace

namespace {

// Returns the hand-written forms for a GPU if the tensor is on one and this build has them; else null.
const Kernels* gpu_kernels(const at::Tensor& x) { return x.is_cuda() && gpu() ? &gpu()->kernels : nullptr; }

bool fits_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& residual) {
    return is_fast_type(x) && weight.scalar_type() == at::kFloat && weight.is_contiguous() &&
           (!residual.defined() || residual.scalar_type() == x.scalar_type()) && winograd_suits(shape_of(x, weight));
}

bool fits_normalization(const at::Tensor& x, const NormArguments& arguments) {
    return is_fast_type(x) && x.size(1) % 16 == 0 && arguments.weight.scalar_type() == at::kFloat;
}

// Puts the scale and offset of the time embedding into weight and bias.
NormParts norm_parts(const at::Tensor& x, const NormArguments& arguments) {
    NormParts parts{channels_last(x),
                    arguments.shift.defined() ? as_float(arguments.shift) : arguments.shift,
                    arguments.weight,
                    arguments.bias,
                    arguments.groups,
                    arguments.eps,
                    arguments.silu,
                    {},
                    {}};
    if (arguments.scale.defined()) {
        const at::Tensor scale = as_float(arguments.scale);
        parts.weight = parts.weight * scale;
        parts.bias = parts.bias * scale + as_float(arguments.offset);
    }
    return parts;
}

}  // namespace

at::Tensor fast_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    if (const Kernels* on_gpu = gpu_kernels(x)) return on_gpu->conv3x3(x, weight, bias, residual);
    if (!fits_convolution(x, weight, residual)) return plain_conv3x3(x, weight, bias, residual);
    const at::Tensor pixels = channels_last(x), added = residual.defined() ? channels_last(residual) : residual;
    if (at::GradMode::is_enabled()) return Conv3x3::apply(pixels, weight, maybe(bias), maybe(added));
    return convolve(shape_of(pixels, weight), pixels, weight, false, bias, added);
}

at::Tensor fast_norm(const at::Tensor& x, const NormArguments& arguments) {
    if (const Kernels* on_gpu = gpu_kernels(x)) return on_gpu->norm(x, arguments);
    if (!fits_normalization(x, arguments)) return plain_norm(x, arguments);
    const NormParts parts = norm_parts(x, arguments);
    return Norm::apply(parts.x, maybe(parts.shift), parts.weight, parts.bias, parts.groups, parts.eps, parts.silu);
}

at::Tensor fast_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& residual) {
    if (const Kernels* on_gpu = gpu_kernels(x)) return on_gpu->norm_conv3x3(x, arguments, weight, bias, residual);
    if (!at::GradMode::is_enabled() || !fits_normalization(x, arguments) || !fits_convolution(x, weight, residual))
        return fast_conv3x3(fast_norm(x, arguments), weight, bias, residual);
    const NormParts parts = norm_parts(x, arguments);
    return NormConv3x3::apply(parts.x, maybe(parts.shift), parts.weight, parts.bias, parts.groups, parts.eps, parts.silu, weight,
                              maybe(bias), maybe(residual.defined() ? channels_last(residual) : residual));
}

at::Tensor fast_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    if (const Kernels* on_gpu = gpu_kernels(x)) return on_gpu->linear(x, weight, bias, residual);
    const bool fits = is_fast_type(x) && weight.scalar_type() == at::kFloat && weight.is_contiguous() && weight.size(0) % 32 == 0 &&
                      weight.size(1) % 32 == 0 && (!residual.defined() || residual.scalar_type() == x.scalar_type());
    if (!fits) return plain_linear(x, weight, bias, residual);
    return Linear::apply(x.contiguous(), weight, maybe(bias), maybe(residual.defined() ? residual.contiguous() : residual));
}

at::Tensor fast_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (const Kernels* on_gpu = gpu_kernels(x)) return on_gpu->conv1x1(x, weight, bias);
    if (!is_fast_type(x) || weight.size(0) % 32 != 0 || weight.size(1) % 32 != 0) return plain_conv1x1(x, weight, bias);
    const at::Tensor rows = channels_last(x).permute({0, 2, 3, 1});
    return fast_linear(rows, weight.flatten(1), bias, {}).permute({0, 3, 1, 2});
}

at::Tensor fast_attention(const at::Tensor& qkv) {
    if (const Kernels* on_gpu = gpu_kernels(qkv)) return on_gpu->attention(qkv);
    const AttentionShape shape = attention_shape(qkv);
    if (!is_fast_type(qkv) || shape.tokens % 32 != 0 || shape.head_dim % 32 != 0) return plain_attention(qkv);
    return SelfAttention::apply(qkv.contiguous());
}

namespace {

bool fits_pass(const std::vector<at::Tensor>& tensors) {
    return has_wide_vectors() && std::all_of(tensors.begin(), tensors.end(), [](const at::Tensor& x) {
               return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
           });
}

}  // namespace

double fast_gradient_norm(const std::vector<at::Tensor>& gradients) {
    if (const Kernels* on_gpu = gradients.empty() ? nullptr : gpu_kernels(gradients.front()))
        return on_gpu->gradient_norm(gradients);
    if (!fits_pass(gradients)) return plain_gradient_norm(gradients);
    RECORD_USER_SCOPE("ddpm::gradient norm");
    std::vector<std::span<const float>> spans;
    for (const at::Tensor& gradient : gradients)
        spans.emplace_back(gradient.const_data_ptr<float>(), static_cast<size_t>(gradient.numel()));
    return std::sqrt(sum_of_squares(spans));
}

void fast_adam(const AdamTensors& t, const AdamUpdate& update) {
    if (const Kernels* on_gpu = t.parameters.empty() ? nullptr : gpu_kernels(t.parameters.front())) return on_gpu->adam(t, update);
    for (const auto* tensors : {&t.parameters, &t.gradients, &t.exp_avg, &t.exp_avg_sq, &t.averages})
        if (!fits_pass(*tensors)) return plain_adam(t, update);
    if (!std::all_of(t.more_averages.begin(), t.more_averages.end(), fits_pass)) return plain_adam(t, update);
    RECORD_USER_SCOPE("ddpm::Adam and EMA");
    std::vector<AdamSpan> spans;
    for (size_t i = 0; i < t.parameters.size(); ++i) {
        AdamSpan span{data<float>(t.parameters[i]),
                      t.gradients[i].const_data_ptr<float>(),
                      data<float>(t.exp_avg[i]),
                      data<float>(t.exp_avg_sq[i]),
                      {t.averages.empty() ? nullptr : data<float>(t.averages[i])},
                      t.parameters[i].numel()};
        for (size_t k = 0; k < t.more_averages.size(); ++k) span.averages[k + 1] = data<float>(t.more_averages[k][i]);
        spans.push_back(span);
    }
    adam_update(spans, update);
}

}  // namespace ddpm::kernels
