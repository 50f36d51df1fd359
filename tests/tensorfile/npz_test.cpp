#include "ddpm/tensorfile/npz.h"

#include <array>

#include <gtest/gtest.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// numpy.load and zipfile.testzip read these 660 bytes as [[1, 2, 3], [4, 5, 6]] and [7, -1].
TEST(Npz, WritesArraysInPieces) {
    const TempFolder folder;
    NpzWriter writer(folder / "x.npz");
    writer.begin("arr_0", "|u1", {2, 3});
    writer.write(std::string_view("\1\2\3\4", 4));
    EXPECT_SAYS(error_of([&] { writer.begin("arr_1", "<i8", {2}); }, Error::Kind::runtime), "2 bytes of an array are missing");
    EXPECT_SAYS(error_of([&] { writer.write("567"); }, Error::Kind::runtime), "more bytes than the array has");
    writer.write(std::string_view("\5\6", 2));
    writer.begin("arr_1", "<i8", {2});
    constexpr std::array<int64_t, 2> labels{7, -1};
    writer.write({reinterpret_cast<const char*>(labels.data()), sizeof labels});
    EXPECT_FALSE(is_present(folder / "x.npz"));
    writer.commit();
    const std::string bytes = read_file(folder / "x.npz", 10000);
    EXPECT_EQ(bytes.size(), 660u);
    EXPECT_EQ(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()), 0x445B7AC6u);
}

}  // namespace
}  // namespace ddpm
