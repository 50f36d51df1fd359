// The bytes of the events are those that the protocol buffers of tensorboard 2.21 make of the same messages.

#include "ddpm/report/event_file.h"

#include <cmath>
#include <csignal>

#include <sys/resource.h>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/files.h"
#include "support/captured_log.h"
#include "support/event_reader.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
    return text;
}

TEST(EventFile, ChecksumsAreCastagnolis) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283);
    EXPECT_EQ(masked_crc32c("123456789"), 0xC78AB0E5);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AA) << "RFC 3720, B.4";
    EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43);
    EXPECT_EQ(crc32c(""), 0u);
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(crc32c(bytes), test::slow_crc32c(bytes));
        bytes += static_cast<char>(i * 37);
    }
}

TEST(EventFile, RecordsAreFramed) { EXPECT_EQ(hex(event_record("abc")), "0300000000000000b099490e6162636e57f121"); }

TEST(EventFile, EventsHaveTheBytesOfProtocolBuffers) {
    EXPECT_EQ(hex(version_event(1.5)), "09000000000000f83f1a0d627261696e2e4576656e743a32");
    EXPECT_EQ(hex(restart_event(1.5, 300)), "09000000000000f83f10ac023a020801");
    EXPECT_EQ(hex(scalars_event(1.5, 3, {{"a", 0.25}})), "09000000000000f83f10032a0a0a080a0161150000803e");
    EXPECT_EQ(hex(scalars_event(1.5, 300, {{"train/loss", 0.1}, {"b", std::nan("")}})),
              "09000000000000f83f10ac022a1d0a110a0a747261696e2f6c6f737315cdcccc3d0a080a0162150000c07f");
    EXPECT_EQ(hex(image_event(1.5, 3, {"s", 5, 200, 3, "png"})),
              "09000000000000f83f10032a130a110a0173220c080510c80118032203706e67");
}

TEST(EventFile, GivesBackWhatWasWritten) {
    TempFolder folder;
    const fs::path path = folder / "events";
    const std::string png(70'000, '\x89');  // a length of three bytes
    EventFile file(path);
    file.append(restart_event(2.5, 1));
    for (int64_t step = 1; step <= 300; ++step)
        file.append(scalars_event(100.0 + static_cast<double>(step), step,
                                  {{"train/loss", 1.0 / static_cast<double>(step)}, {"x", -1e30}}));
    file.append(image_event(3.5, int64_t{1} << 40, {"samples", 70, 300, 3, png}));
    const std::vector<test::ReadEvent> events = test::read_events(path);  // the file is still open
    ASSERT_EQ(events.size(), 303u);
    EXPECT_EQ(events[0].version, "brain.Event:2");
    EXPECT_GT(events[0].wall_time, 1.7e9);
    EXPECT_TRUE(events[1].restarts);
    for (int64_t step = 1; step <= 300; ++step) {
        const test::ReadEvent& event = events[static_cast<size_t>(step) + 1];
        EXPECT_EQ(event.step, step);
        EXPECT_EQ(event.wall_time, 100.0 + static_cast<double>(step));
        EXPECT_EQ(event.scalars.at("train/loss"), static_cast<float>(1.0 / static_cast<double>(step)));
        EXPECT_EQ(event.scalars.at("x"), -1e30f);
    }
    const test::ReadEvent::Picture& picture = events.back().pictures.at("samples");
    EXPECT_EQ(events.back().step, int64_t{1} << 40);
    EXPECT_EQ(picture.height, 70u);
    EXPECT_EQ(picture.width, 300u);
    EXPECT_EQ(picture.channels, 3u);
    EXPECT_EQ(picture.png, png);
}

TEST(EventFile, ATornTailCostsOneEvent) {
    TempFolder folder;
    const fs::path path = folder / "events";
    {
        EventFile file(path);
        file.append(scalars_event(1, 1, {{"a", 1}}));
        file.append(scalars_event(1, 2, {{"a", 2}}));
    }
    const std::string whole = read_file(path, 10'000);
    const size_t last = event_record(scalars_event(1, 2, {{"a", 2}})).size();
    for (size_t left = 0; left < last; ++left) {
        write_file(path, whole.substr(0, whole.size() - last + left));
        EXPECT_EQ(test::read_events(path).size(), 2u) << left;
    }
}

// A disk that is full for a while costs no event, and no half of one stays in the file. An event of more than the MiB that may wait,
// as a large picture is one, is written too.
TEST(EventFile, WaitsWhileItCannotBeWritten) {
    TempFolder folder;
    const fs::path path = folder / "events";
    EventFile file(path);
    const CapturedLog log;
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = fs::file_size(path) + 9;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    file.append(scalars_event(1, 1, {{"a", 1}}));
    file.append(scalars_event(1, 2, {{"a", 2}}));
    EXPECT_EQ(test::read_events(path).size(), 1u);
    EXPECT_EQ(fs::file_size(path), small.rlim_cur - 9) << "what was written in part is cut off";
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, ignored);
    file.append(image_event(1, 3, {"s", 1, 1, 1, std::string(3 << 20, 'x')}));
    file.append(scalars_event(1, 4, {{"a", 4}}));
    std::vector<int64_t> steps;
    for (const test::ReadEvent& event : test::read_events(path)) steps.push_back(event.step);
    // The picture found no room beside the events that waited.
    EXPECT_EQ(steps, (std::vector<int64_t>{0, 1, 2, 4}));
    EXPECT_NE(log.text().find("can be written again; 1 events were lost"), std::string::npos) << log.text();
    file.append(image_event(1, 5, {"s", 1, 1, 1, std::string(3 << 20, 'x')}));
    EXPECT_EQ(test::read_events(path).back().pictures.at("s").png.size(), size_t{3} << 20);
}

TEST(EventFile, ThatCannotBeMadeIsAnError) {
    TempFolder folder;
    EXPECT_ANY_THROW(EventFile(folder / "no folder" / "events"));
}

}  // namespace
}  // namespace ddpm
