#pragma once

namespace ddpm {

// Seconds of a clock that never goes back, from a beginning of its own: for durations and deadlines.
double steady_seconds();

// Seconds since 1 January 1970, UTC, to a millionth or better.
double unix_seconds();

}  // namespace ddpm
