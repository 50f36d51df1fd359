#include <sys/stat.h>

#include "bad_input/bad_input.h"

namespace ddpm {
namespace {

using test::file;

// Names that a shell, a format string or a terminal may stumble over: the message holds them, on its one line.
TEST(BadInput, Names) {
    std::vector<test::BadInput> cases;
    for (const std::string name : {"with blanks", "quo'te", "dou\"ble", "back\\slash", "Grüße", "猫", "percent%s%n", "{}{0}",
                                   "-dash", "$HOME", "*", "a;b"}) {
        cases.push_back({name + ", not there", {"info", "./" + name}, {name + ": not found"}});
        cases.push_back({name + ", no JSON", {"train", "--config", "./" + name}, {name + ":1:1: not valid JSON"}, file(name, "x")});
        cases.push_back({name + ", a folder of no pictures",
                         {"data", "./" + name},
                         {name + ": no readable picture"},
                         file(name + "/x.txt", "x")});
    }
    for (const std::string verb : {"info", "data"})
        cases.push_back({verb + " of a name that is not UTF-8", {verb, "./\xff"}, {"\\xff"}, file("\xff/x.txt", "x")});
    for (const std::string value : {"caf\xe9", "\xff", "a/\xed\xa0\x80", "\"caf\xe9\""})
        for (const std::string verb : {"train", "data"}) {
            const std::string given = "dataset.path=" + value;
            std::vector<std::string> arguments{verb, "--config", "c.json", "--set", given};
            if (verb == "data") arguments = {verb, "c.json", "--set", given};
            cases.push_back({verb + " --set " + given,
                             arguments,
                             {"--set dataset.path: got", "which is not UTF-8", "\\x"},
                             file("c.json", R"({"dataset": {"type": "image_folder"}})")});
        }
    cases.push_back({"--set of a key that is not UTF-8",
                     {"train", "--config", "c.json", "--set", "dataset.\xe9=1"},
                     {"--set dataset.\\xe9: got \"1\", which is not UTF-8"},
                     file("c.json", "{}")});
    // The accents of one are characters of their own, those of the other are not.
    const std::string whole = "über", apart =
                                          "u\xcc\x88"
                                          "ber";
    for (const auto& [there, given] : {std::pair(whole, apart), std::pair(apart, whole)}) {
        const std::vector<std::string> words{"hint: ./" + there + " looks the same and is there"};
        const auto with = [words](std::vector<std::string> more) {
            more.insert(more.end(), words.begin(), words.end());
            return more;
        };
        cases.push_back(
            {"another normal form of a checkpoint", {"info", "./" + given}, with({"not found"}), file(there + "/x", "x")});
        cases.push_back({"another normal form of a configuration",
                         {"train", "--config", "./" + given},
                         with({"can't open: No such file"}),
                         file(there, "{}")});
        cases.push_back({"another normal form of a data set",
                         {"data", "c.json", "--set", "dataset.path=./" + given},
                         with({"no such folder"}),
                         [there = there](const fs::path& folder) {
                             file(there + "/x.txt", "x")(folder);
                             write_file(folder / "c.json", R"({"dataset": {"type": "image_folder"}})");
                         }});
    }
    cases.push_back({"a name of two lines", {"info", "a\nb"}, {"a\\nb: not found"}});
    test::expect_refusals(cases);
}

TEST(BadInput, Links) {
    const auto loop = [](const fs::path& folder) {
        fs::create_symlink("b", folder / "a");
        fs::create_symlink("a", folder / "b");
    };
    const auto dangling = [](const fs::path& folder) { fs::create_symlink("nowhere", folder / "a"); };
    const auto upward = [](const fs::path& folder) {
        fs::create_directory(folder / "p");
        fs::create_symlink("..", folder / "p/up");
    };
    const std::string deep(5000, 'd');
    const auto pipe = [](const std::string& name) {
        return [=](const fs::path& folder) { ASSERT_EQ(::mkfifo((folder / name).c_str(), 0600), 0); };
    };
    test::expect_refusals({
        {"a pipe for a checkpoint", {"info", "p"}, {"p: is a pipe, expected a run folder"}, pipe("p")},
        {"a pipe for weights", {"sample", "--ckpt", "p.safetensors"}, {"p.safetensors"}, pipe("p.safetensors")},
        {"a pipe for another's weights", {"convert", "p.pt", "out"}, {"p.pt"}, pipe("p.pt")},
        {"a loop for a checkpoint", {"info", "a"}, {"a"}, loop},
        {"a loop for a configuration", {"train", "--config", "a"}, {"a: can't open"}, loop},
        {"a loop for a picture", {"noise-preview", "a"}, {"a: can't open"}, loop},
        {"a loop for a data set",
         {"data", "c.json", "--set", "dataset.path=a"},
         {"a: no such folder"},
         [=](const fs::path& folder) { loop(folder), write_file(folder / "c.json", R"({"dataset": {"type": "image_folder"}})"); }},
        {"a link to nothing", {"info", "a"}, {"a: not found"}, dangling},
        {"a link to nothing, for a configuration", {"train", "--config", "a"}, {"a: can't open: No such file"}, dangling},
        {"a link upward in a data set", {"data", "p"}, {"no readable picture"}, upward},
        {"a name too long", {"train", "--config", deep}, {"can't open: File name too long"}},
        {"a checkpoint's name too long", {"info", deep}, {"not found"}},
        {"a result in a folder that is not there", {"schedule", "--csv", "no/x.csv"}, {"--csv", "no folder no"}},
        {"a result on a folder", {"schedule", "--plot", "p"}, {"--plot", "is a folder"}, upward},
        {"a result on a device", {"schedule", "--plot", "/dev/full"}, {"--plot", "a device or a pipe"}},
        {"a run on a file",
         {"train", "--config", "c.json", "--out", "f"},
         {"f"},
         [](const fs::path& folder) {
             write_file(folder / "f", "x"),
                 write_file(folder / "c.json",
                            R"({"dataset": {"image_size": 8}, "model": {"block_out_channels": [8], "norm_num_groups": 4}})");
         }},
    });
}

}  // namespace
}  // namespace ddpm
