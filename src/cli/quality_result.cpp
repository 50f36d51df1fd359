#include "cli/quality_result.h"

#include <cstdio>

#include <spdlog/fmt/fmt.h>

#include "cli/places.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm::cli {

namespace {

bool is_quality_json(const fs::path& file) {
    try {
        const Json json = read_json_file(file, uint64_t{16} << 20);
        return json.is_object() && json.value("format", "") == kQualityFormat;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

void print_quality(const std::vector<QualityNumber>& numbers) {
    std::printf("%-10s %12s %12s %12s %12s\n", "", "value", "+/- 2 sd", "floor", "+/- 2 sd");
    for (const QualityNumber& number : numbers)
        std::printf("%-10s %12.5g %12.2g %12s %12s\n", number.name.c_str(), number.value, 2 * number.sd,
                    number.floor ? fmt::format("{:.5g}", *number.floor).c_str() : "-",
                    number.floor ? fmt::format("{:.2g}", 2 * number.floor_sd).c_str() : "-");
}

Json judged_protocol(const FeatureProtocol& protocol, const RealFeatures& real, int64_t samples) {
    Json of = protocol.json();
    of["n_real"] = real.count() > 0 ? Json(real.count()) : Json();
    of["n_fake"] = samples;
    of["n_floor"] = real.floor_count();
    if (real.inner_floor > 0) of["floor_of"] = "pictures of the reference beside its others";
    if (!real.no_floor.empty()) of[real.inner_floor > 0 ? "no_floor_apart" : "no_floor"] = real.no_floor;
    of["reference"] = {{"source", real.source}, {"sha256_of_pixels", real.sha256.empty() ? Json() : Json(real.sha256)}};
    if (real.stored) of["reference"]["file"] = real.stored->file;
    return of;
}

Json quality_numbers_json(const std::vector<QualityNumber>& numbers) {
    Json json = Json::array();
    for (const QualityNumber& number : numbers)
        json.push_back({{"name", number.name},
                        {"value", number.value},
                        {"sd", number.sd},
                        {"floor", number.floor ? Json(*number.floor) : Json()},
                        {"floor_sd", number.floor ? Json(number.floor_sd) : Json()}});
    return json;
}

Json quality_json(const std::vector<QualityNumber>& numbers, const FeatureProtocol& protocol, const RealFeatures& real,
                  const JudgedSamples& samples, double seconds) {
    Json json = {{"format", kQualityFormat},
                 {"schema", 1},
                 {"protocol", judged_protocol(protocol, real, samples.count)},
                 {"samples", samples.what}};
    json["samples"]["seconds"] = seconds;
    json["results"] = quality_numbers_json(numbers);
    return json;
}

void check_quality_json(const fs::path& file) {
    check_place("--json", file, ResultKind::json);
    if (is_present(file) && !is_quality_json(file))
        user_error(fmt::format("--json: {}: exists, and is no result of `ddpm eval quality`; choose another name", file.string()));
}

}  // namespace ddpm::cli
