#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddpm::cli {

// A network has a row for each label. Which class a row stands for is known by name, where a data set or a checkpoint has names;
// without names the rows' numbers 0 … rows − 1 stand for them.

// The names of a model's classes and its rows, of which some may have no name.
struct ClassTable {
    std::vector<std::string> names;  // of the first rows; empty: not known
    int64_t rows = 0;
};

// The row of a class by its name, else by its number. A number that is no name means a row only where no other class is called by
// a number of another row, as where 10 is sorted before 2. Nothing: there is no such class or row.
std::optional<int64_t> row_of_label(const ClassTable& table, const std::string& label);

// "class \"cat\"", or "label 4" of a row without a name.
std::string label_text(const ClassTable& table, int64_t row);

// The row of each class in the table; −1 for one that it does not have. Where the table has no names, a class is a row by the
// number that it is called by, or with `numbered` by its own number: then the data set's labels are numbers of its own, and do
// not come from the order in which its folders are sorted. user_error, which begins with `source`: the table has no names, and
// a class is not called by the number of a row.
std::vector<int64_t> rows_of_classes(const ClassTable& table, const std::vector<std::string>& classes, bool numbered,
                                     const std::string& source);

// Which of `names` are not among the `others`.
std::vector<std::string> missing_from(const std::vector<std::string>& others, const std::vector<std::string>& names);

// The first few of many names: "ant, bee, cat and 7 more".
std::string first_names(const std::vector<std::string>& names);

// Of classes that are called by numbers, "label 1 is class 10, label 2 is class 2", where those numbers are not their rows.
std::string misleading_numbers(const std::vector<std::string>& names);

}  // namespace ddpm::cli
