#include "ddpm/report/report_page.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "report/html.h"
#include "report/svg_plot.h"
#include "report/verdict.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm::report {
namespace {

constexpr const char* kPolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

// A picture that can't be compressed.
Image noise(int size) {
    Image image = make_image(size, size, 3);
    uint32_t state = 1;
    for (uint8_t& byte : image.pixels) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
    return image;
}

ReportRun run_of(int64_t steps, int64_t planned) {
    ReportRun run;
    run.name = "shapes";
    run.place = "/runs/shapes";
    run.config = parse_json(R"({"train": {"steps": )" + std::to_string(planned) + R"(, "heartbeat_seconds": 60}})", "config");
    for (int64_t step = 1; step <= steps; ++step) {
        run.metrics.loss.add(step, 1 / static_cast<double>(step));
        run.metrics.learning_rate.add(step, 1e-3);
    }
    run.metrics.last_step = steps;
    run.metrics.last_time = 1000;
    return run;
}

void add_held_out(ReportRun& run, const std::vector<double>& losses) {
    int64_t step = 0;
    for (const double loss : losses) {
        step += 10;
        run.metrics.held_out_ema.add(step, loss);
        run.metrics.last_held_out = {step, loss};
        const bool best = !run.metrics.best_held_out || loss < run.metrics.best_held_out->loss;
        if (best) run.metrics.best_held_out = run.metrics.last_held_out;
        run.metrics.held_out_since_best = best ? 0 : run.metrics.held_out_since_best + 1;
    }
}

size_t count_of(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

TEST(Html, EscapesWhatAUserMayHaveNamed) {
    EXPECT_EQ(escape_html("<b a=\"1\" c='2'>&\xff"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\\xff");
    EXPECT_EQ(json_for_script({{"a", "</script><!--"}}), R"({"a":"\u003c/script>\u003c!--"})");
    EXPECT_EQ(json_for_script("\xff"), "\"\xEF\xBF\xBD\"");
}

// RFC 4648, section 10.
TEST(Html, EncodesBase64) {
    const std::string head = "data:image/png;base64,";
    EXPECT_EQ(png_url(""), head);
    EXPECT_EQ(png_url("f"), head + "Zg==");
    EXPECT_EQ(png_url("fo"), head + "Zm8=");
    EXPECT_EQ(png_url("foo"), head + "Zm9v");
    EXPECT_EQ(png_url("foob"), head + "Zm9vYg==");
    EXPECT_EQ(png_url("\xff\xfe\xfd"), head + "//79");
}

TEST(SvgPlot, DrawsTheExtremesOfWideColumns) {
    ColumnCurve curve(10);
    for (int64_t step = 0; step < 1000; ++step) curve.add(step, step == 500 ? 100 : 1);
    SvgPlot plot{"a & b", "", {line_with_extremes("l<", 0, curve)}, {{500, "spike < here"}}};
    const std::string html = draw_svg_plot(plot);
    EXPECT_SAYS(html, "class=\"b c0\"");
    EXPECT_SAYS(html, "a &amp; b");
    EXPECT_SAYS(html, "l&lt;");
    EXPECT_SAYS(html, "spike &lt; here");
    EXPECT_SAYS(html, "spike \\u003c here");
    // The axis goes from 1 to 100 with 4 % on either side, so 100 lies at 0.04 / 1.08 of 240.
    EXPECT_SAYS(html, " 8.9");
    EXPECT_EQ(draw_svg_plot({"nothing", "", {{"none", 0, {}, {}}}}), "");
}

TEST(Verdict, SaysHowFarARunIs) {
    EXPECT_SAYS(verdict_of(run_of(50, 50), 1e6), "The run is finished: step 50 of 50.");
    EXPECT_SAYS(verdict_of(run_of(20, 50), 1010), "seems to be going on: step 20 of 50, and its last line is 10 s old");
    EXPECT_SAYS(verdict_of(run_of(20, 50), 1000 + 7200), "has stopped before its end: step 20 of 50");
    EXPECT_SAYS(verdict_of(run_of(0, 50), 1000), "No step is done yet.");
    ReportRun run = run_of(20, 50);
    run.metrics.gave_up = "at conv_in";
    run.metrics.spike_count = 2;
    run.metrics.rollback_count = 1;
    run.best_checkpoint = 10;
    run.best_judged = 15;
    const std::string text = verdict_of(run, 1e6);
    EXPECT_SAYS(text, "gave up at step 20 of 50 (at conv_in)");
    EXPECT_SAYS(text, "2 spikes of the loss, 1 rollback");
    EXPECT_SAYS(text, "The best checkpoint is that of step 10. The checkpoint of the best samples is that of step 15.");
}

TEST(Verdict, SaysWhetherTheHeldOutLossRises) {
    ReportRun falls = run_of(50, 50), rises = falls, wavers = falls;
    add_held_out(falls, {0.5, 0.4, 0.3});
    add_held_out(rises, {0.5, 0.25, 0.26, 0.28, 0.3});
    add_held_out(wavers, {0.5, 0.25, 0.251});
    EXPECT_SAYS(verdict_of(falls, 0), "0.3 at step 30, is the lowest so far");
    EXPECT_SAYS(verdict_of(rises, 0), "lowest at step 20 (0.25) and is 0.3 at step 50, 20.0 % more: it rises");
    EXPECT_EQ(verdict_of(wavers, 0).find("it rises"), std::string::npos);
}

TEST(ReportPage, NeedsNothingBesidesItself) {
    ReportRun run = run_of(3000, 3000);
    run.name = "</title><script>alert(1)</script>";
    run.config["dataset"] = {{"path", "/data/<img src=x onerror=alert(1)>"}};
    run.grids.shown = {{100, encode_png(noise(8)), 8, 0}, {200, encode_png(noise(9)), 9, 64}};
    run.grids.left_out = 3;
    const std::string html = render_report({run}, {.now = 2000, .program = "ddpm & co"});
    EXPECT_EQ(html.find(kReportHead), 0u);
    EXPECT_SAYS(html, kPolicy);
    EXPECT_SAYS(html, "3 grids left out");
    EXPECT_SAYS(html, "reduced from 64 to 9 pixels");
    EXPECT_SAYS(html, "ddpm &amp; co");
    EXPECT_EQ(html.find("<script>alert"), std::string::npos);
    EXPECT_EQ(html.find("<img src=x"), std::string::npos);
    for (const char* scheme : {"http://", "https://"}) EXPECT_EQ(html.find(scheme), std::string::npos);
    EXPECT_EQ(count_of(html, png_url(run.grids.shown[1].png)), 1u) << "each picture is in the page once";
    EXPECT_EQ(html.find("data-reload="), std::string::npos);
    EXPECT_EQ(html.find("<h2>Nearest"), std::string::npos) << "what is not there is left out";
    EXPECT_EQ(html.find("<h2>Bits"), std::string::npos);
    EXPECT_EQ(html.find("<h2>Quality"), std::string::npos);
    EXPECT_SAYS(render_report({run}, {.reload_seconds = 5}), "<body data-reload=5>");
}

TEST(ReportPage, HasItsSectionsInOrder) {
    ReportRun run = run_of(100, 100);
    run.grids.shown = {{100, encode_png(noise(8)), 8, 0}};
    run.neighbours = run.bpd = ReportPicture{0, encode_png(noise(4)), 4, 0};
    run.metrics.quality["mmd"] = {{50, 0.03, 0.001, 0.0004}, {100, 0.02, 0.001, 0.0004}};
    ReportRun other = run;
    other.name = "other";
    other.config["train"]["steps"] = 200;
    const std::string html = render_report({run, other}, {});
    size_t at = 0;
    for (const char* part :
         {"aria-label=verdict", "<h2>Samples", "<h2>Training", "<h2>Quality", "<h2>Nearest", "<h2>Bits", "<h2>Configuration",
          "<h3>What differs", "<th scope=row>train.steps</th><td>100</td><td>200</td>", "<h2>Environment"}) {
        const size_t found = html.find(part, at);
        ASSERT_NE(found, std::string::npos) << part;
        at = found;
    }
    EXPECT_SAYS(html, "By MMD the samples of step 100 are the best (0.02 ± 0.001)");
    EXPECT_EQ(count_of(html, "<td>60</td>"), count_of(html, "train.heartbeat_seconds"))
        << "what is equal stands in each run's own table alone";
}

TEST(ReportPage, StaysBelowFiveMegabytes) {
    const TempFolder folder;
    for (int i = 1; i <= 70; ++i) write_png(folder / ("step-" + std::to_string(i * 1000) + ".png"), noise(i == 70 ? 700 : 150));
    write_file(folder / "step-5.png", "no picture");
    write_file(folder / "notes.txt", "");
    for (const size_t count : {size_t{1}, kMostReportRuns}) {
        const ReportPictures pictures = read_step_pictures(folder.path(), kReportPictureBytes / count);
        EXPECT_EQ(static_cast<size_t>(pictures.left_out + pictures.unreadable) + pictures.shown.size(), 71u);
        EXPECT_GT(pictures.left_out, 0);
        ASSERT_GT(pictures.shown.size(), 1u);
        EXPECT_EQ(pictures.shown.back().step, 70000);
        EXPECT_EQ(pictures.shown.back().reduced_from, 700);
        std::vector<ReportRun> runs(count);
        for (ReportRun& run : runs) {
            run.grids = pictures;
            run.metrics = RunMetrics(kReportColumns / count);
            run.metrics.held_out_by_t.resize(8, ColumnCurve(kReportColumns / count));
            for (int64_t step = 1; step <= 200000; ++step) {
                const double value = 1 + std::sin(static_cast<double>(step * step % 997)) / 3;
                for (ColumnCurve* curve : {&run.metrics.loss, &run.metrics.grad_norm, &run.metrics.learning_rate,
                                           &run.metrics.images_per_second, &run.metrics.held_out_ema, &run.metrics.held_out_raw})
                    curve->add(step, value);
                if (step % 100 == 0)
                    for (ColumnCurve& curve : run.metrics.held_out_by_t) curve.add(step, value);
            }
        }
        EXPECT_LT(render_report(runs, {}).size(), 5'000'000u) << count << " runs";
    }
}

}  // namespace
}  // namespace ddpm::report
