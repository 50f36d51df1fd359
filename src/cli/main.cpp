#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <cerrno>
#include <climits>
#include <cstdint>
#include <iterator>

#include <sys/auxv.h>
#include <sys/syscall.h>
#endif

#include "cli/app.h"

#ifdef __linux__  // what happens before main()

namespace {

constexpr char kSpinCount[] = "GOMP_SPINCOUNT=2000", kWaitPolicy[] = "OMP_WAIT_POLICY=";

#define DDPM_BEFORE_SANITIZERS __attribute__((no_sanitize("address", "undefined")))

DDPM_BEFORE_SANITIZERS bool begins_with(const char* text, const char* prefix, char last) {
    for (; *prefix != '\0'; ++text, ++prefix) {
        if (*text != *prefix) return false;
        if (*prefix == last) return true;
    }
    return true;
}

// Starts the program once more with a short GOMP_SPINCOUNT. A thread of LibTorch's OpenMP that waits for the others spins for
// milliseconds before it sleeps. If another process is busy too, spinning takes the processor from the thread that the others wait
// for, and training gets slower by a factor of two to fifty. libgomp reads the setting when it is loaded, before main() and before
// any constructor here. The program goes on as it is if OMP_WAIT_POLICY or GOMP_SPINCOUNT is set, or if it was started as
// `ld.so ddpm …`, which makes the loader the program.
DDPM_BEFORE_SANITIZERS void spin_briefly(char** argv, char** environment) {
    static char* more[1024];
    static char program[PATH_MAX];
    size_t count = 0;
    if (::getauxval(AT_BASE) == 0) return;
    for (; environment[count] != nullptr; ++count) {
        if (count + 2 >= std::size(more) || begins_with(environment[count], kSpinCount, '=') ||
            begins_with(environment[count], kWaitPolicy, '='))
            return;
        more[count] = environment[count];
    }
    more[count] = const_cast<char*>(kSpinCount);
    if (const long length = ::syscall(SYS_readlink, "/proc/self/exe", program, sizeof program - 1); length > 0)
        ::syscall(SYS_execve, program, argv, more);
}

// Refuses to start in a folder that was removed. When LibTorch's MKL is loaded, it looks for its parts by way of the current folder
// and ends the program if that is gone.
DDPM_BEFORE_SANITIZERS void refuse_removed_folder() {
    static char folder[PATH_MAX];
    static const char message[] = "error: the current folder has been removed; change to another\n";
    if (::syscall(SYS_getcwd, folder, sizeof folder) >= 0 || errno != ENOENT) return;
    ::syscall(SYS_write, STDERR_FILENO, message, sizeof message - 1);
    ::syscall(SYS_exit_group, 2);
}

// Holds SIGUSR1 back until there is a handler for it; it would end the process. The process that is started once more
// inherits this.
DDPM_BEFORE_SANITIZERS void hold_checkpoint_signal() {
    static const uint64_t signals = uint64_t{1} << (SIGUSR1 - 1);
    ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &signals, nullptr, sizeof signals);
}

// The dynamic linker calls this when all libraries are mapped and before any constructor.
DDPM_BEFORE_SANITIZERS void before_all(int, char** argv, char** environment) {
    hold_checkpoint_signal();
    refuse_removed_folder();
    spin_briefly(argv, environment);
}

__attribute__((section(".preinit_array"), used)) void (*const kBeforeAll)(int, char**, char**) = before_all;

}  // namespace

#endif

int main(int argc, char** argv) {
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes (ulimit) is an error like a full disk
    // If standard input, output or error is closed, the next file would get its number, and messages would be written into it. So
    // /dev/null takes the number, for reading only, so that writing there fails instead of losing output unnoticed.
    int descriptor = 0;
    while (descriptor >= 0 && descriptor <= 2) descriptor = ::open("/dev/null", O_RDONLY);
    if (descriptor > 2) ::close(descriptor);
    return ddpm::cli::run_program(argc, argv);
}
