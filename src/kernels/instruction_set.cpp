#include <hwy/targets.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/kernels/instruction_set.h"

namespace ddpm {

namespace {

constexpr int64_t kWithoutWideVectors = HWY_SCALAR | HWY_EMU128 | HWY_SSSE3 | HWY_SSE4
#ifdef HWY_SSE2  // not in Highway 1.0.3
                                        | HWY_SSE2
#endif
    ;

}  // namespace

bool has_wide_vectors() {
    return (hwy::SupportedTargets() & ~kWithoutWideVectors) != 0;
}

void cap_instruction_set(const std::string& name) {
    if (name == "avx512")
        hwy::DisableTargets(0);
    else if (name == "avx2")
        hwy::DisableTargets(HWY_AVX2 - 1);  // lower bits are better sets
    else
        user_error("--cpu-capability: " + unknown_name("instruction set", name, {"avx512", "avx2"}));
}

}  // namespace ddpm
