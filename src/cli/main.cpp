#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <cerrno>
#include <climits>
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

// A thread of LibTorch's OpenMP that waits for the others spins for milliseconds before it sleeps. Beside any other busy
// process that takes the processor from the thread that is waited for, and training gets slower by a factor of two to
// fifty. libgomp reads how long to spin when it is loaded, before main() and before any constructor here, so the program
// starts itself once more with that setting, earlier still. Whoever sets OMP_WAIT_POLICY or GOMP_SPINCOUNT has the say;
// started as `ld.so ddpm …`, which makes the loader the program, it goes on as it is.
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

// LibTorch's MKL looks for its parts by way of the current folder when it is loaded, and ends the program where there is none.
DDPM_BEFORE_SANITIZERS void refuse_removed_folder() {
    static char folder[PATH_MAX];
    static const char message[] = "error: the current folder has been removed; change to another\n";
    if (::syscall(SYS_getcwd, folder, sizeof folder) >= 0 || errno != ENOENT) return;
    ::syscall(SYS_write, STDERR_FILENO, message, sizeof message - 1);
    ::syscall(SYS_exit_group, 2);
}

// The linker calls this when everything is mapped and nothing has begun.
DDPM_BEFORE_SANITIZERS void before_all(int, char** argv, char** environment) {
    refuse_removed_folder();
    spin_briefly(argv, environment);
}

__attribute__((section(".preinit_array"), used)) void (*const kBeforeAll)(int, char**, char**) = before_all;

}  // namespace

#endif

int main(int argc, char** argv) {
    std::signal(SIGXFSZ, SIG_IGN);  // a limit of the shell on file sizes is an error like a full disk, not the end
    // Where standard input, output or error is closed, the next file that is opened would take its number, and messages
    // would land in it. To read only, so that what is printed there is not lost unnoticed.
    int descriptor = 0;
    while (descriptor >= 0 && descriptor <= 2) descriptor = ::open("/dev/null", O_RDONLY);
    if (descriptor > 2) ::close(descriptor);
    return ddpm::cli::run_program(argc, argv);
}
