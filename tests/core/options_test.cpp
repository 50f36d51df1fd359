#include "ddpm/core/options.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm {
namespace {

struct Demo {
    int64_t steps = 100;
    double rate = 0.5;
    bool flip = false;
    std::string mode = "fast";
    std::optional<int64_t> head;
    std::vector<int64_t> sizes{1, 2};
};

const FieldTable<Demo>& demo_fields() {
    static const FieldTable<Demo> table = FieldTable<Demo>()
                                              .add("steps", &Demo::steps, Range::at_least(1), "how many")
                                              .add("rate", &Demo::rate, Range::above(0), "how fast")
                                              .add("flip", &Demo::flip, "whether")
                                              .choice("mode", &Demo::mode, {"fast", "exact"}, "which")
                                              .add("head", &Demo::head, Range::at_least(1), "maybe")
                                              .add("sizes", &Demo::sizes, Range::between(1, 9), "several");
    return table;
}

Demo read(const char* text) {
    Demo demo;
    demo_fields().read(demo, parse_json(text, "demo"), "demo");
    return demo;
}

std::string refusal(const char* text) {
    return error_of([&] { read(text); });
}

TEST(Options, ReadsValuesAndKeepsDefaults) {
    const Demo demo = read(R"({"steps": 2e4, "head": 8, "sizes": [9]})");
    EXPECT_EQ(demo.steps, 20000);
    EXPECT_EQ(demo.rate, 0.5);
    EXPECT_EQ(demo.head, 8);
    EXPECT_EQ(demo.sizes, std::vector<int64_t>{9});
    EXPECT_EQ(read(R"({"head": null})").head, std::nullopt);
}

TEST(Options, WritesWhatItReads) {
    const Json written = demo_fields().write(read(R"({"steps": 7, "mode": "exact"})"));
    Demo again;
    demo_fields().read(again, written, "demo");
    EXPECT_EQ(demo_fields().write(again), written);
}

TEST(Options, ErrorsNamePathValueAndExpectation) {
    EXPECT_EQ(refusal(R"({"step": 1})"),
              "demo: unknown key \"step\"; did you mean \"steps\"? known: steps, rate, flip, mode, head, sizes");
    EXPECT_EQ(refusal(R"({"steps": 0})"), "demo.steps: got 0, expected an integer ≥ 1");
    EXPECT_EQ(refusal(R"({"steps": 1.5})"), "demo.steps: got 1.5, expected an integer ≥ 1");
    EXPECT_EQ(refusal(R"({"steps": "1"})"), "demo.steps: got \"1\", expected an integer ≥ 1");
    EXPECT_EQ(refusal(R"({"steps": 18446744073709551615})"), "demo.steps: got 18446744073709551615, expected an integer ≥ 1");
    EXPECT_EQ(refusal(R"({"rate": 0})"), "demo.rate: got 0, expected a number > 0");
    EXPECT_EQ(refusal(R"({"flip": 1})"), "demo.flip: got 1, expected true or false");
    EXPECT_EQ(refusal(R"({"mode": "exakt"})"), "demo.mode: got \"exakt\", expected one of fast, exact; did you mean \"exact\"?");
    EXPECT_EQ(refusal(R"({"sizes": [1, 10]})"), "demo.sizes[1]: got 10, expected an integer 1 … 9");
    EXPECT_EQ(refusal(R"({"sizes": 3})"), "demo.sizes: got 3, expected a list of integers");
    EXPECT_EQ(refusal("[]"), "demo: got [], expected an object");
}

TEST(Options, ErrorsCarryTheKeyThatTheySpeakOf) {
    const auto about = [](const char* text) {
        try {
            read(text);
        } catch (const Error& error) {
            return error;
        }
        return Error(Error::Kind::runtime, "no error");
    };
    EXPECT_EQ(about(R"({"steps": 0})").key(), "demo.steps");
    EXPECT_EQ(about(R"({"sizes": [1, 10]})").key(), "demo.sizes[1]");
    EXPECT_EQ(about(R"({"step": 1})").key(), "demo");
    const Error renamed = about(R"({"mode": "demo.mode:"})").shown_as("--mode");
    EXPECT_STREQ(renamed.what(), "--mode: got \"demo.mode:\", expected one of fast, exact") << "the value stays what it is";
    EXPECT_EQ(renamed.key(), "demo.mode");
    EXPECT_STREQ(renamed.shown_as("a file: demo.mode").what(),
                 "a file: demo.mode: got \"demo.mode:\", expected one of fast, exact");
    EXPECT_STREQ(Error(Error::Kind::user, "no key here").shown_as("x.json").what(), "x.json: no key here");
}

// A key that came later, and whose default is not what the program did before there was the key.
TEST(Options, WhatAnOlderProgramHasWrittenMeansWhatItMeantThen) {
    FieldTable<Demo> table;
    table.add("steps", &Demo::steps, Range::at_least(1), "how many")
        .choice("mode", &Demo::mode, {"fast", "exact"}, "which")
        .absent_means("exact")
        .add("head", &Demo::head, Range::at_least(1), "maybe");
    const auto written = [&](const char* text) {
        Demo demo;
        table.read_written(demo, parse_json(text, "demo"), "demo");
        return demo;
    };
    EXPECT_EQ(written(R"({"steps": 7})").mode, "exact");
    EXPECT_EQ(written(R"({"steps": 7})").steps, 7);
    EXPECT_EQ(written(R"({"mode": "fast"})").mode, "fast") << "a program that knew the key";
    EXPECT_EQ(written("{}").head, std::nullopt) << "absence means nothing else than the default";
    Demo given;
    table.read(given, parse_json(R"({"steps": 7})", "demo"), "demo");
    EXPECT_EQ(given.mode, "fast") << "a new configuration takes today's default";
    EXPECT_EQ(table.describe()[1].default_value, "\"fast\"");
    EXPECT_EQ(error_of([&] { table.add("rate", &Demo::rate, Range::above(0), "how fast").absent_means(0); }),
              "rate: got 0, expected a number > 0");
    EXPECT_EQ(error_of([&] { written("[]"); }), "demo: got [], expected an object");
}

TEST(Options, DescribesEveryKey) {
    const auto infos = demo_fields().describe();
    ASSERT_EQ(infos.size(), 6u);
    EXPECT_EQ(infos[0].default_value, "100");
    EXPECT_EQ(infos[0].allowed, "≥ 1");
    EXPECT_EQ(infos[3].allowed, "fast, exact");
    EXPECT_EQ(infos[4].type, "integer or null");
    EXPECT_EQ(infos[4].default_value, "null");
}

}  // namespace
}  // namespace ddpm
