#include "ddpm/tensorfile/pickle.h"

#include <random>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "support/errors.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using namespace test::pickle;

std::string fault(const std::string& bytes) {
    try {
        read_torch_pickle(bytes, "a.pt");
    } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_EQ(what.rfind("a.pt: its pickle ", 0), 0u) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        EXPECT_EQ(error.exit_code(), 2);
        return what;
    }
    return "none";
}

#define EXPECT_FAULT(part, bytes) EXPECT_NE(fault(bytes).find(part), std::string::npos) << fault(bytes)

const std::string kStorage = storage("FloatStorage", "7", 12);
const std::string kTensor = tensor(kStorage, 2, {2, 3}, {3, 1});

TEST(Pickle, FindsTensorsUnderTheirKeys) {
    const std::string sound = "\x80\x02}(" + text("a") + "}" + text("w") + kTensor + "s" + text("list") + "](" + kTensor + kTensor +
                              "e" + text("plain") + "(K\x05NM\x01\x02J\xFF\xFF\xFF\xFF\x88G" + std::string(8, '\0') + text("x") +
                              "t" + integer(-3) + global("torch._utils", "_rebuild_parameter") + kTensor + "\x88}\x87R" + "u.";
    const std::vector<PickledTensor> tensors = read_torch_pickle(sound, "a.pt");
    std::vector<std::string> names;
    for (const PickledTensor& found : tensors) names.push_back(found.name);
    EXPECT_EQ(names, (std::vector<std::string>{"a.w", "list.0", "list.1", "-3"}));
    EXPECT_EQ(tensors[0].dtype, "F32");
    EXPECT_EQ(tensors[0].storage, "7");
    EXPECT_EQ(tensors[0].storage_size, 12u);
    EXPECT_EQ(tensors[0].offset, 2u);
    EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(tensors[0].strides, (std::vector<int64_t>{3, 1}));
    EXPECT_TRUE(read_torch_pickle("\x80\x02}.", "a.pt").empty());
}

TEST(Pickle, RunsNoCode) {
    EXPECT_FAULT("asks for \"posix.system\"", dictionary(global("posix", "system") + text("ls") + "\x85R"));
    EXPECT_FAULT("asks for \"builtins.eval\"", dictionary(global("builtins", "eval") + text("1") + "\x85R"));
    EXPECT_FAULT("asks for \"torch._utils._rebuild_tensor_v3\"", dictionary(global("torch._utils", "_rebuild_tensor_v3")));
    EXPECT_FAULT("calls collections.OrderedDict with arguments", dictionary(global("collections", "OrderedDict") + "]\x85R"));
    EXPECT_FAULT("calls torch.FloatStorage with", dictionary(global("torch", "FloatStorage") + ")R"));
    EXPECT_FAULT("calls what is no function", dictionary(text("f") + ")R"));
    EXPECT_FAULT("sets attributes by something", dictionary("}]b"));
    EXPECT_FAULT("fills what is no dictionary", dictionary("]}b"));
    for (const char opcode : {'i', 'o',    'P',    'I',    'S',    'U',    'T',    'V',    '0',    '2',    '1',   'B',
                              'C', '\x81', '\x82', '\x8c', '\x8e', '\x8f', '\x92', '\x93', '\x94', '\x95', '\x97'})
        EXPECT_FAULT(fmt::format("holds the opcode 0x{:02x} at byte 2", static_cast<unsigned char>(opcode)),
                     "\x80\x02" + std::string(1, opcode) + std::string(20, '\n'));
    EXPECT_FAULT("has protocol 4", "\x80\x04}.");
}

TEST(Pickle, RefusesTensorsThatAreNotThere) {
    const auto made = [](int64_t offset, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
        return dictionary(tensor(kStorage, offset, shape, strides));
    };
    EXPECT_EQ(fault(made(0, {12}, {1})), "none");
    EXPECT_EQ(fault(made(12, {0, 5}, {5, 1})), "none");
    EXPECT_FAULT("reaches beyond", made(0, {13}, {1}));
    EXPECT_FAULT("reaches beyond", made(7, {2, 3}, {3, 1}));
    EXPECT_FAULT("reaches beyond", made(0, {2, 2}, {11, 1}));
    EXPECT_FAULT("reaches beyond", made(12, {}, {}));
    EXPECT_FAULT("repeats elements", made(0, {1 << 20, 1 << 20}, {0, 0}));
    EXPECT_FAULT("overflows", made(0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}));
    EXPECT_FAULT("overflows", made(0, {1 << 20, 2}, {int64_t{1} << 62, 1}));
    EXPECT_FAULT("is no shape", made(0, {2, 3}, {1}));
    EXPECT_FAULT("without a shape", made(0, {-2}, {1}));
    EXPECT_FAULT("without a shape", made(0, {2}, {-1}));
    EXPECT_FAULT("without a shape", made(0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1)));
    EXPECT_FAULT("arguments that are not torch.save's", made(-1, {2}, {1}));
    EXPECT_FAULT("overflows", dictionary(tensor(storage("DoubleStorage", "0", int64_t{1} << 61), 0, {1}, {1})));
    EXPECT_FAULT("names a storage \"../0\"", dictionary(storage("FloatStorage", "../0", 1)));
    EXPECT_FAULT("is no storage", dictionary(storage("FloatStorage", "0", -1)));
    EXPECT_FAULT("is no storage", dictionary(text("x") + "Q"));
    EXPECT_FAULT("holds \"w\" twice", "\x80\x02}(" + text("w") + kTensor + text("w") + kTensor + "u.");
    EXPECT_FAULT("a single tensor", "\x80\x02" + kTensor + ".");
}

// A storage as files of torch before 1.6 describe it, whose last part says of which other one it is a view.
std::string old_storage(const std::string& key, int64_t size, const std::string& view = "N") {
    std::string words = "(";  // GCC 12 warns of "(" + a temporary
    words += text("storage") + global("torch", "FloatStorage") + text(key) + text("cpu") + integer(size) + view + "tQ";
    return words;
}

// The pickles of such a file: about the machine, of {"w": tensor}, and of the list of storages.
std::string old_pickles(const std::string& stored, const std::string& keys, const std::string& machine = "\x88") {
    return "\x80\x02}" + entry("little_endian", machine) + "." + dictionary(tensor(stored, 2, {2, 3}, {3, 1})) + "\x80\x02](" +
           keys + "e.";
}

TEST(Pickle, ReadsTheChainOfOldFiles) {
    const std::string key = "94000812345678901234";  // an address in memory
    const auto fault_of = [](const std::string& bytes) { return error_of([&] { read_old_torch_pickles(bytes, "a.pt"); }); };
    const std::string sound = old_pickles(old_storage(key, 12), text(key));
    const OldTorchPickles read = read_old_torch_pickles(sound + "numbers", "a.pt");
    EXPECT_EQ(read.bytes, sound.size());
    ASSERT_EQ(read.tensors.size(), 1u);
    EXPECT_EQ(read.tensors[0].name, "w");
    EXPECT_EQ(read.tensors[0].storage, key);
    ASSERT_EQ(read.storages.size(), 1u);
    EXPECT_EQ(read.storages[0].dtype, "F32");
    EXPECT_EQ(read.storages[0].size, 12u);
    for (size_t size = 0; size < sound.size(); ++size) EXPECT_SAYS(fault_of(sound.substr(0, size)), "is cut off");
    EXPECT_SAYS(fault_of(old_pickles(old_storage(key, 12), text(key), "\x89")), "not those of a little-endian machine");
    EXPECT_SAYS(fault_of(old_pickles(old_storage(key, 12, "(tN\x86"), text(key))), "a view of another");
    EXPECT_SAYS(fault_of(old_pickles(storage("FloatStorage", "7", 12), text("7"))), "is no storage");
    EXPECT_SAYS(fault_of(old_pickles(old_storage(key, 12), text(key) + text(key))), "twice or of no tensor");
    EXPECT_SAYS(fault_of(old_pickles(old_storage(key, 12), text("7"))), "twice or of no tensor");
    EXPECT_SAYS(fault_of(old_pickles(old_storage(key, 12), "")), "does not list the storage " + key);
    EXPECT_SAYS(fault_of(old_pickles(global("posix", "system") + text("ls") + "\x85R", "")), "asks for \"posix.system\"");
}

TEST(Pickle, RefusesWhatIsNotSound) {
    const std::string whole = dictionary(kTensor);
    for (size_t size = 0; size < whole.size(); ++size) EXPECT_FAULT("is cut off", whole.substr(0, size));
    EXPECT_FAULT("bytes after its end", whole + "x");
    for (const char* bytes :
         {"\x80\x02.", "\x80\x02s.", "\x80\x02u.", "\x80\x02t.", "\x80\x02h\x05.", "\x80\x02}(s.", "\x80\x02(}Ns."})
        EXPECT_FAULT("takes what is not there", bytes);
    EXPECT_FAULT("a key without a value", "\x80\x02}(Nu.");
    EXPECT_FAULT("an integer of 9 bytes", "\x80\x02\x8a\x09" + std::string(9, '\1') + ".");
}

TEST(Pickle, StaysSmallWhateverItIsTold) {
    EXPECT_FAULT("holds more than 1048576 values", "\x80\x02" + std::string((1 << 20) + 1, ']') + ".");
    // A list that holds itself, and a list that grows twelvefold with every level.
    EXPECT_FAULT("nested deeper", "\x80\x02]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.");
    std::string growing = "\x80\x02]q" + std::string(1, '\0');
    for (char level = 1; level < 16; ++level) {
        growing += "](";
        for (int i = 0; i < 12; ++i) growing += std::string("h") + static_cast<char>(level - 1);
        growing += std::string("eq") + level;
    }
    EXPECT_FAULT("holds more than", growing + ".");
    EXPECT_FAULT("a key of 600 bytes", "\x80\x02}" + text(std::string(600, 'k')) + "Ns.");
}

TEST(Pickle, ChangedBytesAreTensorsOrAnError) {
    std::mt19937 random(3);
    const std::string whole = dictionary(kTensor);
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = whole;
        for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
        fault(bytes);
    }
}

}  // namespace
}  // namespace ddpm
