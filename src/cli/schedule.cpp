#include <cmath>
#include <cstdio>
#include <memory>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/betas.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/image/codec.h"
#include "ddpm/report/plot.h"

namespace ddpm::cli {

namespace {

struct ScheduleFlags {
    std::vector<std::string> names;
    int64_t timesteps = 1000;
    bool zero_terminal_snr = false;
    std::string plot, csv;
};

struct NamedSchedule {
    std::string name;
    NoiseSchedule schedule;
};

std::vector<double> values_of(const Table& table) { return {table.begin(), table.end()}; }

// Draws four panels, each with a curve over t for every schedule.
Image plot_schedules(const std::vector<NamedSchedule>& schedules) {
    struct Panel {
        const char* title;
        const Table& (NoiseSchedule::*table)() const;
        bool log_y;
    };
    const Panel panels[] = {
        {"√ᾱ (what is left of the picture)", &NoiseSchedule::sqrt_alphas_cumprod, false},
        {"√(1−ᾱ) (how much noise there is)", &NoiseSchedule::sqrt_one_minus_alphas_cumprod, false},
        {"β (noise added by one step)", &NoiseSchedule::betas, true},
        {"log SNR = ln(ᾱ/(1−ᾱ))", &NoiseSchedule::log_snr, false},
    };
    std::vector<LinePlot> plots;
    for (const Panel& panel : panels) {
        LinePlot plot;
        plot.title = panel.title;
        plot.x_label = "t";
        plot.log_y = panel.log_y;
        for (const NamedSchedule& named : schedules) {
            const Table& table = (named.schedule.*panel.table)();
            std::vector<double> t;
            for (int64_t i = 0; i < table.size(); ++i) t.push_back(static_cast<double>(i));
            plot.series.push_back({named.name, t, values_of(table)});
        }
        plots.push_back(std::move(plot));
    }
    return draw_plots(plots, 2);
}

std::string as_csv(const std::vector<NamedSchedule>& schedules) {
    std::string csv = "schedule,t,beta,alphas_cumprod,sqrt_alphas_cumprod,sqrt_one_minus_alphas_cumprod,log_snr\n";
    for (const NamedSchedule& named : schedules)
        for (int64_t t = 0; t < named.schedule.size(); ++t)
            csv += fmt::format("{},{},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g}\n", named.name, t, named.schedule.betas()[t],
                               named.schedule.alphas_cumprod()[t], named.schedule.sqrt_alphas_cumprod()[t],
                               named.schedule.sqrt_one_minus_alphas_cumprod()[t], named.schedule.log_snr()[t]);
    return csv;
}

void print_summary(const std::vector<NamedSchedule>& schedules) {
    std::printf("%-14s %9s %12s %12s %12s %14s %12s\n", "schedule", "T", "first beta", "last beta", "last abar", "last sqrt abar",
                "t at SNR 1");
    for (const NamedSchedule& named : schedules) {
        const NoiseSchedule& s = named.schedule;
        int64_t even = 0;  // the first t with as much noise as picture
        while (even < s.size() && s.log_snr()[even] > 0) ++even;
        std::printf("%-14s %9lld %12.5e %12.5e %12.5e %14.5e %12s\n", named.name.c_str(), static_cast<long long>(s.size()),
                    s.betas()[0], s.betas().back(), s.alphas_cumprod().back(), s.sqrt_alphas_cumprod().back(),
                    even < s.size() ? std::to_string(even).c_str() : "never");
    }
}

int run_schedule(ScheduleFlags flags) {
    check_places({{"--plot", flags.plot}, {"--csv", flags.csv, ResultKind::table}});
    const bool all = flags.names.empty();
    if (all) flags.names = noise_schedule_names();
    std::vector<NamedSchedule> schedules;
    for (const std::string& name : flags.names) {
        noise_schedule_rule(name);
        DiffusionOptions options;
        options.schedule = name;
        options.timesteps = flags.timesteps;
        options.zero_terminal_snr = flags.zero_terminal_snr;
        options.prediction_type = "v_prediction";  // the one that zero terminal SNR allows; no curve depends on it
        try {
            naming_flags({{"diffusion.timesteps", "--timesteps"}}, [&] { check(options); });
        } catch (const Error& error) {
            if (!all) throw;
            spdlog::warn("{} is left out: {}", name, error.what());
            continue;
        }
        schedules.push_back({name, make_schedule(options)});
    }
    print_summary(schedules);
    for (const NamedSchedule& named : schedules)
        if (const std::string warning = warning_of(named.schedule); !warning.empty()) spdlog::warn("{}: {}", named.name, warning);
    if (!flags.csv.empty()) write_file(flags.csv, as_csv(schedules));
    if (!flags.plot.empty()) write_png(flags.plot, plot_schedules(schedules), software_text());
    for (const std::string& file : {flags.csv, flags.plot})
        if (!file.empty()) spdlog::info("wrote {}", file);
    return 0;
}

}  // namespace

std::function<int()> add_schedule(CLI::App& command) {
    auto flags = std::make_shared<ScheduleFlags>();
    command.add_option("names", flags->names, "schedules to compare (default: all): " + join(noise_schedule_names()));
    add_with_default(command, "--timesteps", flags->timesteps, "T")->check(integer_in(2, 1000000));
    command.add_flag("--zero-terminal-snr", flags->zero_terminal_snr, "rescale so that nothing is left of the picture at t = T−1");
    command.add_option("--plot", flags->plot, "write the curves to this PNG");
    command.add_option("--csv", flags->csv, "write every value, 17 significant digits, to this file");
    return [flags] { return run_schedule(*flags); };
}

}  // namespace ddpm::cli
