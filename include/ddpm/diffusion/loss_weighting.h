#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ddpm/diffusion/level.h"
#include "ddpm/diffusion/loss_options.h"
#include "ddpm/diffusion/types.h"

namespace ddpm {

// A rule by which the squared error of an answer is weighted (train.loss_weighting).
struct LossWeighting {
    std::string name;
    std::string summary;
    std::vector<std::string> keys;  // the keys of LossOptions that it reads
    // The weight, at least 0, of the mean squared error of what the network predicts, at a level that is not the clean one.
    std::function<double(const LossOptions&, PredictionType, const NoiseLevel&)> weight;
};

const std::vector<LossWeighting>& loss_weightings();
std::vector<std::string> loss_weighting_names();
const LossWeighting& loss_weighting(const std::string& name);  // an unknown name is a user_error

// Returns the weight at each of `levels`.
std::vector<double> loss_weights(const LossOptions& options, PredictionType type, const std::vector<NoiseLevel>& levels);

// Returns a warning if the weights of a table differ so much that a few t outweigh all others, else "".
std::string warning_of(const LossOptions& options, PredictionType type, const std::vector<NoiseLevel>& levels);

}  // namespace ddpm
