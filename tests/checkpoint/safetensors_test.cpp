#include "ddpm/checkpoint/safetensors.h"

#include <algorithm>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/init.h"
#include "nn/networks.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// The bytes are those of Python's safetensors 0.8, the checksum is Python's zlib.crc32 of them with zeros for it, for
//   save({"b": tensor([1., 2.]), "a": tensor(3.), "c": tensor([-1]), "d": zeros(0, 3, dtype=bfloat16),
//         "é\"": tensor([True])}, metadata={"crc32": "35603602", "format": "pt"})
TEST(Safetensors, WritesThePythonWritersBytes) {
    const TempFolder folder;
    write_safetensors(folder / "x.safetensors", {{"b", at::tensor({1.f, 2.f})},
                                                 {"a", at::scalar_tensor(3.0, at::kFloat)},
                                                 {"c", at::tensor({-1}, at::kLong)},
                                                 {"d", at::zeros({0, 3}, at::kBFloat16)},
                                                 {"é\"", at::ones({1}, at::kBool)}});
    std::string expected("P\x01\0\0\0\0\0\0", 8);
    expected += R"({"__metadata__":{"crc32":"35603602","format":"pt"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                R"("a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},)"
                R"("d":{"dtype":"BF16","shape":[0,3],"data_offsets":[20,20]},)"
                R"("é\"":{"dtype":"BOOL","shape":[1],"data_offsets":[20,21]}}       )";
    expected.append("\xff\xff\xff\xff\xff\xff\xff\xff\0\0@@\0\0\x80?\0\0\0@\x01", 21);
    EXPECT_EQ(read_file(folder / "x.safetensors", 10000), expected);
    EXPECT_EQ(error_of([&] { read_safetensors(folder / "x.safetensors"); }), "no error");
}

TEST(Safetensors, ComesOutTheSameInPieces) {
    const TempFolder folder;
    const at::Tensor whole = at::arange(70).to(at::kFloat).view({5, 2, 7});
    write_safetensors(folder / "whole", {{"images", whole}});
    SafetensorsWriter writer(folder / "pieces", "images", at::kFloat, {5, 2, 7});
    writer.write(whole.slice(0, 0, 2));
    EXPECT_SAYS(error_of([&] { writer.commit(); }, Error::Kind::runtime), "168 bytes of the tensor are missing");
    writer.write(whole.slice(0, 2, 5).transpose(1, 2).contiguous().transpose(1, 2));
    EXPECT_SAYS(error_of([&] { writer.write(whole); }, Error::Kind::runtime), "none of the tensor's");
    writer.commit();
    EXPECT_EQ(read_file(folder / "pieces", 10000), read_file(folder / "whole", 10000));
}

TEST(Safetensors, FindsEveryFlippedBit) {
    const TempFolder folder;
    const fs::path file = folder / "x.safetensors";
    write_safetensors(file, {{"a", at::arange(6).to(at::kFloat)}, {"b", at::ones({3}, at::kBool)}}, {{"note", "n"}});
    EXPECT_TRUE(SafetensorsFile(file).has_checksum());
    EXPECT_EQ(error_of([&] { read_safetensors(file); }), "no error");
    const std::string sound = read_file(file, 10000);
    int without = 0;
    for (size_t bit = 0; bit < 8 * sound.size(); ++bit) {
        std::string flipped = sound;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        write_file(file, flipped);
        if (error_of([&] { read_safetensors(file); }) != "no error") continue;
        // A flip in the name of the checksum leaves a file without one, whose tensors are unchanged.
        EXPECT_FALSE(SafetensorsFile(file).has_checksum()) << bit;
        ++without;
    }
    EXPECT_LE(without, 8 * 5) << "the letters of crc32";
    for (size_t size = 0; size < sound.size(); ++size) {
        write_file(file, sound.substr(0, size));
        EXPECT_NE(error_of([&] { read_safetensors(file); }), "no error") << size;
    }
}

TEST(Safetensors, TakesFilesWithoutAChecksum) {
    const TempFolder folder;
    std::string bytes = write_safetensors_head({{"format", "pt"}, {"crc32", "00000000"}}, {{"a", "U8", {1}, 0, 1}}) + "x";
    write_file(folder / "x", bytes);  // a checksum that another program kept says nothing about its file
    EXPECT_FALSE(SafetensorsFile(folder / "x").has_checksum());
    EXPECT_EQ(error_of([&] { read_safetensors(folder / "x"); }), "no error");
}

TEST(LoadTensors, CopiesNothingOfADamagedFile) {
    const TempFolder folder;
    const fs::path file = folder / "x.safetensors";
    write_safetensors(file, {{"a", at::full({1000}, 7.0)}});
    std::string bytes = read_file(file, 10000);
    bytes.back() ^= 1;
    write_file(file, bytes);
    const at::Tensor target = at::zeros({1000});
    EXPECT_SAYS(error_of([&] { load_tensors(WeightSource(file), {{"a", target}}); }), "x.safetensors: damaged: its checksum is");
    EXPECT_TRUE(at::equal(target, at::zeros({1000})));
}

TEST(Safetensors, RoundTripsEveryDtypeAndStride) {
    const TempFolder folder;
    NamedTensors tensors;
    for (const at::ScalarType type :
         {at::kLong, at::kDouble, at::kFloat, at::kInt, at::kBFloat16, at::kHalf, at::kShort, at::kChar, at::kByte, at::kBool})
        tensors.emplace_back(at::toString(type), at::arange(12).view({3, 4}).remainder(2).to(type).t());
    write_safetensors(folder / "x", tensors);
    const NamedTensors read = read_safetensors(folder / "x");
    ASSERT_EQ(read.size(), tensors.size());
    for (const auto& [name, tensor] : read) {
        const auto original =
            std::find_if(tensors.begin(), tensors.end(), [&, name = name](const auto& t) { return t.first == name; });
        EXPECT_EQ(tensor.scalar_type(), original->second.scalar_type());
        EXPECT_TRUE(at::equal(tensor, original->second)) << name;
    }
}

TEST(Safetensors, RefusesToWriteNonsense) {
    const TempFolder folder;
    const at::Tensor one = at::ones({1});
    const auto failure = Error::Kind::runtime;
    EXPECT_SAYS(error_of([&] { write_safetensors(folder / "x", {{"a", one}, {"a", one}}); }, failure), "two tensors are called");
    EXPECT_SAYS(error_of([&] { write_safetensors(folder / "x", {{"__metadata__", one}}); }, failure), "can't be called");
    EXPECT_SAYS(error_of([&] { write_safetensors(folder / "x", {{"a", one.to(at::kComplexFloat)}}); }), "no dtype");
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

// A header of each length whose bytes look like the beginning of something else.
TEST(Safetensors, AreReadWhateverTheirLengthLooksLike) {
    const TempFolder folder;
    const std::string entry = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
    for (const uint64_t length :
         {0x203Cull, 0x213Cull, 0x483Cull, 0x683Cull, 0x213C20ull, 0x683C0Aull, 0x4D42ull, 0x3550ull, 0x2D250ull, 0x88B1Full}) {
        std::string bytes;
        for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> 8 * i);
        bytes += entry + std::string(length - entry.size() - 1, ' ') + "}" + std::string("\0\0\x80?", 4);
        write_file(folder / "x", bytes);
        EXPECT_EQ(read_safetensors(folder / "x").at(0).second.item<float>(), 1) << std::hex << length;
    }
}

TEST(Safetensors, NamesAMissingOrCutFile) {
    const TempFolder folder;
    EXPECT_SAYS(error_of([&] { read_safetensors(folder / "none"); }), (folder / "none").string());
    write_safetensors(folder / "x", {{"a", at::ones({100})}});
    fs::resize_file(folder / "x", fs::file_size(folder / "x") - 1);
    EXPECT_SAYS(error_of([&] { read_safetensors(folder / "x"); }), "was it copied whole?");
}

NamedTensors small() { return {{"a.weight", at::ones({2, 3})}, {"a.bias", at::zeros({2})}, {"count", at::tensor({5}, at::kLong)}}; }

TEST(LoadTensors, WidensAndKeepsStorage) {
    const TempFolder folder;
    for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble}) {
        write_safetensors(folder / "x", {{"a.weight", at::full({2, 3}, 1.5).to(type)},
                                         {"a.bias", at::full({2}, -2.0).to(type)},
                                         {"count", at::tensor({9}, at::kLong)}});
        NamedTensors targets = small();
        const at::Tensor weight = targets[0].second;
        load_tensors(WeightSource(folder / "x"), targets);
        EXPECT_TRUE(at::equal(weight, at::full({2, 3}, 1.5)));
        EXPECT_EQ(targets[2].second.item<int64_t>(), 9);
    }
}

TEST(LoadTensors, ListsEveryMismatchAndCopiesNothing) {
    const TempFolder folder;
    write_safetensors(
        folder / "x.safetensors",
        {{"a.weight", at::full({2, 3}, 7.0)}, {"a.bias", at::zeros({3})}, {"count", at::zeros({1})}, {"b", at::zeros({1})}});
    NamedTensors targets = small();
    targets.emplace_back("c", at::zeros({1}));
    const std::string error = error_of([&] { load_tensors(WeightSource(folder / "x.safetensors"), targets); });
    EXPECT_SAYS(error,
                "x.safetensors: does not fit the network: a.bias has the shape [3], expected [2]; "
                "count has the dtype F32, expected I64; c is missing; and 1 more");
    EXPECT_TRUE(at::equal(targets[0].second, at::ones({2, 3})));
    EXPECT_SAYS(error_of([&] { load_tensors(WeightSource(folder / "x.safetensors"), {}); }), "is not of this network");
}

// What can't be read to its end overwrites nothing, with a checksum or without.
TEST(LoadTensors, ReadsEverythingOrChangesNothing) {
    const TempFolder folder;
    for (const bool checked : {true, false}) {
        const fs::path path = folder / "x.safetensors";
        write_safetensors(
            path, {{"a.weight", at::full({2, 3}, 7.0)}, {"a.bias", at::full({2}, 7.0)}, {"count", at::tensor({7}, at::kLong)}});
        std::string bytes = read_file(path, 10000);
        if (!checked) bytes.replace(bytes.find("crc32"), 5, "other");
        write_file(path, bytes);
        const WeightSource source(path);
        const std::string last = source.items().rbegin()->first;
        EXPECT_EQ(last, "count");
        fs::resize_file(path, bytes.size() - 4);
        NamedTensors targets = small();
        EXPECT_SAYS(error_of([&] { load_tensors(source, targets); }, Error::Kind::runtime), "the file has shrunk");
        EXPECT_TRUE(at::equal(targets[0].second, at::ones({2, 3})) && at::equal(targets[1].second, at::zeros({2})));
        EXPECT_EQ(targets[2].second.item<int64_t>(), 5);
    }
}

TEST(LoadModule, RoundTripsANetworkAndItsOldAttentionNames) {
    const TempFolder folder;
    UNet2D saved(test::plain_network()), loaded(test::plain_network());
    initialize_weights(saved, 1);
    NamedTensors tensors = named_tensors(saved);
    int renamed = 0;
    for (auto& [name, tensor] : tensors)
        for (const auto& [now, old] : {std::pair(".to_q.", ".query."), std::pair(".to_k.", ".key."), std::pair(".to_v.", ".value."),
                                       std::pair(".to_out.0.", ".proj_attn.")})
            if (const size_t at = name.find(now); at != std::string::npos) {
                name.replace(at, std::string(now).size(), old);
                ++renamed;
            }
    EXPECT_EQ(renamed, 4 * 2 * 4);  // four maps with weight and bias in one down, one middle and two up attentions
    write_safetensors(folder / "x", tensors);
    load_module(WeightSource(folder / "x"), loaded);
    for (const auto& [name, tensor] : named_tensors(loaded)) EXPECT_TRUE(at::equal(tensor, saved.named_parameters()[name])) << name;
}

TEST(WeightSource, ReadsShardsByTheirIndexStrictly) {
    const TempFolder folder;
    const at::Tensor one = at::ones({1}), two = at::full({1}, 2.0);
    write_safetensors(folder / "m-1.safetensors", {{"a", one}});
    write_safetensors(folder / "m-2.safetensors", {{"b", two}});
    const fs::path index = folder / "m.safetensors.index.json";
    const auto source_error = [&](const std::string& map) {
        write_file(index, R"({"metadata":{"total_size":8},"weight_map":)" + map + "}");
        return error_of([&] { WeightSource source(index); });
    };
    EXPECT_EQ(source_error(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})"), "no error");
    NamedTensors targets = {{"b", at::zeros({1})}, {"a", at::zeros({1})}};
    load_tensors(WeightSource(index), targets);
    EXPECT_TRUE(at::equal(targets[0].second, two));
    EXPECT_TRUE(at::equal(targets[1].second, one));

    EXPECT_SAYS(source_error(R"({"a":"m-2.safetensors","b":"m-2.safetensors"})"), "weight_map says that m-2.safetensors");
    EXPECT_SAYS(source_error(R"({"a":"m-2.safetensors","b":"m-1.safetensors"})"), "weight_map does not say so");
    EXPECT_SAYS(source_error(R"({"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-2.safetensors"})"), "\"c\", it does not");
    EXPECT_SAYS(source_error(R"({"a":"../m-1.safetensors"})"), "expected one beside it");
    EXPECT_SAYS(source_error(R"({"a":"m-3.safetensors"})"), "m-3.safetensors");
    EXPECT_SAYS(source_error("[]"), "weight_map");
    write_safetensors(folder / "m-2.safetensors", {{"a", two}});
    EXPECT_SAYS(source_error(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})"), "is there twice");
}

}  // namespace
}  // namespace ddpm
