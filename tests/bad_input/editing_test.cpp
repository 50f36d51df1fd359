// Wrong flags, pictures and files of editing.

#include "bad_input/bad_input.h"
#include "bad_input/parts.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

using test::BadInput;

using Flags = std::vector<std::string>;

// `ddpm sample` with these flags beside a model of 8 x 8 pixels, T = 10, in p; a picture a.png, a mask m.png and a folder d of both.
BadInput edited(const std::string& name, const Flags& flags, const Flags& words,
                const std::function<void(const fs::path&)>& more = {}) {
    Flags arguments{"sample", "--ckpt", "p", "--quiet"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return {name, arguments, words, [=](const fs::path& folder) {
                test::sound().write(folder / "p");
                fs::create_directories(folder / "d");
                for (const char* file : {"a.png", "d/a.png", "d/b.png"}) write_png(folder / file, make_image(8, 8, 3, 99));
                Image mask = make_image(8, 8, 1, 255);
                mask.pixels[0] = 0;
                write_png(folder / "m.png", mask);
                if (more) more(folder);
            }};
}

// A safetensors file of one float32 tensor, all zeros.
std::function<void(const fs::path&)> tensors(const std::string& file, const std::string& name, const std::vector<int64_t>& shape) {
    size_t bytes = 4;
    for (const int64_t side : shape) bytes *= static_cast<size_t>(side);
    Json header = Json::object();
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {0, bytes}}};
    const std::string text = header.dump();
    return test::file(file, test::little(text.size(), 8) + text + std::string(bytes, '\0'));
}

TEST(BadInput, EditedPictures) {
    const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
    test::expect_refusals({
        edited("no such picture", {"--init", "none.png", "--strength", "0.5"}, {"none.png: not found", "--init"}),
        edited("a folder without pictures", {"--init", "e", "--strength", "0.5"}, {"e: no readable picture in this folder"},
               [](const fs::path& folder) { fs::create_directory(folder / "e"); }),
        edited("a damaged picture", {"--init", "x.png", "--strength", "0.5"}, {"x.png"},
               [](const fs::path& folder) {
                   const std::string whole = encode_png(make_image(8, 8, 3, 9));
                   write_file(folder / "x.png", whole.substr(0, whole.size() / 2));
               }),
        edited("a pointer of Git LFS", {"--init", "x.png", "--strength", "0.5"}, {"x.png: is a pointer of Git LFS"},
               test::file("x.png", pointer)),
        edited("no picture at all", {"--init", "x.json", "--strength", "0.5"}, {"x.json: is", "expected a picture or a folder"},
               test::file("x.json", "{}")),
        edited("a grid over the picture", {"--init", "a.png", "--strength", "0.5", "--grid", "a.png"},
               {"--grid: a.png: is what --init reads"}),
        edited("a grid among the pictures", {"--init", "d", "--strength", "0.5", "--grid", "d/grid.png"},
               {"--grid: d/grid.png: lies in what --init reads"}),
        edited("a way over the mask", {"--init", "a.png", "--mask", "m.png", "--trajectory", "m.png"},
               {"--trajectory: m.png: is what --mask reads"}),
        edited("pictures over the pictures", {"--init", "d/a.png", "--strength", "0.5", "--out", "d", "--overwrite"},
               {"--out: d: holds what --init reads"}),
        edited("an encoding without a place", {"--encode", "a.png"}, {"--encode: where to? give --out FILE.safetensors"}),
        edited("how much is not said", {"--init", "a.png"}, {"--init: how much of it", "--strength 0.6"}),
        edited("strength 0", {"--init", "a.png", "--strength", "0"},
               {"--strength: got \"0\", expected a number above 0 and at most 1"}),
        edited("strength above 1", {"--init", "a.png", "--strength", "1.5"},
               {"--strength: got \"1.5\", expected a number above 0 and at most 1"}),
        edited("strength that is no number", {"--init", "a.png", "--strength", "much"},
               {"--strength: got \"much\", expected a number above 0"}),
        edited("strength of less than a step", {"--init", "a.png", "--strength", "0.1", "--steps", "5"},
               {"--strength: 0.1 of 5 steps is less than one step, expected at least 0.2"}),
        edited("strength without a picture", {"--strength", "0.5"}, {"--strength: belongs to --init"}),
        edited("strength and a t", {"--init", "a.png", "--strength", "0.5", "--from-t", "3"},
               {"--strength and --from-t don't go together"}),
        edited("a t beyond the schedule", {"--init", "a.png", "--from-t", "10"}, {"--from-t: got 10, expected 0 … 9"}),
        edited("a t below 0", {"--init", "a.png", "--from-t=-1"}, {"--from-t: got \"-1\", expected an integer ≥ 0"}),
        edited("a t between two", {"--init", "a.png", "--from-t", "3.5"}, {"--from-t: got \"3.5\", expected an integer ≥ 0"}),
        edited("a mask without a picture", {"--mask", "m.png"}, {"--mask: belongs to --init"}),
        edited("a mask of another size", {"--init", "a.png", "--mask", "l.png"}, {"--mask: l.png: is 9 x 7 pixels", "draws 8 x 8"},
               [](const fs::path& folder) { write_png(folder / "l.png", make_image(9, 7, 1)); }),
        edited("a mask that is a folder", {"--init", "a.png", "--mask", "d"}, {"d: is a folder, expected a picture for --mask"}),
        edited("a mask that is not there", {"--init", "a.png", "--mask", "none.png"}, {"none.png: not found"}),
        edited("RePaint without a mask", {"--init", "a.png", "--strength", "1", "--repaint", "2,2"},
               {"--repaint: belongs to --mask"}),
        edited("RePaint with unipc", {"--init", "a.png", "--mask", "m.png", "--repaint", "2,2", "--sampler", "unipc"},
               {"--repaint: can't repeat the steps of unipc, expected --sampler ancestral or ddim"}),
        edited("one number for RePaint", {"--init", "a.png", "--mask", "m.png", "--repaint", "10"},
               {"--repaint: got \"10\", expected R,J"}),
        edited("no numbers for RePaint", {"--init", "a.png", "--mask", "m.png", "--repaint", "a,b"}, {"--repaint: got \"a,b\""}),
        edited("RePaint once", {"--init", "a.png", "--mask", "m.png", "--repaint", "1,1"},
               {"--repaint: got \"1,1\", by which no step is repeated", "R of 2 or more"}),
        edited("RePaint of a single step",
               {"--init", "a.png", "--mask", "m.png", "--strength", "0.1", "--repaint", "2,1", "--sampler", "ddim"},
               {"--repaint: jumps back, but the walk has 1 step alone"}),
        edited("RePaint 0 times", {"--init", "a.png", "--mask", "m.png", "--repaint", "0,2"}, {"--repaint: got \"0,2\""}),
        edited("jumps longer than the walk", {"--init", "a.png", "--mask", "m.png", "--repaint", "2,10", "--sampler", "ddim"},
               {"--repaint: jumps over 10 steps, expected 1 … 9 of 10 steps"}),
        edited("strength 1 of a walk that can't begin with noise",
               {"--init", "a.png", "--strength", "1", "--spacing", "leading", "--steps", "6"},
               {"--spacing: leading spacing of 6 steps begins at t = 5"}),
        edited("noise that is not there", {"--noise", "none.safetensors"}, {"none.safetensors: not found", "--noise"}),
        edited("noise of another name", {"--noise", "n.safetensors"}, {"error: --noise: n.safetensors: holds \"weight\""},
               tensors("n.safetensors", "weight", {1})),
        edited("noise for fewer pictures", {"--init", "d", "--strength", "1", "--noise", "n.safetensors"},
               {"n.safetensors: holds noise for 1 picture, but 2 are asked for"}, tensors("n.safetensors", "x_T", {1, 3, 8, 8})),
    });
}

TEST(BadInput, EncodedAndInterpolatedPictures) {
    test::expect_refusals({
        edited("encode and a mask", {"--encode", "a.png", "--mask", "m.png", "--out", "x.safetensors"},
               {"--encode and --mask don't go together"}),
        edited("encode and a number", {"--encode", "a.png", "--n", "3", "--out", "x.safetensors"},
               {"--encode and --n don't go together"}),
        edited("encode into a folder", {"--encode", "a.png", "--out", "x"},
               {"--out: x: expected a name that ends in .safetensors"}),
        edited("encode over an earlier one", {"--encode", "a.png", "--out", "x.safetensors"},
               {"x.safetensors: exists", "--overwrite"}, tensors("x.safetensors", "x_T", {1, 3, 8, 8})),
        edited("encode over something else", {"--encode", "a.png", "--out", "x.safetensors", "--overwrite"},
               {"x.safetensors: holds something else than x_T"}, tensors("x.safetensors", "weight", {1})),
        edited("encode nothing", {"--encode", "none.png", "--out", "x.safetensors"}, {"none.png: not found"}),
        edited("encode by another sampler", {"--encode", "a.png", "--out", "x.safetensors", "--sampler", "unipc"},
               {"--encode: goes the way of ddim backwards, got --sampler unipc"}),
        edited("encode with noise", {"--encode", "a.png", "--out", "x.safetensors", "--sampler", "euler_a"},
               {"--encode: wants ddim without noise"}),
        edited("no evaluations", {"--encode", "a.png", "--out", "x.safetensors", "--fixed-point", "0"},
               {"--fixed-point", "expected an integer 1"}),
        edited("evaluations of nothing", {"--fixed-point", "3"}, {"--fixed-point: belongs to --encode"}),
        edited("a strip with noise", {"--interpolate", "0,1", "--sampler", "ancestral"}, {"--interpolate: ancestral adds noise"}),
        edited("a strip with eta", {"--interpolate", "0,1", "--sampler", "ddim", "--eta", "0.5"},
               {"--interpolate: ddim adds noise"}),
        edited("from a picture to itself", {"--interpolate", "3,3", "--sampler", "ddim"}, {"--interpolate: got picture 3 twice"}),
        edited("a strip of one", {"--interpolate", "0,1", "--sampler", "ddim", "--n", "1"},
               {"--n: got 1, but --interpolate has two ends"}),
        edited("neither numbers nor a file", {"--interpolate", "0;1", "--sampler", "ddim"},
               {"--interpolate: got \"0;1\", expected two numbers of pictures such as 0,1"}),
        edited("one number", {"--interpolate", "3", "--sampler", "ddim"},
               {"--interpolate: got \"3\", expected two numbers of pictures such as 0,1", ".safetensors file of two x_T"}),
        edited("a file that is not there", {"--interpolate", "x.safetensors", "--sampler", "ddim"}, {"x.safetensors: not found"}),
        edited("a seed of a file", {"--interpolate", "x.safetensors", "--sampler", "ddim", "--seed", "3"},
               {"--seed: nothing follows from it, because the x_T are those of x.safetensors"},
               tensors("x.safetensors", "x_T", {2, 3, 8, 8})),
        edited("a seed of given noise", {"--noise", "x.safetensors", "--interpolate", "0,1", "--sampler", "ddim", "--seed", "3"},
               {"--seed: nothing follows from it, because the x_T are those of x.safetensors"},
               tensors("x.safetensors", "x_T", {2, 3, 8, 8})),
        edited("a file of one", {"--interpolate", "x.safetensors", "--sampler", "ddim"},
               {"--interpolate: x.safetensors: holds 1 picture, expected two"}, tensors("x.safetensors", "x_T", {1, 3, 8, 8})),
        edited("a file of another shape", {"--interpolate", "x.safetensors", "--sampler", "ddim"},
               {"--interpolate: x.safetensors: x_T is F32 [2, 3, 9, 8], expected F32 [2, 3, 8, 8]"},
               tensors("x.safetensors", "x_T", {2, 3, 9, 8})),
        edited("a number beyond the file", {"--noise", "x.safetensors", "--interpolate", "0,2", "--sampler", "ddim"},
               {"--interpolate: picture 2, but --noise holds 2 pictures"}, tensors("x.safetensors", "x_T", {2, 3, 8, 8})),
        edited("a strip and a picture", {"--interpolate", "0,1", "--init", "a.png", "--strength", "1"},
               {"--interpolate and --init don't go together"}),
    });
}

}  // namespace
}  // namespace ddpm
