#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "ddpm/kernels/instruction_set.h"
#include "kernels/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

constexpr int64_t kBlock = 48;  // rows of softmax at a time

// One head of one image: where its q, k, v and out begin, and how far apart tokens are.
struct Head {
    int64_t qkv, out, log_sums, qkv_stride, out_stride, part;  // part: from q to k and from k to v
};

HWY_INLINE Head head_at(const AttentionShape& s, int64_t i) {
    const int64_t image = i / s.heads, head = i % s.heads, width = s.heads * s.head_dim;
    return {image * s.tokens * 3 * width + head * s.head_dim,
            image * s.tokens * width + head * s.head_dim,
            i * s.tokens,
            3 * width,
            width,
            width};
}

// Multiplies panels `a` with packed columns `b`, and writes the rows × columns products as panels of floats. block: scratch for
// rows × kColumns.
template <class P>
HWY_INLINE void product_to_panels(const P* a, const P* b, int64_t depth, int64_t rows, int64_t columns, float* block, float* c) {
    for (int64_t j = 0; j < columns; j += kColumns) {
        product(a, rows * kPanel, b + j * depth, depth, block, rows);
        float* out = c + j / kPanel * rows * kPanel + j % kPanel;
        for (int64_t m = 0; m < rows; ++m)
            for (int64_t half = 0; half < kColumns; half += kWidth)
                store(load(block + m * kColumns + half), out + m * kPanel + half);
    }
}

// Does the same, but writes the products, times `scale`, as rows of T, `stride` apart.
template <class P, class T>
HWY_INLINE void product_to_rows(const P* a, const P* b, int64_t depth, int64_t rows, int64_t columns, float scale, float* block,
                                T* y, int64_t stride) {
    const V factor = set(scale);
    for (int64_t j = 0; j < columns; j += kColumns) {
        product(a, rows * kPanel, b + j * depth, depth, block, rows);
        for (int64_t m = 0; m < rows; ++m)
            for (int64_t half = 0; half < kColumns; half += kWidth)
                store(hn::Mul(load(block + m * kColumns + half), factor), y + m * stride + j + half);
    }
}

// Calls f(place, column) for every vector of row m of a matrix in panels.
template <class F>
HWY_INLINE void over_row(int64_t rows, int64_t columns, int64_t m, const F& f) {
    for (int64_t j = 0; j < columns; j += kPanel)
        for (int64_t k = 0; k < kPanel; k += kWidth) f(j * rows + m * kPanel + k, j + k);
}

// Converts panels to sides. For floats these are the same, and `panels` is returned.
template <class P>
HWY_INLINE const P* sides_of(const float* panels, [[maybe_unused]] int64_t rows, [[maybe_unused]] int64_t columns,
                             [[maybe_unused]] P* sides) {
    if constexpr (kPair<P> == 1) {
        return panels;
    } else {
        for (int64_t j = 0; j < columns; j += kPanel) pack_sides(panels + j * rows, kPanel, rows, kPanel, sides + j * rows);
        return sides;
    }
}

// Computes the rows first … last − 1 of head i. What is multiplied is of type P. scratch: forward_scratch.
template <class P, class T>
void forward_head(const AttentionShape& s, const T* qkv, T* out, float* log_sums, int64_t i, int64_t first, int64_t last,
                  float* scratch) {
    const Head head = head_at(s, i);
    const int64_t L = s.tokens, d = s.head_dim;
    const T *q = qkv + head.qkv, *k = q + head.part, *v = k + head.part;
    float *scores = scratch, *block = scores + kBlock * L;
    P* keys = reinterpret_cast<P*>(block + kBlock * kColumns);
    P *values = keys + L * d, *queries = values + L * d, *weights = queries + kBlock * d;
    pack_columns_transposed(k, head.qkv_stride, d, L, keys);
    pack_columns(v, head.qkv_stride, L, d, values);
    const float scale = 1 / std::sqrt(static_cast<float>(d));
    for (int64_t r = first; r < last; r += kBlock) {
        const int64_t rows = std::min(kBlock, last - r);
        pack_panels(q + r * head.qkv_stride, head.qkv_stride, rows, d, queries);
        product_to_panels(queries, keys, d, rows, L, block, scores);
        for (int64_t m = 0; m < rows; ++m) {
            V top = set(-INFINITY), sum = zero();
            over_row(rows, L, m, [&](int64_t at, int64_t) { top = hn::Max(top, load(scores + at)); });
            const float peak = hn::GetLane(hn::MaxOfLanes(D(), top)) * scale;
            const V shift = set(peak), factor = set(scale);
            over_row(rows, L, m, [&](int64_t at, int64_t) {
                const V e = exp(hn::MulSub(load(scores + at), factor, shift));
                sum = hn::Add(sum, e);
                store(e, scores + at);
            });
            const float total = hn::GetLane(hn::SumOfLanes(D(), sum));
            log_sums[head.log_sums + r + m] = peak + std::log(total);
            const V inverse = set(1 / total);
            over_row(rows, L, m, [&](int64_t at, int64_t) { store(hn::Mul(load(scores + at), inverse), weights + at); });
        }
        product_to_rows(weights, values, L, rows, d, 1.0f, block, out + head.out + r * head.out_stride, head.out_stride);
    }
}

// Computes the gradients of head i. What is multiplied is of type P. scratch: backward_scratch.
template <class P, class T>
void backward_head(const AttentionShape& s, const T* qkv, const T* out, const float* log_sums, const T* dout, T* dqkv, int64_t i,
                   float* scratch) {
    const Head head = head_at(s, i);
    const int64_t L = s.tokens, d = s.head_dim;
    const T *q = qkv + head.qkv, *k = q + head.part, *v = k + head.part, *o = out + head.out, *grad = dout + head.out;
    T *dq = dqkv + head.qkv, *dk = dq + head.part, *dv = dk + head.part;
    float *key_sums = scratch, *value_sums = key_sums + L * d, *weights = value_sums + L * d, *dweights = weights + kBlock * L,
          *block = dweights + kBlock * L;
    P* keys = reinterpret_cast<P*>(block + kBlock * kColumns);
    P *keys_by_row = keys + L * d, *values = keys_by_row + L * d;
    P *queries = values + L * d, *query_sides = queries + kBlock * d, *grads = query_sides + kBlock * d,
      *grad_sides = grads + kBlock * d, *weight_sides = grad_sides + kBlock * d, *dweight_sides = weight_sides + kBlock * L,
      *dweight_panels = dweight_sides + kBlock * L;
    pack_columns_transposed(k, head.qkv_stride, d, L, keys);    // q·kᵀ
    pack_columns(k, head.qkv_stride, L, d, keys_by_row);        // dS·k
    pack_columns_transposed(v, head.qkv_stride, d, L, values);  // dO·vᵀ
    const float scale = 1 / std::sqrt(static_cast<float>(d));
    for (int64_t r = 0; r < L; r += kBlock) {
        const int64_t rows = std::min(kBlock, L - r);
        pack_panels(q + r * head.qkv_stride, head.qkv_stride, rows, d, queries);
        pack_panels(grad + r * head.out_stride, head.out_stride, rows, d, grads);
        pack_sides(q + r * head.qkv_stride, head.qkv_stride, rows, d, query_sides);
        pack_sides(grad + r * head.out_stride, head.out_stride, rows, d, grad_sides);
        product_to_panels(queries, keys, d, rows, L, block, weights);
        product_to_panels(grads, values, d, rows, L, block, dweights);
        for (int64_t m = 0; m < rows; ++m) {
            V dot = zero();
            const T *o_row = o + (r + m) * head.out_stride, *grad_row = grad + (r + m) * head.out_stride;
            for (int64_t c = 0; c < d; c += kWidth) dot = hn::MulAdd(load(grad_row + c), load(o_row + c), dot);
            const V mean = set(hn::GetLane(hn::SumOfLanes(D(), dot)));
            const V factor = set(scale), shift = set(log_sums[head.log_sums + r + m]);
            over_row(rows, L, m, [&](int64_t at, int64_t) {
                const V w = exp(hn::MulSub(load(weights + at), factor, shift));
                const V dw = hn::Mul(w, hn::Sub(load(dweights + at), mean));  // dS/scale
                store(w, weights + at);
                store(dw, dweights + at);
                if constexpr (kPair<P> == 2) store(dw, dweight_panels + at);
            });
        }
        const P* w = sides_of(weights, rows, L, weight_sides);
        const P* dw = sides_of(dweights, rows, L, dweight_sides);
        product_to_rows(kPair<P> == 2 ? dweight_panels : dw, keys_by_row, L, rows, d, scale, block, dq + r * head.qkv_stride,
                        head.qkv_stride);
        outer(w, rows * kPanel, grad_sides, rows * kPanel, rows, value_sums, L, d, d, r > 0);
        outer(dw, rows * kPanel, query_sides, rows * kPanel, rows, key_sums, L, d, d, r > 0);
    }
    const V factor = set(scale);
    for (int64_t j = 0; j < L; ++j)
        for (int64_t c = 0; c < d; c += kWidth) {
            store(hn::Mul(load(key_sums + j * d + c), factor), dk + j * head.qkv_stride + c);
            store(load(value_sums + j * d + c), dv + j * head.qkv_stride + c);
        }
}

void forward_head_f32(const AttentionShape& s, const float* qkv, float* out, float* sums, int64_t i, int64_t first, int64_t last,
                      float* scratch) {
    forward_head<float>(s, qkv, out, sums, i, first, last, scratch);
}
void forward_head_bf16(const AttentionShape& s, const uint16_t* qkv, uint16_t* out, float* sums, int64_t i, int64_t first,
                       int64_t last, float* scratch) {
    if constexpr (kBf16Products)
        if (has_bf16_products()) return forward_head<uint16_t>(s, qkv, out, sums, i, first, last, scratch);
    forward_head<float>(s, qkv, out, sums, i, first, last, scratch);
}
void backward_head_f32(const AttentionShape& s, const float* qkv, const float* out, const float* sums, const float* dout,
                       float* dqkv, int64_t i, float* scratch) {
    backward_head<float>(s, qkv, out, sums, dout, dqkv, i, scratch);
}
void backward_head_bf16(const AttentionShape& s, const uint16_t* qkv, const uint16_t* out, const float* sums, const uint16_t* dout,
                        uint16_t* dqkv, int64_t i, float* scratch) {
    if constexpr (kBf16Products)
        if (has_bf16_products()) return backward_head<uint16_t>(s, qkv, out, sums, dout, dqkv, i, scratch);
    backward_head<float>(s, qkv, out, sums, dout, dqkv, i, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(forward_head_f32);
HWY_EXPORT(forward_head_bf16);
HWY_EXPORT(backward_head_f32);
HWY_EXPORT(backward_head_bf16);

namespace {

constexpr int64_t kRows = HWY_NAMESPACE::kBlock, kMostColumns = 32;  // the latter: kColumns of the widest vectors

// These return the floats of a thread's scratch. `products` is how many numbers are multiplied, of `bytes` each.
int64_t forward_scratch(const AttentionShape& s, int64_t bytes) {
    const int64_t products = 2 * s.tokens * s.head_dim + kRows * (s.head_dim + s.tokens);
    return kRows * (s.tokens + kMostColumns) + products * bytes / 4;
}
int64_t backward_scratch(const AttentionShape& s, int64_t bytes) {
    const int64_t products = 3 * s.tokens * s.head_dim + kRows * (4 * s.head_dim + 3 * s.tokens);
    return 2 * s.tokens * s.head_dim + kRows * (2 * s.tokens + kMostColumns) + products * bytes / 4;
}

// Returns the bytes of a number of type T when it is multiplied.
template <class T>
int64_t bytes_of_product() {
    return sizeof(T) == 2 && has_bf16_products() ? 2 : 4;
}

// Runs one task for each head. If there are fewer heads than threads, the rows of a head are divided.
template <class T, class Run>
void over_heads(const AttentionShape& shape, const Run& run, const T* qkv, T* out, float* log_sums) {
    const int64_t heads = shape.images * shape.heads, blocks = shape.tokens / 32;
    const int64_t parts = std::clamp<int64_t>(thread_count() / heads, 1, blocks);
    parallel_for(heads * parts, forward_scratch(shape, bytes_of_product<T>()), [&](int64_t i, float* scratch) {
        const int64_t part = i % parts;
        run(shape, qkv, out, log_sums, i / parts, part * blocks / parts * 32, (part + 1) * blocks / parts * 32, scratch);
    });
}

}  // namespace

template <>
void attention_forward(const AttentionShape& shape, const float* qkv, float* out, float* log_sums) {
    over_heads(shape, HWY_DYNAMIC_DISPATCH(forward_head_f32), qkv, out, log_sums);
}

template <>
void attention_forward(const AttentionShape& shape, const uint16_t* qkv, uint16_t* out, float* log_sums) {
    over_heads(shape, HWY_DYNAMIC_DISPATCH(forward_head_bf16), qkv, out, log_sums);
}

template <>
void attention_backward(const AttentionShape& shape, const float* qkv, const float* out, const float* log_sums, const float* dout,
                        float* dqkv) {
    const auto run = HWY_DYNAMIC_DISPATCH(backward_head_f32);
    parallel_for(shape.images * shape.heads, backward_scratch(shape, bytes_of_product<float>()),
                 [&](int64_t i, float* scratch) { run(shape, qkv, out, log_sums, dout, dqkv, i, scratch); });
}

template <>
void attention_backward(const AttentionShape& shape, const uint16_t* qkv, const uint16_t* out, const float* log_sums,
                        const uint16_t* dout, uint16_t* dqkv) {
    const auto run = HWY_DYNAMIC_DISPATCH(backward_head_bf16);
    parallel_for(shape.images * shape.heads, backward_scratch(shape, bytes_of_product<uint16_t>()),
                 [&](int64_t i, float* scratch) { run(shape, qkv, out, log_sums, dout, dqkv, i, scratch); });
}

}  // namespace ddpm::kernels
#endif
