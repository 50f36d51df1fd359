#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "ddpm/core/error.h"

// libFuzzer and replay.cpp call this with the bytes of one file. It returns 0 and throws nothing.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ddpm::fuzz {

inline std::string_view view(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// Ends the process if something does not hold that must hold for any input. libFuzzer then reports it.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// Runs a parser, which may refuse its input by a ddpm::Error of one line and by nothing else. Returns whether the
// parser accepted it.
template <class Parser>
bool takes(Parser parse) {
    try {
        parse();
        return true;
    } catch (const Error& error) {
        const std::string_view message = error.what();
        require(!message.empty() && message.find('\n') == message.npos, "an error is one line");
        return false;
    }
}

}  // namespace ddpm::fuzz
