#pragma once

#include <string>
#include <vector>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

// Tables whose rows have a member `name`: what a configuration or a flag chooses from.

template <class Row>
std::vector<std::string> names_of(const std::vector<Row>& table) {
    std::vector<std::string> names;
    for (const Row& row : table) names.push_back(row.name);
    return names;
}

// Returns the row of that name. An unknown name is a user_error that lists the known ones; `what` says what the rows are.
template <class Row>
const Row& row_named(const std::vector<Row>& table, const std::string& what, const std::string& name) {
    for (const Row& row : table)
        if (row.name == name) return row;
    user_error(unknown_name(what, name, names_of(table)));
}

}  // namespace ddpm
