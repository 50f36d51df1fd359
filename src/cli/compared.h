#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/compare_rows.h"
#include "ddpm/core/json.h"
#include "ddpm/eval/comparison.h"
#include "ddpm/image/image.h"

namespace ddpm::cli {

// A way of sampling and what was measured of it.
struct ComparedCell {
    SampleOptions asked;
    ResolvedSampling settings;  // what `asked` comes to
    int64_t evaluations = 0;    // of the network, for each picture
    bool noisy = false;         // adds_noise(settings)
    WayMeasured measured{};
};

// The solution of one ODE. Rows that clip or guide in different ways solve different ones.
struct ComparedReference {
    ComparedCell way{}, in_half{};  // the latter in half the steps, not measured by itself
    Reference measured{};
};

// All that `ddpm compare` has found out.
struct Compared {
    std::string model{}, weights{}, precision{}, device{}, data{}, guide{};  // data: what the real pictures are; "" without --data
    std::optional<double> ema_width{};
    std::optional<int64_t> ema_step{};
    int64_t seed = 0, n = 0, data_pictures = 0;
    Json flags{};  // section `sample` as the flags set it
    std::vector<CompareRow> rows{};
    std::vector<int64_t> steps{};
    std::vector<ComparedReference> references{};  // one for each ODE that a row solves, in the order of the rows
    std::vector<size_t> reference_of{};           // of each row
    std::vector<ComparedCell> cells{};            // of the first row in the order of `steps`, then of the second, …

    const ComparedCell& cell(size_t row, size_t column) const { return cells[row * steps.size() + column]; }
    bool has_data() const { return references.front().measured.data.has_value(); }
};

// What says which ODE these settings solve: "clip=1, guidance_scale=2".
std::string describe_ode(const ResolvedSampling& settings);

// compare.json, compare.csv and compare.md. A number that is not there is null, an empty field and "–", one that is not finite
// null, "nan" and "nan".
std::string compared_as_json(const Compared& compared);
std::string compared_as_csv(const Compared& compared);
std::string compared_as_markdown(const Compared& compared);

// The word "nan" in place of pictures, as large as they would be.
Image nan_picture(const Image& like);

// sheet.png: a row of pictures for each row, a column for each number of steps, and the reference below.
Image draw_compared_sheet(const Compared& compared);
// error.png: the distances over the evaluations.
Image draw_compared_errors(const Compared& compared);

}  // namespace ddpm::cli
