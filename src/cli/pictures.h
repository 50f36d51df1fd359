#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/config.h"
#include "cli/given_noise.h"
#include "ddpm/core/runtime.h"
#include "ddpm/image/image.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

class UNet2D;

// A network and everything that decides what it draws.
struct PictureSource {
    UNet2D& network;
    const NoiseSchedule& schedule;  // that it was trained with
    PredictionType prediction_type;
    ResolvedSampling settings;
    int64_t height, width;
    uint64_t seed = 0;
    std::string precision = "fp32";
    Runtime runtime{};
    int64_t classes = 0;  // labels 0 … classes−1 in turn, when the network has labels
    int64_t label = -1;   // or this one for all
    bool predicts_variance = false;
    std::optional<GivenNoise> given{};  // instead of noise from the seed
};

// The label that image `index` is drawn with; −1 without labels.
int64_t label_of(const PictureSource& source, int64_t index);

// Draws from a source, which must outlive it.
class PictureMaker {
public:
    explicit PictureMaker(const PictureSource& source);
    ~PictureMaker();

    // Images first … first + count − 1 as [count, C, H, W] float32 on the CPU, not clamped. Image i follows from (seed, i),
    // whatever comes with it in a batch.
    at::Tensor draw(int64_t first, int64_t count, const StepCallback& on_step = {});

private:
    class Evaluator;
    const PictureSource& source_;
    std::unique_ptr<Evaluator> evaluator_;
};

// [N, C, H, W] in [−1, 1] → N pictures.
std::vector<Image> to_images(const at::Tensor& batch);

// A near square of pictures, the small ones enlarged to be looked at.
Image picture_grid(const std::vector<Image>& images, int columns = 0);

// The sample grid of a training step. Throws Stopped as soon as `stop` says so.
void draw_preview(UNet2D& network, const Config& config, int64_t classes, const Runtime& runtime,
                  const std::filesystem::path& file, const std::function<bool()>& stop);

}  // namespace ddpm
