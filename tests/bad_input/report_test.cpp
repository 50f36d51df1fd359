#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;

// Makes runs with metrics of one step in the folders.
std::function<void(const fs::path&)> runs(const std::vector<std::string>& folders) {
    return [folders](const fs::path& folder) {
        for (const std::string& run : folders) file(run + "/metrics.jsonl", "{\"step\":1,\"loss\":1}\n")(folder);
    };
}

// The run `r` with another file.
std::function<void(const fs::path&)> run_and(const std::string& name, const std::string& bytes) {
    return [name, bytes](const fs::path& folder) {
        runs({"r"})(folder);
        file(name, bytes)(folder);
    };
}

TEST(BadInput, RunsOfAReport) {
    test::expect_refusals({
        {"no run", {"report"}, {"report: of which run?", "ddpm report runs/shapes"}},
        {"a run that is not there", {"report", "r"}, {"r: not found", "the folder of a run"}},
        {"a file", {"report", "m.jsonl"}, {"m.jsonl", "expected the folder of a run"}, file("m.jsonl", "{}")},
        {"a folder without a run", {"report", "d"}, {"d: is no run", "metrics.jsonl"}, file("d/x.txt", "x")},
        {"a configuration of somebody's", {"report", "d"}, {"d: is no run"}, file("d/config.json", "{}")},
        {"a run twice", {"report", "r", "./r/"}, {"\"r\" and \"./r/\" are the same run"}, runs({"r"})},
        {"nine runs",
         {"report", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
         {"got 9 runs", "8 at most"},
         runs({"1", "2", "3", "4", "5", "6", "7", "8", "9"})},
        {"one that is no run among them", {"report", "r", "none"}, {"none: not found"}, runs({"r"})},
    });
}

TEST(BadInput, FlagsOfAReport) {
    test::expect_refusals({
        {"another ending", {"report", "r", "--out", "page.txt"}, {"--out: page.txt", ".html"}, runs({"r"})},
        {"a folder that is not there",
         {"report", "r", "--out", "none/page.html"},
         {"--out", "there is no folder none"},
         runs({"r"})},
        {"somebody's page",
         {"report", "r", "--out", "p.html"},
         {"--out: p.html", "is no page of `ddpm report`"},
         run_and("p.html", "<!DOCTYPE html><p>mine")},
        {"somebody's empty page", {"report", "r", "--out", "p.html"}, {"is no page of `ddpm report`"}, run_and("p.html", "")},
        {"a folder in the page's place", {"report", "r", "--out", "p.html"}, {"is a folder"}, run_and("p.html/x", "x")},
        {"a port without watching", {"report", "r", "--port", "80"}, {"--port", "--watch"}, runs({"r"})},
        {"a port that is none", {"report", "r", "--watch", "--port", "65536"}, {"--port", "65535"}, runs({"r"})},
        {"watching and writing", {"report", "r", "--watch", "--out", "p.html"}, {"--watch", "--out", "one of them"}, runs({"r"})},
    });
}

}  // namespace
}  // namespace ddpm
