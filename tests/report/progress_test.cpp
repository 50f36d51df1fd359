#include "ddpm/report/progress.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "ddpm/report/log.h"

namespace ddpm {
namespace {

// A console that writes into a temporary file, and a clock that is set by hand.
struct Stage {
    explicit Stage(bool terminal) : console(file, terminal, [this] { return columns; }) {}
    ~Stage() { std::fclose(file); }

    std::string written() {
        std::string text(static_cast<size_t>(std::ftell(file)), '\0');
        std::rewind(file);
        EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
        return text;
    }
    Progress progress(int64_t total, int64_t start = 0) {
        return Progress("training", total, "steps", start, console, [this] { return now; });
    }

    std::FILE* file = std::tmpfile();
    int columns = 80;
    double now = 1000;
    Console console;
};

int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
    return found;
}

int characters(const std::string& text) {
    return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(Duration, ReadsLikeAPersonWouldSayIt) {
    EXPECT_EQ(format_duration(0.44), "0.4 s");
    EXPECT_EQ(format_duration(9.96), "10 s");
    EXPECT_EQ(format_duration(59.6), "1 min 00 s");
    EXPECT_EQ(format_duration(185), "3 min 05 s");
    EXPECT_EQ(format_duration(3599.7), "1 h 00 min");
    EXPECT_EQ(format_duration(2 * 3600 + 7 * 60), "2 h 07 min");
    EXPECT_EQ(format_duration(24 * 3600 - 1), "1 d 00 h");
    EXPECT_EQ(format_duration(76 * 3600), "3 d 04 h");
    EXPECT_EQ(format_duration(1e300), "very long");
    EXPECT_EQ(format_duration(-1), "0.0 s");
}

TEST(ProgressLine, TellsCountShareTimeAndDetails) {
    const ProgressState state{"training", "steps", 0, 420, 1000, 58, "loss 0.031"};
    EXPECT_EQ(progress_line(state), "training 420/1,000 steps (42%), 1 min 20 s left, loss 0.031");
}

TEST(ProgressLine, JudgesAResumedRunByThisSessionAlone) {
    // 10 of the 100 steps were made now, in 20 s: the 900 that are left take 1800 s, not 900·20/1100.
    const ProgressState state{"training", "steps", 1000, 1010, 1910, 20, ""};
    EXPECT_DOUBLE_EQ(state.rate(), 0.5);
    EXPECT_DOUBLE_EQ(state.seconds_left(), 1800);
    EXPECT_EQ(progress_line(state), "training 1,010/1,910 steps (52%), 30 min 00 s left");
}

TEST(ProgressLine, PromisesNothingBeforeTheFirstStepAndNeverSays100Early) {
    EXPECT_EQ(progress_line({"training", "steps", 7, 7, 10, 3, ""}), "training 7/10 steps (70%)");
    EXPECT_EQ(progress_line({"training", "steps", 0, 999, 1000, 999, ""}), "training 999/1,000 steps (99%), 1.0 s left");
    EXPECT_EQ(progress_line({"training", "steps", 0, 1000, 1000, 999, ""}), "training 1,000/1,000 steps (100%), in 16 min 39 s");
    EXPECT_EQ(progress_line({"reading", "images", 0, 0, 0, 0, ""}), "reading 0/0 images (0%)");
}

TEST(ProgressBar, FillsToAnEighthOfACell) {
    const ProgressState half{"sampling", "images", 0, 5, 16, 1, ""};
    EXPECT_EQ(progress_bar(half, 200), "sampling  31% ▕███████▌                ▏ 5/16 images, 2.2 s left");
}

TEST(ProgressBar, NeverReachesTheLastColumn) {
    const ProgressState state{"training", "steps", 0, 420, 1000, 58, "loss 0.031, gradient norm 0.52, 787 images/s"};
    for (int columns = 1; columns < 140; ++columns) EXPECT_LE(characters(progress_bar(state, columns)), columns - 1);
    EXPECT_EQ(progress_bar(state, 40), "training  42% 420/1,000 steps, 1 min 20");
}

TEST(Progress, WritesPlainLinesAfter2SecondsAndThenEvery10) {
    Stage stage(false);
    Progress progress = stage.progress(1000);
    for (int step = 1; step <= 300; ++step) {
        stage.now += 0.1;
        progress.update(step);
    }
    progress.finish("trained in 30 s");
    const std::string text = stage.written();
    EXPECT_EQ(count(text, "\n"), 4) << text;  // at 2, 12 and 22 s, and the closing line
    EXPECT_EQ(count(text, "\x1b"), 0);
    EXPECT_NE(text.find("training 20/1,000 steps (2%), 1 min 38 s left\n"), text.npos) << text;
    EXPECT_TRUE(text.ends_with("trained in 30 s\n"));
}

TEST(Progress, RedrawsOneLineOnATerminalTenTimesASecond) {
    Stage stage(true);
    {
        Progress progress = stage.progress(1000);
        for (int step = 1; step <= 1000; ++step) {
            stage.now += 0.001;
            progress.update(step);
        }
        progress.finish("done");
    }
    const std::string text = stage.written();
    EXPECT_LE(count(text, "\r"), 12);
    EXPECT_GE(count(text, "\r"), 10);
    EXPECT_EQ(count(text, "\n"), 1);
    EXPECT_TRUE(text.ends_with("\r\x1b[Kdone\n"));
}

TEST(Progress, StaysReadableWhenItEndsWithoutFinish) {
    Stage stage(true);
    {
        Progress progress = stage.progress(10);
        stage.now += 1;
        progress.update(3);
    }
    EXPECT_TRUE(stage.written().ends_with("3/10 steps\n")) << stage.written();
}

// A first step that takes a minute says nothing of those that follow.
TEST(Progress, ForetellsNothingFromTheFirstStep) {
    Stage stage(true);
    {
        Progress progress = stage.progress(10);
        stage.now += 60;
        progress.update(1);
        EXPECT_EQ(stage.written().find("left"), std::string::npos);
        stage.now += 1;
        progress.update(3);
    }
    EXPECT_TRUE(stage.written().ends_with("3/10 steps, 3.5 s left\n")) << stage.written();
}

TEST(Progress, IsSilentWhenTheLogIsQuiet) {
    const auto before = spdlog::default_logger();
    start_log(Verbosity::quiet);
    for (const bool terminal : {false, true}) {
        Stage stage(terminal);
        Progress progress = stage.progress(10);
        stage.now += 100;
        progress.update(3);
        progress.finish("done");
        EXPECT_EQ(stage.written(), "");
    }
    spdlog::set_default_logger(before);
}

TEST(Console, PrintsLinesAboveTheStatusLine) {
    Stage stage(true);
    stage.console.set_status("42%");
    stage.console.print("checkpoint written");
    stage.console.set_status("43%");
    EXPECT_EQ(stage.written(), "\r\x1b[K42%\r\x1b[Kcheckpoint written\n42%\r\x1b[K43%");
}

TEST(Console, HasNoStatusLineInAFile) {
    Stage stage(false);
    stage.console.set_status("42%");
    stage.console.print("checkpoint written");
    stage.console.keep_status();
    EXPECT_EQ(stage.written(), "checkpoint written\n");
}

TEST(Log, IsPlainAndKeepsToItsVerbosity) {
    const auto before = spdlog::default_logger();
    const auto lines = [](Verbosity verbosity) {
        start_log(verbosity);
        ::testing::internal::CaptureStderr();
        spdlog::debug("a detail of {}", 1);
        spdlog::info("reading pictures");
        spdlog::warn("x.png is broken");
        spdlog::error("no pictures");
        return ::testing::internal::GetCapturedStderr();
    };
    EXPECT_EQ(lines(Verbosity::quiet), "warning: x.png is broken\nerror: no pictures\n");
    EXPECT_EQ(lines(Verbosity::normal), "reading pictures\nwarning: x.png is broken\nerror: no pictures\n");
    EXPECT_EQ(lines(Verbosity::verbose), "a detail of 1\nreading pictures\nwarning: x.png is broken\nerror: no pictures\n");
    spdlog::set_default_logger(before);
}

}  // namespace
}  // namespace ddpm
