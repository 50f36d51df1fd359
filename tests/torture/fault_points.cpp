// A library for LD_PRELOAD, so that the program itself needs no hooks. It counts the calls that change the disk below one folder,
// writes them to a log, and makes the n-th call kill the process or fail.
//
//   FAULTS_BELOW  the folder, absolute; without it nothing is counted
//   FAULTS_MATCH  only calls whose path (below the folder) contains this are counted
//   FAULTS_LOG    a file that gets one line for each counted call: "fsync run/metrics.jsonl", "rename a -> b"
//   FAULTS_AT     the number of the chosen call, counted from 1
//   FAULTS_DO     what the chosen call does. kill: SIGKILL after it. tear: SIGKILL in the middle if it is a write, otherwise
//                 before it. A number: it fails with this errno. half: a write takes half of its bytes, as the last one
//                 before a disk is full does, and the calls after it fail with ENOSPC
//   FAULTS_NO_LOCKS, FAULTS_NO_EXCHANGE  any text: flock fails everywhere, or renameat2 does, as on file systems without them
//   FAULTS_FOR    the number of calls, from the chosen one on, that fail (default 1; 0: all). With more than one and ENOSPC,
//                 files can still be removed, renamed and fsynced, as on a full disk

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

struct Settings {
    std::string below, match, act;
    bool no_locks = false, no_exchange = false;
    long at = 0, count = 1;
    int log = -1;

    Settings() {
        const auto read = [](const char* name) {
            const char* text = std::getenv(name);
            return std::string(text == nullptr ? "" : text);
        };
        below = read("FAULTS_BELOW");
        match = read("FAULTS_MATCH");
        act = read("FAULTS_DO");
        no_locks = !read("FAULTS_NO_LOCKS").empty();
        no_exchange = !read("FAULTS_NO_EXCHANGE").empty();
        at = std::atol(read("FAULTS_AT").c_str());
        if (const std::string text = read("FAULTS_FOR"); !text.empty()) count = std::atol(text.c_str());
        if (const std::string file = read("FAULTS_LOG"); !file.empty())
            log = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    }
};

const Settings& settings() {
    static const Settings* const one = new Settings;  // never destroyed, because calls come until the very end of the process
    return *one;
}

std::atomic<long> calls{0};

std::string path_of(int descriptor) {
    char text[PATH_MAX];
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), text, sizeof text);
    return size < 0 ? std::string() : std::string(text, static_cast<size_t>(size));
}

std::string path_of(int folder, const char* name) {
    if (name[0] == '/') return name;
    char here[PATH_MAX];
    const std::string base = folder != AT_FDCWD ? path_of(folder) : ::getcwd(here, sizeof here) != nullptr ? here : "";
    return base + "/" + name;
}

// What happens to a call. For `fail`, judge() has set errno.
enum class Verdict { go_on, kill_after, fail, tear, half };
enum class Kind { grows, other, removes };

Verdict judge(const char* call, Kind kind, const std::string& path, const std::string& second = "") {
    const Settings& set = settings();
    if (set.below.empty() || path.compare(0, set.below.size(), set.below) != 0) return Verdict::go_on;
    const auto shown = [&](const std::string& full) {
        return full.size() > set.below.size() ? full.substr(set.below.size() + 1) : std::string(".");
    };
    if (!set.match.empty() && path.find(set.match, set.below.size()) == path.npos && second.find(set.match) == second.npos)
        return Verdict::go_on;
    const long number = ++calls;
    if (set.log >= 0) {
        const std::string line = std::string(call) + " " + shown(path) + (second.empty() ? "" : " -> " + shown(second)) + "\n";
        ::syscall(SYS_write, set.log, line.c_str(), line.size());
    }
    if (set.at <= 0 || number < set.at || set.act.empty()) return Verdict::go_on;
    if (set.act == "kill") return number == set.at ? Verdict::kill_after : Verdict::go_on;
    if (set.act == "tear") return number == set.at ? Verdict::tear : Verdict::go_on;
    if (set.count > 0 && number >= set.at + set.count) return Verdict::go_on;
    if (set.act == "half" && number == set.at) return Verdict::half;
    const int code = set.act == "half" ? ENOSPC : std::atoi(set.act.c_str());
    if (code == ENOSPC && (kind == Kind::removes || (set.count != 1 && kind == Kind::other))) return Verdict::go_on;
    errno = code;
    return Verdict::fail;
}

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

template <class Call>
auto act(Verdict verdict, Call&& call) -> decltype(call()) {
    if (verdict == Verdict::fail) return -1;
    if (verdict == Verdict::tear) die();
    const auto result = call();
    if (verdict == Verdict::kill_after) die();
    return result;
}

template <class Function>
Function* next(Function*, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Declares `original`, the next definition of the function in which this stands.
#define NEXT(name) static auto* const original = next(&::name, #name)

bool creates(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TRUNC) != 0; }

mode_t mode_of(int flags, va_list arguments) { return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0; }

template <class Open>
int open_by(const Open& original, const char* path, int flags, mode_t mode) {
    if (!creates(flags)) return original(path, flags, mode);
    return act(judge("create", Kind::grows, path_of(AT_FDCWD, path)), [&] { return original(path, flags, mode); });
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    NEXT(open);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_by(original, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    NEXT(open64);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_by(original, path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
    NEXT(write);
    const Verdict verdict = judge("write", Kind::grows, path_of(descriptor));
    if (verdict == Verdict::half) return original(descriptor, bytes, count / 2);
    if (verdict == Verdict::tear) original(descriptor, bytes, count / 2);
    return act(verdict, [&] { return original(descriptor, bytes, count); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
    NEXT(pwrite);
    const Verdict verdict = judge("write", Kind::grows, path_of(descriptor));
    if (verdict == Verdict::tear) original(descriptor, bytes, count / 2, offset);
    return act(verdict, [&] { return original(descriptor, bytes, count, offset); });
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t offset) {
    NEXT(pwrite64);
    const Verdict verdict = judge("write", Kind::grows, path_of(descriptor));
    if (verdict == Verdict::tear) original(descriptor, bytes, count / 2, offset);
    return act(verdict, [&] { return original(descriptor, bytes, count, offset); });
}

ssize_t writev(int descriptor, const struct iovec* pieces, int count) {
    NEXT(writev);
    return act(judge("write", Kind::grows, path_of(descriptor)), [&] { return original(descriptor, pieces, count); });
}

int ftruncate(int descriptor, off_t size) noexcept {
    NEXT(ftruncate);
    return act(judge("truncate", Kind::other, path_of(descriptor)), [&] { return original(descriptor, size); });
}

int ftruncate64(int descriptor, off64_t size) noexcept {
    NEXT(ftruncate64);
    return act(judge("truncate", Kind::other, path_of(descriptor)), [&] { return original(descriptor, size); });
}

int fsync(int descriptor) {
    NEXT(fsync);
    return act(judge("fsync", Kind::other, path_of(descriptor)), [&] { return original(descriptor); });
}

int rename(const char* from, const char* to) noexcept {
    NEXT(rename);
    return act(judge("rename", Kind::other, path_of(AT_FDCWD, from), path_of(AT_FDCWD, to)), [&] { return original(from, to); });
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
    NEXT(renameat2);
    if (settings().no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return act(judge("exchange", Kind::other, path_of(from_folder, from), path_of(to_folder, to)),
               [&] { return original(from_folder, from, to_folder, to, flags); });
}

int flock(int descriptor, int operation) noexcept {
    NEXT(flock);
    if (!settings().no_locks) return original(descriptor, operation);
    errno = ENOLCK;
    return -1;
}

int mkdir(const char* path, mode_t mode) noexcept {
    NEXT(mkdir);
    return act(judge("mkdir", Kind::grows, path_of(AT_FDCWD, path)), [&] { return original(path, mode); });
}

int unlink(const char* path) noexcept {
    NEXT(unlink);
    return act(judge("unlink", Kind::removes, path_of(AT_FDCWD, path)), [&] { return original(path); });
}

int unlinkat(int folder, const char* path, int flags) noexcept {
    NEXT(unlinkat);
    return act(judge("unlink", Kind::removes, path_of(folder, path)), [&] { return original(folder, path, flags); });
}

int rmdir(const char* path) noexcept {
    NEXT(rmdir);
    return act(judge("unlink", Kind::removes, path_of(AT_FDCWD, path)), [&] { return original(path); });
}

int remove(const char* path) noexcept {
    NEXT(remove);
    return act(judge("unlink", Kind::removes, path_of(AT_FDCWD, path)), [&] { return original(path); });
}

}  // extern "C"
