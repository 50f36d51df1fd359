#include "ddpm/core/files.h"

#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "support/captured_log.h"
#include "support/errors.h"
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
    EXPECT_SAYS(error_of([&] { write_file(temp / "x", "new"); }, Error::Kind::runtime), ".x.partial: is in the way");
    EXPECT_EQ(read_file(temp / "own", 100), "years of work");
    ASSERT_EQ(::mkfifo((temp / ".y.partial").c_str(), 0600), 0);
    EXPECT_SAYS(error_of([&] { write_file(temp / "y", "new"); }, Error::Kind::runtime), ".y.partial: is in the way");
}

TEST(Files, AResultIsJudgedByWhatItsNameLeadsTo) {
    const TempFolder temp;
    write_file(temp / "config.json", "{}");
    fs::create_symlink("config.json", temp / "x.png");
    EXPECT_SAYS(error_of([&] { check_place("--grid", temp / "x.png", Written::picture); }),
                "x.png (a link): " + (temp / "config.json").string() + ": pictures are written as PNG");
    fs::create_symlink("y.png", temp / "z.png");
    check_place("--grid", temp / "z.png", Written::picture);
    EXPECT_SAYS(error_of([&] { check_places({{"--grid", temp / "y.png"}, {"--plot", temp / "z.png"}}); }),
                "--grid and --plot name the same file");
    fs::create_symlink("b.png", temp / "a.png");
    fs::create_symlink("a.png", temp / "b.png");
    EXPECT_SAYS(error_of([&] { check_place("--grid", temp / "a.png", Written::picture); }), "round in a circle");
    EXPECT_SAYS(error_of([&] { place_of_folder(temp / "a.png"); }), "round in a circle");
}

TEST(Files, WhereNothingMayBeMadeIsSaid) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto refused = [](const std::function<void()>& check) {
        if (::setuid(65534) != 0 && ::geteuid() == 0) ::_exit(4);
        try {
            check();
        } catch (const Error&) {
            ::_exit(3);
        }
        ::_exit(0);
    };
    EXPECT_EXIT(refused([] { check_writable("/"); }), testing::ExitedWithCode(3), "");
    EXPECT_EXIT(refused([] { check_place("--grid", "/x.png", Written::picture); }), testing::ExitedWithCode(3), "");
}

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

TEST(Files, ReadingRefusesWhatIsNotAFileOfThatSize) {
    const TempFolder temp;
    write_file(temp / "x", "12345");
    EXPECT_THROW(read_file(temp / "x", 4), Error);
    EXPECT_EQ(read_file(temp / "x", 5), "12345");
    EXPECT_THROW(read_file(temp / "none", 4), Error);
    EXPECT_THROW(read_file(temp.path(), 4), Error);
    EXPECT_THROW(read_file("/dev/zero", 1000), Error) << "an endless file too";
}

TEST(Files, AFolderAppearsWholeOrNotAtAll) {
    const TempFolder temp;
    {
        StagedFolder staged(temp / "step");
        write_file(staged.path() / "a", "1");
        EXPECT_FALSE(fs::exists(temp / "step"));
    }
    EXPECT_TRUE(fs::is_empty(temp.path()));
    {
        fs::create_directory(temp / "step");
        StagedFolder staged(temp / "step");
        fs::create_directory(staged.path() / "sub");
        write_file(staged.path() / "sub" / "a", "1");
        EXPECT_EQ(staged.commit(false), temp / "step") << "an empty folder is no loss";
    }
    EXPECT_EQ(read_file(temp / "step" / "sub" / "a", 9), "1");
    {
        StagedFolder staged(temp / "step");
        write_file(staged.path() / "b", "2");
        EXPECT_EQ(staged.commit(true), temp / "step");
    }
    EXPECT_TRUE(fs::exists(temp / "step" / "b"));
    EXPECT_FALSE(fs::exists(temp / "step" / "sub"));
    EXPECT_EQ(std::distance(fs::directory_iterator(temp.path()), {}), 1);
}

TEST(Files, AFolderThatCameMeanwhileIsLeftAsItIs) {
    const TempFolder temp;
    for (const char* expected : {"out-2", "out-3"}) {
        StagedFolder staged(temp / "out");
        write_file(staged.path() / "a", "ours");
        make_folders(temp / "out");
        write_file(temp / "out" / "mine", "theirs");
        const CapturedLog log;
        EXPECT_EQ(staged.commit(false), temp / expected);
        EXPECT_NE(log.text().find(expected), std::string::npos) << log.text();
        EXPECT_EQ(read_file(temp / expected / "a", 9), "ours");
    }
    EXPECT_EQ(read_file(temp / "out" / "mine", 9), "theirs");
    write_file(temp / "file", "a file");
    StagedFolder staged(temp / "file");
    EXPECT_EQ(staged.commit(false), temp / "file-2");
}

TEST(Files, AFolderIsMadeByOneAtATime) {
    const TempFolder temp;
    {
        StagedFolder first(temp / "out");
        write_file(first.path() / "a", "1");
        EXPECT_SAYS(error_of([&] { StagedFolder(temp / "out"); }), "another process makes this folder now");
        EXPECT_EQ(read_file(first.path() / "a", 9), "1");
    }
    make_folders(temp / ".out.partial");  // as a kill leaves it
    write_file(temp / ".out.partial" / "old", "1");
    StagedFolder second(temp / "out");
    EXPECT_TRUE(fs::is_empty(second.path()));
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
    write_file(temp / ".x.partial", "as a kill leaves it, and longer");
    write_file(temp / "x", "second");
    EXPECT_EQ(read_file(temp / "x", 9), "second");
}

TEST(Files, AFolderAppearsBehindALink) {
    const TempFolder temp;
    fs::create_directories(temp / "other/deep");
    fs::create_directory_symlink("other/deep", temp / "deep");
    EXPECT_EQ(place_of_folder(temp / "deep/../new"), temp / "other/new") << "as the system reads it";
    fs::create_directory(temp / "real");
    fs::create_directory_symlink("real", temp / "link");
    fs::create_directory_symlink("not-yet", temp / "dangling");
    EXPECT_EQ(place_of_folder(temp / "link"), temp / "real");
    EXPECT_EQ(place_of_folder(temp / "link/"), temp / "real");
    EXPECT_EQ(place_of_folder(temp / "dangling"), temp / "not-yet");
    EXPECT_EQ(place_of_folder("new/"), fs::current_path() / "new");
    EXPECT_SAYS(error_of([] { place_of_folder("."); }), "is the current folder");
    EXPECT_SAYS(error_of([] { place_of_folder(fs::current_path()); }), "is the current folder");
    EXPECT_SAYS(error_of([] { place_of_folder("/proc"); }), "is a mount point");
}

TEST(Files, SweepsWhatAKillLeft) {
    const TempFolder temp;
    fs::create_directory(temp / ".step-1.partial");
    write_file(temp / ".step-1.partial" / "a", "1");
    fs::create_directory(temp / ".step-2.old.partial");
    for (const char* name : {"keep", ".hidden", ".movie.partial", "step-3.partial", ".partial", "..partial"}) write_file(temp / name, "1");
    const auto is_step = [](const std::string& name) { return name.rfind("step-", 0) == 0; };
    EXPECT_EQ(sweep_partial(temp.path(), is_step), 2);
    EXPECT_EQ(list_files(temp.path(), true).size(), 6u);
    EXPECT_EQ(sweep_partial(temp / "none", is_step), 0);
    StagedFolder busy(temp / "step-4");
    EXPECT_EQ(sweep_partial(temp.path(), is_step), 0) << "still being filled";
    EXPECT_TRUE(fs::exists(busy.path()));
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

TEST(Files, AResultGoesNowhereElseThanToAPictureOrATable) {
    const TempFolder folder;
    for (const char* name : {"a.png", "A.PNG"}) EXPECT_NO_THROW(check_place("--plot", folder / name, Written::picture)) << name;
    EXPECT_NO_THROW(check_place("--csv", folder / "a.csv", Written::table));
    for (const char* name : {"config.json", "a.safetensors", "a.jpg", "metrics.jsonl", "a"}) {
        EXPECT_THROW(check_place("--plot", folder / name, Written::picture), Error) << name;
        EXPECT_THROW(check_place("--csv", folder / name, Written::table), Error) << name;
    }
    EXPECT_THROW(check_place("--csv", folder / "a.png", Written::table), Error);
    EXPECT_THROW(check_place("--plot", folder / "none/a.png", Written::picture), Error);
    EXPECT_THROW(check_places({{"--plot", folder / "a.png"}, {"--grid", folder / "b/../a.png"}}), Error);
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
    EXPECT_THROW(check_place("--out", folder / "pipe", Written::table), Error);
}

}  // namespace
}  // namespace ddpm
