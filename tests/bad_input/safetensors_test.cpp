#include "bad_input/bad_input.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::little;

std::string safetensors(const std::string& header, size_t buffer = 0) {
    return little(header.size(), 8) + header + std::string(buffer, '\0');
}

// One tensor of the given entry, in a buffer of so many bytes.
std::string one(const std::string& entry, size_t buffer) { return safetensors(R"({"a":)" + entry + "}", buffer); }

// Each rule of the format (https://github.com/huggingface/safetensors, "Format") broken once.
TEST(BadInput, Safetensors) {
    const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
    std::vector<std::pair<std::string, std::pair<std::string, std::vector<std::string>>>> table = {
        {"zero bytes", {"", {"is empty"}}},
        {"seven bytes", {std::string(7, '\0'), {"7 bytes", "length field"}}},
        {"no header", {safetensors(""), {"does not begin with {"}}},
        {"a header longer than the file", {little(1000, 8) + "{}", {"1000 bytes in a file of 10"}}},
        {"a huge header", {little(100'000'001, 8) + "{}", {"100000001 bytes", "allowed"}}},
        {"a length of 2^64 - 1", {std::string(8, '\xff') + "{}", {"18446744073709551615"}}},
        {"blanks before the header", {safetensors(" {}"), {"does not begin with {"}}},
        {"a list for a header", {safetensors("[]"), {"does not begin with {"}}},
        {"a header that is cut off", {safetensors(R"({"a":)"), {"no JSON"}}},
        {"something after the header's object", {safetensors("{} x"), {"no JSON"}}},
        {"not UTF-8", {safetensors("{\"\xff\":" + good + "}", 8), {"no JSON"}}},
        {"a tensor that is no object", {one("5", 0), {"\"a\" is a number", "object"}}},
        {"no dtype", {one(R"({"shape":[2],"data_offsets":[0,8]})", 8), {"lacks dtype"}}},
        {"no shape", {one(R"({"dtype":"F32","data_offsets":[0,8]})", 8), {"lacks dtype, shape"}}},
        {"no data_offsets", {one(R"({"dtype":"F32","shape":[2]})", 8), {"data_offsets"}}},
        {"an unknown key", {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})", 8), {"unknown key \"x\""}}},
        {"a dtype NaN", {one(R"({"dtype":NaN,"shape":[2],"data_offsets":[0,8]})", 8), {"no JSON"}}},
        {"an unknown dtype", {one(R"({"dtype":"F33","shape":[2],"data_offsets":[0,8]})", 8), {"\"F33\"", "known: U64"}}},
        {"8-bit floats", {one(R"({"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]})", 2), {"F8_E4M3", "not supported"}}},
        {"a number for a dtype", {one(R"({"dtype":32,"shape":[2],"data_offsets":[0,8]})", 8), {"\"dtype\" of \"a\""}}},
        {"a negative length", {one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", 8), {"\"shape\" of \"a\"", "-2"}}},
        {"a fraction of a length", {one(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})", 8), {"2.0"}}},
        {"a length beyond int64",
         {one(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]})", 8), {"18446744073709551615"}}},
        {"a shape that overflows",
         {one(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]})", 0), {"overflows"}}},
        {"a shape of 65 dimensions",
         {one(R"({"dtype":"U8","shape":[1)" +
                  [] {
                      std::string s;
                      for (int i = 0; i < 64; ++i) s += ",1";
                      return s;
                  }() +
                  R"(],"data_offsets":[0,1]})",
              1),
          {"more than 64"}}},
        {"a list in a shape", {one(R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})", 8), {"\"shape\" of \"a\"", "a list"}}},
        {"a shape for null", {one(R"({"dtype":"F32","shape":null,"data_offsets":[0,8]})", 8), {"null"}}},
        {"one offset", {one(R"({"dtype":"F32","shape":[2],"data_offsets":[8]})", 8), {"not [begin, end]"}}},
        {"offsets the wrong way round", {one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", 8), {"not [begin, end]"}}},
        {"a negative offset", {one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", 8), {"-8"}}},
        {"offsets that are not the shape's",
         {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4), {"4 bytes", "make 8"}}},
        {"a gap before the first", {one(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})", 12), {"begins at byte 4"}}},
        {"a gap between two",
         {safetensors(R"({"a":)" + good + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}})", 10),
          {"\"b\" begins at byte 9"}}},
        {"an overlap",
         {safetensors(R"({"a":)" + good + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}})", 8),
          {"\"b\" begins at byte 7"}}},
        {"the same bytes twice", {safetensors(R"({"a":)" + good + R"(,"b":)" + good + "}", 8), {"begins at byte 0"}}},
        {"a file that is too short", {one(good, 7), {"the file has", "copied whole"}}},
        {"a file that is too long", {one(good, 9), {"the file has", "copied whole"}}},
        {"one name twice", {safetensors(R"({"a":)" + good + R"(,"a":)" + good + "}", 8), {"\"a\" is given twice"}}},
        {"one key twice",
         {one(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8), {"\"dtype\" is given twice"}}},
        {"metadata that are no texts", {safetensors(R"({"__metadata__":{"a":1}})"), {"a number"}}},
        {"metadata that are a list", {safetensors(R"({"__metadata__":[]})"), {"a list"}}},
        {"a page of HTML", {"<!DOCTYPE html><html>Not Found</html>", {"a page of HTML"}}},
        {"a Git LFS pointer", {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", {"pointer of Git LFS"}}},
        {"a zip archive", {test::zip_archive({{"m/data.pkl", "x"}}), {"a zip archive", ".pt"}}},
        {"a million nested lists", {safetensors(R"({"a":)" + std::string(1 << 20, '[')), {"a list"}}},
    };
    std::vector<BadInput> cases;
    for (const auto& [name, content] : table) {
        std::vector<std::string> words = content.second;
        words.insert(words.begin(), "x.safetensors");
        cases.push_back({name, {"info", "x.safetensors"}, words, file("x.safetensors", content.first)});
    }
    test::expect_refusals(cases);
}

TEST(BadInput, TorchFiles) {
    using namespace test::pickle;
    const std::string whole = dictionary(tensor(storage("FloatStorage", "0", 4), 0, {4}, {1}));
    const auto archive = [](const std::string& pickle, const std::string& data = std::string(16, '\0')) {
        return test::zip_archive({{"m/data.pkl", pickle}, {"m/data/0", data}});
    };
    std::vector<std::pair<std::string, std::pair<std::string, std::vector<std::string>>>> table = {
        {"zero bytes", {"", {"is empty"}}},
        {"a page of HTML", {"\n<html>", {"a page of HTML"}}},
        {"a Git LFS pointer", {"version https://git-lfs.github.com/spec/v1\n", {"pointer of Git LFS"}}},
        {"half an archive", {archive(whole).substr(0, 100), {"directory is missing"}}},
        {"no pickle in it", {test::zip_archive({{"m/data/0", "x"}}), {"no data.pkl"}}},
        {"two pickles", {test::zip_archive({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}}), {"two files of torch.save"}}},
        {"a compressed one", {test::zip_archive({{"m/data.pkl", "x"}}, {.method = 8}), {"compressed"}}},
        {"a TorchScript program", {test::zip_archive({{"m/data.pkl", "x"}, {"m/constants.pkl", "x"}}), {"TorchScript"}}},
        {"big-endian numbers", {test::zip_archive({{"m/data.pkl", "x"}, {"m/byteorder", "big"}}), {"big-endian"}}},
        {"a pickle that is cut off", {archive(whole.substr(0, whole.size() - 1)), {"cut off"}}},
        {"an opcode that is not torch's",
         {archive("\x80\x02"
                  "0."),
          {"opcode 0x30"}}},
        {"code",
         {archive("\x80\x02"
                  "cposix\nsystem\n."),
          {"posix.system", "no code is run"}}},
        {"protocol 4", {archive("\x80\x04."), {"protocol 4"}}},
        {"a tensor beyond its storage",
         {archive(dictionary(tensor(storage("FloatStorage", "0", 4), 1, {4}, {1}))), {"reaches beyond"}}},
        {"a tensor that repeats elements",
         {archive(dictionary(tensor(storage("FloatStorage", "0", 4), 0, {1000000}, {0}))), {"repeats"}}},
        {"a shape that overflows",
         {archive(dictionary(tensor(storage("FloatStorage", "0", 4), 0, {int64_t{1} << 62, 8}, {1, 1}))), {"overflows"}}},
        {"a storage that is too short", {archive(whole, "xx"), {"needs 16 bytes", "there are 2"}}},
        {"a storage that is not there", {test::zip_archive({{"m/data.pkl", whole}}), {"needs 16 bytes", "there are 0"}}},
        {"a single tensor",
         {archive("\x80\x02" + tensor(storage("FloatStorage", "0", 4), 0, {4}, {1}) + "."), {"a single tensor"}}},
    };
    std::vector<BadInput> cases;
    for (const auto& [name, content] : table) {
        std::vector<std::string> words = content.second;
        words.insert(words.begin(), "x.pt");
        cases.push_back({name, {"convert", "x.pt", "out"}, words, file("x.pt", content.first)});
    }
    test::expect_refusals(cases);
}

}  // namespace
}  // namespace ddpm
