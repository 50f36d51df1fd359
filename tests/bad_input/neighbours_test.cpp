#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::sound;

// `ddpm eval neighbours` of a checkpoint that is not looked at.
BadInput early(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
               std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"eval", "neighbours", "--ckpt", "p"});
    return {name, std::move(flags), std::move(words), std::move(make)};
}

// The same of a folder s, beside --data d.
BadInput of_folder(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
                   std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"eval", "neighbours", "--samples", "s", "--data", "d"});
    return {name, std::move(flags), std::move(words), [make](const fs::path& folder) {
                for (const char* each : {"s", "d"}) fs::create_directories(folder / each);
                if (make) make(folder);
            }};
}

TEST(BadInput, LookingForCopies) {
    const auto with_model = [](const fs::path& folder) { sound().write(folder / "p"); };
    test::expect_refusals({
        {"neither a model nor samples", {"eval", "neighbours"}, {"eval neighbours: of what", "--ckpt", "--samples"}},
        early("a model and samples", {"--samples", "s"}, {"either --ckpt FOLDER or --samples FOLDER"}),
        {"samples without training pictures", {"eval", "neighbours", "--samples", "s"}, {"--samples", "--data CONFIG"}},
        {"samples that are no folder",
         {"eval", "neighbours", "--samples", "none", "--data", "."},
         {"--samples: none: is no folder"}},
        of_folder("samples without a picture", {}, {"--samples: s: no picture lies directly in it"}),
        early("held-out pictures that are no folder", {"--held-out-data", "none"}, {"--held-out-data: none: is no folder"}),
        early("unknown features", {"--features", "scater"}, {"--features", "scater", "scatter"}),
        early("a file for features without one", {"--features", "scatter:x.pth"}, {"--features", "scatter take no file"}),
        early("no samples", {"--n", "0"}, {"--n", "0"}),
        early("no held-out pictures", {"--held-out", "0"}, {"--held-out", "0"}),
        early("a sheet of another kind", {"--sheet", "n.jpg"}, {"--sheet: n.jpg", ".png"}),
        early("a sheet where no folder is", {"--sheet", "none/n.png"}, {"--sheet: none/n.png", "there is no folder"}),
        of_folder("a sheet among the samples", {"--sheet", "s/n.png"}, {"--sheet: s/n.png: lies in what --samples reads"}),
        of_folder("a result among the training pictures", {"--json", "d/n.json"}, {"--json: d/n.json: lies in what --data reads"}),
        early("a result of another kind", {"--json", "n.csv"}, {"--json: n.csv", ".json"}),
        early("a result in the place of a configuration", {"--json", "c.json"}, {"--json: c.json: exists, and is no result"},
              file("c.json", "{\"train\": {}}")),
        early("a result in the place of another evaluation's", {"--json", "q.json"},
              {"--json: q.json: exists, and is no result of `ddpm eval neighbours`"},
              file("q.json", "{\"format\": \"ddpm eval quality\"}")),
        early("an unknown split", {"--split", "tset"}, {"--split", "tset", "test"}),
        early("a key that the sampler has not", {"--sampler", "ancestral", "--eta", "0.5"}, {"eta"}, with_model),
        early("a model that does not say its data", {}, {"doesn't say which data", "--data"}, with_model),
        early("data without a picture", {"--data", "d"}, {"d"},
              [with_model](const fs::path& folder) {
                  with_model(folder);
                  fs::create_directories(folder / "d");
              }),
        early("a split of data without parts", {"--data", "c.json", "--split", "test"}, {"--split", "shapes has no parts"},
              [with_model](const fs::path& folder) {
                  with_model(folder);
                  write_file(folder / "c.json", R"({"dataset": {"image_size": 8, "length": 20}})");
              }),
    });
}

}  // namespace
}  // namespace ddpm
