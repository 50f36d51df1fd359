#include "cli/compare_rows.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "cli/sampling_flags.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

namespace {

bool among(const std::string& key, std::initializer_list<const char*> keys) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// The keys of `sample` that an entry may set.
std::vector<std::string> keys_of_entries() {
    std::vector<std::string> keys = sample_fields().names();
    std::erase_if(keys, [](const std::string& key) { return among(key, {"sampler", "steps", "timesteps"}); });
    return keys;
}

std::string place_of(const CompareRow& row) { return "--samplers: " + printable(row.text); }

Json read_value_of_entry(const std::string& text) { return Json::accept(text) && text != "null" ? Json::parse(text) : Json(text); }

// Returns [LO, HI] of "0.3..5", null for HI of "0.3..inf". Commas end an entry, so that the flag's form is not possible.
Json read_interval_of_entry(const std::string& text, const std::string& place) {
    const size_t dots = text.find("..");
    if (dots == std::string::npos)
        user_error(fmt::format("{}: guidance_interval: got {}, expected LO..HI, as 0.3..5 or 0.3..inf", place, quote(text)));
    const std::string high = text.substr(dots + 2);
    return Json::array({read_value_of_entry(text.substr(0, dots)), high == "inf" ? Json() : read_value_of_entry(high)});
}

void read_key(CompareRow& row, const std::string& word) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals), place = place_of(row);
    if (equals == std::string::npos || key.empty() || equals + 1 == word.size())
        user_error(fmt::format("{}: got {}, expected key=value after the colon, as in ddim:eta=0.5", place, quote(word)));
    if (among(key, {"sampler", "steps", "timesteps"}))
        user_error(fmt::format("{}: {}: the columns say which steps are taken; leave it out", place, key));
    const std::vector<std::string> keys = keys_of_entries();
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) user_error(place + ": " + unknown_name("key", key, keys));
    if (!sample_fields().write(row.own).at(key).is_null()) user_error(fmt::format("{}: {}: given twice", place, key));
    const std::string text = word.substr(equals + 1);
    const Json value = key == "guidance_interval" ? read_interval_of_entry(text, place) : read_value_of_entry(text);
    Json section = Json::object();
    section[key] = value;
    try {
        sample_fields().read(row.own, section, "sample");
    } catch (const Error& error) {
        throw error.shown_as(place + ": " + key);
    }
    const SamplerInfo& sampler = sampler_info(*without_alias(row.own).sampler);
    if (!sampler.reads(key))
        user_error(fmt::format("{}: {}: the {} sampler has none; leave it out or take {}", place, key, sampler.name,
                               fmt::join(samplers_reading(key), " or ")));
}

CompareRow read_row(const std::string& entry) {
    CompareRow row{.text = entry};
    const std::vector<std::string> words = split(entry, ':'), names = sampler_spellings();
    if (entry.empty()) user_error("--samplers: an entry is empty, expected the name of a sampler between commas");
    if (std::find(names.begin(), names.end(), words.front()) == names.end())
        user_error("--samplers: " + unknown_name("sampler", words.front(), names));
    row.own.sampler = words.front();
    for (size_t i = 1; i < words.size(); ++i) read_key(row, words[i]);
    row.own = without_alias(row.own);
    return row;
}

// Whether a row's own keys leave a key of the flags open: they say nothing of the same thing in another way.
bool leaves_open(const Json& own, const std::string& key) {
    if (among(key, {"threshold_ratio", "threshold_max"})) return own.at("clip").is_null() && own.at("clip_range").is_null();
    if (among(key, {"clip", "clip_range"})) return own.at("threshold_ratio").is_null();
    return true;
}

// Whether a key has an effect beside these settings. Most have one whatever the others say.
bool in_force(const std::string& key, const ResolvedSampling& settings) {
    if (key == "rho") return settings.spacing == "karras";
    if (key == "threshold_max") return settings.thresholding.has_value();
    if (among(key, {"s_tmin", "s_tmax", "s_noise"})) return settings.churn.s_churn > 0;
    return true;
}

bool depends_on_others(const std::string& key) { return among(key, {"rho", "threshold_max", "s_tmin", "s_tmax", "s_noise"}); }

// Takes the flags that the row reads, and writes down those that it does not.
void put_row_over(CompareRow& row, const Json& flags, const ComparedModels& models, int64_t steps) {
    const SamplerInfo& sampler = sampler_info(*row.own.sampler);
    const Json own = sample_fields().write(row.own);
    Json asked = own;
    const auto take = [&](const std::string& key) {
        asked[key] = flags.at(key);
        sample_fields().read(row.asked, asked, "sample");
    };
    std::vector<std::string> waiting;
    row.asked = row.own;
    for (const auto& item : flags.items()) {
        const std::string& key = item.key();
        if (item.value().is_null() || !own.at(key).is_null()) continue;
        if (!sampler.reads(key))
            row.unread.push_back(flag_of(key));
        else if (!leaves_open(own, key))
            continue;
        else if (depends_on_others(key))
            waiting.push_back(key);
        else
            take(key);
    }
    if (waiting.empty()) return;
    const ResolvedSampling settings = settle_row(row, steps, models);
    for (const std::string& key : waiting) {
        if (in_force(key, settings))
            take(key);
        else
            row.unread.push_back(flag_of(key));
    }
}

}  // namespace

SampleOptions CompareRow::in(int64_t steps) const {
    SampleOptions options = asked;
    options.steps = steps;
    return options;
}

std::vector<CompareRow> read_compare_rows(const std::string& samplers) {
    std::vector<CompareRow> rows;
    for (const std::string& entry : split(samplers, ',')) {
        for (const CompareRow& row : rows)
            if (row.text == entry) user_error(fmt::format("--samplers: {} is there twice", quote(entry)));
        rows.push_back(read_row(entry));
    }
    return rows;
}

std::vector<int64_t> read_compare_steps(const std::string& steps) {
    std::vector<int64_t> all;
    for (const std::string& word : split(steps, ',')) {
        const Json value = Json::accept(word) ? Json::parse(word) : Json(word);
        all.push_back(read_integer(value, "--steps", Range::between(1, 1e6)));
        if (std::count(all.begin(), all.end(), all.back()) > 1) user_error(fmt::format("--steps: {} is there twice", all.back()));
    }
    return all;
}

void put_rows_over(std::vector<CompareRow>& rows, const SampleOptions& flags, const ComparedModels& models, int64_t steps) {
    const Json given = sample_fields().write(flags);
    for (CompareRow& row : rows) put_row_over(row, given, models, steps);
    for (const auto& item : given.items()) {
        if (item.value().is_null()) continue;
        const auto takes = [&](const CompareRow& row) {
            return sample_fields().write(row.own).at(item.key()).is_null() &&
                   !sample_fields().write(row.asked).at(item.key()).is_null();
        };
        if (std::none_of(rows.begin(), rows.end(), takes))
            user_error(fmt::format("{}: no row of --samplers reads it; leave it out", flag_of(item.key())));
    }
}

ResolvedSampling settle_sampling(const ComparedModels& models, const SampleOptions& asked) {
    const Model& model = models.model;
    const bool guided = models.guide != nullptr && resolve_sampling(asked, model.sampling, model.schedule).guidance.on();
    return ddpm::settle_sampling(model, asked, guided ? models.guide : nullptr);
}

ResolvedSampling settle_row(const CompareRow& row, int64_t steps, const ComparedModels& models) {
    try {
        return settle_sampling(models, row.in(steps));
    } catch (const Error& error) {
        if (error.key().rfind("sample.", 0) != 0) throw;
        const std::string key = error.key().substr(7);
        const auto set_in = [&](const SampleOptions& options) {
            const Json section = sample_fields().write(options);
            return section.contains(key) && !section.at(key).is_null();
        };
        if (key == "steps") throw error.shown_as("--steps");
        if (set_in(row.own)) throw error.shown_as(place_of(row) + ": " + key);
        if (set_in(row.asked) && !flag_of(key).empty()) throw error.shown_as(flag_of(key));
        throw;
    }
}

void check_rows_differ(const std::vector<CompareRow>& rows, int64_t steps, const ComparedModels& models) {
    for (size_t i = 0; i < rows.size(); ++i)
        for (size_t k = 0; k < i; ++k) {
            if (rows[i].own.sampler != rows[k].own.sampler) continue;
            if (keys_in_force(settle_row(rows[i], steps, models)) == keys_in_force(settle_row(rows[k], steps, models)))
                user_error(fmt::format("--samplers: {} and {} come to the same here; leave one out", quote(rows[k].text),
                                       quote(rows[i].text)));
        }
}

}  // namespace ddpm::cli
