#include <algorithm>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>

#include <spdlog/spdlog.h>
#include <torch/version.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
#include "cli/places.h"
#include "cli/report_runs.h"
#include "cli/report_server.h"
#include "cli/signals.h"
#include "cli/validators.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/version.h"

namespace ddpm::cli {

namespace {

constexpr int kReloadSeconds = 5;
constexpr int kDefaultPort = 8017;

struct ReportFlags {
    std::vector<std::string> runs;
    std::string out = "report.html";
    bool watch = false;
    std::optional<int> port;
};

// Refuses to replace a file that is no page of this verb.
void check_out(const ReportFlags& flags) {
    check_place("--out", flags.out, ResultKind::page);
    std::vector<FlagAndPath> inputs;
    for (const std::string& run : flags.runs) inputs.emplace_back("report", run);
    check_apart({{"--out", flags.out}}, inputs);
    if (!is_present(flags.out)) return;
    const std::string_view expected = kReportHead;
    std::string head(expected.size(), '\0');
    std::ifstream(flags.out, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
    if (head != expected)
        user_error(fmt::format(
            "--out: {}: is there and is no page of `ddpm report`, so that it is not replaced; choose another name", flags.out));
}

std::string make_page(const ReportFlags& flags) {
    return render_report(read_report_runs(flags.runs),
                         {.now = unix_seconds(),
                          .program = fmt::format("ddpm {} with LibTorch {}", DDPM_VERSION, TORCH_VERSION),
                          .reload_seconds = flags.watch ? kReloadSeconds : 0});
}

// The page, made anew when a file has changed or half a minute is over, but at most a tenth of the time.
class LivePage {
public:
    explicit LivePage(const ReportFlags& flags) : flags_(flags) {}

    std::string get() {
        const std::lock_guard lock(mutex_);
        const double begin = steady_seconds();
        if (!page_.empty() && begin < next_) return page_;
        const std::string stamp = stamp_of_runs(flags_.runs);
        if (!page_.empty() && stamp == stamp_ && begin < made_ + 30) return page_;
        page_ = make_page(flags_);
        stamp_ = stamp;
        made_ = steady_seconds();
        next_ = made_ + std::max(1.0, 9 * (made_ - begin));
        return page_;
    }

private:
    const ReportFlags& flags_;
    std::mutex mutex_;
    std::string page_, stamp_;
    double made_ = 0, next_ = 0;
};

int watch_runs(const ReportFlags& flags) {
    check_can_serve();
    ignore_sigpipe();
    catch_stop_signals();
    LivePage page(flags);
    serve_page(flags.port.value_or(kDefaultPort), [&page] { return page.get(); });
    return 0;
}

int run_report(const ReportFlags& flags) {
    check_report_runs(flags.runs);
    if (flags.port && !flags.watch) user_error("--port: says where --watch serves the page; give that too");
    if (flags.watch) return watch_runs(flags);
    check_out(flags);
    write_file(flags.out, make_page(flags));
    spdlog::info("wrote {}", flags.out);
    return 0;
}

}  // namespace

std::function<int()> add_report(CLI::App& command) {
    auto flags = std::make_shared<ReportFlags>();
    command.add_option("runs", flags->runs, fmt::format("the folders of 1 … {} runs, finished or not", kMostReportRuns));
    CLI::Option* const out = add_with_default(command, "--out", flags->out, "the page, one .html file that needs nothing else");
    command.add_flag("--watch", flags->watch,
                     "serve the page on this machine's loopback address instead of writing it, and keep it fresh until Ctrl-C");
    command.add_option("--port", flags->port, fmt::format("--watch: the port; 0: any that is free (default: {})", kDefaultPort))
        ->check(integer_in(0, 65535));
    return [flags, out] {
        if (flags->watch && out->count() > 0) user_error("--watch serves the page, --out writes it to a file; give one of them");
        return run_report(*flags);
    };
}

}  // namespace ddpm::cli
