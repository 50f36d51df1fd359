#pragma once

namespace ddpm {

// Returns the seconds of a clock that never goes back. Its zero is arbitrary: use it for durations and deadlines.
double steady_seconds();

// Returns the seconds since 1 January 1970, UTC, with a resolution of a microsecond or better.
double unix_seconds();

}  // namespace ddpm
