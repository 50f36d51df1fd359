#pragma once

#include <unistd.h>

#include <functional>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

namespace ddpm {

// In a process of its own that has no rights: `check` must throw an Error.
inline void expect_refused_to_nobody(const std::function<void()>& check) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto run = [&] {
        if (::setuid(65534) != 0 && ::geteuid() == 0) ::_exit(4);
        try {
            check();
        } catch (const Error&) {
            ::_exit(3);
        }
        ::_exit(0);
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(3), "");
}

}  // namespace ddpm
