#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "ddpm/core/error.h"

namespace ddpm {

// What a flag sets under another name: {"sample.steps", "--steps"}.
using FlagName = std::pair<const char*, const char*>;

// Runs `action`; an error about one of those keys is told of the flag instead, for whoever gave it knows only that.
template <class Action>
auto naming_flags(std::initializer_list<FlagName> names, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        std::string message = error.what(), hint = error.hint();
        for (const auto& [key, flag] : names)
            for (std::string* text : {&message, &hint})
                if (const size_t at = text->find(key); at != std::string::npos) text->replace(at, std::string(key).size(), flag);
        throw Error(error.kind(), message, hint);
    }
}

}  // namespace ddpm
