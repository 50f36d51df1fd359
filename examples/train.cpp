// Trains a small network on a data set of its own, 300 steps, into a folder that `ddpm sample` and Model::open read.
//   train RUN
#include <cstdio>
#include <exception>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/train/trainer.h"

namespace {

// 16×16 grey pictures: a bright square somewhere on a dark ground. Example `index` is always the same picture.
class Squares : public ddpm::Dataset {
public:
    Squares() : Dataset(shape()) {}

    int64_t size() const override { return 1000; }
    const std::vector<std::string>& class_names() const override { return no_classes_; }
    int64_t label(int64_t) const override { return -1; }
    std::string describe() const override { return "squares, 16x16 grey"; }

protected:
    int64_t fetch(int64_t index, ddpm::RandomStream&, uint8_t* pixels) const override {
        ddpm::RandomStream random(0, ddpm::Purpose::synthetic, static_cast<uint64_t>(index));
        const int64_t side = 5 + static_cast<int64_t>(random.below(4));
        const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(16 - side)));
        const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(16 - side)));
        for (int64_t y = 0; y < 16; ++y)
            for (int64_t x = 0; x < 16; ++x) {
                const bool inside = x >= left && x < left + side && y >= top && y < top + side;
                pixels[16 * y + x] = inside ? 230 : 25;
            }
        return -1;
    }

private:
    static ddpm::DatasetOptions shape() {
        ddpm::DatasetOptions options;
        options.height = options.width = 16;
        options.channels = 1;
        return options;
    }

    std::vector<std::string> no_classes_;
};

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s RUN\n", argv[0]);
        return 2;
    }
    const Squares dataset;
    ddpm::ModelOptions network;
    network.block_out_channels = {16, 32};
    network.layers_per_block = 1;
    network.norm_num_groups = 8;
    network.attention_resolutions = {8};

    ddpm::TrainJob job;
    job.folder = argv[1];
    job.unet = ddpm::resolve_unet(network, dataset.height(), dataset.width(), dataset.channels());
    job.diffusion.timesteps = 200;
    job.train.steps = 300;
    job.train.batch_size = 16;
    job.train.learning_rate = 1e-3;
    job.train.warmup_steps = 50;
    job.train.checkpoint_every = 100;
    job.dataset = &dataset;
    job.kernels = &ddpm::kernels_named("fast", "kernels");
    job.config = ddpm::Json::object();  // stored with the run; training does not read it

    ddpm::make_folders(job.folder);
    ddpm::run_training(job);  // a second call with job.resume = true goes on
    return 0;
} catch (const ddpm::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return error.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
