#include "cli/sweep_rows.h"

#include <algorithm>
#include <cctype>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

// No name of a sampler or key begins like a number.
bool begins_like_number(const std::string& word) {
    return !word.empty() && (std::isdigit(static_cast<unsigned char>(word[0])) != 0 || word[0] == '-' || word[0] == '+');
}

void add_own_steps(std::vector<int64_t>& steps, const std::string& word, const std::string& entry) {
    const std::string place = fmt::format("--samplers: {}: steps", printable(entry));
    const Json value = Json::accept(word) ? Json::parse(word) : Json(word);
    steps.push_back(read_integer(value, place, Range::between(1, 1e6)));
    if (std::count(steps.begin(), steps.end(), steps.back()) > 1)
        user_error(fmt::format("{}: {} is there twice", place, steps.back()));
}

}  // namespace

int64_t SweepRows::fewest_steps() const {
    int64_t fewest = steps.front().front();
    for (const std::vector<int64_t>& of_row : steps) fewest = std::min(fewest, *std::min_element(of_row.begin(), of_row.end()));
    return fewest;
}

ResolvedSampling SweepRows::settle(size_t row, int64_t of_steps, const Model& model) const {
    try {
        return settle_row(rows[row], of_steps, {model, nullptr});
    } catch (const Error& error) {
        if (own_steps[row] && error.key() == "sample.steps") throw error.shown_as("--samplers: " + printable(rows[row].text));
        throw;
    }
}

SweepRows read_sweep_rows(const std::string& samplers, const std::optional<std::string>& steps) {
    SweepRows read;
    std::vector<std::string> entries;  // without their steps
    for (const std::string& part : split(samplers, ',')) {
        if (begins_like_number(part)) {
            if (entries.empty())
                user_error(fmt::format("--samplers: {} belongs to no sampler; numbers of steps come after one, as in ddim:10,25",
                                       quote(part)));
            add_own_steps(read.steps.back(), part, entries.back());
            continue;
        }
        const std::vector<std::string> words = split(part, ':');
        std::vector<std::string> rest, numbers;
        for (const std::string& word : words) (begins_like_number(word) ? numbers : rest).push_back(word);
        entries.push_back(join(rest, ":"));
        read.steps.emplace_back();
        for (const std::string& number : numbers) add_own_steps(read.steps.back(), number, entries.back());
    }
    read.rows = read_compare_rows(join(entries, ","));
    const std::vector<int64_t> shared = read_compare_steps(steps.value_or(kSweepSteps));
    for (std::vector<int64_t>& own : read.steps) {
        read.own_steps.push_back(!own.empty());
        if (own.empty()) own = shared;
    }
    if (steps && std::all_of(read.own_steps.begin(), read.own_steps.end(), [](bool own) { return own; }))
        user_error("--steps: every entry of --samplers names its own steps; leave it out");
    return read;
}

}  // namespace ddpm::cli
