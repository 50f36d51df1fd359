#pragma once

#include <string>
#include <vector>

namespace ddpm {

// What the network's output means. v = a_t·ε − σ_t·x_0 (arXiv 2202.00512, appendix D).
enum class PredictionType { epsilon, sample, v_prediction };

std::vector<std::string> prediction_type_names();               // "epsilon", "sample", "v_prediction"
PredictionType parse_prediction_type(const std::string& name);  // an unknown name is a user_error

// Σ_θ(x_t, t): β̃_t (right for data that is one point), β_t (right for N(0, I)), or what the network answers between the two.
enum class VarianceType { fixed_small, fixed_large, learned_range };

std::vector<std::string> variance_type_names();        // "fixed_small", "fixed_large", "learned_range"
std::vector<std::string> fixed_variance_type_names();  // without the last
std::string name_of(VarianceType type);
VarianceType parse_variance_type(const std::string& name);  // an unknown name is a user_error

}  // namespace ddpm
