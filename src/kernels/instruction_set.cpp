#include "ddpm/kernels/instruction_set.h"

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/instruction_set.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ddpm {
namespace HWY_NAMESPACE {

size_t bytes_of_vector() { return hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<uint8_t>()); }

}  // namespace HWY_NAMESPACE
}  // namespace ddpm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(bytes_of_vector);

namespace {

constexpr int64_t kWithoutWideVectors = HWY_SCALAR | HWY_EMU128 | HWY_SSSE3 | HWY_SSE4
#ifdef HWY_SSE2  // not in Highway 1.0.3
                                        | HWY_SSE2
#endif
    ;

// Whether better sets than AVX2 may be used: cap_instruction_set can rule them out.
bool avx512_allowed = true;

}  // namespace

bool has_wide_vectors() {
    static const bool has = (hwy::SupportedTargets() & ~kWithoutWideVectors) != 0;  // asked once: it takes a while
    return has;
}

bool has_bf16_products() {
#if HWY_ARCH_X86
    static const bool has = (hwy::SupportedTargets() & HWY_AVX3) != 0 && __builtin_cpu_supports("avx512bf16");
    return has && avx512_allowed;
#else
    return false;
#endif
}

size_t vector_bytes() { return HWY_DYNAMIC_DISPATCH(bytes_of_vector)(); }

void cap_instruction_set(const std::string& name, const std::string& path) {
    // Both call Highway's SupportedTargets() for the only time, before the limit is set: it would choose again among all sets
    // that the machine has.
    has_wide_vectors();
    has_bf16_products();
    if (name == "avx512")
        hwy::DisableTargets(0);
    else if (name == "avx2")
        hwy::DisableTargets(HWY_AVX2 - 1);  // lower bits are better sets
    else
        key_error(path, unknown_name("instruction set", name, {"avx512", "avx2"}));
    avx512_allowed = name == "avx512";
}

}  // namespace ddpm
#endif
