#include "ddpm/run/snapshots.h"

#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/run_folder.h"
#include "support/captured_log.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// The steps whose snapshots are there after `end` steps of a run of `steps`.
std::set<int64_t> kept_after(int64_t end, int64_t steps, int64_t* written = nullptr) {
    std::set<int64_t> kept;
    for (int64_t step = 1; step <= end; ++step) {
        if (!snapshot_due(step, steps)) continue;
        kept.insert(step);
        if (written != nullptr) ++*written;
        std::erase_if(kept, [&](int64_t older) { return !snapshot_stays(older, step, steps); });
    }
    return kept;
}

TEST(Snapshots, StayFewAndEvenlySpread) {
    for (const int64_t steps : {8, 9, 16, 17, 31, 100, 128, 129, 1000, 2049, 20000, 32767}) {
        int64_t written = 0;
        const std::set<int64_t> kept = kept_after(steps, steps, &written);
        EXPECT_GE(kept.size(), 8u) << steps;
        EXPECT_LE(kept.size(), static_cast<size_t>(kMostSnapshots)) << steps;
        EXPECT_EQ(*kept.rbegin(), steps);
        const int64_t spacing = *kept.begin();
        for (int64_t step = spacing; step < steps; step += spacing) EXPECT_TRUE(kept.contains(step)) << step << " of " << steps;
        EXPECT_LE(written, 44) << steps;
    }
    EXPECT_EQ(kept_after(5, 5), (std::set<int64_t>{1, 2, 3, 4, 5}));
    EXPECT_EQ(kept_after(20, 20), (std::set<int64_t>{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
    EXPECT_EQ(kept_after(1000, 1000),
              (std::set<int64_t>{64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1000}));
}

TEST(Snapshots, FollowFromTheStepsAloneWhenARunGrows) {
    for (const int64_t first : {7, 20, 129, 1000}) {
        const int64_t later = 3 * first;
        std::set<int64_t> grown = kept_after(first, first);
        for (int64_t step = first + 1; step <= later; ++step) {
            if (!snapshot_due(step, later)) continue;
            grown.insert(step);
            std::erase_if(grown, [&](int64_t older) { return !snapshot_stays(older, step, later); });
        }
        EXPECT_EQ(grown, kept_after(later, later)) << first;
    }
}

TEST(Snapshots, KnowTheirNames) {
    EXPECT_EQ(snapshot_name(1000, 0.05), "step-001000-width-0.05.safetensors");
    const auto read = snapshot_named("step-001000-width-0.05.safetensors");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->step, 1000);
    EXPECT_EQ(read->width, 0.05);
    for (const char* other :
         {"step-001000.safetensors", "step-1000-width-0.05.safetensors", "step-001000-width-0.050.safetensors",
          "step-001000-width-.safetensors", "step-001000-width-x.safetensors", "step-001000-width-1.safetensors",
          ".step-001000-width-0.05.safetensors", "step-001000-width-0.05.safetensors.partial", "-width-"})
        EXPECT_FALSE(snapshot_named(other)) << other;
    EXPECT_TRUE(is_name_of_run("ema", "step-001000-width-0.05.safetensors"));
    EXPECT_FALSE(is_name_of_run("ema", "notes.txt"));
}

// A run with averages of one number at some steps.
struct Stored {
    TempFolder run;

    Stored() {
        make_folders(run / "checkpoints");
        for (const int64_t step : {4, 8})
            for (const double width : {0.05, 0.1}) write(step, width, static_cast<float>(step) + static_cast<float>(width));
    }
    void write(int64_t step, double width, float number) const {
        write_snapshot(run.path(), {step, step, width, power_of_width(width)}, {{"w", at::full({2}, number)}});
    }
    std::vector<int64_t> steps() const {
        std::vector<int64_t> all;
        for (const Snapshot& snapshot : list_snapshots(run.path())) all.push_back(snapshot.step);
        return all;
    }
    void damage(int64_t step, double width) const {
        const fs::path file = run / "ema" / snapshot_name(step, width);
        std::string bytes = read_file(file, 1 << 20);
        bytes.back() = static_cast<char>(bytes.back() ^ 1);
        write_file(file, bytes);
    }
};

TEST(Snapshots, AreListedAndRemoved) {
    const Stored stored;
    write_file(stored.run / "ema/notes.txt", "mine");
    EXPECT_EQ(stored.steps(), (std::vector<int64_t>{4, 4, 8, 8}));
    remove_snapshots_after(stored.run.path(), 7);
    EXPECT_EQ(stored.steps(), (std::vector<int64_t>{4, 4}));
    stored.write(7, 0.1, 1);
    stored.write(40, 0.1, 1);
    thin_snapshots(stored.run.path(), 40);  // 40 steps: the multiples of 4
    EXPECT_EQ(stored.steps(), (std::vector<int64_t>{4, 4, 40}));
    EXPECT_TRUE(fs::exists(stored.run / "ema/notes.txt"));
    EXPECT_TRUE(list_snapshots(stored.run / "none").empty());
}

TEST(Snapshots, SayWhatIsWrongWithThem) {
    const Stored stored;
    const Snapshot sound = list_snapshots(stored.run.path()).front();
    EXPECT_FALSE(damage_of_snapshot(sound));
    EXPECT_EQ(read_snapshot_info(sound).updates, 4);
    stored.damage(4, 0.05);
    EXPECT_SAYS(damage_of_snapshot(sound).value_or("none"), "its checksum is");
    const fs::path other = stored.run / "ema" / snapshot_name(5, 0.05);
    fs::copy_file(stored.run / "ema" / snapshot_name(8, 0.05), other);
    EXPECT_SAYS(damage_of_snapshot({5, 0.05, other}).value_or("none"), "is of step 8 and width 0.05, and not what its name says");
    write_safetensors(other, {{"w", at::zeros({2})}});
    EXPECT_SAYS(damage_of_snapshot({5, 0.05, other}).value_or("none"), "has no ema_format");
}

TEST(Snapshots, AreSummedIntoOtherAverages) {
    const Stored stored;
    const at::Tensor w = at::zeros({2});
    const Rebuild kept = plan_rebuild(stored.run.path(), 0.1, "width");
    ASSERT_EQ(kept.terms.size(), 1u);
    EXPECT_EQ(kept.step, 8);
    rebuild_into(kept, {{"w", w}});
    EXPECT_EQ(w[0].item<float>(), 8.0f + 0.1f);

    const Rebuild other = plan_rebuild(stored.run.path(), 0.075, "width");
    ASSERT_EQ(other.terms.size(), 4u);
    rebuild_into(other, {{"w", w}});
    double expected = 0;
    const double a = power_of_width(0.05), b = power_of_width(0.1);
    const Reconstruction sum = reconstruct({{4, a}, {4, b}, {8, a}, {8, b}}, {8, power_of_width(0.075)});
    for (size_t i = 0; i < 4; ++i) expected += sum.weights[i] * ((i < 2 ? 4 : 8) + (i % 2 == 0 ? 0.05 : 0.1));
    EXPECT_NEAR(w[1].item<double>(), expected, 1e-5);
    EXPECT_EQ(plan_rebuild(stored.run.path(), 0.075, "width", 5).terms.size(), 2u) << "later snapshots are not of step 5";
}

TEST(Snapshots, LeaveOutDamagedOnesAndSaySo) {
    const Stored stored;
    stored.damage(8, 0.1);
    CapturedLog log;
    const Rebuild rebuild = plan_rebuild(stored.run.path(), 0.1, "width");
    EXPECT_SAYS(log.text(), "step-000008-width-0.1.safetensors is damaged");
    EXPECT_EQ(rebuild.terms.size(), 3u);
    EXPECT_GT(rebuild.error, 0.01);
}

// Somebody has put sound files of another network there. The run's own checkpoint says what its tensors are.
TEST(Snapshots, OnesOfAnotherNetworkAreLeftOut) {
    const Stored stored;
    const fs::path unet = stored.run / "checkpoints" / checkpoint_name(8) / "unet";
    make_folders(unet);
    write_safetensors(unet / "diffusion_pytorch_model.safetensors", {{"w", at::zeros({2})}});
    const auto put = [&](const NamedTensors& tensors) {
        write_snapshot(stored.run.path(), {12, 12, 0.1, power_of_width(0.1)}, tensors);
    };
    const std::vector<std::pair<NamedTensors, std::string>> cases = {
        {{{"v", at::zeros({2})}}, "w is missing"},
        {{{"w", at::zeros({3})}}, "w is [3], and [2] in the run's checkpoints"},
        {{{"w", at::zeros({2})}, {"x", at::zeros({2})}}, "x is not in the run's checkpoints"}};
    for (const auto& [tensors, what] : cases) {
        put(tensors);
        const TensorShapes expected = shapes_of_run(stored.run.path()).value();
        EXPECT_SAYS(misfit_of_snapshot(list_snapshots(stored.run.path()).back(), expected).value_or("none"), what);
        CapturedLog log;
        const Rebuild rebuild = plan_rebuild(stored.run.path(), 0.1, "width");
        EXPECT_SAYS(log.text(), snapshot_name(12, 0.1) + " holds an average of another network: " + what);
        EXPECT_EQ(rebuild.step, 8) << "the newest of the run's own";
        EXPECT_EQ(rebuild.terms.size(), 1u);
    }
    write_safetensors(unet / "diffusion_pytorch_model.safetensors", {{"u", at::zeros({2})}});
    EXPECT_SAYS(error_of([&] { plan_rebuild(stored.run.path(), 0.1, "width"); }), "no snapshot is of the run's network");
}

TEST(Snapshots, WarnOfWhatTheyExpressBadly) {
    const auto said = [](double error, double residual) {
        CapturedLog log;
        warn_of_error({8, 0.28, {}, residual, error});
        return log.text();
    };
    EXPECT_EQ(said(0.05, 0.15), "");
    EXPECT_SAYS(said(0.11, 0.15), "can't be rebuilt well");
    EXPECT_SAYS(said(0.059, 0.21), "that of the profile 0.21 of its size");
    EXPECT_SAYS(describe({8, 0.28, {}, 1.5, 0.3}), "relative error of the profile 1.5");
}

// It is not taken for one that the run has thinned meanwhile, for which the plan is made again.
TEST(Snapshots, ALinkToNothingIsLeftOut) {
    const Stored stored;
    const fs::path file = stored.run / "ema" / snapshot_name(8, 0.1);
    fs::remove(file);
    fs::create_symlink("nowhere", file);
    CapturedLog log;
    EXPECT_EQ(plan_rebuild(stored.run.path(), 0.1, "width").terms.size(), 3u);
    EXPECT_SAYS(log.text(), "step-000008-width-0.1.safetensors is damaged");
}

TEST(Snapshots, RefuseWhatTheyCanNotGive) {
    const Stored stored;
    const auto refusal = [&](double width, std::optional<int64_t> step) {
        return error_of([&] { plan_rebuild(stored.run.path(), width, "--width", step, "--step"); });
    };
    EXPECT_SAYS(refusal(0.3, {}), "--width: got 0.3");
    EXPECT_SAYS(refusal(0.1, 3), "--step: got 3, expected 4 … 8");
    EXPECT_SAYS(refusal(0.1, 9), "--step: got 9, expected 4 … 8");
    const TempFolder folder;
    EXPECT_SAYS(error_of([&] { plan_rebuild(folder.path(), 0.1, "width"); }), "is no run folder");
    make_folders(folder / "checkpoints");
    EXPECT_SAYS(error_of([&] { plan_rebuild(folder.path(), 0.1, "width"); }), "has no snapshots");
    EXPECT_SAYS(error_of([&] {
                    rebuild_into(plan_rebuild(stored.run.path(), 0.1, "width"), {{"v", at::zeros({2})}});
                }),
                "v is missing");
}

}  // namespace
}  // namespace ddpm
