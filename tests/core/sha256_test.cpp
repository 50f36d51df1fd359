#include "ddpm/core/sha256.h"

#include <gtest/gtest.h>

namespace ddpm {
namespace {

// FIPS 180-4 and its examples (NIST), and Python's hashlib.
TEST(Sha256, IsTheStandards) {
    EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnThePieces) {
    std::string text;
    for (int i = 0; i < 300; ++i) text += static_cast<char>(i);
    for (const size_t piece : {1, 55, 56, 63, 64, 65, 299}) {
        Sha256 sum;
        for (size_t at = 0; at < text.size(); at += piece) sum.add(std::string_view(text).substr(at, piece));
        EXPECT_EQ(sum.finish(), "7728ae2f2c36e2aaafbe79ca14c87ae2f89e7c88c4390ecbbf82dce88706958d") << piece;
    }
}

}  // namespace
}  // namespace ddpm
