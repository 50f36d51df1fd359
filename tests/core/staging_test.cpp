#include "ddpm/core/staging.h"

#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "support/captured_log.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

std::vector<std::string> names(const fs::path& folder) {
    std::vector<std::string> all;
    for (const fs::path& entry : entries_of(folder)) all.push_back(entry.filename().string());
    return all;
}

TEST(Staging, AFolderAppearsWholeOrNotAtAll) {
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

TEST(Staging, AFolderThatCameMeanwhileIsLeftAsItIs) {
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

TEST(Staging, AFolderIsMadeByOneAtATime) {
    const TempFolder temp;
    {
        StagedFolder first(temp / "out");
        write_file(first.path() / "a", "1");
        EXPECT_SAYS(error_of([&] { StagedFolder(temp / "out"); }), "another process makes this folder now");
        EXPECT_EQ(read_file(first.path() / "a", 9), "1");
    }
    make_folders(temp / ".out.partial");  // as a kill leaves it
    write_file(temp / ".out.partial" / "old", "1");
    write_file(temp / ".out.lock.partial", "");
    {
        StagedFolder second(temp / "out");
        EXPECT_TRUE(fs::is_empty(second.path()));
        EXPECT_EQ(second.commit(false), temp / "out");
    }
    EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"out"}));
}

TEST(Staging, SomebodysOwnFolderOfThatNameIsRefused) {
    for (const std::string name : {".out.partial", ".out.old.partial"})
        for (const bool folder : {true, false}) {
            const TempFolder temp;
            if (folder) make_folders(temp / name);
            write_file(folder ? temp / name / "thesis" : temp / name, "years of work");
            for (int times = 0; times < 2; ++times)  // a refusal leaves nothing that a second one could take for its own
                EXPECT_SAYS(error_of([&] { StagedFolder(temp / "out"); }), name + ": is in the way");
            EXPECT_EQ(read_file(folder ? temp / name / "thesis" : temp / name, 99), "years of work");
            EXPECT_EQ(names(temp.path()), (std::vector<std::string>{name}));
        }
}

// Without an exchange of names a kill can come between two renames.
TEST(Staging, WhatAKillLeftMovedAsideIsBackAgain) {
    for (const bool swept : {false, true}) {
        const TempFolder temp;
        for (const char* name : {".out.old.partial", ".out.partial"}) make_folders(temp / name);
        write_file(temp / ".out.old.partial" / "a", "old");
        write_file(temp / ".out.partial" / "a", "new");
        write_file(temp / ".out.lock.partial", "");
        if (swept)
            EXPECT_EQ(sweep_partial(temp.path(), [](const std::string& name) { return name == "out"; }), 1);
        else
            StagedFolder(temp / "out");
        EXPECT_EQ(read_file(temp / "out" / "a", 9), "old");
        EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"out"}));
        // Where the new one had its name already, the old one goes.
        make_folders(temp / ".out.old.partial");
        write_file(temp / ".out.lock.partial", "");
        if (swept)
            EXPECT_EQ(sweep_partial(temp.path(), [](const std::string& name) { return name == "out"; }), 1);
        else
            StagedFolder(temp / "out");
        EXPECT_EQ(names(temp.path()), (std::vector<std::string>{"out"}));
    }
}

TEST(Staging, AFolderThatCannotBeListedIsLetGo) {
    const TempFolder temp;
    make_folders(temp / ".out.partial");  // as a kill leaves it
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::dup(0);
    ASSERT_GE(next, 0);
    ::close(next);
    const struct rlimit one_more { static_cast<rlim_t>(next) + 1, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
    EXPECT_THROW(StagedFolder(temp / "out"), Unreadable) << "the folder itself took the last descriptor";
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_NO_THROW(StagedFolder(temp / "out")) << "and holds no lock any more";
}

TEST(Staging, AFolderAppearsBehindALink) {
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
    fs::create_symlink("b", temp / "a");
    fs::create_symlink("a", temp / "b");
    EXPECT_SAYS(error_of([&] { place_of_folder(temp / "a"); }), "round in a circle");
    EXPECT_SAYS(error_of([] { place_of_folder(fs::current_path()); }), "is the current folder");
    EXPECT_SAYS(error_of([] { place_of_folder("/proc"); }), "is a mount point");
}

TEST(Staging, SweepsNothingOfSomebodysOwn) {
    const TempFolder temp;
    for (const char* name : {".a.partial", ".b.old.partial"}) {
        make_folders(temp / name);
        write_file(temp / name / "thesis", "years of work");
    }
    for (const char* name : {".c.partial", ".d.partial", ".e.partial"}) write_file(temp / name, "text");
    fs::permissions(temp / ".d.partial", fs::perms::sticky_bit, fs::perm_options::add);  // as a kill leaves it
    write_file(temp / ".e.partial", "");
    make_folders(temp / ".f.partial");
    const auto all = [](const std::string&) { return true; };
    const CapturedLog log;
    EXPECT_EQ(sweep_partial(temp.path(), all), 3) << "marked, empty, empty";
    EXPECT_EQ(names(temp.path()), (std::vector<std::string>{".a.partial", ".b.old.partial", ".c.partial"}));
    EXPECT_SAYS(log.text(), ".c.partial: is named like something half-written");
    EXPECT_EQ(sweep_partial(temp.path(), all, [](const fs::path& folder) { return folder.filename() == ".a.partial"; }), 1);
    EXPECT_EQ(names(temp.path()), (std::vector<std::string>{".b.old.partial", ".c.partial"}));
}

TEST(Staging, SweepsWhatAKillLeft) {
    const TempFolder temp;
    fs::create_directory(temp / ".step-1.partial");
    write_file(temp / ".step-1.partial" / "a", "1");
    write_file(temp / ".step-1.lock.partial", "");
    fs::create_directory(temp / ".step-2.old.partial");
    for (const char* name : {"keep", ".hidden", ".movie.partial", "step-3.partial", ".partial", "..partial"})
        write_file(temp / name, "1");
    const auto is_step = [](const std::string& name) { return name.rfind("step-", 0) == 0; };
    EXPECT_EQ(sweep_partial(temp.path(), is_step), 1);
    EXPECT_TRUE(fs::exists(temp / "step-2")) << "moved aside and not replaced";
    EXPECT_EQ(list_files(temp.path(), true).size(), 6u);
    EXPECT_EQ(sweep_partial(temp / "none", is_step), 0);
    StagedFolder busy(temp / "step-4");
    EXPECT_EQ(sweep_partial(temp.path(), is_step), 0) << "still being filled";
    EXPECT_TRUE(fs::exists(busy.path()));
}

}  // namespace
}  // namespace ddpm
