#include "ddpm/diffusion/types.h"

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

std::vector<std::string> prediction_type_names() { return {"epsilon", "sample", "v_prediction"}; }

PredictionType parse_prediction_type(const std::string& name) {
    if (name == "epsilon") return PredictionType::epsilon;
    if (name == "sample") return PredictionType::sample;
    if (name == "v_prediction") return PredictionType::v_prediction;
    user_error(unknown_name("prediction type", name, prediction_type_names()));
}

std::vector<std::string> variance_type_names() { return {"fixed_small", "fixed_large", "learned_range"}; }

std::vector<std::string> fixed_variance_type_names() { return {"fixed_small", "fixed_large"}; }

std::string name_of(VarianceType type) { return variance_type_names()[static_cast<size_t>(type)]; }

VarianceType parse_variance_type(const std::string& name) {
    for (const VarianceType type : {VarianceType::fixed_small, VarianceType::fixed_large, VarianceType::learned_range})
        if (name == name_of(type)) return type;
    user_error(unknown_name("variance type", name, variance_type_names()));
}

}  // namespace ddpm
