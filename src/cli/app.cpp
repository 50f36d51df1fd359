#include "cli/app.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include <c10/util/Exception.h>
#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

#include "cli/signals.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/report/log.h"
#include "ddpm/version.h"

namespace ddpm::cli {

const std::vector<Verb>& verbs() {
    static const std::vector<Verb> table = {
        {"train", "train a U-Net on a data set", "ddpm train --config configs/shapes.json", add_train},
        {"sample", "draw pictures from a checkpoint", "ddpm sample --ckpt runs/shapes --n 64 --grid grid.png", add_sample},
        {"compare", "compare samplers and numbers of steps on one checkpoint, from the same noise",
         "ddpm compare --ckpt runs/shapes --samplers ddim,dpmpp_2m,unipc --steps 5,10,20,50 --out compared", add_compare},
        {"eval", "measure how good a model is", "ddpm eval bpd --ckpt runs/shapes --plot bpd.png", add_eval},
        {"noise-preview", "show what the forward process does to a picture",
         "ddpm noise-preview data/photo.png --compare --out noise.png", add_noise_preview},
        {"schedule", "tabulate and plot noise schedules", "ddpm schedule linear cosine --plot schedules.png", add_schedule},
        {"data", "check a data set before training", "ddpm data pictures --sheet sheet.png", add_data},
        {"report", "make one HTML page about training runs", "ddpm report runs/shapes --out report.html", add_report},
        {"info", "tell what a checkpoint is", "ddpm info runs/shapes", add_info},
        {"convert", "turn a checkpoint into a diffusers folder or a single file, also others' .pt files",
         "ddpm convert model.pt model --set image_size=64 --set num_head_channels=64", add_convert},
        {"ema", "make an average of another width or step out of those that a run kept", "ddpm ema runs/shapes --width 0.08",
         add_ema},
        {"config", "list the configuration keys", "ddpm config train.learning_rate", add_config},
        {"completion", "print a completion script for bash or zsh",
         "ddpm completion bash > ~/.local/share/bash-completion/completions/ddpm", add_completion},
    };
    return table;
}

namespace {

std::vector<std::string> verb_names() {
    std::vector<std::string> names;
    for (const Verb& verb : verbs()) names.emplace_back(verb.name);
    return names;
}

void print_error(const std::string& message, const std::string& hint) {
    std::fprintf(stderr, "error: %s\n", message.c_str());
    if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
}

// Returns the long flags of a command and its parents, for "did you mean".
std::vector<std::string> flags_of(const CLI::App* command) {
    std::vector<std::string> flags;
    for (; command != nullptr; command = command->get_parent())
        for (const CLI::Option* option : command->get_options())
            for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    return flags;
}

// Refuses a verb with verbs of its own if none of these is named.
[[noreturn]] void choose_nested(const CLI::App& command, const std::vector<std::string>& words) {
    std::vector<std::string> names;
    for (const CLI::App* nested : command.get_subcommands({})) names.push_back(nested->get_name());
    const std::string help = fmt::format("`ddpm {} --help` says what each does", command.get_name());
    if (!words.empty() && !words.front().empty() && words.front().front() != '-')
        user_error(fmt::format("{}: {}", command.get_name(), unknown_name("evaluation", words.front(), names)), help);
    user_error(fmt::format("{}: what? one of {}", command.get_name(), join(names)), help);
}

// Refuses an empty value, most often a shell variable that is not set, and a flag in the place of a value.
void refuse_slips(const CLI::App& app) {
    const std::vector<std::string> flags = flags_of(&app);
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_max() == 0) continue;
        for (const std::string& value : option->results()) {
            if (value.empty()) user_error(fmt::format("{}: the value is empty", option->get_name()));
            if (std::find(flags.begin(), flags.end(), value.substr(0, value.find('='))) != flags.end())
                user_error(fmt::format("{}: expected a value after it, got the flag {}", option->get_name(), value));
        }
    }
    for (const CLI::App* chosen : app.get_subcommands()) refuse_slips(*chosen);
}

// Replaces CLI11's message about the number of a flag's values. It says how often the flag was given, or that a value is missing.
void explain_count(const CLI::App& command, const CLI::ParseError& error, const std::string& help) {
    if (error.get_name() != "ArgumentMismatch") return;
    for (const CLI::Option* option : command.get_options()) {
        const std::string name = option->get_name();
        if (std::string_view(error.what()).rfind(name + ":", 0) != 0) continue;
        const size_t times = option->results().size();
        user_error(times > 1 ? fmt::format("{}: given {} times, expected once", name, times)
                             : fmt::format("{}: expected a value after it", name),
                   help);
    }
}

// Reports a parse error of CLI11 in this program's words.
[[noreturn]] void explain(const CLI::App& app, const CLI::ParseError& error, const std::string& first_word) {
    const auto chosen = app.get_subcommands();
    if (chosen.empty()) {
        if (!first_word.empty() && first_word.front() != '-') user_error(unknown_name("verb", first_word, verb_names()));
        if (first_word.empty()) user_error("which verb? one of " + join(verb_names()), "`ddpm --help` says what each does");
    }
    const CLI::App* command = chosen.empty() ? &app : chosen.front();
    std::string name = chosen.empty() ? "" : " " + command->get_name();
    if (!chosen.empty() && !command->get_subcommands({}).empty()) {  // a verb that has verbs of its own
        const auto inner = command->get_subcommands();
        if (inner.empty()) choose_nested(*command, app.remaining(true));
        command = inner.front();
        name += " " + command->get_name();
    }
    const std::string help = fmt::format("`ddpm{} --help` shows the flags", name);
    explain_count(*command, error, help);
    refuse_slips(*command);
    // CLI11 complains about the missing verb before it looks at unknown flags, but the flag is the more likely mistake.
    for (const std::string& word : app.remaining(true)) {
        if (word.empty() || word.front() != '-') user_error(fmt::format("unexpected argument {}", quote(word)), help);
        const std::string flag = word.substr(0, word.find('='));
        const std::string near = nearest_name(flag, flags_of(command));
        if (near == flag || chosen.empty())
            for (const CLI::App* verb : app.get_subcommands({}))
                if (nearest_name(flag, flags_of(verb)) == flag)
                    user_error(fmt::format("{}: flags come after the verb, and before any --", flag), help);
        user_error(fmt::format("unknown flag {}{}", quote(flag), near.empty() ? "" : "; did you mean " + near + "?"), help);
    }
    if (chosen.empty()) user_error("which verb? one of " + join(verb_names()), "`ddpm --help` says what each does");
    user_error(one_line(error.what()), help);
}

int parse_and_run(int argc, const char* const* argv) {
    CLI::App app("Trains, samples and inspects denoising diffusion models, without Python.", "ddpm");
    app.set_version_flag("--version", std::string("ddpm ") + DDPM_VERSION, "print the version and exit");
    app.set_help_flag("-h,--help", "print this help and exit");
    bool quiet = false, verbose = false;
    app.add_flag("--quiet", quiet, "print errors and warnings only");
    app.add_flag("--verbose", verbose, "print more");
    app.require_subcommand(1);
    std::function<int()> run;
    for (const Verb& verb : verbs()) {
        CLI::App* command = app.add_subcommand(verb.name, verb.summary);
        command->fallthrough();
        command->footer(fmt::format("Example: {}", verb.example));
        command->callback([&run, action = verb.add(*command)] { run = action; });
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        explain(app, error, argc > 1 ? argv[1] : "");
    }
    refuse_slips(app);
    if (quiet && verbose) user_error("--quiet and --verbose contradict each other; give one");
    if (!app.got_subcommand("train")) release_checkpoint_signal();
    start_log(quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal);
    return run();
}

}  // namespace

int run_program(int argc, const char* const* argv) {
    try {
        const int code = parse_and_run(argc, argv);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) runtime_failure("standard output: can't write");
        return code;
    } catch (const Error& error) {
        print_error(error.what(), error.hint());
        return error.exit_code();
    } catch (const Stopped&) {
        std::fputs("stopped\n", stderr);
        return 128 + stop_signal();
    } catch (const std::bad_alloc&) {
        print_error("out of memory", "a smaller batch, image or network needs less");
    } catch (const c10::Error& error) {
        const std::string message = one_line(error.what_without_backtrace());
        if (message.find("can't allocate memory") != std::string::npos)
            print_error("out of memory", "a smaller batch, image or network needs less");
        else
            print_error(message, "");
    } catch (const std::exception& error) {
        print_error(one_line(error.what()), "");
    }
    return static_cast<int>(Error::Kind::runtime);
}

}  // namespace ddpm::cli
