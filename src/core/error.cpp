#include "ddpm/core/error.h"

#include "ddpm/core/text.h"

namespace ddpm {

Error::Error(Kind kind, const std::string& message, const std::string& hint)
    : std::runtime_error(printable(message)), kind_(kind), hint_(printable(hint)) {}

}  // namespace ddpm
