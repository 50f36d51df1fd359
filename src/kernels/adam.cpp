#include "kernels/adam.h"

#include <algorithm>
#include <cmath>

#include "kernels/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/adam.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void update_vector(D d, const AdamSpan& s, int64_t i, const AdamFactors& f) {
    using V = hn::Vec<D>;
    V p = hn::LoadU(d, s.parameter + i), m = hn::LoadU(d, s.exp_avg + i), v = hn::LoadU(d, s.exp_avg_sq + i);
    const V g = hn::MulAdd(hn::Set(d, f.decay), p, hn::Mul(hn::Set(d, f.scale), hn::LoadU(d, s.gradient + i)));
    p = hn::Mul(p, hn::Set(d, f.shrink));
    m = hn::MulAdd(hn::Set(d, f.rest1), hn::Sub(g, m), m);
    v = hn::MulAdd(hn::Set(d, f.rest2), hn::MulSub(g, g, v), v);
    const V denominator = hn::MulAdd(hn::Sqrt(v), hn::Set(d, f.root), hn::Set(d, f.epsilon));
    p = hn::NegMulAdd(hn::Set(d, f.step_size), hn::Div(m, denominator), p);
    hn::StoreU(p, d, s.parameter + i);
    hn::StoreU(m, d, s.exp_avg + i);
    hn::StoreU(v, d, s.exp_avg_sq + i);
    for (int k = 0; k < f.averages; ++k) {
        if (s.averages[k] == nullptr) continue;
        const AverageFactors& a = f.average[k];
        const V e = hn::LoadU(d, s.averages[k] + i), difference = hn::Sub(p, e);
        hn::StoreU(a.copies ? hn::NegMulAdd(hn::Set(d, a.decay), difference, p) : hn::MulAdd(hn::Set(d, a.rest), difference, e), d,
                   s.averages[k] + i);
    }
}

void update_span(const AdamSpan& s, const AdamUpdate& update) {
    const hn::CappedTag<float, 16> d;
    const AdamFactors f(update);
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    int64_t i = 0;
    for (; i + lanes <= s.count; i += lanes) update_vector(d, s, i, f);
    for (; i < s.count; ++i) update_vector(hn::CappedTag<float, 1>(), s, i, f);
}

float squares_of(const float* x, int64_t count) {
    const hn::CappedTag<float, 16> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    auto a = hn::Zero(d), b = hn::Zero(d);
    int64_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
        const auto u = hn::LoadU(d, x + i), v = hn::LoadU(d, x + i + lanes);
        a = hn::MulAdd(u, u, a);
        b = hn::MulAdd(v, v, b);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
    for (; i < count; ++i) sum += x[i] * x[i];
    return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(update_span);
HWY_EXPORT(squares_of);

namespace {

constexpr int64_t kPiece = 4096;  // the most numbers of a piece

// Calls f(piece) for all pieces, some of them in one task: a piece alone is too little work for a thread.
template <class F>
void over_pieces(size_t pieces, const F& f) {
    constexpr int64_t together = 16;
    const auto count = static_cast<int64_t>(pieces);
    parallel_for((count + together - 1) / together, [&](int64_t i) {
        for (int64_t j = i * together; j < std::min(count, (i + 1) * together); ++j) f(static_cast<size_t>(j));
    });
}

}  // namespace

void adam_update(const std::vector<AdamSpan>& spans, const AdamUpdate& update) {
    std::vector<AdamSpan> pieces;
    for (const AdamSpan& s : spans)
        for (int64_t i = 0; i < s.count; i += kPiece) {
            AdamSpan piece{s.parameter + i, s.gradient + i, s.exp_avg + i, s.exp_avg_sq + i, {}, std::min(kPiece, s.count - i)};
            for (size_t k = 0; k < kMostAverages; ++k)
                if (s.averages[k] != nullptr) piece.averages[k] = s.averages[k] + i;
            pieces.push_back(piece);
        }
    const auto run = HWY_DYNAMIC_DISPATCH(update_span);
    over_pieces(pieces.size(), [&](size_t i) { run(pieces[i], update); });
}

double sum_of_squares(const std::vector<std::span<const float>>& gradients) {
    constexpr auto piece = static_cast<size_t>(kPiece);
    std::vector<std::span<const float>> pieces;
    for (const auto& gradient : gradients)
        for (size_t i = 0; i < gradient.size(); i += piece)
            pieces.push_back(gradient.subspan(i, std::min(piece, gradient.size() - i)));
    std::vector<double> sums(pieces.size());
    const auto run = HWY_DYNAMIC_DISPATCH(squares_of);
    over_pieces(pieces.size(), [&](size_t i) { sums[i] = run(pieces[i].data(), static_cast<int64_t>(pieces[i].size())); });
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

}  // namespace ddpm::kernels
#endif
