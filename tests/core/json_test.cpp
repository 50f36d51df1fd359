#include "ddpm/core/json.h"

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

namespace ddpm {
namespace {

std::string error_of(std::string_view text) {
    try {
        parse_json(text, "c.json");
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 2);
        return error.what();
    }
    return "";
}

TEST(Json, ReadsWhatTheStandardAllows) {
    const Json value = parse_json(R"({"b": [1, 2.5, "x", null, true], "a": {"c": 2e4}})", "c.json");
    EXPECT_EQ(value["b"][1], 2.5);
    EXPECT_EQ(value.begin().key(), "b") << "keeps the order of the file";
    EXPECT_EQ(value["a"]["c"], 20000);
}

TEST(Json, NamesTheKeyGivenTwiceByItsPath) {
    EXPECT_EQ(error_of(R"({"train": {"steps": 1, "steps": 2}})"), "c.json: train.steps: given twice; keep one of them");
    EXPECT_EQ(error_of(R"({"a": [1, {"b": 1, "b": 2}]})"), "c.json: a[1].b: given twice; keep one of them");
    EXPECT_EQ(error_of(R"({"a": [[{}, {"b": 1, "b": 2}]]})"), "c.json: a[0][1].b: given twice; keep one of them");
    EXPECT_EQ(error_of(R"({"a": {"x": 1}, "b": {"x": 1}})"), "") << "the same key in two objects is fine";
}

TEST(Json, TellsLineAndColumn) {
    EXPECT_EQ(error_of("{\n  \"a\": 1,\n  oops\n}").rfind("c.json:3:3: not valid JSON", 0), 0u) << error_of("{\n  \"a\": 1,\n  oops\n}");
    EXPECT_NE(error_of("{\"a\": 1,}"), "");
    EXPECT_NE(error_of("// no comments\n{}"), "");
    EXPECT_NE(error_of(""), "");
    EXPECT_NE(error_of("{} {}"), "");
    EXPECT_NE(error_of("{\"a\": NaN}"), "");
    EXPECT_NE(error_of("{\"a\": 1e999}"), "");
    EXPECT_NE(error_of("{\"a\": \"\xff\"}"), "");
}

TEST(Json, WritesNamesOfFilesThatAreNotUtf8) {
    EXPECT_EQ(dump_json(Json::array({"a\xff"})), "[\n  \"a\uFFFD\"\n]\n");
}

TEST(Json, RefusesDeepNesting) {
    EXPECT_EQ(error_of(std::string(64, '[') + std::string(64, ']')), "");
    EXPECT_EQ(error_of(std::string(65, '[') + std::string(65, ']')), "c.json: nested more than 64 levels deep");
    EXPECT_EQ(error_of(std::string(1000000, '[')), "c.json: nested more than 64 levels deep");
}

TEST(Json, ErrorsStayOnOneLine) {
    for (const char* text : {"{\"a\n\": 1}", "{\"a\": \"\n\"}", "{\"\\n\":1,\"\\n\":2}"})
        EXPECT_EQ(error_of(text).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace ddpm
