#include "ddpm/core/error.h"

#include "ddpm/core/text.h"

namespace ddpm {

Error::Error(Kind kind, const std::string& message, const std::string& hint, const std::string& key)
    : std::runtime_error(printable(key.empty() ? message : key + ": " + message)),
      kind_(kind),
      message_(message),
      hint_(printable(hint)),
      key_(key) {}

Error Error::shown_as(const std::string& name) const {
    Error error(kind_, message_, hint_, name);
    error.key_ = key_;
    return error;
}

}  // namespace ddpm
