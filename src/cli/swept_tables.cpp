// What was swept, in words and tables.

#include <algorithm>
#include <cstdio>

#include <spdlog/fmt/fmt.h>

#include "cli/quality_result.h"
#include "cli/swept.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

using TableLine = std::vector<std::string>;

std::string with_interval(double value, double sd, const char* plus_minus) {
    return fmt::format("{:.5g} {} {:.2g}", value, plus_minus, 2 * sd);
}

// "best", "+0.013 +/- 0.002" or "+0.001 +/- 0.002, no difference".
std::string difference_text(const Swept& swept, size_t cell, const char* plus_minus) {
    if (!swept.cells[cell].finite) return "-";
    if (cell == swept.ranking->best) return "best";
    const Jackknifed& difference = swept.ranking->differences[cell];
    return fmt::format("{:+.3g} {} {:.2g}{}", difference.value, plus_minus, 2 * difference.sd(),
                       swept.ranking->as_good[cell] ? ", no difference" : "");
}

double seconds_of_picture(const Swept& swept, const SweptCell& cell) { return cell.seconds / static_cast<double>(swept.n); }

// Returns the lines of the table, the names of the columns first and the floor last.
std::vector<TableLine> table_of(const Swept& swept, const char* plus_minus) {
    const bool has_models = !swept.models.front().name().empty();
    const SweptCell* const judged = swept.any_judged();
    TableLine names{"sampler", "steps", "evaluations", "s/picture"}, floor{"floor", "", "", ""};
    if (judged != nullptr)
        for (const QualityNumber& number : judged->numbers) {
            names.push_back(number.name);
            floor.push_back(number.floor ? with_interval(*number.floor, number.floor_sd, plus_minus) : "-");
        }
    names.push_back(swept.decides + " less the best");
    floor.emplace_back("");
    std::vector<TableLine> lines{names};
    for (size_t i = 0; i < swept.cells.size(); ++i) {
        const SweptCell& cell = swept.cells[i];
        lines.push_back({swept.rows[cell.row].text, std::to_string(cell.settings.steps()), std::to_string(cell.evaluations),
                         cell.finite ? fmt::format("{:.3g}", seconds_of_picture(swept, cell)) : "-"});
        for (const QualityNumber& number : cell.numbers) lines.back().push_back(with_interval(number.value, number.sd, plus_minus));
        lines.back().resize(names.size() - 1, "nan");
        lines.back().push_back(difference_text(swept, i, plus_minus));
    }
    lines.push_back(floor);
    if (!has_models) return lines;
    lines.front().insert(lines.front().begin(), "model");
    for (size_t i = 0; i < swept.cells.size(); ++i)
        lines[i + 1].insert(lines[i + 1].begin(), swept.models[swept.cells[i].model].name());
    lines.back().insert(lines.back().begin() + 1, "");
    return lines;
}

std::string heading(const Swept& swept) {
    return fmt::format("{} of each from the same noise, beside {} real pictures; seconds are those of {}",
                       plural(swept.n, "sample"), swept.protocol.at("n_real").get<int64_t>(), swept.device);
}

std::string number_field(double value) { return fmt::format("{}", value); }

// With ; and .. in the places of commas.
std::string settings_field(const ResolvedSampling& settings) {
    std::vector<std::string> words;
    for (const auto& [name, value] : keys_in_force(settings)) words.push_back(name + "=" + join(split(value, ','), ".."));
    return join(words, ";");
}

Json entry_json(const Swept& swept, size_t index, bool on_front) {
    const SweptCell& cell = swept.cells[index];
    const SweptModel& model = swept.models[cell.model];
    Json settings = Json::object(), difference;
    for (const auto& [name, value] : keys_in_force(cell.settings)) settings[name] = value;
    if (cell.finite) {
        const Jackknifed& found = swept.ranking->differences[index];
        difference = {
            {"name", swept.decides}, {"value", found.value}, {"sd", found.sd()}, {"as_good", bool(swept.ranking->as_good[index])}};
    }
    return {{"ckpt", model.path.string()},
            {"step", model.step ? Json(*model.step) : Json()},
            {"ema_width", model.ema_width ? Json(*model.ema_width) : Json()},
            {"row", swept.rows[cell.row].text},
            {"sampler", cell.settings.sampler},
            {"steps", cell.settings.steps()},
            {"nfe", cell.evaluations},
            {"spacing", cell.settings.spacing},
            {"settings", settings},
            {"unread_flags", swept.rows[cell.row].unread},
            {"notice", cell.settings.notice},
            {"seconds", cell.seconds},
            {"finite", cell.finite},
            {"results", quality_numbers_json(cell.numbers)},
            {"difference", difference},
            {"pareto", on_front}};
}

std::vector<bool> cells_on_front(const Swept& swept) {
    std::vector<bool> on_front(swept.cells.size(), false);
    for (const size_t i : pareto_front(swept.contenders())) on_front[i] = true;
    return on_front;
}

}  // namespace

std::vector<std::string> verdicts(const Swept& swept) {
    if (!swept.ranking) return {"no pictures are finite, so that nothing could be judged"};
    const SweptCell &best = swept.cells[swept.ranking->best], &cheapest = swept.cells[swept.ranking->cheapest];
    std::vector<std::string> sentences, as_good;
    if (swept.cells.size() > 1) {
        sentences.push_back(fmt::format("by {} the best is {}", swept.decides, swept.name_of(best)));
        for (size_t i = 0; i < swept.cells.size(); ++i)
            if (swept.ranking->as_good[i] && i != swept.ranking->best) as_good.push_back(swept.name_of(swept.cells[i]));
        sentences.push_back(as_good.empty() ? "all others are told apart from it: two deviations of the difference hold no 0"
                                            : "not told apart from it, within two deviations: " + join(as_good, "; "));
        const auto costs_the_same = [&](const SweptCell& cell) { return cell.evaluations == best.evaluations; };
        if (!std::all_of(swept.cells.begin(), swept.cells.end(), costs_the_same))
            sentences.push_back(fmt::format("the cheapest within two deviations of the best is {}{}, with {} a picture",
                                            swept.name_of(cheapest), &cheapest == &best ? " itself" : "",
                                            plural(cheapest.evaluations, "evaluation")));
    }
    sentences.push_back(swept.cells.size() > 1 ? "the best: " + verdict_of(best.numbers.front())
                                               : verdict_of(best.numbers.front()));
    return sentences;
}

void print_swept(const Swept& swept) {
    const std::vector<TableLine> lines = table_of(swept, "+/-");
    std::vector<size_t> widths(lines.front().size(), 0);
    for (const TableLine& line : lines)
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    std::printf("%s\n", heading(swept).c_str());
    for (const TableLine& line : lines) {
        std::string text;
        for (size_t i = 0; i < line.size(); ++i) text += fmt::format("{:<{}}  ", line[i], widths[i]);
        text.erase(text.find_last_not_of(' ') + 1);
        std::printf("%s\n", text.c_str());
    }
    for (const std::string& sentence : verdicts(swept)) std::printf("%s\n", sentence.c_str());
}

std::string swept_as_json(const Swept& swept, const std::string& format) {
    const std::vector<bool> on_front = cells_on_front(swept);
    Json entries = Json::array();
    for (size_t i = 0; i < swept.cells.size(); ++i) entries.push_back(entry_json(swept, i, on_front[i]));
    return dump_json({{"format", format},
                      {"schema", 1},
                      {"protocol", swept.protocol},
                      {"ckpt", swept.ckpt},
                      {"weights", swept.weights},
                      {"precision", swept.precision},
                      {"device", swept.device},
                      {"seed", swept.seed},
                      {"entries", entries},
                      {"decides", swept.decides},
                      {"best", swept.ranking ? Json(swept.ranking->best) : Json()},
                      {"cheapest", swept.ranking ? Json(swept.ranking->cheapest) : Json()}});
}

std::string swept_as_csv(const Swept& swept) {
    const std::vector<bool> on_front = cells_on_front(swept);
    const SweptCell* const judged = swept.any_judged();
    std::vector<std::string> names;
    if (judged != nullptr)
        for (const QualityNumber& number : judged->numbers) names.push_back(number.name);
    std::string csv = "model,row,sampler,steps,spacing,settings,evaluations,seconds";
    for (const std::string& name : names) csv += fmt::format(",{0},{0}_sd", name);
    csv += ",difference,difference_sd,as_good,pareto\n";
    for (size_t i = 0; i < swept.cells.size(); ++i) {
        const SweptCell& cell = swept.cells[i];
        TableLine fields{swept.models[cell.model].name(),       swept.rows[cell.row].text, cell.settings.sampler,
                         std::to_string(cell.settings.steps()), cell.settings.spacing,     settings_field(cell.settings),
                         std::to_string(cell.evaluations),      number_field(cell.seconds)};
        for (size_t k = 0; k < names.size(); ++k) {
            fields.push_back(cell.finite ? number_field(cell.numbers[k].value) : "nan");
            fields.push_back(cell.finite ? number_field(cell.numbers[k].sd) : "nan");
        }
        fields.push_back(cell.finite ? number_field(swept.ranking->differences[i].value) : "nan");
        fields.push_back(cell.finite ? number_field(swept.ranking->differences[i].sd()) : "nan");
        fields.emplace_back(cell.finite && swept.ranking->as_good[i] ? "1" : "0");
        fields.emplace_back(on_front[i] ? "1" : "0");
        csv += join(fields, ",") + "\n";
    }
    return csv;
}

std::string swept_as_markdown(const Swept& swept) {
    std::string text = fmt::format("`{}`, seed {}: {}.\n\n", printable(swept.ckpt), swept.seed, heading(swept));
    const std::vector<TableLine> lines = table_of(swept, "±");
    for (size_t i = 0; i < lines.size(); ++i) {
        text += "| " + join(lines[i], " | ") + " |\n";
        if (i > 0) continue;
        text += "|";
        for (size_t column = 0; column < lines.front().size(); ++column) text += "---|";
        text += "\n";
    }
    text += "\n";
    for (const std::string& sentence : verdicts(swept)) text += "- " + sentence + "\n";
    for (const CompareRow& row : swept.rows)
        if (!row.unread.empty()) text += fmt::format("- `{}` does not read {}\n", row.text, join(row.unread));
    return text;
}

}  // namespace ddpm::cli
