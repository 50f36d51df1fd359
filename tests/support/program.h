#pragma once

// What runs the built program. Most of the time of a short run goes into loading LibTorch (0.3 s), so tests whose subject is not
// the start of the program let ddpm_warm (cli/warm_program.cpp) run it: a process that has loaded everything and forks for each
// run. Whoever needs the executable itself (signals, limits, memory) starts a Process with DDPM_PROGRAM.

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/process.h"
#include "support/warm_request.h"

namespace ddpm {

// A process that runs the program whenever it is told to. Any number of threads may call run().
class WarmProgram {
public:
    // `environment` ("NAME=value") is there when the libraries are loaded. The program itself asks for a short GOMP_SPINCOUNT before
    // that; so does this.
    explicit WarmProgram(const std::vector<std::string>& environment = {}) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
            throw std::runtime_error("socketpair failed");
        const pid_t pid = ::fork();
        if (pid < 0) throw std::runtime_error("fork failed");
        if (pid == 0) {
            ::dup2(ends[1], 0);
            ::setenv("GOMP_SPINCOUNT", "2000", 0);
            for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
            ::execl(DDPM_WARM_PROGRAM, DDPM_WARM_PROGRAM, nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        socket_ = ends[0];
    }
    WarmProgram(const WarmProgram&) = delete;
    WarmProgram& operator=(const WarmProgram&) = delete;
    ~WarmProgram() { ::close(socket_); }

    // Runs the program to its end in `folder`, with `environment` in addition. SIGALRM ends it after `limit` seconds.
    ProcessResult run(const std::vector<std::string>& arguments, const std::string& folder, unsigned limit = 600,
                      const std::vector<std::string>& environment = {}) const {
        std::string request(reinterpret_cast<const char*>(&limit), sizeof limit);
        const auto append = [&](const std::string& word) { request.append(word).push_back('\0'); };
        append(folder);
        for (const std::string& setting : environment) append(setting);
        append("");
        append(DDPM_PROGRAM);
        for (const std::string& argument : arguments) append(argument);

        OutputPipes pipes;
        std::array<int, 2> answer{};
        if (::pipe2(answer.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
        test::send_request(socket_, request, {pipes.out(), pipes.err(), answer[1]});
        pipes.close_ends_of_child();
        ::close(answer[1]);

        ProcessResult result;
        while (pipes.read_some(result)) {
        }
        test::WarmAnswer ended{};
        const bool complete = ::read(answer[0], &ended, sizeof ended) == sizeof ended;
        ::close(answer[0]);
        if (!complete) throw std::runtime_error("ddpm_warm did not answer");
        take_status(result, ended.status, ended.usage);
        return result;
    }

private:
    int socket_ = -1;
};

// Runs the program to its end in `folder`. SIGALRM ends it after `limit` seconds.
inline ProcessResult run_ddpm(const std::vector<std::string>& arguments, const std::string& folder = ".", unsigned limit = 600) {
    static const WarmProgram program;
    return program.run(arguments, folder, limit);
}

}  // namespace ddpm
