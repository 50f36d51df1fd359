#include "ddpm/core/json.h"

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/clock.h"
#include "support/errors.h"

namespace ddpm {
namespace {

std::string refusal(std::string_view text) {
    return error_of([&] { parse_json(text, "c.json"); });
}

TEST(Json, ReadsWhatTheStandardAllows) {
    const Json value = parse_json(R"({"b": [1, 2.5, "x", null, true], "a": {"c": 2e4}})", "c.json");
    EXPECT_EQ(value["b"][1], 2.5);
    EXPECT_EQ(value.begin().key(), "b") << "keeps the order of the file";
    EXPECT_EQ(value["a"]["c"], 20000);
}

TEST(Json, NamesTheKeyGivenTwiceByItsPath) {
    EXPECT_EQ(refusal(R"({"train": {"steps": 1, "steps": 2}})"), "c.json: train.steps: given twice; keep one of them");
    EXPECT_EQ(refusal(R"({"a": [1, {"b": 1, "b": 2}]})"), "c.json: a[1].b: given twice; keep one of them");
    EXPECT_EQ(refusal(R"({"a": [[{}, {"b": 1, "b": 2}]]})"), "c.json: a[0][1].b: given twice; keep one of them");
    EXPECT_EQ(refusal(R"({"a": {"x": 1}, "b": {"x": 1}})"), "no error") << "the same key in two objects is fine";
}

TEST(Json, TellsLineAndColumn) {
    EXPECT_EQ(refusal("{\n  \"a\": 1,\n  oops\n}").rfind("c.json:3:3: not valid JSON", 0), 0u)
        << refusal("{\n  \"a\": 1,\n  oops\n}");
    EXPECT_NE(refusal("{\"a\": 1,}"), "no error");
    EXPECT_NE(refusal("// no comments\n{}"), "no error");
    EXPECT_NE(refusal(""), "no error");
    EXPECT_NE(refusal("{} {}"), "no error");
    EXPECT_NE(refusal("{\"a\": NaN}"), "no error");
    EXPECT_NE(refusal("{\"a\": 1e999}"), "no error");
    EXPECT_NE(refusal("{\"a\": \"\xff\"}"), "no error");
}

TEST(Json, WritesNamesOfFilesThatAreNotUtf8) { EXPECT_EQ(dump_json(Json::array({"a\xff"})), "[\n  \"a\uFFFD\"\n]\n"); }

TEST(Json, RefusesDeepNesting) {
    EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "no error");
    EXPECT_EQ(refusal(std::string(65, '[') + std::string(65, ']')), "c.json: nested more than 64 levels deep");
    EXPECT_EQ(refusal(std::string(1000000, '[')), "c.json: nested more than 64 levels deep");
}

TEST(Json, TakesTimeInProportionToTheKeys) {
    std::string text = "{";
    for (int i = 0; i < 200000; ++i) text += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", i, i);
    const double began = steady_seconds();
    EXPECT_EQ(parse_json(text + "}", "c.json").size(), 200000u);
    EXPECT_LT(steady_seconds() - began, 20) << "a search among the keys before for each would take minutes";
}

TEST(Json, ErrorsStayOnOneLine) {
    for (const char* text : {"{\"a\n\": 1}", "{\"a\": \"\n\"}", "{\"\\n\":1,\"\\n\":2}"})
        EXPECT_EQ(refusal(text).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace ddpm
