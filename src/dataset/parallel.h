#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace ddpm::dataset {

// Calls body(0) … body(count − 1) on `threads` threads, or on as many as the system gives, in no particular order, and returns
// when all are done. After the first exception no further calls begin, and it is rethrown. Every 10 seconds the log says how
// far the work is: "<what>: 1200 of 30000".
void parallel_for(int64_t count, int threads, const std::string& what, const std::function<void(int64_t)>& body);

}  // namespace ddpm::dataset
