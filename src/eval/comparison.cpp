#include "ddpm/eval/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "ddpm/core/clock.h"

namespace ddpm {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Returns the distance of each picture: [N] float64.
at::Tensor distances(const at::Tensor& pictures, const at::Tensor& others) {
    return (pictures.to(at::kDouble) - others.to(at::kDouble)).square().flatten(1).mean(1).sqrt();
}

MeanOfPictures mean_of(const at::Tensor& values) {
    const int64_t n = values.size(0);
    if (n == 0 || !at::isfinite(values).all().item<bool>()) return {kNone, kNone};
    const double mean = values.mean().item<double>();
    const double squares = (values - mean).square().sum().item<double>();
    return {mean, n > 1 ? std::sqrt(squares / static_cast<double>(n - 1) / static_cast<double>(n)) : kNone};
}

}  // namespace

MeanOfPictures same_noise_distance(const at::Tensor& pictures, const at::Tensor& others) {
    return mean_of(distances(pictures, others));
}

SampleOptions reference_options(SampleOptions asked, int64_t steps, bool trailing) {
    Json section = sample_fields().write(asked);
    for (const SamplerInfo& info : sampler_infos())
        for (const std::string& key : info.keys) section[key] = nullptr;
    for (const char* key : {"timesteps", "steps_offset", "rho"}) section[key] = nullptr;
    sample_fields().read(asked, section, "sample");
    asked.sampler = "unipc";
    asked.order = 2;
    asked.steps = steps;
    asked.timestep_spacing = trailing ? "trailing" : "exponential";
    return asked;
}

Reference draw_reference(const DrawPictures& whole, const DrawPictures& half, int64_t n, int64_t batch) {
    Reference reference;
    PictureLaw halves[2];
    std::vector<at::Tensor> pictures, errors;
    for (int64_t first = 0; first < n; first += batch) {
        const int64_t count = std::min(batch, n - first);
        const double began = steady_seconds();
        pictures.push_back(whole(first, count));
        reference.seconds += steady_seconds() - began;
        errors.push_back(distances(pictures.back(), half(first, count)));
    }
    reference.pictures = at::cat(pictures);
    reference.error = mean_of(at::cat(errors));
    reference.law.add(reference.pictures);
    halves[0].add(reference.pictures.slice(0, 0, n / 2));
    halves[1].add(reference.pictures.slice(0, n / 2));
    reference.law_floor = law_distance(halves[0], halves[1]);
    return reference;
}

void measure_data(Reference& reference, const DrawPictures& read, int64_t count, int64_t batch) {
    PictureLaw all, halves[2];
    for (int64_t first = 0; first < count; first += batch) {
        const at::Tensor pictures = read(first, std::min(batch, count - first));
        all.add(pictures);
        for (int64_t i = 0; i < pictures.size(0); ++i) halves[(first + i) % 2].add(pictures.slice(0, i, i + 1));
    }
    reference.data_floor = law_distance(halves[0], halves[1]);
    reference.data = std::move(all);
}

WayMeasured measure_way(const DrawPictures& draw, bool noisy, const Reference& reference, int64_t batch, int64_t show) {
    WayMeasured measured;
    PictureLaw law;
    std::vector<at::Tensor> errors, shown;
    const int64_t n = reference.pictures.size(0);
    for (int64_t first = 0; first < n; first += batch) {
        const int64_t count = std::min(batch, n - first);
        const double began = steady_seconds();
        const at::Tensor pictures = draw(first, count);
        measured.seconds += steady_seconds() - began;
        measured.finite = measured.finite && at::isfinite(pictures).all().item<bool>();
        errors.push_back(distances(pictures, reference.pictures.slice(0, first, first + count)));
        law.add(pictures);
        if (first < show) shown.push_back(pictures.slice(0, 0, std::min(show - first, count)));
    }
    if (!noisy) measured.distance = mean_of(at::cat(errors));
    measured.law_distance = law_distance(law, reference.law);
    if (reference.data) measured.data_distance = law_distance(law, *reference.data);
    measured.shown = at::cat(shown);
    return measured;
}

}  // namespace ddpm
