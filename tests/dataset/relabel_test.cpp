#include "ddpm/dataset/relabel.h"

#include <gtest/gtest.h>

#include "dataset/fixtures.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

using Names = std::vector<std::string>;

// Pictures of one class each, whose red says which: 1 in the first, 2 in the second, …
std::shared_ptr<const Dataset> classes(const TempFolder& folder, const Names& names, const Names& empty = {}) {
    for (size_t i = 0; i < names.size(); ++i) put(folder / names[i] / "x.ppm", ppm(8, 8, static_cast<uint8_t>(i + 1), 0, 0));
    for (const std::string& name : empty) fs::create_directories(folder / name);
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.path().string();
    options.height = options.width = 8;
    return open_dataset(options, 0, 1);
}

TEST(Relabel, LabelsFollowTheNames) {
    for (const Names& wanted : {Names{"a", "b", "c"}, {"c", "a", "b"}, {"b", "a", "c"}, {"c", "b", "a"}}) {
        const TempFolder folder;
        const auto relabelled = relabel(classes(folder, {"a", "b", "c"}), wanted);
        ASSERT_TRUE(relabelled);
        EXPECT_EQ(relabelled->class_names(), wanted);
        for (int64_t i = 0; i < 3; ++i) {
            int64_t label = -1;
            const int red = read_example(*relabelled, i, 0, &label)[0];
            EXPECT_EQ(label, relabelled->label(i));
            EXPECT_EQ(wanted[static_cast<size_t>(label)], std::string(1, static_cast<char>('a' + red - 1)));
        }
    }
}

TEST(Relabel, AClassThatHasBecomeEmptyKeepsItsNumber) {
    const TempFolder folder;
    const auto relabelled = relabel(classes(folder, {"ant", "cat"}, {"bee"}), {"ant", "bee", "cat"});
    ASSERT_TRUE(relabelled);
    EXPECT_EQ(relabelled->label(0), 0);
    EXPECT_EQ(relabelled->label(1), 2);
    EXPECT_EQ(relabelled->class_names().size(), 3u);
    EXPECT_EQ(relabelled->notes(), classes(folder, {"ant", "cat"})->notes());
}

TEST(Relabel, OtherClassesAreNotMatched) {
    const TempFolder folder;
    const auto dataset = classes(folder, {"a", "b"}, {"e"});
    for (const Names& wanted : {Names{}, {"a"}, {"a", "c"}, {"a", "b", "c"}, {"a", "a", "b"}, {"A", "b"}, {"a", "b", "e", "f"}})
        EXPECT_FALSE(relabel(dataset, wanted));
    EXPECT_EQ(relabel(dataset, {"a", "b"}), dataset) << "as it is";
}

}  // namespace
}  // namespace ddpm
