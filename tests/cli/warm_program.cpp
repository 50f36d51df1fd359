// ddpm_warm: the program, loaded once, run many times. Standard input is the socket of the test that started it (support/program.h).
// For each request it forks a process that does what main() does. Loading LibTorch takes 0.3 s, forking 5 ms.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/app.h"
#include "support/warm_request.h"

namespace {

using ddpm::test::Descriptors;

// Runs the program as the request says, and ends this process with its exit code.
[[noreturn]] void run(const std::string& request, const Descriptors& descriptors) {
    unsigned limit = 0;
    std::memcpy(&limit, request.data(), sizeof limit);
    std::vector<const char*> words;
    for (size_t i = sizeof limit; i < request.size(); i += std::strlen(&request[i]) + 1) words.push_back(&request[i]);
    size_t first = 1;  // of the program's arguments
    for (; *words[first] != '\0'; ++first) ::putenv(const_cast<char*>(words[first]));
    const int count = static_cast<int>(words.size() - ++first);
    words.push_back(nullptr);

    ::alarm(limit);
    ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    ::dup2(descriptors[0], 1);
    ::dup2(descriptors[1], 2);
    for (const int descriptor : descriptors) ::close(descriptor);
    if (::chdir(words[0]) != 0) ::_exit(126);
    std::signal(SIGXFSZ, SIG_IGN);  // as main() does
    const int code = ddpm::cli::run_program(count, words.data() + first);
#ifdef __SANITIZE_ADDRESS__
    std::exit(code);  // which looks for leaks
#else
    // The destructors of LibTorch's registries would copy every page that this process shares with its parent.
    std::fflush(nullptr);
    ::_exit(code);
#endif
}

// Runs the program in a child, and answers when it has ended.
void supervise(const std::string& request, const Descriptors& descriptors) {
    std::signal(SIGCHLD, SIG_DFL);
    const pid_t child = ::fork();
    if (child == 0) run(request, descriptors);
    ::close(descriptors[0]);
    ::close(descriptors[1]);
    ddpm::test::WarmAnswer answer;
    if (child < 0 || ::wait4(child, &answer.status, 0, &answer.usage) != child) ::_exit(1);
    ::_exit(::write(descriptors[2], &answer, sizeof answer) == sizeof answer ? 0 : 1);
}

}  // namespace

int main() {
    std::signal(SIGCHLD, SIG_IGN);  // the system reaps those who supervise
    std::string request;
    Descriptors descriptors{};
    while (ddpm::test::receive_request(0, request, descriptors)) {
        const pid_t pid = ::fork();
        if (pid == 0) supervise(request, descriptors);
        for (const int descriptor : descriptors) ::close(descriptor);
        if (pid < 0) return 1;
    }
    return 0;
}
