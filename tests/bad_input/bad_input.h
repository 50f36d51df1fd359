#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace ddpm::test {

// A case of wrong input, and words of the message that the program must print.
struct BadInput {
    std::string name;
    std::vector<std::string> arguments;                  // of the program, which runs in a folder of its own
    std::vector<std::string> words;                      // the message must hold all of them
    std::function<void(const fs::path& folder)> make{};  // makes the files that the arguments name
    bool prints = false;                                 // it prints something before the error, as `ddpm data` its report
};

// Returns every name below the folder, with the sizes of files. It does not follow links.
inline std::vector<std::string> snapshot(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (fs::recursive_directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored)) {
        std::string name = entry->path().string();
        if (entry->symlink_status(ignored).type() == fs::file_type::regular)
            name.append(" ").append(std::to_string(entry->file_size(ignored)));
        names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

// Expects of every case: exit code 2, one line on standard error (two with a hint), nothing on standard output, no files left
// behind, and at most kMemory bytes more than a program that does nothing. After kSeconds it ends a program that waits for ever.
// Two cases run at a time.
inline void expect_refusals(const std::vector<BadInput>& cases) {
    [[maybe_unused]] constexpr int64_t kMemory = 160 << 20;
    constexpr unsigned kSeconds = 300;
    struct Outcome {
        ProcessResult result;
        bool left_nothing = false;
    };
    testing::Test::RecordProperty("cases", static_cast<int>(cases.size()));
    [[maybe_unused]] const int64_t idle = run_ddpm({"--version"}).peak_bytes;
    std::vector<Outcome> outcomes(cases.size());
    std::atomic<size_t> next{0};
    const auto work = [&] {
        for (size_t i; (i = next++) < cases.size();) {
            const TempFolder folder;
            if (cases[i].make) cases[i].make(folder.path());
            const std::vector<std::string> before = snapshot(folder.path());
            outcomes[i].result = run_ddpm(cases[i].arguments, folder.path(), kSeconds);
            outcomes[i].left_nothing = snapshot(folder.path()) == before;
        }
    };
    std::thread first(work), second(work);
    first.join();
    second.join();
    for (size_t i = 0; i < cases.size(); ++i) {
        const ProcessResult& result = outcomes[i].result;
        SCOPED_TRACE(cases[i].name + ": " + result.err);
        EXPECT_EQ(result.code, 2);
        EXPECT_EQ(result.err.rfind("error: ", 0), 0u);
        EXPECT_EQ(result.error_lines(), result.err.find("\nhint: ") == std::string::npos ? 1 : 2);
        EXPECT_EQ(result.out.empty(), !cases[i].prints) << result.out;
        for (const std::string& word : cases[i].words) EXPECT_NE(result.err.find(word), std::string::npos) << word;
        EXPECT_TRUE(outcomes[i].left_nothing) << "something was left behind";
#ifndef __SANITIZE_ADDRESS__
        EXPECT_LE(result.peak_bytes, idle + kMemory);
#endif
    }
}

inline std::function<void(const fs::path&)> file(const std::string& name, const std::string& bytes) {
    return [=](const fs::path& folder) {
        fs::create_directories((folder / name).parent_path());
        write_file(folder / name, bytes);
    };
}

}  // namespace ddpm::test
