#include "cli/neighbours_result.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <tuple>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/places.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

constexpr const char* kNeighboursFormat = "ddpm eval neighbours";
constexpr size_t kPrinted = 5;

double number_at(const at::Tensor& numbers, int64_t i) { return numbers[i].item<double>(); }
int64_t place_at(const at::Tensor& places, int64_t i) { return places[i].item<int64_t>(); }

bool is_flagged(const CopyMeasure& measure, int64_t sample) { return number_at(measure.ratios, sample) < measure.copies.threshold; }

std::string percent_text(double share) { return fmt::format("{:.2f} %", 100 * share); }

Json share_json(const Share& share) { return {{"value", share.value}, {"low", share.low}, {"high", share.high}}; }

Json measure_json(const CopyMeasure& measure, const CopySearch& search) {
    const CopiesFound& copies = measure.copies;
    Json json = {
        {"flagged", copies.rows.size(0)}, {"share", share_json(copies.flagged)},      {"expected", copies.expected},
        {"p_value", copies.p_value},      {"accuses", accuses(measure, search)},      {"threshold", copies.threshold},
        {"equal", measure.equal},         {"held_out_equal", measure.held_out_equal}, {"authentic", share_json(measure.authentic)},
        {"nearer_to_training", nullptr},  {"nearer_to_training_expected", nullptr},   {"c_t", nullptr}};
    if (measure.nearer_to_training) {
        json["nearer_to_training"] = share_json(*measure.nearer_to_training);
        json["nearer_to_training_expected"] = search.nearer_expected;
    }
    if (measure.data_copying) json["c_t"] = measure.data_copying->Z;
    return json;
}

Json suspect_json(const NeighboursFound& found, int64_t sample) {
    Json json = {{"sample", found.samples.name(sample)}, {"index", sample}};
    for (const CopyMeasure& measure : found.search.measures) {
        const int64_t near = place_at(measure.training, sample);
        Json of = {{"ratio", number_at(measure.ratios, sample)},
                   {"flagged", is_flagged(measure, sample)},
                   {"distance", number_at(measure.to_training, sample)},
                   {"training", found.data.training->name(near)},
                   {"training_index", near},
                   {"held_out", nullptr},
                   {"held_out_distance", nullptr}};
        if (measure.held_out.defined()) {
            of["held_out"] = found.data.held_out->name(found.beside[static_cast<size_t>(place_at(measure.held_out, sample))]);
            of["held_out_distance"] = number_at(measure.to_held_out, sample);
        }
        json[measure.name] = std::move(of);
    }
    return json;
}

void print_measure(const CopyMeasure& measure, const CopySearch& search) {
    const CopiesFound& copies = measure.copies;
    const std::string interval = fmt::format("{:.2f} ... {}", 100 * copies.flagged.low, percent_text(copies.flagged.high));
    const std::string nearer = measure.nearer_to_training ? percent_text(measure.nearer_to_training->value) : "-";
    const std::string c_t = measure.data_copying ? fmt::format("{:.1f}", measure.data_copying->Z) : "-";
    std::printf("%-10s %7lld %9s %18s %9s %9.2g %7lld %9s %9s %7s\n", measure.name.c_str(),
                static_cast<long long>(copies.rows.size(0)), percent_text(copies.flagged.value).c_str(), interval.c_str(),
                percent_text(copies.expected).c_str(), copies.p_value, static_cast<long long>(measure.equal), nearer.c_str(),
                percent_text(measure.authentic.value).c_str(), c_t.c_str());
    if (search.measures.size() > 1 && &measure == &search.measures.front()) return;
    std::printf("%-10s %7s %9s %18s %9s %9s %7s %9s %9s %7s\n", "expected", "", "", "", "", "", "",
                search.stands_in ? "-" : percent_text(search.nearer_expected).c_str(), "", search.stands_in ? "-" : "0");
}

bool is_neighbours_json(const fs::path& file) {
    try {
        const Json json = read_json_file(file, uint64_t{16} << 20);
        return json.is_object() && json.value("format", "") == kNeighboursFormat;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

std::vector<int64_t> most_suspicious(const CopySearch& search) {
    const at::Tensor measured = suspicion(search);
    std::vector<std::tuple<double, double, int64_t>> keys;
    for (int64_t i = 0; i < measured.size(0); ++i)
        keys.emplace_back(number_at(measured, i), number_at(search.measures.front().ratios, i), i);
    std::sort(keys.begin(), keys.end());
    std::vector<int64_t> first;
    for (size_t i = 0; i < std::min(keys.size(), kMostSuspicious); ++i) first.push_back(std::get<2>(keys[i]));
    return first;
}

void print_neighbours(const NeighboursFound& found) {
    const CopySearch& search = found.search;
    std::printf("%s beside %s and %s\n", plural(found.samples.count, "sample").c_str(),
                plural(search.training, "training picture").c_str(),
                search.stands_in ? fmt::format("{} of them that stand in for held-out ones", found.sets.held_out.size(0)).c_str()
                                 : fmt::format("{} held out", found.sets.held_out.size(0)).c_str());
    std::printf("%-10s %7s %9s %18s %9s %9s %7s %9s %9s %7s\n", "", "flagged", "", "95 % interval", "expected", "chance", "equal",
                "nearer", "authentic", "C_T");
    for (const CopyMeasure& measure : search.measures) print_measure(measure, search);
    for (size_t i = 0; i < std::min(found.suspicious.size(), kPrinted); ++i)
        for (const CopyMeasure& measure : search.measures)
            if (const int64_t sample = found.suspicious[i]; is_flagged(measure, sample)) {
                std::printf("flagged: %s, l = %.3f by %s, near %s\n", found.samples.name(sample).c_str(),
                            number_at(measure.ratios, sample), measure.name.c_str(),
                            found.data.training->name(place_at(measure.training, sample)).c_str());
                break;
            }
    std::printf("%s\n", copying_verdict(search).c_str());
}

Json neighbours_json(const NeighboursFound& found, const Features* features, double seconds) {
    const CopySearch& search = found.search;
    const PictureViews views({found.sets.samples.size(1), found.sets.samples.size(2), found.sets.samples.size(3)},
                             found.data.mirrored);
    Json protocol = features != nullptr ? features->protocol().json() : Json{{"features", "pixel"}};
    protocol["pixel"] = views.definition();
    protocol["mirrored"] = found.data.mirrored;
    protocol["neighbours"] = kRatioNeighbours;
    protocol["n_fake"] = found.samples.count;
    protocol["n_training"] = search.training;
    protocol["n_held_out"] = found.sets.held_out.size(0);
    protocol["stands_in"] = search.stands_in;
    protocol["training"] = {{"source", found.data.training->describe()}, {"sha256_of_pixels", search.sha256}};
    protocol["held_out"] = search.stands_in ? Json() : Json(found.data.held_out_source);
    Json json = {{"format", kNeighboursFormat}, {"schema", 1}, {"protocol", std::move(protocol)}, {"samples", found.samples.what}};
    json["samples"]["seconds"] = seconds;
    json["memorisation"] = {{"verdict", copying_verdict(search)}};
    for (const CopyMeasure& measure : search.measures) json["memorisation"][measure.name] = measure_json(measure, search);
    json["most_suspicious"] = Json::array();
    for (const int64_t sample : found.suspicious) json["most_suspicious"].push_back(suspect_json(found, sample));
    return json;
}

void check_neighbours_json(const fs::path& file) {
    check_place("--json", file, ResultKind::json);
    if (is_present(file) && !is_neighbours_json(file))
        user_error(
            fmt::format("--json: {}: exists, and is no result of `{}`; choose another name", file.string(), kNeighboursFormat));
}

}  // namespace ddpm::cli
