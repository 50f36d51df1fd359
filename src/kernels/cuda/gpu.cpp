#include "kernels/gpu.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/record_function.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/cuda/adam.h"
#include "kernels/cuda/noise.h"
#include "kernels/cuda/norm_act.h"
#include "kernels/cuda/pointwise.h"
#include "kernels/cuda/recorder.h"
#include "kernels/forms.h"

namespace ddpm::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Maybe = std::optional<at::Tensor>;

Maybe maybe(const at::Tensor& x) { return x.defined() ? Maybe(x) : std::nullopt; }

// The device and stream to launch on.
struct Launch {
    c10::cuda::CUDAGuard guard;
    cudaStream_t stream;
    explicit Launch(const at::Tensor& x) : guard(x.device()), stream(c10::cuda::getCurrentCUDAStream(x.get_device())) {}
};

at::Tensor channels_last(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

bool is_fast_type(const at::Tensor& x) { return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16; }

// Calls f with a null pointer, whose type is that of the numbers.
template <class F>
void visit_type(const at::Tensor& x, const F& f) {
    if (x.scalar_type() == at::kFloat)
        f(static_cast<float*>(nullptr));
    else
        f(static_cast<__nv_bfloat16*>(nullptr));
}

template <class T>
const T* read_pointer(const at::Tensor& x) {
    return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}
template <class T>
T* write_pointer(const at::Tensor& x) {
    return x.defined() ? static_cast<T*>(x.mutable_data_ptr()) : nullptr;
}

// ---- convolution: cuDNN's, with bias and residual in one pass after it ----

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight) {
    return channels_last(at::convolution(x, weight, {}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1));
}

void add_bias(const at::Tensor& y, const at::Tensor& bias, const at::Tensor& residual) {
    if (!bias.defined() && !residual.defined()) return;
    const Launch launch(y);
    visit_type(y, [&]<class T>(T*) {
        gpu_add_bias(y.numel() / y.size(1), y.size(1), read_pointer<T>(bias), read_pointer<T>(residual), write_pointer<T>(y),
                     launch.stream);
    });
}

// Returns the sums over rows of `channels` numbers, [channels]. dy: images channels last, or a matrix.
at::Tensor column_sums(const at::Tensor& dy, int64_t channels) {
    const int64_t count = dy.numel() / channels;
    const at::Tensor sums = at::empty({channels}, dy.options(), at::MemoryFormat::Contiguous);
    const at::Tensor scratch =
        at::empty({gpu_column_sums_scratch(count, channels)}, dy.options().dtype(at::kFloat), at::MemoryFormat::Contiguous);
    const Launch launch(dy);
    visit_type(dy, [&]<class T>(T*) {
        gpu_column_sums(count, channels, read_pointer<T>(dy), write_pointer<float>(scratch), write_pointer<T>(sums), launch.stream);
    });
    return sums;
}

class GpuConv3x3 : public torch::autograd::Function<GpuConv3x3> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const Maybe& bias,
                              const Maybe& residual) {
        context->save_for_backward({x, weight});
        context->saved_data["has_bias"] = bias.has_value();
        context->saved_data["has_residual"] = residual.has_value();
        at::Tensor y = convolve(x, weight);
        add_bias(y, bias.value_or(at::Tensor()), residual.value_or(at::Tensor()));
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor dy = channels_last(outputs[0].to(x.scalar_type()));
        auto [dx, dweight, none] =
            at::convolution_backward(dy, x, weight, at::OptionalIntArrayRef{}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1,
                                     {context->needs_input_grad(0), context->needs_input_grad(1), false});
        return {dx, dweight, context->saved_data["has_bias"].toBool() ? column_sums(dy, dy.size(1)) : at::Tensor(),
                context->saved_data["has_residual"].toBool() ? dy : at::Tensor()};
    }
};

bool is_autocast() { return at::autocast::is_autocast_enabled(at::kCUDA); }

bool fits_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    const auto same = [&](const at::Tensor& other) { return !other.defined() || other.scalar_type() == x.scalar_type(); };
    return is_fast_type(x) && x.numel() > 0 && same(weight) && same(bias) && same(residual) && weight.size(0) % 8 == 0 &&
           !is_autocast();
}

at::Tensor gpu_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    if (!fits_convolution(x, weight, bias, residual)) return plain_conv3x3(x, weight, bias, residual);
    return GpuConv3x3::apply(channels_last(x), weight, maybe(bias), maybe(residual.defined() ? channels_last(residual) : residual));
}

// ---- normalization ----

NormShape shape_of(const at::Tensor& x, const NormArguments& a) {
    return {x.size(0), x.size(2) * x.size(3), x.size(1), a.groups, a.eps, a.silu};
}

template <class T>
GpuNormInput<T> norm_input(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& gamma, const at::Tensor& beta) {
    return {read_pointer<T>(x), read_pointer<T>(shift), read_pointer<float>(gamma), read_pointer<float>(beta),
            gamma.dim() == 1 ? 0 : gamma.size(1)};
}

class GpuNorm : public torch::autograd::Function<GpuNorm> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Maybe& shift, const at::Tensor& gamma,
                              const at::Tensor& beta, int64_t groups, double eps, bool silu) {
        const at::Tensor before = shift.value_or(at::Tensor());
        const at::Tensor mean = at::empty({x.size(0), groups}, gamma.options()), rstd = at::empty_like(mean);
        const at::Tensor y = at::empty_like(x);
        const NormShape shape{x.size(0), x.size(2) * x.size(3), x.size(1), groups, eps, silu};
        const Launch launch(x);
        visit_type(x, [&]<class T>(T*) {
            gpu_norm_act_forward(shape, norm_input<T>(x, before, gamma, beta), write_pointer<T>(y), write_pointer<float>(mean),
                                 write_pointer<float>(rstd), launch.stream);
        });
        context->save_for_backward({x, before, gamma, beta, mean, rstd});
        context->saved_data["groups"] = groups;
        context->saved_data["eps"] = eps;
        context->saved_data["silu"] = silu;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &shift = saved[1], &gamma = saved[2], &beta = saved[3];
        const NormShape shape{x.size(0),
                              x.size(2) * x.size(3),
                              x.size(1),
                              context->saved_data["groups"].toInt(),
                              context->saved_data["eps"].toDouble(),
                              context->saved_data["silu"].toBool()};
        const at::Tensor dy = channels_last(outputs[0].to(x.scalar_type())), dx = at::empty_like(x);
        const at::Tensor affine = at::empty({shape.images, 2, shape.channels}, gamma.options());
        const at::Tensor dshift = shift.defined() ? at::empty_like(shift) : shift;
        const Launch launch(x);
        visit_type(x, [&]<class T>(T*) {
            gpu_norm_act_backward(shape, norm_input<T>(x, shift, gamma, beta), read_pointer<T>(dy), read_pointer<float>(saved[4]),
                                  read_pointer<float>(saved[5]), write_pointer<T>(dx), write_pointer<float>(affine),
                                  write_pointer<T>(dshift), launch.stream);
        });
        const bool shared = gamma.dim() == 1;
        const at::Tensor sums = shared ? column_sums(affine, 2 * shape.channels).view({2, -1}) : affine.transpose(0, 1);
        return {dx, dshift, sums[0], sums[1], at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

at::Tensor gpu_norm(const at::Tensor& x, const NormArguments& a) {
    if (!is_fast_type(x) || x.numel() == 0 || a.weight.scalar_type() != at::kFloat || !gpu_norm_act_fits(shape_of(x, a)))
        return plain_norm(x, a);
    at::Tensor gamma = a.weight, beta = a.bias;
    if (a.scale.defined()) {
        const at::Tensor scale = a.scale.to(at::kFloat);
        gamma = gamma * scale;
        beta = beta * scale + a.offset.to(at::kFloat);
    }
    const at::Tensor shift = a.shift.defined() ? a.shift.to(x.scalar_type()).contiguous() : a.shift;
    return GpuNorm::apply(channels_last(x), maybe(shift), gamma.contiguous(), beta.contiguous(), a.groups, a.eps, a.silu);
}

at::Tensor gpu_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& residual) {
    return gpu_conv3x3(gpu_norm(x, arguments), weight, bias, residual);
}

// ---- linear maps: cuBLAS's, over rows ----

class GpuLinear : public torch::autograd::Function<GpuLinear> {
public:
    // x: [rows, in], contiguous
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
        context->save_for_backward({x, weight});
        return at::addmm(bias, x, weight.t());
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        const at::Tensor dy = outputs[0].to(x.scalar_type()).contiguous();
        return {context->needs_input_grad(0) ? dy.mm(weight) : at::Tensor(), dy.t().mm(x), column_sums(dy, dy.size(1))};
    }
};

at::Tensor gpu_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    const at::Tensor rows = x.reshape({-1, weight.size(1)});
    const bool fits = bias.defined() && fits_convolution(x, weight, bias, residual);
    const at::Tensor y = (fits ? GpuLinear::apply(rows.contiguous(), weight, bias) : at::linear(rows, weight, bias)).view(sizes);
    return residual.defined() ? y + residual : y;
}

at::Tensor gpu_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return gpu_linear(channels_last(x).permute({0, 2, 3, 1}), weight.flatten(1), bias, {}).permute({0, 3, 1, 2});
}

// ---- optimizer ----

bool fits_pass(const AdamTensors& t) {
    for (size_t i = 0; i < t.parameters.size(); ++i) {
        const at::Tensor& p = t.parameters[i];
        const auto alike = [&](const at::Tensor& x) {
            return x.device() == p.device() && x.scalar_type() == at::kFloat && x.strides() == p.strides();
        };
        if (!p.is_non_overlapping_and_dense() || !alike(p) || !alike(t.gradients[i]) || !alike(t.exp_avg[i]) ||
            !alike(t.exp_avg_sq[i]) || (!t.averages.empty() && !alike(t.averages[i])))
            return false;
        for (const std::vector<at::Tensor>& average : t.more_averages)
            if (!alike(average[i])) return false;
    }
    return !t.parameters.empty();
}

// The table of spans on the GPU.
struct SpanTable {
    at::Tensor memory;
    GpuSpans spans;

    SpanTable(const std::vector<AdamSpan>& all, const c10::Device& device) {
        std::vector<int64_t> first{0};
        for (const AdamSpan& span : all) first.push_back(first.back() + (span.count + kGpuSpanBlock - 1) / kGpuSpanBlock);
        const size_t spans_bytes = all.size() * sizeof(AdamSpan), first_bytes = first.size() * sizeof(int64_t);
        const at::Tensor here =
            at::empty({static_cast<int64_t>(spans_bytes + first_bytes)}, at::TensorOptions(at::kByte).pinned_memory(true));
        auto* bytes = here.mutable_data_ptr<uint8_t>();
        std::memcpy(bytes, all.data(), spans_bytes);
        std::memcpy(bytes + spans_bytes, first.data(), first_bytes);
        memory = here.to(device, /*non_blocking=*/true);
        const auto* there = memory.const_data_ptr<uint8_t>();
        spans = {reinterpret_cast<const AdamSpan*>(there), reinterpret_cast<const int64_t*>(there + spans_bytes),
                 static_cast<int>(all.size()), first.back()};
    }
};

double gpu_norm_of(const std::vector<at::Tensor>& gradients) {
    const auto fits = [&](const at::Tensor& x) {
        return x.device() == gradients.front().device() && x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense();
    };
    if (gradients.empty() || !std::all_of(gradients.begin(), gradients.end(), fits)) return plain_gradient_norm(gradients);
    std::vector<AdamSpan> spans;
    for (const at::Tensor& gradient : gradients)
        spans.push_back({nullptr, gradient.const_data_ptr<float>(), nullptr, nullptr, {}, gradient.numel()});
    const Launch launch(gradients.front());
    const SpanTable table(spans, gradients.front().device());
    const at::Tensor numbers = at::empty({table.spans.blocks + 1}, gradients.front().options().dtype(at::kDouble));
    double* norm = numbers.mutable_data_ptr<double>();
    gpu_gradient_norm(table.spans, norm + 1, norm, launch.stream);
    return numbers[0].item<double>();
}

void gpu_adam(const AdamTensors& t, const AdamUpdate& update) {
    if (!fits_pass(t)) return plain_adam(t, update);
    std::vector<AdamSpan> spans;
    for (size_t i = 0; i < t.parameters.size(); ++i) {
        AdamSpan span{write_pointer<float>(t.parameters[i]),
                      read_pointer<float>(t.gradients[i]),
                      write_pointer<float>(t.exp_avg[i]),
                      write_pointer<float>(t.exp_avg_sq[i]),
                      {t.averages.empty() ? nullptr : write_pointer<float>(t.averages[i])},
                      t.parameters[i].numel()};
        for (size_t k = 0; k < t.more_averages.size(); ++k) span.averages[k + 1] = write_pointer<float>(t.more_averages[k][i]);
        spans.push_back(span);
    }
    const Launch launch(t.parameters.front());
    const SpanTable table(spans, t.parameters.front().device());
    gpu_adam_update(table.spans, update, launch.stream);
}

void fill_normal_on_gpu(const at::Tensor& x, std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter) {
    const Launch launch(x);
    gpu_fill_normal(x.size(0), x.numel() / x.size(0), key, counter, write_pointer<float>(x), launch.stream);
}

void fill_dropout_mask_on_gpu(const at::Tensor& kept, uint64_t threshold, const at::Tensor& seeds, int64_t layer) {
    const Launch launch(kept);
    gpu_fill_dropout_mask(kept.size(0), kept.numel() / kept.size(0), threshold, seeds.const_data_ptr<int64_t>(),
                          static_cast<uint32_t>(layer), kept.mutable_data_ptr<bool>(), launch.stream);
}

bool multiplies_bf16() {
    int device = 0, major = 0;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess && major >= 8;
}

}  // namespace

const Gpu* gpu() {
    static const Gpu value{{"fast", "", true, gpu_conv3x3, gpu_norm, gpu_norm_conv3x3, gpu_conv1x1, gpu_linear, plain_attention,
                            gpu_norm_of, gpu_adam},
                           fill_normal_on_gpu,
                           fill_dropout_mask_on_gpu,
                           make_graph_recorder,
                           multiplies_bf16};
    return &value;
}

}  // namespace ddpm::kernels
