#pragma once

#include <cstdint>

namespace ddpm::dataset {

// Throws a user_error if `lists` orders of the examples do not fit into the memory of this machine. An order is a list of the
// examples' numbers, 8 bytes each.
void check_order_fits(int64_t examples, int lists);

}  // namespace ddpm::dataset
