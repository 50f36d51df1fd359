#pragma once

#include <concepts>
#include <string>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

namespace ddpm {

// What the program says of the mistake (or, of that kind, failure) that `body` is; "no error" where it is none.
template <std::invocable Body>
std::string error_of(Body&& body, Error::Kind kind = Error::Kind::user) {
    try {
        body();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        return error.what();
    }
    return "no error";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace ddpm
