#include "cli/class_rows.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

// Of digits alone: "7" and "007".
std::optional<int64_t> number_of(const std::string& text) {
    int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    return code == std::errc() && stop == end && number >= 0 && !text.empty() && text.front() != '-' ? std::optional(number)
                                                                                                     : std::nullopt;
}

}  // namespace

std::vector<std::string> missing_from(const std::vector<std::string>& others, const std::vector<std::string>& names) {
    const std::unordered_set<std::string> known(others.begin(), others.end());
    std::vector<std::string> missing;
    for (const std::string& name : names)
        if (!known.contains(name)) missing.push_back(name);
    return missing;
}

std::string first_names(const std::vector<std::string>& names) {
    constexpr size_t kShown = 8;
    std::vector<std::string> shown;
    for (size_t i = 0; i < std::min(kShown, names.size()); ++i) shown.push_back(one_line(names[i]));
    return join(shown) + (names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "");
}

std::string misleading_numbers(const std::vector<std::string>& names) {
    std::vector<std::string> found;
    for (size_t row = 0; row < names.size(); ++row)
        if (const auto number = number_of(names[row]); number && *number != static_cast<int64_t>(row)) {
            if (found.size() == 3) return join(found) + ", …";
            found.push_back(fmt::format("label {} is class {}", row, quote(names[row])));
        }
    return join(found);
}

std::optional<int64_t> row_of_label(const ClassTable& table, const std::string& label) {
    const auto name = std::find(table.names.begin(), table.names.end(), label);
    if (name != table.names.end()) return name - table.names.begin();
    const auto row = number_of(label);
    return row && *row < table.rows && misleading_numbers(table.names).empty() ? row : std::nullopt;
}

std::string label_text(const ClassTable& table, int64_t row) {
    if (row < static_cast<int64_t>(table.names.size())) return "class " + quote(table.names[static_cast<size_t>(row)]);
    return fmt::format("label {}", row);
}

std::vector<int64_t> rows_of_classes(const ClassTable& table, const std::vector<std::string>& classes, bool numbered,
                                     const std::string& source) {
    std::unordered_map<std::string, int64_t> places;  // there may be millions of classes
    for (const std::string& name : table.names) places.emplace(name, static_cast<int64_t>(places.size()));
    std::vector<int64_t> rows;
    for (const std::string& name : classes) {
        std::optional<int64_t> row;
        if (const auto place = places.find(name); place != places.end())
            row = place->second;
        else if (table.names.empty())
            row = numbered ? static_cast<int64_t>(rows.size()) : number_of(name);
        if (table.names.empty() && (!row || *row >= table.rows))
            user_error(fmt::format("{}: the model knows its classes by number alone, 0 … {}, and the data set has {}; labels could "
                                   "mean something else",
                                   source, table.rows - 1, quote(name)),
                       "name the folder of each class by its number in the model");
        rows.push_back(row.value_or(-1));
    }
    return rows;
}

}  // namespace ddpm::cli
