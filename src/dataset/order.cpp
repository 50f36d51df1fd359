#include "dataset/order.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/memory.h"
#include "ddpm/core/text.h"

namespace ddpm::dataset {

void check_order_fits(int64_t examples, int lists) {
    constexpr int64_t small = 1 << 20;
    if (examples <= small) return;
    const std::optional<int64_t> available = available_memory();
    const int64_t each = lists * static_cast<int64_t>(sizeof(int64_t));
    if (!available || examples <= *available / each) return;
    user_error(
        fmt::format("dataset.length: the order in which {} examples are taken needs {} of memory, and {} are available; "
                    "lower it",
                    with_commas(examples), format_bytes(examples * each), format_bytes(*available)));
}

}  // namespace ddpm::dataset
