#include <cstdio>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

// Returns the script for a shell. The words come from the parser and are the same for both; zsh runs bash's functions through
// bashcompinit.
std::string completion_script(const CLI::App& app, const std::string& shell) {
    std::string names, cases;
    for (const CLI::App* command : app.get_subcommands({})) {
        std::string flags, nested;
        std::set<std::string> seen;
        std::vector<const CLI::App*> levels{command, &app};
        for (const CLI::App* inner : command->get_subcommands({})) {
            levels.push_back(inner);
            nested += " " + inner->get_name();
        }
        for (const CLI::App* level : levels)
            for (const CLI::Option* option : level->get_options())
                for (const std::string& name : option->get_lnames())
                    if (seen.insert(name).second) flags += " --" + name;  // levels share flags, their own help among them
        names += " " + command->get_name();
        cases += "        " + command->get_name() + ") words=\"" + flags.substr(1) + "\"" +
                 (nested.empty() ? "" : " nested=\"" + nested.substr(1) + "\"") + " ;;\n";
    }
    std::string script = shell == "zsh" ? "#compdef ddpm\nautoload -U +X bashcompinit && bashcompinit\n" : "";
    script += "_ddpm() {\n    local words nested word=\"${COMP_WORDS[COMP_CWORD]}\"\n    case \"${COMP_WORDS[1]}\" in\n" + cases +
              "    esac\n    [ \"$COMP_CWORD\" -eq 1 ] && words=\"" + names.substr(1) +
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
