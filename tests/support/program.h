#pragma once

// What runs the built program. Most of the time of a short run goes into loading LibTorch (0.3 s), so tests whose subject is not
// the start of the program let ddpm_warm (cli/warm_program.cpp) run it: a process that has loaded everything and forks for each
// run. Whoever needs the executable itself (signals, limits, memory) starts a Process with DDPM_PROGRAM.

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include "support/process.h"
#include "support/warm_request.h"

namespace ddpm {

// Runs the executable to its end.
inline ProcessResult run_executable(std::vector<std::string> arguments, const std::string& folder = ".", unsigned limit = 600) {
    arguments.insert(arguments.begin(), DDPM_PROGRAM);
    return Process(arguments, folder, limit).wait();
}

// The process that runs the program for the tests of this process. Any number of threads may call run().
class WarmProgram {
public:
    static WarmProgram& instance() {
        static WarmProgram program;
        return program;
    }

    WarmProgram(const WarmProgram&) = delete;
    WarmProgram& operator=(const WarmProgram&) = delete;

    ProcessResult run(const std::vector<std::string>& arguments, const std::string& folder, unsigned limit) {
        std::string request(reinterpret_cast<const char*>(&limit), sizeof limit);
        request.append(folder).push_back('\0');
        request.append(DDPM_PROGRAM).push_back('\0');
        for (const std::string& argument : arguments) request.append(argument).push_back('\0');
        if (request.size() > test::kLongestRequest) return run_executable(arguments, folder, limit);

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
    // The program asks for a short GOMP_SPINCOUNT before LibTorch is loaded; so does this.
    WarmProgram() {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair failed");
        const pid_t pid = ::fork();
        if (pid < 0) throw std::runtime_error("fork failed");
        if (pid == 0) {
            ::dup2(ends[1], 0);
            ::setenv("GOMP_SPINCOUNT", "2000", 0);
            ::execl(DDPM_WARM_PROGRAM, DDPM_WARM_PROGRAM, nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        socket_ = ends[0];
    }
    ~WarmProgram() { ::close(socket_); }

    int socket_ = -1;
};

// Runs the program to its end in `folder`. SIGALRM ends it after `limit` seconds.
inline ProcessResult run_ddpm(const std::vector<std::string>& arguments, const std::string& folder = ".", unsigned limit = 600) {
    return WarmProgram::instance().run(arguments, folder, limit);
}

}  // namespace ddpm
