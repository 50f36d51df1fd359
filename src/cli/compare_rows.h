#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

// A row of `ddpm compare`: a sampler with settings of its own.
struct CompareRow {
    std::string text;                   // as --samplers has it: "ddim:eta=0.5"
    SampleOptions own{};                // what that says, without an alias
    SampleOptions asked{};              // `own` over the flags that the row reads; the steps are unset
    std::vector<std::string> unread{};  // the flags that were given and that the row does not read: {"--order"}

    SampleOptions in(int64_t steps) const;  // `asked` with so many steps
};

// Reads --samplers: entries NAME or NAME:key=value:key=value between commas. A name may be an alias, and the keys are those of
// section `sample` but sampler, steps and timesteps; an interval is LO..HI or LO..inf. These are user_errors: an unknown name or key, a value that the key does not
// allow, a key that the sampler does not read, an entry that is there twice.
std::vector<CompareRow> read_compare_rows(const std::string& samplers);

// Reads --steps: different whole numbers ≥ 1 between commas.
std::vector<int64_t> read_compare_steps(const std::string& steps);

// What is compared: a model, and the network of --guide-ckpt (null: none), by which the guided rows are guided.
struct ComparedModels {
    const Model& model;
    const Model* guide;
};

// settle_sampling with the guide where these options guide; without guidance it has no say.
ResolvedSampling settle_sampling(const ComparedModels& models, const SampleOptions& asked);

// Sets what each row asks for: its own keys first, then those of the flags that it reads. user_error: a flag that no row reads.
void put_rows_over(std::vector<CompareRow>& rows, const SampleOptions& flags, const ComparedModels& models, int64_t steps);

// Settles a row for a number of steps. Errors name the entry of --samplers or the flag that the value comes from.
ResolvedSampling settle_row(const CompareRow& row, int64_t steps, const ComparedModels& models);

// Throws a user_error if two rows come to the same, as ddim and euler do.
void check_rows_differ(const std::vector<CompareRow>& rows, int64_t steps, const ComparedModels& models);

}  // namespace ddpm::cli
