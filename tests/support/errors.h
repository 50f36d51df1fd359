#pragma once

#include <concepts>
#include <string>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

namespace ddpm {

// Returns the message of the Error that `body` throws, and expects that it is of this kind; "no error" if it throws none.
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
