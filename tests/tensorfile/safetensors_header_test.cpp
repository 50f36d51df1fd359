#include "ddpm/tensorfile/safetensors_header.h"

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {
namespace {

std::string head_of(const std::string& json) {
    std::string head;
    for (int i = 0; i < 8; ++i) head += static_cast<char>(json.size() >> (8 * i) & 0xFF);
    return head.append(json);
}

// Returns the error for a file of this header and this many bytes of tensors.
std::string fault(const std::string& json, uint64_t buffer = 8) {
    const std::string head = head_of(json);
    try {
        parse_safetensors_header(head, head.size() + buffer, "m.safetensors");
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 2);
        EXPECT_EQ(std::string(error.what()).rfind("m.safetensors: ", 0), 0u) << error.what();
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        return error.what();
    }
    return "none";
}

std::string entry(const char* name, const char* dtype, const std::string& shape, const char* offsets) {
    return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}
std::string both(const std::string& first, const std::string& second) { return fmt::format("{{{},{}}}", first, second); }
std::string only(const char* dtype, const std::string& shape, const char* offsets) {
    return fmt::format("{{{}}}", entry("x", dtype, shape, offsets));
}

#define EXPECT_FAULT(part, ...) EXPECT_NE(fault(__VA_ARGS__).find(part), std::string::npos) << fault(__VA_ARGS__)

TEST(SafetensorsHeader, TakesAnyOrderAlignmentAndPadding) {
    const std::string json = R"({ "b":{"shape":[2],"data_offsets":[1,9],"dtype":"F32"},
        "__metadata__":{"format":"pt","note":""}, "a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]},
        "none":{"dtype":"BF16","shape":[0,7],"data_offsets":[9,9]} }   )";
    const std::string head = head_of(json);
    const SafetensorsHeader header = parse_safetensors_header(head, head.size() + 9, "m");
    ASSERT_EQ(header.tensors.size(), 3u);
    EXPECT_EQ(header.tensors[0].name, "a");
    EXPECT_TRUE(header.tensors[0].shape.empty());
    EXPECT_EQ(header.tensors[1].name, "b");
    EXPECT_EQ(header.tensors[1].begin, 1u);
    EXPECT_EQ(header.tensors[2].shape, (std::vector<int64_t>{0, 7}));
    EXPECT_EQ(header.metadata, (SafetensorsMetadata{{"format", "pt"}, {"note", ""}}));
    EXPECT_EQ(header.buffer_begin, head.size());
    EXPECT_EQ(fault("{}", 0), "none");
}

TEST(SafetensorsHeader, RefusesALengthThatCannotBe) {
    const auto length_fault = [](const std::string& head, uint64_t size) -> std::string {
        try {
            safetensors_head_size(head, size, "m");
        } catch (const Error& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_NE(length_fault("1234567", 7).find("is a file of text"), std::string::npos);
    EXPECT_NE(length_fault(std::string(7, '\0'), 7).find("7 bytes are less"), std::string::npos);
    EXPECT_NE(length_fault(std::string("\x10\0\0\0\0\0\0\0", 8), 20).find("a header of 16 bytes in a file of 20"),
              std::string::npos);
    EXPECT_NE(length_fault(std::string("\x01\xE1\xF5\x05\0\0\0\0", 8), uint64_t{1} << 40).find("100000001 bytes"),
              std::string::npos);
    EXPECT_NE(length_fault(std::string(8, '\xFF'), 20).find("more than the"), std::string::npos);
    EXPECT_EQ(length_fault(std::string("\x02\0\0\0\0\0\0\0", 8), 10), "none");
}

TEST(SafetensorsHeader, RefusesWhatIsNoHeader) {
    EXPECT_FAULT("does not begin with {", "");
    EXPECT_FAULT("does not begin with {", " {}");
    EXPECT_FAULT("does not begin with {", "[]");
    EXPECT_FAULT("no JSON", "{");
    EXPECT_FAULT("no JSON", "{} {}");
    EXPECT_FAULT("no JSON", "{\"\xFF\":1}");
    EXPECT_FAULT("\"x\" is -1, expected an object", R"({"x":-1})");
    EXPECT_FAULT("expected an object", R"({"x":[]})");
    EXPECT_FAULT("expected an object", R"({"x":null})");
    EXPECT_FAULT("expected an object", R"({"__metadata__":"pt"})");
}

TEST(SafetensorsHeader, RefusesWhatIsNoEntry) {
    EXPECT_EQ(fault(only("F32", "[2]", "[0,8]")), "none");
    EXPECT_FAULT("lacks", R"({"x":{"dtype":"F32","shape":[2]}})");
    EXPECT_FAULT("unknown key \"extra\"", R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}})");
    EXPECT_FAULT("the dtype \"F8_E4M3\"", only("F8_E4M3", "[8]", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds -2", only("F32", "[-2]", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds 2.0", only("F32", "[2.0]", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds a text", only("F32", "[\"2\"]", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds a list", only("F32", "[[2]]", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds an object", only("F32", "{}", "[0,8]"));
    EXPECT_FAULT("\"shape\" of \"x\" holds 9223372036854775808", only("F32", "[9223372036854775808]", "[0,8]"));
    EXPECT_FAULT("\"dtype\" of \"x\" holds a list", R"({"x":{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}})");
    EXPECT_FAULT("not [begin, end]", only("F32", "[2]", "[0]"));
    EXPECT_FAULT("not [begin, end]", only("F32", "[2]", "[0,8,8]"));
    EXPECT_FAULT("not [begin, end]", only("F32", "[2]", "[8,0]"));
    EXPECT_FAULT("\"format\" of \"__metadata__\" holds a number", R"({"__metadata__":{"format":1}})");
    EXPECT_FAULT("\"format\" of \"__metadata__\" holds a list", R"({"__metadata__":{"format":[]}})");
    std::string many = "1";
    for (int i = 0; i < 64; ++i) many += ",1";
    EXPECT_FAULT("a list of more than 64", only("U8", fmt::format("[{}]", many), "[0,1]"), 1);
}

TEST(SafetensorsHeader, RefusesDuplicates) {
    EXPECT_FAULT("\"x\" is given twice", both(entry("x", "U8", "[4]", "[0,4]"), entry("x", "U8", "[4]", "[4,8]")));
    EXPECT_FAULT("\"dtype\" is given twice", R"({"x":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}})");
    EXPECT_FAULT("\"a\" is given twice", R"({"__metadata__":{"a":"1","a":"2"}})");
    EXPECT_FAULT("\"__metadata__\" is given twice", R"({"__metadata__":{},"__metadata__":{}})");
}

TEST(SafetensorsHeader, RefusesOffsetsThatDoNotAddUp) {
    EXPECT_FAULT("has 8 bytes, its shape and dtype make 12", only("F32", "[3]", "[0,8]"));
    EXPECT_FAULT("overflows", only("F32", "[4294967296,4294967296]", "[0,8]"));
    EXPECT_FAULT("overflows", only("F32", "[4611686018427387906]", "[0,8]"));  // 4·that = 8 modulo 2^64
    EXPECT_FAULT("begins at byte 4 of the buffer", only("U8", "[4]", "[4,8]"));
    EXPECT_FAULT("begins at byte 5", both(entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[3]", "[5,8]")));
    EXPECT_FAULT("begins at byte 3", both(entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[5]", "[3,8]")));
    EXPECT_FAULT("begins at byte 0", both(entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[4]", "[0,4]")), 4);
    EXPECT_FAULT("was it copied whole?", only("F32", "[2]", "[0,8]"), 7);
    EXPECT_FAULT("was it copied whole?", only("F32", "[2]", "[0,8]"), 9);
    EXPECT_FAULT("was it copied whole?", "{}", 1);
}

TEST(SafetensorsHeader, WritesWhatItReads) {
    const std::vector<SafetensorsEntry> tensors = {{"c", "I64", {1}, 0, 8}, {"é\"\n", "F32", {}, 8, 12}};
    const std::string head = write_safetensors_head({{"format", "pt"}}, tensors);
    EXPECT_EQ(head.size() % 8, 0u);
    const SafetensorsHeader header = parse_safetensors_header(head, head.size() + 12, "m");
    ASSERT_EQ(header.tensors.size(), 2u);
    EXPECT_EQ(header.tensors[1].name, "é\"\n");
    EXPECT_EQ(header.metadata, (SafetensorsMetadata{{"format", "pt"}}));
}

}  // namespace
}  // namespace ddpm
