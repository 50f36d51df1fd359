#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::file;

const test::OfCheckpoint kQuality{{"eval", "quality"}};

TEST(BadInput, JudgingSamples) {
    test::expect_refusals({
        {"neither a model nor samples", {"eval", "quality"}, {"eval quality: of what", "--ckpt", "--samples"}},
        kQuality.early("a model and samples", {"--samples", "s"}, {"either --ckpt FOLDER or --samples FOLDER"}),
        {"samples without real pictures", {"eval", "quality", "--samples", "s"}, {"--samples", "--data CONFIG"}},
        {"samples that are no folder", {"eval", "quality", "--samples", "none", "--data", "."}, {"--samples: none: is no folder"}},
        kQuality.early("an unknown metric", {"--metrics", "mmd,fid"}, {"--metrics: unknown metric \"fid\"", "fd"}),
        kQuality.early("a metric twice", {"--metrics", "mmd,fd,mmd"}, {"--metrics: \"mmd\" is there twice"}),
        kQuality.early("an empty metric", {"--metrics", "mmd,"}, {"--metrics: unknown metric \"\""}),
        kQuality.early("unknown features", {"--features", "scater"}, {"--features", "scater", "scatter"}),
        kQuality.early("features that are not here", {"--features", "vgg:x.pth"},
                       {"--features", "unknown features \"vgg\"", "scatter", "pixel"}),
        kQuality.early("a file for features without one", {"--features", "pixel:x.pth"}, {"--features", "pixel take no file"}),
        kQuality.early("too few samples", {"--n", "19"}, {"--n", "19", "20"}),
        kQuality.early("too few real pictures", {"--real", "5"}, {"--real", "5"}),
        kQuality.early("a result of another kind", {"--json", "q.csv"}, {"--json: q.csv", ".json"}),
        kQuality.early("a result in the place of a configuration", {"--json", "c.json"},
                       {"--json: c.json: exists, and is no result"}, file("c.json", "{\"train\": {}}")),
        kQuality.early("a result where no folder is", {"--json", "none/q.json"}, {"--json: none/q.json", "there is no folder"}),
        kQuality.early("an unknown split", {"--split", "tset"}, {"--split", "tset", "test"}),
        kQuality.of_model("a key that the sampler has not", {"--sampler", "ancestral", "--eta", "0.5"}, {"eta"}),
        kQuality.of_model("a model that does not say its data", {}, {"doesn't say which data", "--data"}),
    });
}

}  // namespace
}  // namespace ddpm
