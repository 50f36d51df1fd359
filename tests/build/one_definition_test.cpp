// Looks in src/ and include/ for names that two files define in one namespace. By C++'s One Definition Rule they are one thing: the
// linker keeps the code of one of them, and no compiler warns.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

namespace fs = std::filesystem;

using Tokens = std::vector<std::string>;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Words and single marks, `::` as one; without comments, texts and preprocessor lines.
Tokens tokens_of(std::string_view text) {
    Tokens tokens;
    bool line_begins = true;
    for (size_t i = 0; i < text.size();) {
        const char c = text[i];
        const auto skip_to = [&](std::string_view end, size_t from) {
            const size_t at = text.find(end, from);
            i = at == text.npos ? text.size() : at + end.size();
        };
        if (c == '\n') {
            line_begins = true;
            ++i;
        } else if (std::isspace(static_cast<unsigned char>(c))) {
            ++i;
        } else if (c == '#' && line_begins) {
            while (i < text.size() && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
        } else if (text.substr(i, 2) == "//") {
            skip_to("\n", i);
            line_begins = true;
        } else if (text.substr(i, 2) == "/*") {
            skip_to("*/", i + 2);
        } else if (text.substr(i, 2) == "R\"") {
            const size_t open = text.find('(', i);
            std::string end = ")";
            end.append(text.substr(i + 2, open - i - 2)).push_back('"');
            skip_to(end, open);
        } else if (c == '"' || c == '\'') {
            for (++i; i < text.size() && text[i] != c; ++i) i += text[i] == '\\' ? 1 : 0;
            ++i;
            tokens.emplace_back(1, c);
        } else {
            line_begins = false;
            size_t end = i + 1;
            if (is_word(c))
                while (end < text.size() &&
                       (is_word(text[end]) || (std::isdigit(static_cast<unsigned char>(c)) && text[end] == '\'')))
                    ++end;
            else if (text.substr(i, 2) == "::")
                end = i + 2;
            tokens.emplace_back(text.substr(i, end - i));
            i = end;
        }
    }
    return tokens;
}

bool holds(const Tokens& statement, const std::string& word) {
    return std::find(statement.begin(), statement.end(), word) != statement.end();
}

std::string joined(Tokens::const_iterator begin, Tokens::const_iterator end) {
    std::string text;
    for (; begin != end; ++begin) {
        if (!text.empty() && is_word(text.back()) && is_word(begin->front())) text += ' ';
        text += *begin;
    }
    return text;
}

// A declaration without `template <…>` and `[[…]]` before it.
Tokens without_prefix(Tokens statement) {
    while (!statement.empty() && (statement[0] == "template" || statement[0] == "[" || statement[0] == "requires")) {
        int depth = 0;
        size_t i = statement[0] == "template" ? 1 : 0;
        for (; i < statement.size(); ++i) {
            if (statement[i] == "<" || statement[i] == "[" || statement[i] == "(") ++depth;
            if (statement[i] == ">" || statement[i] == "]" || statement[i] == ")") --depth;
            if (depth == 0) break;
        }
        statement.erase(statement.begin(), statement.begin() + static_cast<long>(std::min(i + 1, statement.size())));
    }
    return statement;
}

// Returns the name that a statement at namespace level defines for the whole program, if it is a type's definition, an alias, an
// inline function or an inline variable; "" for anything else. `opens` says that a `{` ended the statement.
std::string defined_name(const Tokens& whole, bool opens) {
    const Tokens statement = without_prefix(whole);
    if (statement.empty()) return "";
    static const std::set<std::string> kinds = {"struct", "class", "union", "enum"};
    const auto open = std::find(statement.begin(), statement.end(), "(");
    if (opens && kinds.contains(statement[0]) && open == statement.end()) {
        size_t i = 1;
        while (i < statement.size() && (kinds.contains(statement[i]) || statement[i] == "alignas")) ++i;
        std::string name;
        for (; i < statement.size() && statement[i] != ":" && statement[i] != "final"; ++i) name += statement[i];
        return name;
    }
    if (statement[0] == "using" && statement.size() > 2 && statement[2] == "=") return statement[1];
    if (statement[0] == "typedef") return statement.back();
    const bool shared = holds(statement, "inline") ||
                        ((statement.size() < whole.size() || holds(statement, "constexpr")) && open != statement.end());
    if (!shared || holds(statement, "static")) return "";
    const auto set = std::find(statement.begin(), statement.end(), "=");
    if (open != statement.end() && open < set) {  // a function; its parameters tell overloads apart
        if (!opens || open == statement.begin() || (open - 1 != statement.begin() && *(open - 2) == "::")) return "";
        return *(open - 1) + joined(open, statement.end());
    }
    auto end = std::find(statement.begin(), set, "[");
    return end == statement.begin() ? "" : *(end - 1);
}

// The room whose private header a file is: R of src/R/…; "" for any other file.
std::string private_room(const std::string& file) {
    if (!file.starts_with("src/") || file.starts_with("src/ddpm/") || (!file.ends_with(".h") && !file.ends_with(".cuh"))) return "";
    return file.substr(4, file.find('/', 4) - 4);
}

struct Definitions {
    std::map<std::string, std::set<std::string>> files_of;  // by the qualified name
    std::set<std::string> headers_with_anonymous;
    std::set<std::string> headers_outside_their_room;

    void read(const std::string& file, std::string_view text) {
        // For each open brace: the namespace that it opens, "" for one that adds nothing (extern "C"). `inner` says that no
        // name in it is visible outside: bodies of functions and types, anonymous namespaces.
        struct Level {
            bool inner;
            std::string name;
        };
        std::vector<Level> levels;
        Tokens statement;
        for (const std::string& token : tokens_of(text)) {
            const bool inner = !levels.empty() && levels.back().inner;
            if (token == "}") {
                if (!levels.empty()) levels.pop_back();
                statement.clear();
            } else if (token == "{") {
                const auto space = std::find(statement.begin(), statement.end(), "namespace");
                if (inner) {
                    levels.push_back({true, ""});
                } else if (space != statement.end()) {
                    const std::string name = joined(space + 1, statement.end());
                    if (name.empty() && !file.ends_with(".cpp") && !file.ends_with(".cu")) headers_with_anonymous.insert(file);
                    levels.push_back({name.empty(), name});
                } else if (!statement.empty() && statement[0] == "extern") {
                    levels.push_back({false, ""});
                } else {
                    check_room(file, levels, statement, true);
                    note(file, levels, defined_name(statement, true));
                    levels.push_back({true, ""});
                }
                statement.clear();
            } else if (token == ";") {
                if (!inner) {
                    check_room(file, levels, statement, false);
                    note(file, levels, defined_name(statement, false));
                }
                statement.clear();
            } else {
                statement.push_back(token);
            }
        }
    }

    // "ddpm::Point: a.h, b.h", one a name; "" where all is well.
    std::string breaches() const {
        std::string text;
        for (const auto& [name, files] : files_of) {
            if (files.size() < 2) continue;
            text += "\n" + name + ":";
            for (const std::string& file : files) text += (file == *files.begin() ? " " : ", ") + file;
        }
        for (const std::string& file : headers_with_anonymous) text += "\n" + file + ": an anonymous namespace in a header";
        for (const std::string& file : headers_outside_their_room)
            text += "\n" + file + ": a private header that declares names outside namespace ddpm::" + private_room(file);
        return text;
    }

private:
    // A private header may name what others declare (`class UNet2D;`), and declares its own in the namespace of its room.
    template <class Levels>
    void check_room(const std::string& file, const Levels& levels, const Tokens& statement, bool opens) {
        const std::string room = private_room(file);
        if (room.empty() || statement.empty() || (!opens && statement.size() == 2)) return;
        const std::string space = qualified(levels, "");
        if (space.starts_with("ddpm::") && !space.starts_with("ddpm::" + room + "::")) headers_outside_their_room.insert(file);
    }

    template <class Levels>
    static std::string qualified(const Levels& levels, const std::string& name) {
        std::string whole;
        for (const auto& level : levels)
            if (!level.name.empty()) whole += level.name + "::";
        return whole + name;
    }

    template <class Levels>
    void note(const std::string& file, const Levels& levels, const std::string& name) {
        if (!name.empty()) files_of[qualified(levels, name)].insert(file);
    }
};

std::string breaches(const std::vector<std::pair<std::string, std::string>>& files) {
    Definitions all;
    for (const auto& [name, text] : files) all.read(name, text);
    return all.breaches();
}

TEST(OneDefinition, SeesWhatTwoFilesDefine) {
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm { struct Point { double x; }; }"},
                        {"b.h", "namespace ddpm { struct Point { float x; float length() const { return x; } }; }"}}),
              "\nddpm::Point: a.h, b.h");
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm {\nenum class Extent { all };\n}"},
                        {"b.cpp", "namespace ddpm {\n// } \nclass Extent final : public X { };\n}"}}),
              "\nddpm::Extent: a.h, b.cpp");
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm::x { template <class T> struct A {}; }"},
                        {"b.h", "namespace ddpm { namespace x { struct A {}; } }"}}),
              "\nddpm::x::A: a.h, b.h");
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm { using Rgb = float; }"}, {"b.h", "namespace ddpm { using Rgb = int; }"}}),
              "\nddpm::Rgb: a.h, b.h");
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm { inline int f(int a) { return a; } inline constexpr int k[] = {1}; }"},
                        {"b.h", "namespace ddpm { inline long f(int a) { return 2 * a; } inline constexpr int k = 2; }"}}),
              "\nddpm::f(int a): a.h, b.h\nddpm::k: a.h, b.h");
    EXPECT_EQ(breaches({{"a.h", "namespace { int x; }"}}), "\na.h: an anonymous namespace in a header");
    EXPECT_EQ(breaches({{"src/report/a.h", "namespace ddpm { int f(int a); }"},
                        {"src/run/cuda/b.cuh", "namespace ddpm::report { struct A {}; }"}}),
              "\nsrc/report/a.h: a private header that declares names outside namespace ddpm::report"
              "\nsrc/run/cuda/b.cuh: a private header that declares names outside namespace ddpm::run");
}

TEST(OneDefinition, LetsBeWhatIsNoBodyElses) {
    EXPECT_EQ(breaches({{"a.cpp", "namespace ddpm { namespace { struct Part {}; } void f() { struct Local {}; } }"},
                        {"b.cpp", "namespace ddpm { namespace { struct Part {}; } void g() { struct Local {}; } }"}}),
              "");
    EXPECT_EQ(
        breaches({{"a.h", "namespace ddpm { struct Point {}; }"},
                  {"b.h", "namespace ddpm::dataset { struct Point {}; }"},
                  {"c.h", "namespace ddpm { struct Point; struct Circle { struct Point {}; }; }"},
                  {"d.cpp", "namespace ddpm { const char* text = \"struct Point {}\"; struct Point f() { return {}; } }"},
                  {"e.cpp", "/* namespace ddpm { struct Point {}; } */\n#define P \\\n namespace ddpm { struct Point {}; }\n"}}),
        "");
    EXPECT_EQ(breaches({{"a.h", "namespace ddpm { inline int f(int a) { return a; } static int g() { return 1; } }"},
                        {"b.h",
                         "namespace ddpm { inline int f(long a) { return 2; } static int g() { return 2; } constexpr int k = 1; }"},
                        {"c.h", "namespace ddpm { constexpr int k = 2; template <> struct A<int> {}; }"},
                        {"d.h", "namespace ddpm { template <> struct A<float> {}; constexpr char kRaw[] = R\"({ \" )\"; }"}}),
              "");
    EXPECT_EQ(breaches({{"src/run/a.h", "namespace ddpm { class Other; }\nnamespace ddpm::run { int f(int a); }"},
                        {"src/ddpm/run/b.h", "namespace ddpm { int g(); }"},
                        {"src/run/c.cpp", "namespace ddpm { struct Public { int x; }; }"}}),
              "");
}

TEST(OneDefinition, HoldsInTheTree) {
    Definitions all;
    const fs::path root = DDPM_SOURCE_DIR;
    for (const char* folder : {"include", "src"})
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            static const std::set<std::string> extensions = {".h", ".cpp", ".cu", ".cuh"};
            if (!extensions.contains(entry.path().extension())) continue;
            std::ifstream in(entry.path(), std::ios::binary);
            const std::string text{std::istreambuf_iterator<char>(in), {}};
            all.read(fs::relative(entry.path(), root).string(), text);
        }
    EXPECT_GT(all.files_of.size(), 100u) << "the scan has seen the tree";
    EXPECT_EQ(all.breaches(), "") << "defined in two files: rename one, or give it a namespace of its room";
}

}  // namespace
}  // namespace ddpm
