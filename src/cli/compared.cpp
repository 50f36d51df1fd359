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

Json cell_json(const CompareRow& row, const ComparedCell& cell) {
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
            {"data_distance", number(measured.data_distance)}};
}

Json reference_json(const Compared& compared) {
    const ComparedCell& way = compared.reference_way;
    return {{"sampler", way.settings.sampler},
            {"steps", way.settings.steps()},
            {"spacing", way.settings.spacing},
            {"settings", settings_json(way.settings)},
            {"evaluations", way.evaluations},
            {"seconds", compared.reference.seconds},
            {"half_steps_distance", number(compared.reference.error.mean)},
            {"half_steps_distance_error", number(compared.reference.error.standard_error)},
            {"law_floor", number(compared.reference.law_floor)}};
}

}  // namespace

std::string compared_as_json(const Compared& compared) {
    Json flags = Json::object();
    for (const auto& item : compared.flags.items())
        if (!item.value().is_null()) flags[item.key()] = item.value();
    Json cells = Json::array();
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column)
            cells.push_back(cell_json(compared.rows[row], compared.cell(row, column)));
    Json data;
    if (compared.reference.data)
        data = {
            {"description", compared.data}, {"pictures", compared.data_pictures}, {"floor", number(compared.reference.data_floor)}};
    return dump_json({{"format", "ddpm compare"},
                      {"version", kVersion},
                      {"model", compared.model},
                      {"weights", compared.weights},
                      {"ema_width", compared.ema_width ? Json(*compared.ema_width) : Json()},
                      {"precision", compared.precision},
                      {"device", compared.device},
                      {"seed", compared.seed},
                      {"n", compared.n},
                      {"flags", flags},
                      {"reference", reference_json(compared)},
                      {"data", data},
                      {"cells", cells}});
}

std::string compared_as_csv(const Compared& compared) {
    std::string csv =
        "row,sampler,steps,spacing,eta,settings,evaluations,seconds,distance,distance_error,law_distance,data_distance\n";
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column) {
            const ComparedCell& cell = compared.cell(row, column);
            const WayMeasured& measured = cell.measured;
            std::vector<std::string> settings;
            for (const auto& [name, value] : keys_in_force(cell.settings)) settings.push_back(fmt::format("{}={}", name, value));
            csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", compared.rows[row].text, cell.settings.sampler,
                               cell.settings.steps(), cell.settings.spacing, key_of(cell.settings, "eta"), join(settings, ";"),
                               cell.evaluations, measured.seconds, field(mean_of(measured.distance)),
                               field(error_of(measured.distance)), field(measured.law_distance), field(measured.data_distance));
        }
    return csv;
}

std::string compared_as_markdown(const Compared& compared) {
    const Reference& reference = compared.reference;
    const ComparedCell& way = compared.reference_way;
    std::string text = fmt::format("`{}`, {} from seed {}. Reference: {} in {}, {} spacing, {} from itself in half the steps.\n",
                                   printable(compared.model), plural(compared.n, "picture"), compared.seed, way.settings.sampler,
                                   plural(way.settings.steps(), "step"), way.settings.spacing, entry(reference.error.mean));
    text += fmt::format("Two halves of its pictures have a law distance of {}", entry(reference.law_floor));
    if (reference.data)
        text += fmt::format(", two halves of {} {}", plural(compared.data_pictures, "real picture"), entry(reference.data_floor));
    text += ".\n\n| sampler | steps | evaluations | seconds | distance | law distance |";
    text += reference.data ? " data distance |\n|---|---|---|---|---|---|---|\n" : "\n|---|---|---|---|---|---|\n";
    for (size_t row = 0; row < compared.rows.size(); ++row)
        for (size_t column = 0; column < compared.steps.size(); ++column) {
            const ComparedCell& cell = compared.cell(row, column);
            const WayMeasured& measured = cell.measured;
            std::string distance = entry(mean_of(measured.distance));
            if (const Value error = error_of(measured.distance); error && std::isfinite(*error)) distance += " ± " + entry(*error);
            text += fmt::format("| `{}` | {} | {} | {:.2f} | {} | {} |", compared.rows[row].text, cell.settings.steps(),
                                cell.evaluations, measured.seconds, distance, entry(measured.law_distance));
            text += reference.data ? fmt::format(" {} |\n", entry(measured.data_distance)) : "\n";
        }
    for (const CompareRow& row : compared.rows)
        if (!row.unread.empty()) text += fmt::format("\n`{}` does not read {}.\n", row.text, join(row.unread));
    return text;
}

}  // namespace ddpm::cli
