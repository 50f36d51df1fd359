#include "ddpm/core/text.h"

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

namespace ddpm {
namespace {

TEST(Text, FindsTheNearestName) {
    const std::vector<std::string> known{"linear", "cosine", "sigmoid", "scaled_linear"};
    EXPECT_EQ(nearest_name("cosin", known), "cosine");
    EXPECT_EQ(nearest_name("csoine", known), "cosine");
    EXPECT_EQ(nearest_name("scaled", known), "scaled_linear");
    EXPECT_EQ(nearest_name("zzz", known), "");
    EXPECT_EQ(unknown_name("schedule", "cosin", {"linear", "cosine"}),
              "unknown schedule \"cosin\"; did you mean \"cosine\"? known: linear, cosine");
    std::vector<std::string> many(13, "x");
    many.emplace_back("steps");
    EXPECT_EQ(unknown_name("key", "stepps", many), "unknown key \"stepps\"; did you mean \"steps\"?");
}

TEST(Text, QuotingIsSafeForOneLine) {
    EXPECT_EQ(quote("a b"), "\"a b\"");
    EXPECT_EQ(quote("a\nb\t\x1b"), "\"a\\nb\\t\\x1b\"");
    EXPECT_EQ(quote("ᾱ é"), "\"ᾱ é\"");
    EXPECT_EQ(quote("\xff\xc0\x80"), "\"\\xff\\xc0\\x80\"");
    EXPECT_LT(quote(std::string(100000, 'x')).size(), 100u);
    EXPECT_EQ(one_line("first\nsecond"), "first");
    EXPECT_EQ(printable("first\nsec\xffond é"), "first\\nsec\\xffond é");
}

TEST(Text, AWordForTheShellCanBePasted) {
    EXPECT_EQ(shell_word("runs/über"), "runs/über");
    EXPECT_EQ(shell_word("a b'c"), "'a b'\\''c'");
    EXPECT_EQ(shell_word("caf\xe9"), "$'caf\\xe9'");
    EXPECT_EQ(shell_word("ü\n\t\x1b"), "$'ü\\n\\t\\x1b'");
    EXPECT_EQ(shell_word("\xff it's\\"), "$'\\xff it\\'s\\\\'");
}

TEST(Text, AnErrorIsOneLineWhateverItNames) {
    const Error error(Error::Kind::user, "a\nb.png: is missing", "put \x1b[2Jit\nthere");
    EXPECT_STREQ(error.what(), "a\\nb.png: is missing");
    EXPECT_EQ(error.hint(), "put \\x1b[2Jit\\nthere");
}

TEST(Text, ReadsDurations) {
    EXPECT_EQ(parse_duration("90s"), 90);
    EXPECT_EQ(parse_duration("30m"), 1800);
    EXPECT_EQ(parse_duration("1h30m"), 5400);
    EXPECT_EQ(parse_duration("1d2h3m4s"), 93784);
    for (const char* text : {"", "2", "h", "2x", "-1s", "1.5h", "1m1h", "1s1s", "1h30", " 1s", "9999999999s"})
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Text, SplitsAndJoins) {
    EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
    EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
    EXPECT_EQ(join({"a", "b"}), "a, b");
    EXPECT_EQ(with_commas(35746307), "35,746,307");
    EXPECT_EQ(with_commas(-1000), "-1,000");
    EXPECT_EQ(with_commas(999), "999");
    EXPECT_EQ(plural(1, "picture") + plural(0, "step"), "1 picture0 steps");
}

TEST(Text, ReadsUtf8AsTheStandardDefinesIt) {
    const auto code = [](std::string_view text) {
        const Utf8Character character = first_character(text);
        EXPECT_EQ(character.valid || character.length == 1, true);
        return character.valid ? static_cast<int64_t>(character.code) : -1;
    };
    EXPECT_EQ(code("a"), 'a');
    EXPECT_EQ(code("\u00e9x"), 0xE9);
    EXPECT_EQ(code("\u20ac"), 0x20AC);
    EXPECT_EQ(code("\U0001F600"), 0x1F600);
    EXPECT_EQ(code("\xF4\x8F\xBF\xBF"), 0x10FFFF);
    for (const char* none : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                             "\xF8\x88\x80\x80", "\xC3", "\xE2\x82", "\xC3\x28"})
        EXPECT_EQ(code(none), -1) << quote(none);
    EXPECT_EQ(count_characters("a\u20ac\xFF"), 3u);
    EXPECT_EQ(first_characters("a\u20acb", 2), "a\u20ac");
    EXPECT_EQ(first_characters("ab", 5), "ab");
    EXPECT_EQ(within_bytes("a\u20acb", 3), "a");
    EXPECT_EQ(within_bytes("a\u20acb", 4), "a\u20ac");
}

}  // namespace
}  // namespace ddpm
