#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ddpm {

struct ProcessResult {
    int code = -1;  // exit code, or 128 + signal
    std::string out, err;
    int64_t peak_bytes = 0;  // the peak of resident memory

    // Returns the number of lines on standard error.
    int error_lines() const {
        int lines = 0;
        for (char c : err) lines += c == '\n';
        return lines;
    }
};

// Two pipes that a child process writes to as its standard output and error.
class OutputPipes {
public:
    OutputPipes() {
        if (::pipe2(out_.data(), O_CLOEXEC) != 0 || ::pipe2(err_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    }
    OutputPipes(const OutputPipes&) = delete;
    OutputPipes& operator=(const OutputPipes&) = delete;
    ~OutputPipes() {
        ::close(out_[0]);
        ::close(err_[0]);
    }

    int out() const { return out_[1]; }
    int err() const { return err_[1]; }

    // To be called once by the parent, when the child has its ends.
    void close_ends_of_child() const {
        ::close(out_[1]);
        ::close(err_[1]);
    }

    // Reads what there is into `result`. Returns false when both pipes are at their end.
    bool read_some(ProcessResult& result) {
        std::array<pollfd, 2> polled{pollfd{out_open_ ? out_[0] : -1, POLLIN, 0}, pollfd{err_open_ ? err_[0] : -1, POLLIN, 0}};
        if (!out_open_ && !err_open_) return false;
        ::poll(polled.data(), polled.size(), -1);
        drain(polled[0], out_[0], result.out, out_open_);
        drain(polled[1], err_[0], result.err, err_open_);
        return out_open_ || err_open_;
    }

private:
    static void drain(const pollfd& polled, int descriptor, std::string& to, bool& open) {
        if (polled.fd < 0 || polled.revents == 0) return;
        char buffer[4096];
        const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
        if (count > 0)
            to.append(buffer, static_cast<size_t>(count));
        else
            open = false;
    }

    std::array<int, 2> out_{}, err_{};
    bool out_open_ = true, err_open_ = true;
};

// Takes the code and the peak of memory from what wait4() returned.
inline void take_status(ProcessResult& result, int status, const rusage& usage) {
    result.peak_bytes = static_cast<int64_t>(usage.ru_maxrss) * 1024;
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A child process whose standard output and error are read through pipes.
class Process {
public:
    // Starts the program arguments[0] in `folder`. SIGALRM ends it after `limit` seconds; 0: never.
    Process(const std::vector<std::string>& arguments, const std::string& folder, unsigned limit = 600) {
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::alarm(limit);
            const int none = ::open("/dev/null", O_RDONLY);
            ::dup2(none, 0);
            ::dup2(pipes_.out(), 1);
            ::dup2(pipes_.err(), 2);
            if (::chdir(folder.c_str()) != 0) ::_exit(126);
            std::vector<char*> argv;
            for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
            argv.push_back(nullptr);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        pipes_.close_ends_of_child();
    }

    void signal(int number) const { ::kill(pid_, number); }
    pid_t id() const { return pid_; }

    // Whether it is still running. It must not be called after wait().
    bool alive() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
    }

    // Reads standard error until it holds `text`. Returns false if the process ended before.
    bool wait_for_error(const std::string& text) {
        while (result_.err.find(text) == std::string::npos)
            if (!pipes_.read_some(result_)) return false;
        return true;
    }

    // What has been read of standard error so far.
    const std::string& error() const { return result_.err; }

    ProcessResult wait() {
        while (pipes_.read_some(result_)) {
        }
        int status = 0;
        rusage usage{};
        ::wait4(pid_, &status, 0, &usage);
        take_status(result_, status, usage);
        return result_;
    }

private:
    OutputPipes pipes_;
    pid_t pid_ = -1;
    ProcessResult result_;
};

}  // namespace ddpm
