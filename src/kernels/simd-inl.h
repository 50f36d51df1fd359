// Vectors of float for one instruction set. This file is included once for each, so it has no #pragma once (see Highway's
// foreach_target.h).
#if defined(DDPM_KERNELS_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_KERNELS_SIMD_INL_H
#undef DDPM_KERNELS_SIMD_INL_H
#else
#define DDPM_KERNELS_SIMD_INL_H
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes: channels come in multiples of 16.
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3;  // 32 vector registers

// bfloat16 is stored as the upper half of a float.
HWY_INLINE V load(const float* p) { return hn::LoadU(D(), p); }
HWY_INLINE V load(const uint16_t* p) {
    const hn::Rebind<uint32_t, D> d32;
    const hn::Rebind<uint16_t, D> d16;
    return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, p))));
}

// Returns numbers as bfloat16, in the lower halves of 32 bits, rounded to nearest, ties to even. A NaN keeps its sign and the
// upper bits of its payload and becomes quiet; rounding would turn some NaNs into infinity or zero.
using Bits = hn::Vec<hn::Rebind<uint32_t, D>>;
HWY_INLINE Bits bf16_bits(V v) {
    const hn::Rebind<uint32_t, D> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7FFFu)));
    const auto quiet = hn::Or(bits, hn::Set(d32, 0x00400000u));
    return hn::ShiftRight<16>(hn::BitCast(d32, hn::IfThenElse(hn::IsNaN(v), hn::BitCast(D(), quiet), hn::BitCast(D(), rounded))));
}

HWY_INLINE void store(V v, float* p) { hn::StoreU(v, D(), p); }
HWY_INLINE void store(V v, uint16_t* p) {
    const hn::Rebind<uint16_t, D> d16;
    hn::StoreU(hn::TruncateTo(d16, bf16_bits(v)), d16, p);
}

HWY_INLINE V set(float x) { return hn::Set(D(), x); }
HWY_INLINE V zero() { return hn::Zero(D()); }

// 2^t for |t| ≤ 126: 2^n by the exponent's bits, 2^f, |f| ≤ ½, by a polynomial of degree 6 (relative error 2e-7).
HWY_INLINE V exp2(V t) {
    const hn::Rebind<int32_t, D> di;
    const V n = hn::Round(t), f = hn::Sub(t, n);
    V p = set(1.535336188319500e-4f);
    p = hn::MulAdd(p, f, set(1.339887440266574e-3f));
    p = hn::MulAdd(p, f, set(9.618437357674640e-3f));
    p = hn::MulAdd(p, f, set(5.550332471162809e-2f));
    p = hn::MulAdd(p, f, set(2.402264791363012e-1f));
    p = hn::MulAdd(p, f, set(6.931472028550421e-1f));
    p = hn::MulAdd(p, f, set(1.0f));
    const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
    return hn::Mul(p, hn::BitCast(D(), power));
}

// 2^t with t kept within ±126. A NaN stays NaN: x86 returns the second of two operands if one is NaN.
HWY_INLINE V clamped_exp2(V t) { return exp2(hn::Min(set(126.0f), hn::Max(set(-126.0f), t))); }
HWY_INLINE V exp(V x) { return clamped_exp2(hn::Mul(x, set(1.44269504088896341f))); }

// 1/d for 2^−126 ≤ d ≤ 2^126: the hardware's estimate and one step of Newton's (2e-7; bit-exact in no target).
HWY_INLINE V reciprocal(V d) {
    const V r = hn::ApproximateReciprocal(d);
    return hn::Mul(r, hn::NegMulAdd(d, r, set(2.0f)));
}

// 1/(1 + e^−z)
HWY_INLINE V sigmoid(V z) {
    const V e = clamped_exp2(hn::Mul(z, set(-1.44269504088896341f)));
    return reciprocal(hn::Add(e, set(1.0f)));
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#endif
