#pragma once

#include <cstdint>

namespace ddpm::dataset {

// An order of examples is a list of their numbers, 8 bytes each. user_error: the memory of this machine has no room for
// `lists` of them.
void check_order_fits(int64_t examples, int lists);

}  // namespace ddpm::dataset
