#include "ddpm/core/files.h"

#include <csignal>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "support/errors.h"
#include "support/nobody.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

TEST(Files, WritesWholeAndReadsBack) {
    const TempFolder temp;
    const std::string bytes("a\0b\n", 4);
    write_file(temp / "x", bytes);
    write_file(temp / "x", bytes + "more");
    EXPECT_EQ(read_file(temp / "x", 100), bytes + "more");
    EXPECT_EQ(list_files(temp.path(), true).size(), 1u) << "nothing else is left";
}

TEST(Files, AnUncommittedFileLeavesTheOldOne) {
    const TempFolder temp;
    write_file(temp / "x", "old");
    {
        FileWriter writer(temp / "x");
        writer.write("new", 3);
    }
    EXPECT_EQ(read_file(temp / "x", 100), "old");
    EXPECT_EQ(list_files(temp.path(), true).size(), 1u);
}

TEST(Files, AReplacedFileKeepsItsMode) {
    const TempFolder temp;
    const auto mode = [&](const char* name) {
        struct stat status {};
        EXPECT_EQ(::stat((temp / name).c_str(), &status), 0);
        return status.st_mode & 07777;
    };
    const mode_t mask = ::umask(022);
    write_file(temp / "x", "new");
    EXPECT_EQ(mode("x"), 0644u);
    for (const mode_t kept : {0600u, 0664u, 0444u}) {
        ASSERT_EQ(::chmod((temp / "x").c_str(), kept), 0);
        write_file(temp / "x", "replaced");
        EXPECT_EQ(mode("x"), kept);
    }
    if (::geteuid() == 0) {  // only root may give files away
        ASSERT_EQ(::chown((temp / "x").c_str(), 12345, 54321), 0);
        write_file(temp / "x", "replaced");
        struct stat status {};
        ASSERT_EQ(::stat((temp / "x").c_str(), &status), 0);
        EXPECT_TRUE(status.st_uid == 12345 && status.st_gid == 54321);
    }
    ::umask(mask);
}

TEST(Files, TakeManyPiecesAndAChangeOfMind) {
    const TempFolder temp;
    std::string expected;
    FileWriter writer(temp / "x");
    for (int i = 0; i < 40; ++i) {  // smaller and larger than what goes to the disk at once
        const std::string piece(i % 7 == 3 ? 1'500'000 : 90'000, static_cast<char>('a' + i % 26));
        writer.write(piece.data(), piece.size());
        expected += piece;
    }
    writer.overwrite(100'000, "HERE");
    expected.replace(100'000, 4, "HERE");
    writer.write("end", 3);
    expected += "end";
    writer.commit();
    EXPECT_TRUE(read_file(temp / "x", 1u << 30) == expected);
}

TEST(Files, WhatIsNoFileIsNotWrittenThrough) {
    const TempFolder temp;
    write_file(temp / "own", "years of work");
    fs::create_symlink("own", temp / ".x.partial");
    EXPECT_SAYS(error_of([&] { write_file(temp / "x", "new"); }), ".x.partial: is in the way");
    EXPECT_EQ(read_file(temp / "own", 100), "years of work");
    ASSERT_EQ(::mkfifo((temp / ".y.partial").c_str(), 0600), 0);
    EXPECT_SAYS(error_of([&] { write_file(temp / "y", "new"); }), ".y.partial: is in the way");
    make_folders(temp / ".z.partial");
    EXPECT_SAYS(error_of([&] { write_file(temp / "z", "new"); }), ".z.partial: is in the way");
    for (const char* name : {"x", "y", "z"}) EXPECT_SAYS(error_of([&] { check_partial_file(temp / name); }), "and no file");
}

TEST(Files, WhereNothingMayBeMadeIsSaid) {
    expect_refused_to_nobody([] { check_writable("/"); });
}

TEST(Files, ADetourThroughWhatIsNotThereIsLeftOut) {
    const TempFolder temp;
    fs::create_directories(temp / "real/deep");
    fs::create_directory_symlink("real/deep", temp / "link");
    const fs::path here = temp.path();
    const std::pair<fs::path, fs::path> cases[] = {{here / "x/../y", here / "y"},
                                                   {here / "x/z/../../y", here / "y"},
                                                   {here / "x/../y/../z", here / "z"},
                                                   {here / "real/../y", here / "real/../y"},
                                                   {here / "link/../y", here / "link/../y"},
                                                   {here / "y", here / "y"},
                                                   {"none-here/../y", "y"},
                                                   {"none-here/..", "."},
                                                   {"../y", "../y"},
                                                   {"./none-here/../y", "./y"},
                                                   {"", ""}};
    for (const auto& [given, expected] : cases) EXPECT_EQ(without_detours(given), expected) << given;
}

TEST(Files, AFolderBehindALinkToNothingIsMadeThere) {
    const TempFolder temp;
    fs::create_symlink("deep/er", temp / "link");
    make_folders(temp / "link");
    EXPECT_TRUE(fs::is_directory(temp / "deep/er") && fs::is_symlink(temp / "link"));
    fs::create_symlink("b", temp / "a");
    fs::create_symlink("a", temp / "b");
    fs::create_symlink("c/d", temp / "c");
    for (const char* name : {"a", "a/x", "c", "c/x"})
        EXPECT_SAYS(error_of([&] { make_folders(temp / name); }), "round in a circle");
}

TEST(Files, WhereNothingCanBeMadeIsSaidBefore) {
    const TempFolder temp;
    write_file(temp / "file", "1");
    EXPECT_EQ(error_of([&] { check_can_make(temp / "a/b/c"); }), "no error");
    EXPECT_SAYS(error_of([&] { check_can_make(temp / "file/b/c"); }), "file: exists and is not a folder");
    EXPECT_SAYS(error_of([&] { write_file(temp / "none/x", "1"); }), "none/x: can't write: No such file");
    expect_refused_to_nobody([] { check_can_make("/a/b/c"); });
    for (const char* name : {"/x", "/proc/x"}) expect_refused_to_nobody([&] { write_file(name, "1"); });
}

TEST(Files, ReadingRefusesWhatIsNotAFileOfThatSize) {
    const TempFolder temp;
    write_file(temp / "x", "12345");
    EXPECT_THROW(read_file(temp / "x", 4), Error);
    EXPECT_EQ(read_file(temp / "x", 5), "12345");
    EXPECT_THROW(read_file(temp / "none", 4), Error);
    EXPECT_THROW(read_file(temp.path(), 4), Error);
    EXPECT_THROW(read_file("/dev/zero", 1000), Error) << "an endless file too";
}

TEST(Files, AFileIsWrittenByOneAtATime) {
    const TempFolder temp;
    {
        FileWriter first(temp / "x");
        first.write("first", 5);
        EXPECT_SAYS(error_of([&] { FileWriter(temp / "x"); }, Error::Kind::runtime), "another process writes this file now");
        first.commit();
    }
    EXPECT_EQ(read_file(temp / "x", 9), "first");
    const pid_t killed = ::fork();
    if (killed == 0) {
        FileWriter writer(temp / "x");
        writer.write("as a kill leaves it, and longer", 31);
        writer.overwrite(0, "A");  // writes the pieces that were gathered
        ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(killed, nullptr, 0);
    EXPECT_EQ(fs::file_size(temp / ".x.partial"), 31u);
    check_partial_file(temp / "x");
    write_file(temp / "x", "second");
    EXPECT_EQ(read_file(temp / "x", 9), "second");
    EXPECT_FALSE(is_present(temp / ".x.partial"));
}

TEST(Files, SomebodysOwnPartialFileIsNotTakenOver) {
    const TempFolder temp;
    write_file(temp / ".x.partial", "years of work");
    EXPECT_SAYS(error_of([&] { write_file(temp / "x", "new"); }),
                ".x.partial: is in the way, and this program has not left it there");
    EXPECT_SAYS(error_of([&] { check_partial_file(temp / "x"); }), ".x.partial: is in the way");
    EXPECT_EQ(read_file(temp / ".x.partial", 100), "years of work");
    EXPECT_FALSE(is_present(temp / "x"));
}

TEST(Files, TellWhatIsThere) {
    const TempFolder temp;
    write_file(temp / "file", "1");
    fs::create_symlink("file", temp / "link");
    fs::create_symlink("none", temp / "dangling");
    EXPECT_TRUE(is_present(temp / "link") && is_file(temp / "link") && !is_folder(temp / "link"));
    EXPECT_TRUE(is_present(temp.path()) && is_folder(temp.path()) && !is_file(temp.path()));
    EXPECT_FALSE(is_present(temp / "dangling") || is_present(temp / "file/below") || is_file("") || is_special(temp / "none"));
    EXPECT_EQ(own_type(temp / "dangling"), fs::file_type::symlink);
    EXPECT_EQ(own_type(temp / "none"), fs::file_type::not_found);
    EXPECT_TRUE(is_special("/dev/null") && !is_special(temp / "file"));
    EXPECT_EQ(behind_links(temp / "dangling"), temp / "none");
    EXPECT_EQ(folder_of("name"), ".");
}

TEST(Files, WhatCannotBeListedIsNotEmpty) {
    const TempFolder temp;
    EXPECT_TRUE(entries_of(temp / "none").empty());
    fs::create_symlink("loop", temp / "loop");
    EXPECT_THROW(entries_of(temp / "loop"), Unreadable);
    write_file(temp / "b", "1");
    EXPECT_EQ(entries_of(temp.path()), (std::vector<fs::path>{temp / "b", temp / "loop"}));
}

TEST(Files, ListsRecursivelyInOrderWithoutFollowingLoops) {
    const TempFolder temp;
    make_folders(temp / "b" / "c");
    write_file(temp / "b" / "c" / "2", "");
    write_file(temp / "a", "");
    fs::create_directory_symlink(temp.path(), temp / "b" / "loop");
    const auto all = list_files(temp.path(), true);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0], temp / "a");
    EXPECT_EQ(list_files(temp.path(), false).size(), 1u);
    EXPECT_THROW(make_folders(temp / "a"), Error);
    EXPECT_THROW(make_folders(temp / "a" / "x"), Error);
}

TEST(Files, ALinkStaysOneAndADeviceIsRefused) {
    const TempFolder folder;
    write_file(folder / "real.txt", "old");
    fs::create_symlink("real.txt", folder / "link.txt");
    write_file(folder / "link.txt", "new");
    EXPECT_TRUE(fs::is_symlink(folder / "link.txt"));
    EXPECT_EQ(read_file(folder / "real.txt", 10), "new");
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_THROW(write_file(folder / "pipe", "new"), Error);
    EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
}

}  // namespace
}  // namespace ddpm
