#include "ddpm/core/json.h"

#include <algorithm>
#include <ctime>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

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

TEST(Json, WritesNamesOfFilesThatAreNotUtf8) {
    EXPECT_EQ(dump_json(Json::array({"a\xff"})), "[\n  \"a\\\\xff\"\n]\n");
    EXPECT_EQ(dump_json(Json{{"k\xe9", {{"in", {1, "\xe9\xe9", nullptr}}}}, {"é", true}}),
              dump_json(Json{{"k\\xe9", {{"in", {1, "\\xe9\\xe9", nullptr}}}}, {"é", true}}));
    // Names that differ stay apart.
    EXPECT_NE(dump_json(Json("caf\xe9")), dump_json(Json("caf\xe8")));
}

TEST(Json, RefusesDeepNesting) {
    EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "no error");
    EXPECT_EQ(refusal(std::string(65, '[') + std::string(65, ']')), "c.json: nested more than 64 levels deep");
    EXPECT_EQ(refusal(std::string(1000000, '[')), "c.json: nested more than 64 levels deep");
}

// Processor time of this thread, which does not depend on what else runs: eight times as many keys take about eight times
// as long (64 times with a search among the keys before for each).
TEST(Json, TakesTimeInProportionToTheKeys) {
    const auto seconds_for = [](int keys) {
        std::string text = "{";
        for (int i = 0; i < keys; ++i) text += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", i, i);
        text += "}";
        const std::clock_t began = std::clock();
        EXPECT_EQ(parse_json(text, "c.json").size(), static_cast<size_t>(keys));
        return static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    };
    EXPECT_LT(seconds_for(160000), 25 * std::min({seconds_for(20000), seconds_for(20000), seconds_for(20000)}));
}

TEST(Json, ErrorsStayOnOneLine) {
    for (const char* text : {"{\"a\n\": 1}", "{\"a\": \"\n\"}", "{\"\\n\":1,\"\\n\":2}"})
        EXPECT_EQ(refusal(text).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace ddpm
