#include "kernels/norm_act.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/norm_part.h"
#include "kernels/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm_act.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

// Six numbers for each channel: sums and factors, in the scratch of one thread. backward_part puts other factors into the rows
// `origin` and `squares`.
struct Rows {
    float *sum, *squares, *origin, *a, *b, *c;

    Rows(float* p, int64_t channels) {
        for (float** row : {&sum, &squares, &origin, &a, &b, &c}) {
            *row = p;
            p += channels;
        }
    }
};

// Computes for each channel the sum of x − x of the first pixel, and the sum of its square. Sums of 32 pixels are added up,
// which keeps the rounding errors of a long sum small.
template <int K, class T>
HWY_NOINLINE void channel_sums(const T* x, int64_t pixels, int64_t stride, const Rows& rows, int64_t channel) {
    V origin[K], sum[K], squares[K];
    for (int k = 0; k < K; ++k) {
        const int64_t at = channel + k * static_cast<int64_t>(kLanes);
        origin[k] = load(x + at);
        store(origin[k], rows.origin + at);
        store(zero(), rows.sum + at);
        store(zero(), rows.squares + at);
    }
    for (int64_t begin = 0; begin < pixels; begin += 32) {
        for (int k = 0; k < K; ++k) sum[k] = squares[k] = zero();
        const int64_t end = std::min(pixels, begin + 32);
        for (int64_t p = begin; p < end; ++p)
            for (int k = 0; k < K; ++k) {
                const V v = hn::Sub(load(x + p * stride + channel + k * static_cast<int64_t>(kLanes)), origin[k]);
                sum[k] = hn::Add(sum[k], v);
                squares[k] = hn::MulAdd(v, v, squares[k]);
            }
        for (int k = 0; k < K; ++k) {
            const int64_t at = channel + k * static_cast<int64_t>(kLanes);
            store(hn::Add(load(rows.sum + at), sum[k]), rows.sum + at);
            store(hn::Add(load(rows.squares + at), squares[k]), rows.squares + at);
        }
    }
}

template <class F1, class F4>
HWY_INLINE void over_vectors(int64_t first, int64_t last, const F4& four, const F1& one) {
    constexpr auto lanes = static_cast<int64_t>(kLanes);
    int64_t c = first;
    for (; c + 4 * lanes <= last; c += 4 * lanes) four(c);
    for (; c < last; c += lanes) one(c);
}

template <class T>
void forward_part(const NormShape& shape, const NormInput<T>& input, T* y, float* mean, float* rstd, const NormPart& part,
                  float* scratch) {
    const int64_t C = shape.channels, group = C / shape.groups;
    const T* x = input.x + part.image * shape.pixels * C;
    const float* shift = input.shift ? input.shift + part.image * C : nullptr;
    const float* gamma = input.gamma + part.image * input.affine_stride;
    const float* beta = input.beta + part.image * input.affine_stride;
    const Rows rows(scratch, C);
    over_vectors(
        part.first, part.last, [&](int64_t c) { channel_sums<4>(x, shape.pixels, C, rows, c); },
        [&](int64_t c) { channel_sums<1>(x, shape.pixels, C, rows, c); });

    const auto pixels = static_cast<double>(shape.pixels);
    const auto shift_of = [&](int64_t c) { return shift ? static_cast<double>(shift[c]) : 0.0; };
    for (int64_t g = part.first / group; g < part.last / group; ++g) {
        double mu = 0, variance = 0;
        for (int64_t c = g * group; c < (g + 1) * group; ++c) mu += rows.origin[c] + shift_of(c) + rows.sum[c] / pixels;
        mu /= static_cast<double>(group);
        for (int64_t c = g * group; c < (g + 1) * group; ++c) {
            const double m = rows.sum[c] / pixels, d = rows.origin[c] + shift_of(c) + m - mu;
            variance += rows.squares[c] / pixels - m * m + d * d;
        }
        variance = std::max(variance / static_cast<double>(group), 0.0);
        const double r = 1 / std::sqrt(variance + shape.eps);
        mean[part.image * shape.groups + g] = static_cast<float>(mu);
        rstd[part.image * shape.groups + g] = static_cast<float>(r);
        for (int64_t c = g * group; c < (g + 1) * group; ++c) {
            rows.a[c] = static_cast<float>(gamma[c] * r);
            rows.b[c] = static_cast<float>(beta[c] + (shift_of(c) - mu) * gamma[c] * r);
        }
    }

    T* out = y + part.image * shape.pixels * C;
    const auto apply = [&](auto silu) {
        for (int64_t p = 0; p < shape.pixels; ++p)
            for (int64_t c = part.first; c < part.last; c += static_cast<int64_t>(kLanes)) {
                const V z = hn::MulAdd(load(x + p * C + c), load(rows.a + c), load(rows.b + c));
                if constexpr (decltype(silu)::value)
                    store(hn::Mul(z, sigmoid(z)), out + p * C + c);
                else
                    store(z, out + p * C + c);
            }
    };
    shape.silu ? apply(std::true_type()) : apply(std::false_type());
}

// Computes dz = dy·act'(z), and for each channel Σ dz, Σ dz·h and Σ h, again in sums of 32 pixels. h = a·x + b. The first number
// of dz is that of channel dz_first.
template <int K, bool kSilu, class T>
HWY_NOINLINE void backward_sums(const T* x, const T* dy, float* dz, int64_t dz_stride, int64_t dz_first, int64_t pixels,
                                int64_t stride, const Rows& rows, const float* gamma, const float* beta, float* sum_dz,
                                float* sum_dz_h, float* sum_h, int64_t channel) {
    constexpr auto lanes = static_cast<int64_t>(kLanes);
    for (int k = 0; k < K; ++k)
        for (float* total : {sum_dz, sum_dz_h, sum_h}) store(zero(), total + channel + k * lanes);
    for (int64_t begin = 0; begin < pixels; begin += 32) {
        V s1[K], s2[K], s3[K];
        for (int k = 0; k < K; ++k) s1[k] = s2[k] = s3[k] = zero();
        const int64_t end = std::min(pixels, begin + 32);
        for (int64_t p = begin; p < end; ++p)
            for (int k = 0; k < K; ++k) {
                const int64_t c = channel + k * lanes;
                const V h = hn::MulAdd(load(x + p * stride + c), load(rows.a + c), load(rows.b + c));
                V d = load(dy + p * stride + c);
                if constexpr (kSilu) {
                    const V z = hn::MulAdd(h, load(gamma + c), load(beta + c));
                    const V s = sigmoid(z);
                    d = hn::Mul(hn::Mul(d, s), hn::MulAdd(z, hn::Sub(set(1.0f), s), set(1.0f)));
                }
                store(d, dz + (p * dz_stride + c - dz_first));
                s1[k] = hn::Add(s1[k], d);
                s2[k] = hn::MulAdd(d, h, s2[k]);
                s3[k] = hn::Add(s3[k], h);
            }
        for (int k = 0; k < K; ++k) {
            const int64_t c = channel + k * lanes;
            store(hn::Add(load(sum_dz + c), s1[k]), sum_dz + c);
            store(hn::Add(load(sum_dz_h + c), s2[k]), sum_dz_h + c);
            store(hn::Add(load(sum_h + c), s3[k]), sum_h + c);
        }
    }
}

template <class T>
void backward_part(const NormShape& shape, const NormInput<T>& input, const T* dy, const float* mean, const float* rstd, T* dx,
                   float* dgamma, float* dbeta, float* dshift, const NormPart& part, float* scratch) {
    const int64_t C = shape.channels, group = C / shape.groups, offset = part.image * shape.pixels * C;
    const T *x = input.x + offset, *dout = dy + offset;
    T* out = dx + offset;
    const float* shift = input.shift ? input.shift + part.image * C : nullptr;
    const float* gamma = input.gamma + part.image * input.affine_stride;
    const float* beta = input.beta + part.image * input.affine_stride;
    const Rows rows(scratch, C);
    for (int64_t c = part.first; c < part.last; ++c) {
        const int64_t g = part.image * shape.groups + c / group;
        rows.a[c] = rstd[g];
        rows.b[c] = ((shift ? shift[c] : 0.0f) - mean[g]) * rstd[g];
    }

    // In float32 dz goes where dx will be. bfloat16 would round it, so it goes into scratch, which has room for the part's
    // channels.
    float* dz;
    int64_t dz_stride = C, dz_first = 0;
    if constexpr (sizeof(T) == sizeof(float)) {
        dz = out;
    } else {
        dz = scratch + 6 * C;
        dz_stride = part.last - part.first;
        dz_first = part.first;
    }
    float *sum_dz = dbeta + part.image * C, *sum_dz_h = dgamma + part.image * C, *sum_h = rows.sum;
    const auto sums = [&](auto silu) {
        constexpr bool kSilu = decltype(silu)::value;
        over_vectors(
            part.first, part.last,
            [&](int64_t c) {
                backward_sums<4, kSilu>(x, dout, dz, dz_stride, dz_first, shape.pixels, C, rows, gamma, beta, sum_dz, sum_dz_h,
                                        sum_h, c);
            },
            [&](int64_t c) {
                backward_sums<1, kSilu>(x, dout, dz, dz_stride, dz_first, shape.pixels, C, rows, gamma, beta, sum_dz, sum_dz_h,
                                        sum_h, c);
            });
    };
    shape.silu ? sums(std::true_type()) : sums(std::false_type());

    // dx = r·(γ·dz − A − B·h), A and B the means of γ·dz and γ·dz·h over the group.
    const auto count = static_cast<double>(shape.pixels * group), pixels = static_cast<double>(shape.pixels);
    for (int64_t g = part.first / group; g < part.last / group; ++g) {
        double A = 0, B = 0;
        for (int64_t c = g * group; c < (g + 1) * group; ++c) {
            A += static_cast<double>(gamma[c]) * sum_dz[c];
            B += static_cast<double>(gamma[c]) * sum_dz_h[c];
        }
        A /= count;
        B /= count;
        for (int64_t c = g * group; c < (g + 1) * group; ++c) {
            const double r = rows.a[c];
            if (dshift)
                dshift[part.image * C + c] =
                    static_cast<float>(r * (static_cast<double>(gamma[c]) * sum_dz[c] - pixels * A - B * sum_h[c]));
            rows.origin[c] = static_cast<float>(r * gamma[c]);  // times dz
            rows.squares[c] = static_cast<float>(-r * B * r);   // times x
            rows.c[c] = static_cast<float>(-r * A - r * B * rows.b[c]);
        }
    }
    for (int64_t p = 0; p < shape.pixels; ++p)
        for (int64_t c = part.first; c < part.last; c += static_cast<int64_t>(kLanes)) {
            const V rest = hn::MulAdd(load(x + p * C + c), load(rows.squares + c), load(rows.c + c));
            store(hn::MulAdd(load(dz + (p * dz_stride + c - dz_first)), load(rows.origin + c), rest), out + p * C + c);
        }
}

void forward_f32(const NormShape& s, const NormInput<float>& i, float* y, float* m, float* r, const NormPart& p, float* scratch) {
    forward_part(s, i, y, m, r, p, scratch);
}
void forward_bf16(const NormShape& s, const NormInput<uint16_t>& i, uint16_t* y, float* m, float* r, const NormPart& p,
                  float* scratch) {
    forward_part(s, i, y, m, r, p, scratch);
}
void backward_f32(const NormShape& s, const NormInput<float>& i, const float* dy, const float* m, const float* r, float* dx,
                  float* dg, float* db, float* ds, const NormPart& p, float* scratch) {
    backward_part(s, i, dy, m, r, dx, dg, db, ds, p, scratch);
}
void backward_bf16(const NormShape& s, const NormInput<uint16_t>& i, const uint16_t* dy, const float* m, const float* r,
                   uint16_t* dx, float* dg, float* db, float* ds, const NormPart& p, float* scratch) {
    backward_part(s, i, dy, m, r, dx, dg, db, ds, p, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);

namespace {

// Calls f(part, scratch) for every image. If there are no more images than threads, the channels of an image are divided.
// scratch: Rows, and with `with_numbers` a float for each number of the part.
template <class F>
void over_parts(const NormShape& shape, bool with_numbers, const F& f) {
    const int64_t unit = std::lcm<int64_t>(16, shape.channels / shape.groups), units = shape.channels / unit;
    const int64_t parts = std::clamp<int64_t>(2 * thread_count() / shape.images, 1, units);
    const int64_t widest = (units + parts - 1) / parts * unit;
    const int64_t scratch_floats = 6 * shape.channels + (with_numbers ? shape.pixels * widest : 0);
    parallel_for(shape.images * parts, scratch_floats, [&](int64_t i, float* scratch) {
        const int64_t part = i % parts;
        f(NormPart{i / parts, part * units / parts * unit, (part + 1) * units / parts * unit}, scratch);
    });
}

}  // namespace

template <>
void norm_act_forward(const NormShape& shape, const NormInput<float>& input, float* y, float* mean, float* rstd) {
    const auto run = HWY_DYNAMIC_DISPATCH(forward_f32);
    over_parts(shape, false, [&](const NormPart& part, float* scratch) { run(shape, input, y, mean, rstd, part, scratch); });
}

template <>
void norm_act_forward(const NormShape& shape, const NormInput<uint16_t>& input, uint16_t* y, float* mean, float* rstd) {
    const auto run = HWY_DYNAMIC_DISPATCH(forward_bf16);
    over_parts(shape, false, [&](const NormPart& part, float* scratch) { run(shape, input, y, mean, rstd, part, scratch); });
}

template <>
void norm_act_backward(const NormShape& shape, const NormInput<float>& input, const float* dy, const float* mean, const float* rstd,
                       float* dx, float* dgamma, float* dbeta, float* dshift) {
    const auto run = HWY_DYNAMIC_DISPATCH(backward_f32);
    over_parts(shape, false, [&](const NormPart& part, float* scratch) {
        run(shape, input, dy, mean, rstd, dx, dgamma, dbeta, dshift, part, scratch);
    });
}

template <>
void norm_act_backward(const NormShape& shape, const NormInput<uint16_t>& input, const uint16_t* dy, const float* mean,
                       const float* rstd, uint16_t* dx, float* dgamma, float* dbeta, float* dshift) {
    const auto run = HWY_DYNAMIC_DISPATCH(backward_bf16);
    over_parts(shape, true, [&](const NormPart& part, float* scratch) {
        run(shape, input, dy, mean, rstd, dx, dgamma, dbeta, dshift, part, scratch);
    });
}

}  // namespace ddpm::kernels
#endif
