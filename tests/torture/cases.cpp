#include "torture/cases.h"

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/files.h"
#include "ddpm/dataset/options.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"

namespace ddpm::torture {

namespace {

std::string big_endian(uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
    return bytes;
}

// Returns bytes that look random. They depend only on the seed.
std::string noise(size_t count, uint32_t seed) {
    std::string bytes;
    for (size_t i = 0; i < count; ++i) {
        seed = seed * 1664525 + 1013904223;
        bytes += static_cast<char>(seed >> 24);
    }
    return bytes;
}

void write_picture_folder(const fs::path& folder) {
    for (int i = 0; i < 12; ++i) {
        const fs::path file = folder / (i % 2 == 0 ? "even" : "odd") / (std::to_string(i) + ".ppm");
        make_folders(file.parent_path());
        const int width = 8 + i, height = 14 - i / 2;
        write_file(file, "P6\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n" +
                             noise(static_cast<size_t>(3 * width * height), static_cast<uint32_t>(i)));
    }
}

void write_mnist(const fs::path& folder) {
    constexpr uint32_t count = 20;
    make_folders(folder);
    write_file(folder / "train-images-idx3-ubyte",
               big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28) + noise(count * 28 * 28, 1));
    std::string labels;
    for (uint32_t i = 0; i < count; ++i) labels += static_cast<char>(i % 10);
    write_file(folder / "train-labels-idx1-ubyte", big_endian(0x801) + big_endian(count) + labels);
}

void write_cifar10(const fs::path& folder) {
    make_folders(folder);
    std::string bytes;
    for (int i = 0; i < 10000; ++i) bytes += std::string(1, static_cast<char>(i % 10)) + std::string(3072, static_cast<char>(i));
    write_file(folder / "test_batch.bin", bytes);
}

// Writes weights whose rows of the labels 7 and 9 overflow, so that a batch with such a label has no finite loss.
void write_poisoned_weights(const fs::path& file, const Json& json) {
    DatasetOptions dataset;
    ModelOptions model;
    DiffusionOptions diffusion;
    dataset_fields().read(dataset, json.at("dataset"), "dataset");
    model_fields().read(model, json.at("model"), "model");
    diffusion_fields().read(diffusion, json.at("diffusion"), "diffusion");
    const UNetConfig unet = resolve_unet(model, dataset.height, dataset.width, dataset.channels);
    UNet2D network(unet);
    initialize_weights(network, 1);
    const at::NoGradGuard no_grad;
    for (auto& item : network.named_parameters())
        if (item.key() == "class_embedding.weight")
            for (const int label : {7, 9}) item.value()[label].fill_(3e38);
    write_pipeline_file(file, unet, to_scheduler(diffusion), named_tensors(network));
}

Json config_of(const char* changes) {
    Json config = parse_json(R"({
        "seed": 3,
        "dataset": {"image_size": 8},
        "model": {"block_out_channels": [4, 8], "layers_per_block": 1, "attention_resolutions": [4], "norm_num_groups": 2},
        "diffusion": {"timesteps": 20},
        "train": {"steps": 8, "batch_size": 3, "warmup_steps": 3, "checkpoint_every": 2, "keep_last": 2, "keep_every": 4,
                  "sample_every": 3, "sample_images": 2},
        "sample": {"sampler": "ddim", "steps": 2}})",
                             "torture");
    config.merge_patch(parse_json(changes, "torture"));
    return config;
}

}  // namespace

std::vector<Case> make_cases(const fs::path& folder) {
    write_picture_folder(folder / "pictures");
    write_mnist(folder / "mnist");
    write_cifar10(folder / "cifar10");
    std::vector<Case> cases = {
        {"shapes, fp32, fast kernels, accumulation, label drop, dropout, workers, two more averages",
         config_of(R"({"dataset": {"type": "shapes", "length": 50, "workers": 2},
                       "model": {"dropout": 0.2, "num_class_embeds": 11},
                       "train": {"gradient_accumulation_steps": 3, "class_dropout": 0.3, "lr_schedule": "cosine",
                                 "ema_widths": [0.05, 0.1]}})"),
         {"--kernels", "fast"}},
        {"shapes, bf16, plain kernels, adam with decay",
         config_of(R"({"dataset": {"type": "shapes", "length": 50},
                       "train": {"precision": "bf16", "optimizer": "adam", "weight_decay": 0.01}})"),
         {"--kernels", "plain"}},
        {"image_folder, fp32, plain kernels, flips, random crops, no cache, workers",
         config_of(R"({"dataset": {"type": "image_folder", "path": "pictures", "random_flip": true, "crop": "random",
                                   "cache_mb": 0, "workers": 3}})"),
         {"--kernels", "plain"}},
        {"image_folder, bf16, fast kernels, accumulation, label drop",
         config_of(R"({"dataset": {"type": "image_folder", "path": "pictures", "random_flip": true},
                       "model": {"num_class_embeds": 3},
                       "train": {"precision": "bf16", "gradient_accumulation_steps": 2, "class_dropout": 0.5}})"),
         {"--kernels", "fast"}},
        {"mnist, fp32, fast kernels, ancestral sampler",
         config_of(R"({"dataset": {"type": "mnist", "path": "mnist", "channels": 1}, "model": {"num_class_embeds": 10},
                       "sample": {"sampler": "ancestral", "steps": 3}})"),
         {"--kernels", "fast"}},
        {"cifar10, bf16, plain kernels, accumulation, workers, flips",
         config_of(R"({"dataset": {"type": "cifar10", "path": "cifar10", "split": "test", "random_flip": true, "workers": 2},
                       "train": {"precision": "bf16", "gradient_accumulation_steps": 2}})"),
         {"--kernels", "plain"}},
        {"shapes, fp32, held-out images, the best checkpoint kept",
         config_of(R"({"dataset": {"type": "shapes", "length": 50, "holdout": 10},
                       "train": {"validate_every": 3, "steps": 9, "keep_last": 1, "keep_every": 0}})"),
         {"--kernels", "fast"},
         "validation"},
        {"shapes, fp32, held-out images, judged samples, the best ones kept",
         config_of(R"({"dataset": {"type": "shapes", "length": 60, "holdout": 20},
                       "train": {"steps": 9, "keep_last": 1, "keep_every": 0, "validate_every": 2},
                       "eval": {"every": 3, "n": 20, "features": "pixel", "metrics": "mmd", "reference": 30, "share": 1}})"),
         {"--kernels", "fast"},
         "quality"},
        {"shapes, fp32, fast kernels, learned variances, min-SNR weights, noise offset, input perturbation",
         config_of(R"({"dataset": {"type": "shapes", "length": 50}, "diffusion": {"variance_type": "learned_range"},
                       "train": {"loss_weighting": "min_snr", "noise_offset": 0.1, "input_perturbation": 0.1},
                       "sample": {"sampler": "ancestral", "steps": 3}})"),
         {"--kernels", "fast"}},
        {"shapes, fp32, plain kernels, P2 weights, lognormal t, accumulation, averages that are thinned",
         config_of(R"({"dataset": {"type": "shapes", "length": 50},
                       "train": {"loss_weighting": "p2", "timestep_sampling": "lognormal", "gradient_accumulation_steps": 2,
                                 "steps": 18, "ema_widths": [0.1]}})"),
         {"--kernels", "plain"}},
        {"mnist, bf16, poisoned weights, skipped steps and rollbacks, two more averages",
         config_of(
             R"({"dataset": {"type": "mnist", "path": "mnist", "channels": 1, "holdout": 3}, "model": {"num_class_embeds": 10},
                       "train": {"precision": "bf16", "steps": 12, "sample_every": 2, "validate_every": 3, "nonfinite_patience": 2,
                                 "max_rollbacks": 50, "ema_widths": [0.05, 0.2]}})"),
         {"--kernels", "fast", "--init-from", (folder / "poisoned.safetensors").string()},
         "rollback"},
    };
    write_poisoned_weights(folder / "poisoned.safetensors", cases.back().config);
    for (Case& one : cases) {
        one.flags.insert(one.flags.end(), {"--device", "cpu", "--threads", "1"});
        if (one.config["dataset"].contains("path"))
            one.config["dataset"]["path"] = (folder / one.config["dataset"]["path"].get<std::string>()).string();
    }
    return cases;
}

}  // namespace ddpm::torture
