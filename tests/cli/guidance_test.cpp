#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// A run of six steps with ten labels and the empty one.
const Tiny& trained() {
    static const Tiny tiny(R"({"model": {"num_class_embeds": 11}, "train": {"class_dropout": 0.2}, "sample": {"clip": false}})");
    static const int code = tiny.train().code;
    EXPECT_EQ(code, 0);
    return tiny;
}

struct Drawn {
    std::string log, bytes;
    PngText text;
};

// Draws two pictures.
Drawn draw(const std::string& out, std::vector<std::string> more, const std::string& checkpoint = "runs/tiny") {
    more.insert(more.begin(), {"sample", "--ckpt", checkpoint, "--n", "2", "--out", out});
    const ProcessResult result = trained().run(more);
    EXPECT_EQ(result.code, 0) << result.err;
    return {result.err, trained().bytes(out + "/000001.png"), read_png_text(trained().folder / out / "000001.png")};
}

std::string said(const Drawn& drawn, const std::string& key) {
    for (const auto& [name, value] : drawn.text)
        if (name == key) return value;
    return "";
}

TEST(Guidance, ThePictureAndTheLogSayIt) {
    const Drawn plain = draw("plain", {}), one = draw("one", {"--guidance", "1"}), three = draw("three", {"--guidance", "3"});
    EXPECT_EQ(one.bytes, plain.bytes) << "scale 1 changes no byte, texts included";
    EXPECT_NE(three.bytes, plain.bytes);
    EXPECT_EQ(said(plain, "guidance_scale"), "");
    EXPECT_EQ(said(three, "guidance_scale"), "3");
    EXPECT_NE(plain.log.find("by ddim in 5 steps, "), std::string::npos) << plain.log;
    EXPECT_NE(three.log.find("by ddim in 5 steps (10 evaluations), guidance 3, "), std::string::npos) << three.log;
    const Drawn all = draw("all", {"--guidance", "3", "--guidance-rescale", "0.7", "--guidance-interval", "0.3,inf", "--sampler",
                                   "heun", "--steps", "4"});
    EXPECT_EQ(said(all, "guidance_rescale"), "0.7");
    EXPECT_EQ(said(all, "guidance_interval"), "0.3,inf");
    EXPECT_NE(all.log.find("guidance 3, rescaled by 0.7, at noise levels 0.3 … inf"), std::string::npos) << all.log;
    const Drawn nowhere = draw("nowhere", {"--guidance", "3", "--guidance-interval", "1e8,1e9"});
    EXPECT_NE(nowhere.log.find("nothing is guided: no step has"), std::string::npos) << nowhere.log;
}

TEST(Guidance, AnEarlierCheckpointGuides) {
    const std::string early = step_folder(2), last = step_folder(6);
    const Drawn plain = draw("alone", {}), guided = draw("early", {"--guidance", "2", "--guide-ckpt", early});
    EXPECT_NE(guided.bytes, plain.bytes);
    EXPECT_NE(said(guided, "guide").find("step-000002"), std::string::npos);
    EXPECT_EQ(said(guided, "guidance_scale"), "2");
    EXPECT_NE(guided.log.find("guidance 2, by " + early), std::string::npos) << guided.log;
    const ProcessResult itself =
        trained().run({"sample", "--ckpt", "runs/tiny", "--out", "itself", "--guidance", "2", "--guide-ckpt", last});
    EXPECT_EQ(itself.code, 2);
    EXPECT_NE(itself.err.find("--guide-ckpt: " + last + ": is the model itself"), std::string::npos) << itself.err;
}

TEST(Guidance, PreviewsAndEvaluationsTakeTheSectionOfTheRun) {
    const Tiny tiny(R"({"model": {"num_class_embeds": 11}, "train": {"class_dropout": 0.2, "sample_every": 6},
                        "sample": {"guidance_scale": 4}})");
    const ProcessResult guided = tiny.train(), plain = tiny.train({"--set", "sample.guidance_scale=1", "--out", "plain"});
    ASSERT_EQ(guided.code, 0) << guided.err;
    ASSERT_EQ(plain.code, 0) << plain.err;
    const std::string preview = "samples/step-000006.png";
    EXPECT_NE(tiny.bytes("runs/tiny/" + preview), tiny.bytes("plain/" + preview));
    const ProcessResult sampled = tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "own"});
    EXPECT_NE(sampled.err.find("guidance 4"), std::string::npos) << sampled.err;
    const ProcessResult bound = tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "2", "--steps", "3"});
    EXPECT_EQ(bound.code, 0) << bound.err;
    EXPECT_NE(bound.err.find("sample.guidance_scale: the bound is that of the network without guidance"), std::string::npos)
        << bound.err;
}

}  // namespace
}  // namespace ddpm
