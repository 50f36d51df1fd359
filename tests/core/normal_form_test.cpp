#include "ddpm/core/normal_form.h"

#include <sstream>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// "65 301" as UTF-8.
std::string utf8_of(const std::string& codes) {
    std::string text, word;
    for (std::istringstream words(codes); words >> word;) {
        const auto code = static_cast<uint32_t>(std::stoul(word, nullptr, 16));
        if (code < 0x80)
            text += static_cast<char>(code);
        else if (code < 0x800)
            text += {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
        else if (code < 0x10000)
            text += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                     static_cast<char>(0x80 | (code & 63))};
        else
            text += {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
                     static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
    return text;
}

// tests/data/core/make.py asks Python.
TEST(NormalForm, IsPythons) {
    const std::string table = read_file(fs::path(DDPM_TEST_DATA_DIR) / "core/normal_forms.txt", 1 << 20);
    int rows = 0;
    for (const std::string& line : split(table, '\n')) {
        if (line.empty()) continue;
        const std::vector<std::string> sides = split(line, ';');
        ASSERT_EQ(sides.size(), 2u);
        const std::string text = utf8_of(sides[0]), expected = utf8_of(sides[1]);
        EXPECT_EQ(to_normal_form(text), expected) << line;
        EXPECT_EQ(to_normal_form(expected), expected) << line;
        EXPECT_EQ(to_normal_form("a" + text + "\xff" + text), to_normal_form("a" + text) + "\xff" + expected) << line;
        ++rows;
    }
    EXPECT_GT(rows, 400);
}

TEST(NormalForm, PlainTextStays) {
    for (const std::string text : {"", "cat", "a b\n\x01~", "\xff\xfe", "caf\xe9", "e\xcc", "猫", "Grüße"})
        EXPECT_EQ(to_normal_form(text), text);
}

TEST(NormalForm, ANameIsATextThatAnyFileCanHold) {
    EXPECT_EQ(text_of_name("u\xcc\x88"
                           "ber"),
              "über");
    EXPECT_EQ(text_of_name("caf\xe9"), "caf\\xe9");
    EXPECT_EQ(text_of_name("e\xcc\x81\xe9"), "é\\xe9");
    EXPECT_EQ(text_of_name("line\nbreak"), "line\nbreak");
    for (const std::string name : {"caf\xe9", "\xff", "\xed\xa0\x80", "\xc0\xaf", "u\xcc\x88", "\xf5"}) {
        EXPECT_TRUE(is_utf8(text_of_name(name)));
        EXPECT_EQ(text_of_name(text_of_name(name)), text_of_name(name));
    }
    EXPECT_NE(text_of_name("caf\xe9"), text_of_name("caf\xe8"));
}

TEST(NormalForm, ASpellingThatIsThereIsNamed) {
    const TempFolder folder;
    const std::string apart = "u\xcc\x88", whole = "ü";
    fs::create_directories(folder / apart / whole);
    for (const std::string& path : {whole, whole + "/" + apart, apart + "/" + apart, whole + "/" + whole + "/"})
        EXPECT_SAYS(hint_of_spelling(folder / path), (folder / apart).string());
    for (const std::string& path : {apart, apart + "/" + whole, std::string("other"), whole + "/other", std::string()})
        EXPECT_EQ(hint_of_spelling(folder / path), "") << path;
    EXPECT_EQ(hint_of_spelling(""), "");
}

// Its name is right, and what it leads to is missing.
TEST(NormalForm, ALinkToNothingIsNoOtherSpelling) {
    const TempFolder folder;
    const std::string apart = "u\xcc\x88", whole = "ü";
    fs::create_directories(folder / apart);
    fs::create_symlink("nowhere", folder / "link");
    fs::create_symlink("nowhere", folder / apart / whole);
    const auto expect_no_hint = [&](const fs::path& path) { EXPECT_EQ(hint_of_spelling(folder / path), "") << path; };
    expect_no_hint("link");
    expect_no_hint("link/");
    expect_no_hint("link/more");
    expect_no_hint(fs::path(apart) / whole);
    expect_no_hint(fs::path(apart) / apart);
    expect_no_hint(fs::path(whole) / whole);
}

}  // namespace
}  // namespace ddpm
