#include "cli/places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "support/errors.h"
#include "support/nobody.h"
#include "support/temp_folder.h"

namespace ddpm::cli {
namespace {

TEST(Places, AResultIsJudgedByWhatItsNameLeadsTo) {
    const TempFolder temp;
    write_file(temp / "config.json", "{}");
    fs::create_symlink("config.json", temp / "x.png");
    EXPECT_SAYS(error_of([&] { check_place("--grid", temp / "x.png", ResultKind::picture); }),
                "x.png (a link): " + (temp / "config.json").string() + ": pictures are written as PNG");
    fs::create_symlink("y.png", temp / "z.png");
    check_place("--grid", temp / "z.png", ResultKind::picture);
    EXPECT_SAYS(error_of([&] {
                    check_places({{"--grid", temp / "y.png"}, {"--plot", temp / "z.png"}});
                }),
                "--grid and --plot name the same file");
    fs::create_symlink("b.png", temp / "a.png");
    fs::create_symlink("a.png", temp / "b.png");
    EXPECT_SAYS(error_of([&] { check_place("--grid", temp / "a.png", ResultKind::picture); }), "round in a circle");
}

TEST(Places, WhereNothingMayBeMadeIsSaid) {
    expect_refused_to_nobody([] { check_place("--grid", "/x.png", ResultKind::picture); });
}

TEST(Places, AResultGoesNowhereElseThanToAPictureOrATable) {
    const TempFolder folder;
    for (const char* name : {"a.png", "A.PNG"}) EXPECT_NO_THROW(check_place("--plot", folder / name, ResultKind::picture)) << name;
    EXPECT_NO_THROW(check_place("--csv", folder / "a.csv", ResultKind::table));
    for (const char* name : {"config.json", "a.safetensors", "a.jpg", "metrics.jsonl", "a"}) {
        EXPECT_THROW(check_place("--plot", folder / name, ResultKind::picture), Error) << name;
        EXPECT_THROW(check_place("--csv", folder / name, ResultKind::table), Error) << name;
    }
    EXPECT_THROW(check_place("--csv", folder / "a.png", ResultKind::table), Error);
    EXPECT_THROW(check_place("--plot", folder / "none/a.png", ResultKind::picture), Error);
    EXPECT_THROW(check_places({{"--plot", folder / "a.png"}, {"--grid", folder / "b/../a.png"}}), Error);
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_THROW(check_place("--out", folder / "pipe", ResultKind::table), Error);
}

}  // namespace
}  // namespace ddpm::cli
