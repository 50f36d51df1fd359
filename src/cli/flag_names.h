#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "ddpm/core/error.h"

namespace ddpm::cli {

// A key and the flag that sets it: {"sample.steps", "--steps"}.
using FlagName = std::pair<const char*, const char*>;

// Runs `action`. An error about one of these keys names the flag instead, because the user has given no configuration.
template <class Action>
auto naming_flags(std::initializer_list<FlagName> names, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        for (const auto& [key, flag] : names)
            if (error.key() == key) throw error.shown_as(flag);
        throw;
    }
}

// Runs `action`, which reads what `flag` names. An error that is about no key begins with the flag.
template <class Action>
auto naming_flag(const std::string& flag, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        if (error.key().empty()) throw error.shown_as(flag);
        throw;
    }
}

}  // namespace ddpm::cli
