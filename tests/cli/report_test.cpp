#include <csignal>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/report_server.h"
#include "cli/tiny.h"
#include "ddpm/core/text.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file, with sample grids and held-out images.
const Tiny& trained() {
    static const Tiny tiny(R"({"dataset": {"holdout": 8}, "train": {"sample_every": 3, "validate_every": 2}})");
    static const bool done = tiny.train().code == 0;
    EXPECT_TRUE(done);
    return tiny;
}

TEST(Report, WritesOnePage) {
    const ProcessResult result = trained().run({"report", "runs/tiny", "--out", "page.html"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_SAYS(result.err, "wrote page.html");
    const std::string html = trained().bytes("page.html");
    EXPECT_SAYS(html, "The run is finished: step 6 of 6.");
    EXPECT_SAYS(html, "The best checkpoint is that of step");
    EXPECT_SAYS(html, "data:image/png;base64,");
    EXPECT_SAYS(html, "Loss on held-out images");
    EXPECT_SAYS(html, "train.learning_rate");
    EXPECT_LT(html.size(), 5'000'000u);
    EXPECT_EQ(trained().run({"report", "runs/tiny", "--out", "page.html"}).code, 0) << "a page of its own is replaced";
}

TEST(Report, ComparesRunsOfOneName) {
    const fs::path folder = trained().folder.path();
    fs::create_directories(folder / "more");
    fs::copy(folder / "runs/tiny", folder / "more/tiny", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    Json config = read_json_file(folder / "more/tiny/config.json");
    config["train"]["learning_rate"] = 0.125;
    write_file(folder / "more/tiny/config.json", dump_json(config));
    const ProcessResult result = trained().run({"report", "runs/tiny", "more/tiny/", "--out", "two.html"});
    ASSERT_EQ(result.code, 0) << result.err;
    const std::string html = trained().bytes("two.html");
    EXPECT_SAYS(html, "<strong>runs/tiny</strong>");
    EXPECT_SAYS(html, "<strong>more/tiny");
    EXPECT_SAYS(html, "What differs");
    EXPECT_SAYS(html, "<td>0.125</td>");
}

// As a kill leaves it: half a line at the end, steps to go.
TEST(Report, TakesARunThatIsNotDone) {
    const fs::path folder = trained().folder.path();
    fs::create_directories(folder / "half");
    fs::copy(folder / "runs/tiny/config.json", folder / "half/config.json");
    ASSERT_EQ(trained().run({"report", "half", "--out", "none.html"}).code, 2) << "a configuration alone is no run";
    std::string text = trained().bytes("runs/tiny/metrics.jsonl");
    size_t end = 0;
    for (int line = 0; line < 3; ++line) end = text.find('\n', end) + 1;
    write_file(folder / "half/metrics.jsonl", text.substr(0, end + 9));
    ASSERT_EQ(trained().run({"report", "half", "--out", "half.html"}).code, 0);
    EXPECT_SAYS(trained().bytes("half.html"), " of 6, and its last line is ");
    EXPECT_SAYS(trained().bytes("half.html"), "There is no checkpoint.");
}

TEST(Report, KnowsTheLoopbackByName) {
    for (const char* host : {"localhost", "LOCALHOST:8017", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8017"})
        EXPECT_TRUE(cli::is_loopback_host(host)) << host;
    for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "localhost:",
                             "localhost:8x", "127.0.0.2", "::1", "[::1", "10.0.0.1:8017", "localhost:80:80", " localhost"})
        EXPECT_FALSE(cli::is_loopback_host(host)) << host;
}

// Sends a request to the loopback address and returns the whole answer.
std::string ask(int port, const std::string& request) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        write_all(socket, request.data(), request.size()) == 0) {
        char buffer[4096];
        for (ssize_t count; (count = ::read(socket, buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<size_t>(count));
    }
    ::close(socket);
    return answer;
}

std::string request(const std::string& line, const std::string& host) {
    return line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}

TEST(Report, WatchServesThePageToThisMachineAlone) {
    Process process({DDPM_PROGRAM, "report", "runs/tiny", "--watch", "--port", "0"}, trained().folder.path());
    if (!process.wait_for_error("Ctrl-C ends this")) {
        const ProcessResult result = process.wait();
        EXPECT_EQ(result.code, 2);
        EXPECT_SAYS(result.err, "built without cpp-httplib");
        GTEST_SKIP() << "built without cpp-httplib";
    }
    const std::string head = "http://127.0.0.1:";
    const int port = std::atoi(process.error().c_str() + process.error().find(head) + head.size());
    ASSERT_GT(port, 0) << process.error();
    const std::string own = "localhost:" + std::to_string(port);

    const std::string page = ask(port, request("GET /", own));
    EXPECT_EQ(page.find("HTTP/1.1 200"), 0u) << page.substr(0, 400);
    EXPECT_SAYS(page, "The run is finished: step 6 of 6.");
    EXPECT_SAYS(page, "data-reload=");
    const std::string only_head = ask(port, request("HEAD /", own));
    EXPECT_EQ(only_head.find("HTTP/1.1 200"), 0u) << only_head;
    EXPECT_EQ(only_head.find("<html"), std::string::npos);
    EXPECT_EQ(ask(port, request("GET /", "evil.example")).find("HTTP/1.1 403"), 0u);
    EXPECT_EQ(ask(port, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n").find("HTTP/1.1 403"), 0u);
    EXPECT_EQ(ask(port, request("DELETE /", own)).find("HTTP/1.1 405"), 0u);
    for (const char* path : {"/runs/tiny/config.json", "/../etc/passwd", "/metrics.jsonl", "/favicon.ico"})
        EXPECT_NE(ask(port, request(std::string("GET ") + path, own)).find("HTTP/1.1 4"), std::string::npos) << path;

    const ProcessResult second = trained().run({"report", "runs/tiny", "--watch", "--port", std::to_string(port)});
    EXPECT_EQ(second.code, 2) << second.err;
    EXPECT_SAYS(second.err, "--port: " + std::to_string(port) + " on 127.0.0.1 is taken");

    process.signal(SIGINT);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace ddpm
