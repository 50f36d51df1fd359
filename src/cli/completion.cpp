#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

// The long flags of a command and of those above it, each once: "--ckpt --help".
std::string flags_of(std::initializer_list<const CLI::App*> levels) {
    std::vector<std::string> flags;
    std::set<std::string> seen;
    for (const CLI::App* level : levels)
        for (const CLI::Option* option : level->get_options())
            for (const std::string& name : option->get_lnames())
                if (seen.insert(name).second) flags.push_back("--" + name);  // levels share flags, their own help among them
    return join(flags, " ");
}

std::string names_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
    return join(names, " ");
}

// One case of the shell's `case`, whose word is "VERB SUBCOMMAND".
std::string shell_case(const std::string& pattern, const std::string& flags, const std::string& nested) {
    return "        " + pattern + ") words=\"" + flags + "\"" + (nested.empty() ? "" : " nested=\"" + nested + "\"") + " ;;\n";
}

// Returns the script for a shell. The words come from the parser and are the same for both; zsh runs bash's functions through
// bashcompinit.
std::string completion_script(const CLI::App& app, const std::string& shell) {
    std::string cases;
    for (const CLI::App* command : app.get_subcommands({})) {
        const std::string nested = names_of(*command);
        for (const CLI::App* inner : command->get_subcommands({}))
            cases +=
                shell_case("\"" + command->get_name() + " " + inner->get_name() + "\"", flags_of({inner, command, &app}), nested);
        cases += shell_case("\"" + command->get_name() + " \"*", flags_of({command, &app}), nested);
    }
    std::string script = shell == "zsh" ? "#compdef ddpm\nautoload -U +X bashcompinit && bashcompinit\n" : "";
    script +=
        "_ddpm() {\n    local words nested word=\"${COMP_WORDS[COMP_CWORD]}\"\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n" +
        cases + "    esac\n    [ \"$COMP_CWORD\" -eq 1 ] && words=\"" + names_of(app) +
        "\"\n    case \"$word\" in\n"
        "        -*) ;;\n"
        "        *) [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$nested\" ] && "
        "{ COMPREPLY=($(compgen -W \"$nested\" -- \"$word\")); return; }\n"
        "           [ \"$COMP_CWORD\" -gt 1 ] && { COMPREPLY=($(compgen -f -- \"$word\")); return; } ;;\n"
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -o filenames -F _ddpm ddpm\n";
    return script;
}

}  // namespace

std::function<int()> add_completion(CLI::App& command) {
    auto shell = std::make_shared<std::string>();
    command.add_option("shell", *shell, "bash or zsh");
    return [shell, &command] {
        if (shell->empty()) user_error("completion: for which shell? bash or zsh", "for example: ddpm completion bash");
        if (*shell != "bash" && *shell != "zsh") user_error(unknown_name("shell", *shell, {"bash", "zsh"}));
        std::fputs(completion_script(*command.get_parent(), *shell).c_str(), stdout);
        return 0;
    };
}

}  // namespace ddpm::cli
