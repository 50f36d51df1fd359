#include "cli/compared.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

constexpr int kVersion = 1;  // of compare.json and compare.csv

using Value = std::optional<double>;

Json number(const Value& value) { return value && std::isfinite(*value) ? Json(*value) : Json(); }

// With the shortest digits that give the same number again.
std::string field(const Value& value) { return value ? fmt::format("{}", *value) : ""; }

std::string entry(const Value& value) {
    if (!value) return "–";
    return std::isfinite(*value) ? fmt::format("{:.3g}", *value) : "nan";
}

// The value in force of a key, as it is typed; "" where it has none.
std::string key_of(const ResolvedSampling& settings, const std::string& key) {
    for (const auto& [name, value] : keys_in_force(settings))
        if (name == key) return value;
    return "";
}

Json settings_json(const ResolvedSampling& settings) {
    Json section = Json::object();
    for (const auto& [name, value] : keys_in_force(settings)) section[name] = value;
    return section;
}

Value mean_of(const std::optional<MeanOfPictures>& distance) { return distance ? Value(distance->mean) : Value(); }
// One picture has no standard error.
Value error_of(const std::optional<MeanOfPictures>& distance) {
    const bool known = distance && !(std::isfinite(distance->mean) && std::isnan(distance->standard_error));
    return known ? Value(distance->standard_error) : Value();
}

// As an entry of --samplers has it, without a comma.
std::string setting_text(const std::string& name, const std::string& value) {
    return name + "=" + (name == "guidance_interval" ? join(split(value, ','), "..") : value);
}

Json cell_json(const CompareRow& row, size_t reference, const ComparedCell& cell) {
    const WayMeasured& measured = cell.measured;
    const std::string eta = key_of(cell.settings, "eta");
    return {{"row", row.text},
            {"sampler", cell.settings.sampler},
            {"steps", cell.settings.steps()},
            {"spacing", cell.settings.spacing},
            {"eta", eta.empty() ? Json() : Json(cell.settings.eta)},
            {"settings", settings_json(cell.settings)},
            {"unread_flags", row.unread},
            {"notice", cell.settings.notice},
            {"adds_noise", cell.noisy},
            {"finite", measured.finite},
            {"evaluations", cell.evaluations},
            {"seconds", measured.seconds},
            {"distance", number(mean_of(measured.distance))},
            {"distance_error", number(error_of(measured.distance))},
            {"law_distance", number(measured.law_distance)},
            {"data_distance", number(measured.data_distance)},
            {"reference", reference + 1}};
}

Json reference_json(const ComparedReference& reference) {
    const ComparedCell& way = reference.way;
    return {{"sampler", way.settings.sampler},
            {"steps", way.settings.steps()},
            {"spacing", way.settings.spacing},
            {"settings", settings_json(way.settings)},
            {"evaluations", way.evaluations},
            {"seconds", reference.measured.seconds},
            {"half_steps_distance", number(reference.measured.error.mean)},
            {"half_steps_distance_error", number(reference.measured.error.standard_error)},
            {"law_floor", number(reference.measured.law_floor)}};
}

std::string reference_markdown(const Compared& compared, size_t index) {
    const auto& [way, in_half, measured] = compared.references[index];
    const bool several = compared.references.size() > 1;
    return fmt::format("Reference{}: {} in {}, {} spacing, {} from itself in half the steps",
                       several ? fmt::format(" {} ({})", index + 1, describe_ode(way.settings)) : "", way.settings.sampler,
                       plural(way.settings.steps(), "step"), way.settings.spacing, entry(measured.error.mean));
}

}  // namespace

std::string describe_ode(const ResolvedSampling& settings) {
    std::vector<std::string> words;
    for (const auto& [name, value] : keys_in_force(settings))
        for (const char* begin : {"clip", "threshold", "guidance"})
            if (name.starts_with(begin)) words.push_back(setting_text(name, value));
    return join(words);
}

std::string compared_as_json(const Compared& compared) {
    Json flags = Json::object();
    for (const auto& item : compared.flags.items())
        if (!item.value().is_null()) flags[item.key()] = item.value();
    Json cells = Json::array();
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column)
            cells.push_back(cell_json(compared.rows[row], compared.reference_of[row], compared.cell(row, column)));
    Json references = Json::array();
    for (const ComparedReference& reference : compared.references) references.push_back(reference_json(reference));
    Json data;
    if (compared.has_data())
        data = {{"description", compared.data},
                {"pictures", compared.data_pictures},
                {"floor", number(compared.references.front().measured.data_floor)}};
    return dump_json({{"format", "ddpm compare"},
                      {"version", kVersion},
                      {"model", compared.model},
                      {"weights", compared.weights},
                      {"ema_width", compared.ema_width ? Json(*compared.ema_width) : Json()},
                      {"ema_step", compared.ema_step ? Json(*compared.ema_step) : Json()},
                      {"precision", compared.precision},
                      {"device", compared.device},
                      {"seed", compared.seed},
                      {"n", compared.n},
                      {"flags", flags},
                      {"guide", compared.guide.empty() ? Json() : Json(compared.guide)},
                      {"reference", references.front()},
                      {"references", references},
                      {"data", data},
                      {"cells", cells}});
}

std::string compared_as_csv(const Compared& compared) {
    std::string csv =
        "row,sampler,steps,spacing,eta,settings,evaluations,seconds,distance,distance_error,law_distance,data_distance,"
        "reference\n";
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column) {
            const ComparedCell& cell = compared.cell(row, column);
            const WayMeasured& measured = cell.measured;
            std::vector<std::string> settings;
            for (const auto& [name, value] : keys_in_force(cell.settings)) settings.push_back(setting_text(name, value));
            csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", compared.rows[row].text, cell.settings.sampler,
                               cell.settings.steps(), cell.settings.spacing, key_of(cell.settings, "eta"), join(settings, ";"),
                               cell.evaluations, measured.seconds, field(mean_of(measured.distance)),
                               field(error_of(measured.distance)), field(measured.law_distance), field(measured.data_distance),
                               compared.reference_of[row] + 1);
        }
    return csv;
}

std::string compared_as_markdown(const Compared& compared) {
    const Reference& first = compared.references.front().measured;
    std::string text =
        fmt::format("`{}`, {} from seed {}.", printable(compared.model), plural(compared.n, "picture"), compared.seed);
    if (!compared.guide.empty()) text += fmt::format(" `{}` guides.", printable(compared.guide));
    text += fmt::format(" {}.\nTwo halves of its pictures have a law distance of {}", reference_markdown(compared, 0),
                        entry(first.law_floor));
    if (first.data)
        text += fmt::format(", two halves of {} {}", plural(compared.data_pictures, "real picture"), entry(first.data_floor));
    text += ".\n";
    for (size_t i = 1; i < compared.references.size(); ++i)
        text += fmt::format("{}; two halves have {}.\n", reference_markdown(compared, i),
                            entry(compared.references[i].measured.law_floor));
    text += "\n| sampler | steps | evaluations | seconds | distance | law distance |";
    text += first.data ? " data distance |\n|---|---|---|---|---|---|---|\n" : "\n|---|---|---|---|---|---|\n";
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column) {
            const ComparedCell& cell = compared.cell(row, column);
            const WayMeasured& measured = cell.measured;
            std::string distance = entry(mean_of(measured.distance));
            if (const Value error = error_of(measured.distance); error && std::isfinite(*error)) distance += " ± " + entry(*error);
            text += fmt::format("| `{}` | {} | {} | {:.2f} | {} | {} |", compared.rows[row].text, cell.settings.steps(),
                                cell.evaluations, measured.seconds, distance, entry(measured.law_distance));
            text += first.data ? fmt::format(" {} |\n", entry(measured.data_distance)) : "\n";
        }
    for (const CompareRow& row : compared.rows)
        if (!row.unread.empty()) text += fmt::format("\n`{}` does not read {}.\n", row.text, join(row.unread));
    for (size_t row = 0; row < compared.rows.size() && compared.references.size() > 1; ++row)
        text += fmt::format("\n`{}` is measured beside reference {}.\n", compared.rows[row].text, compared.reference_of[row] + 1);
    return text;
}

}  // namespace ddpm::cli
