#include "ddpm/train/judging_options.h"

namespace ddpm {

// No weights depend on these keys, so all of them may change when a run is continued. Numbers of other features, metrics or counts
// can't be compared, and what was best by them counts no more.
const FieldTable<JudgingOptions>& judging_fields() {
    using T = JudgingOptions;
    static const FieldTable<T> table =
        FieldTable<T>()
            .add("every", &T::every, Range::at_least(0),
                 "steps between judgements of samples, and one at the end; 0: never. The samples follow from seed and step")
            .add("n", &T::n, Range::between(20, 1e6), "samples, drawn as train.sample_steps says")
            .add("features", &T::features, "what is compared, as --features of `ddpm eval quality`")
            .add("metrics", &T::metrics, "between commas, as --metrics of `ddpm eval quality`; the first one decides")
            .add("reference", &T::reference, Range::between(20, 1e6),
                 "real pictures that samples are compared with, spread evenly over those of training")
            .add(
                "share", &T::share, Range::between(0, 1),
                "while judging has taken more than this share of the session's time, it is left out, but for the last step; 1: never "
                "left out")
            .all_free_on_resume();
    return table;
}

}  // namespace ddpm
