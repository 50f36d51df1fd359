#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::sound;

// `ddpm eval quality` of a checkpoint that is not looked at.
BadInput early(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
               std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"eval", "quality", "--ckpt", "p"});
    return {name, std::move(flags), std::move(words), std::move(make)};
}

TEST(BadInput, JudgingSamples) {
    const auto with_model = [](const fs::path& folder) { sound().write(folder / "p"); };
    test::expect_refusals({
        {"neither a model nor samples", {"eval", "quality"}, {"eval quality: of what", "--ckpt", "--samples"}},
        early("a model and samples", {"--samples", "s"}, {"either --ckpt FOLDER or --samples FOLDER"}),
        {"samples without real pictures", {"eval", "quality", "--samples", "s"}, {"--samples", "--data CONFIG"}},
        {"samples that are no folder", {"eval", "quality", "--samples", "none", "--data", "."}, {"--samples: none: is no folder"}},
        early("an unknown metric", {"--metrics", "mmd,fid"}, {"--metrics: unknown metric \"fid\"", "fd"}),
        early("a metric twice", {"--metrics", "mmd,fd,mmd"}, {"--metrics: \"mmd\" is there twice"}),
        early("an empty metric", {"--metrics", "mmd,"}, {"--metrics: unknown metric \"\""}),
        early("unknown features", {"--features", "scater"}, {"--features", "scater", "scatter"}),
        early("features that are not here", {"--features", "inception:x.pth"}, {"--features", "scatter", "pixel"}),
        early("too few samples", {"--n", "19"}, {"--n", "19", "20"}),
        early("too few real pictures", {"--real", "5"}, {"--real", "5"}),
        early("a result of another kind", {"--json", "q.csv"}, {"--json: q.csv", ".json"}),
        early("a result in the place of a configuration", {"--json", "c.json"}, {"--json: c.json: exists, and is no result"},
              file("c.json", "{\"train\": {}}")),
        early("a result where no folder is", {"--json", "none/q.json"}, {"--json: none/q.json", "there is no folder"}),
        early("an unknown split", {"--split", "tset"}, {"--split", "tset", "test"}),
        early("a key that the sampler has not", {"--sampler", "ancestral", "--eta", "0.5"}, {"eta"}, with_model),
        early("a model that does not say its data", {}, {"doesn't say which data", "--data"}, with_model),
    });
}

}  // namespace
}  // namespace ddpm
