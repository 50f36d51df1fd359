#include "cli/class_rows.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm::cli {
namespace {

using Names = std::vector<std::string>;
using Rows = std::vector<int64_t>;

TEST(ClassRows, ALabelIsANameBeforeItIsANumber) {
    const ClassTable animals{{"ant", "cat", "dog"}, 4};
    EXPECT_EQ(row_of_label(animals, "cat"), 1);
    EXPECT_EQ(row_of_label(animals, "2"), 2);
    EXPECT_EQ(row_of_label(animals, "3"), 3) << "the empty label";
    for (const char* none : {"4", "Cat", "", "-1", "1.0", "99999999999999999999"})
        EXPECT_FALSE(row_of_label(animals, none)) << none;
    EXPECT_EQ(row_of_label({{}, 4}, "3"), 3);
    EXPECT_FALSE(row_of_label({{}, 4}, "cat"));
}

// Sorted as text, 10 comes before 2: the row of class 10 is 1.
TEST(ClassRows, NumbersThatAreNamesAreNoRows) {
    const ClassTable numbers{{"1", "10", "2"}, 4};
    EXPECT_EQ(row_of_label(numbers, "1"), 0);
    EXPECT_EQ(row_of_label(numbers, "10"), 1);
    EXPECT_EQ(row_of_label(numbers, "2"), 2);
    for (const char* none : {"0", "3", "01"}) EXPECT_FALSE(row_of_label(numbers, none)) << none;
    EXPECT_EQ(misleading_numbers(numbers.names), "label 0 is class \"1\", label 1 is class \"10\"");
    // Where the numbers are the rows they may be meant either way.
    const ClassTable digits{{"0", "1", "2"}, 4};
    EXPECT_EQ(row_of_label(digits, "3"), 3);
    EXPECT_EQ(misleading_numbers(digits.names), "");
    EXPECT_EQ(row_of_label({{"00", "01", "02"}, 3}, "2"), 2);
    EXPECT_EQ(misleading_numbers({"5", "6", "7", "8", "9"}),
              "label 0 is class \"5\", label 1 is class \"6\", label 2 is class \"7\", …");
}

TEST(ClassRows, ARowIsSaidByItsClass) {
    const ClassTable animals{{"ant", "c\nt"}, 3};
    EXPECT_EQ(label_text(animals, 0), "class \"ant\"");
    EXPECT_EQ(label_text(animals, 1), "class \"c\\nt\"");
    EXPECT_EQ(label_text(animals, 2), "label 2");
    EXPECT_EQ(label_text({{}, 3}, 0), "label 0");
}

TEST(ClassRows, ClassesAreFoundByName) {
    const ClassTable table{{"ant", "cat", "dog"}, 4};
    const std::pair<Names, Rows> cases[] = {{{"ant", "cat", "dog"}, {0, 1, 2}},
                                            {{"dog", "cat", "ant"}, {2, 1, 0}},
                                            {{"ant", "bee", "cat", "dog"}, {0, -1, 1, 2}},
                                            {{"cat"}, {1}},
                                            {{"a", "ant"}, {-1, 0}},
                                            {{"0", "1"}, {-1, -1}},
                                            {{}, {}}};
    for (const auto& [classes, rows] : cases)
        for (const bool numbered : {false, true}) EXPECT_EQ(rows_of_classes(table, classes, numbered, "x"), rows);
}

TEST(ClassRows, WithoutNamesNumbersDecideOrNothing) {
    const ClassTable table{{}, 11};
    EXPECT_EQ(rows_of_classes(table, {"1", "10", "2"}, false, "x"), (Rows{1, 10, 2}));
    EXPECT_EQ(rows_of_classes(table, {"00", "01"}, false, "x"), (Rows{0, 1}));
    EXPECT_EQ(rows_of_classes(table, {"airplane", "bird"}, true, "x"), (Rows{0, 1})) << "labels that the files hold";
    const auto refused = [&](const Names& classes, bool numbered) {
        return error_of([&] { rows_of_classes(table, classes, numbered, "--data"); });
    };
    EXPECT_SAYS(refused({"1", "ant"}, false),
                "--data: the model knows its classes by number alone, 0 … 10, and the data set has \"ant\"");
    EXPECT_SAYS(refused({"1", "11"}, false), "\"11\"");
    EXPECT_SAYS(refused(Names(12, "x"), true), "by number alone");
}

}  // namespace
}  // namespace ddpm::cli
