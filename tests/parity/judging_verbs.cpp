#include "judging_verbs.h"

#include <cstdint>
#include <map>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/eval/feature_frechet.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/kernel_distance.h"
#include "ddpm/eval/manifold.h"
#include "ddpm/eval/quality.h"
#include "ddpm/eval/source.h"
#include "eval/scattering.h"

namespace ddpm::parity {

namespace {

std::map<std::string, at::Tensor> read_by_name(const std::string& file) {
    std::map<std::string, at::Tensor> tensors;
    for (auto& [name, tensor] : read_safetensors(file)) tensors[name] = tensor;
    return tensors;
}

at::Tensor number(double value) { return at::scalar_tensor(value, at::kDouble); }

}  // namespace

void measure_distances(const std::vector<std::string>& arguments) {
    const std::map<std::string, at::Tensor> in = read_by_name(arguments.at(0));
    const at::Tensor reference = in.at("reference"), samples = in.at("samples");
    NamedTensors out;
    for (const char* metric : {"fd", "kid", "mmd"})
        out.emplace_back(metric, number(quality_metric(metric, "METRIC").measure(reference, samples, {}).front().value));
    for (const int64_t k : {3, 5}) {
        const ManifoldNumbers found = Manifold(reference, k).of(samples);
        const auto add = [&](const char* name, double value) { out.emplace_back(fmt::format("{}/{}", name, k), number(value)); };
        add("precision", found.precision);
        add("recall", found.recall);
        add("density", found.density);
        add("coverage", found.coverage);
    }
    write_safetensors(arguments.at(1), out);
}

void scatter(const std::vector<std::string>& arguments) {
    constexpr int64_t kAngles = 6;
    const at::Tensor x = read_by_name(arguments.at(1)).at("x");
    const eval::Scattering scattering(x.size(1), x.size(2), std::stoll(arguments.at(0)), kAngles, x.options());
    write_safetensors(arguments.at(2), {{"S", scattering(x)}});
}

void judge_sets(const std::vector<std::string>& arguments) {
    std::map<std::string, at::Tensor> sets = read_by_name(arguments.at(2));
    const at::Tensor pictures = sets.at("reference");
    const std::unique_ptr<Features> features =
        make_features(arguments.at(0), {pictures.size(1), pictures.size(2), pictures.size(3)});
    const at::Tensor raw = features->raw(pictures);
    const FeatureTransform transform = features->fit(raw);
    const at::Tensor reference = features->transformed(raw, transform);
    NamedTensors out{{"reference/features", reference}};
    sets.erase("reference");
    for (const auto& [name, set] : sets) {
        const at::Tensor samples = features->transformed(features->raw(set), transform);
        out.emplace_back(name + "/features", samples);
        for (const std::string& metric : split(arguments.at(1), ','))
            for (const QualityNumber& found : quality_metric(metric, "METRICS").measure(reference, samples, {})) {
                out.emplace_back(fmt::format("{}/{}", name, found.name), number(found.value));
                out.emplace_back(fmt::format("{}/{}/sd", name, found.name), number(found.sd));
            }
    }
    write_safetensors(arguments.at(3), out);
}

void write_pictures(const std::vector<std::string>& arguments) {
    DatasetOptions options;
    dataset_fields().read(options, read_json_file(arguments.at(0)).at("dataset"), "dataset");
    const ImageSource source = dataset_source(std::shared_ptr<const Dataset>(open_dataset(options, 0, 1)), options.length, 0);
    const ImageBatch batch = source.read(0, source.count);
    write_safetensors(arguments.at(1), {{"pixels", batch.pixels.permute({0, 3, 1, 2}).contiguous()}, {"labels", batch.labels}});
}

}  // namespace ddpm::parity
