// Opens a checkpoint, samples 16 pictures from it and writes them side by side.
//   sample CHECKPOINT GRID.png
#include <cstdio>
#include <exception>

#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/pipeline/pictures.h"
#include "ddpm/pipeline/session.h"

int main(int argc, char** argv) try {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s CHECKPOINT GRID.png\n", argv[0]);
        return 2;
    }
    const ddpm::Model model = ddpm::Model::open(argv[1]);  // a run, a checkpoint or a folder of diffusers

    ddpm::SessionOptions options;
    options.seed = 1;
    options.sample.sampler = "ddim";
    options.sample.steps = 20;
    ddpm::Session session(model, options);

    const at::Tensor pictures = session.sample(0, 16, [](const ddpm::SamplingStep& step) {
        std::printf("step %lld of %lld\n", static_cast<long long>(step.i + 1), static_cast<long long>(step.S));
    });
    ddpm::write_png(argv[2], ddpm::make_readable_grid(ddpm::to_images(pictures)));
    std::printf("wrote %s\n", argv[2]);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
