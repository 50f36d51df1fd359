#include "ddpm/core/locks.h"

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

TEST(FolderWatch, TellsWhereAFolderHasGone) {
    const TempFolder temp;
    fs::create_directory(temp / "run");
    fs::create_symlink("run", temp / "link");
    const FolderWatch watch(temp / "run"), by_link(temp / "link");
    EXPECT_TRUE(watch.is_in_place() && by_link.is_in_place());
    fs::rename(temp / "run", temp / "moved");
    EXPECT_FALSE(watch.is_in_place() || by_link.is_in_place());
    EXPECT_TRUE(fs::equivalent(watch.place().value(), temp / "moved"));
    fs::create_directory(temp / "run");
    EXPECT_FALSE(watch.is_in_place()) << "another one";
    fs::remove(temp / "moved");
    EXPECT_EQ(watch.place(), std::nullopt);
}

TEST(FolderLock, IsForOneAtATime) {
    const TempFolder temp;
    {
        const FolderLock lock(temp.path());
        try {
            const FolderLock second(temp.path());
            FAIL();
        } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).rfind(temp.path().string() + ": another process is at work in this folder", 0), 0u)
                << error.what();
        }
    }
    const FolderLock again(temp.path());
    EXPECT_THROW(FolderLock(temp / "none"), Error);
}

}  // namespace
}  // namespace ddpm
