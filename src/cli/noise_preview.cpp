#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/app.h"
#include "cli/defaults.h"
#include "cli/flag_names.h"
#include "cli/places.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/random.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/betas.h"
#include "ddpm/diffusion/process.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/pixels.h"
#include "ddpm/image/transform.h"
#include "ddpm/pipeline/pictures.h"
#include "ddpm/report/tiles.h"

namespace ddpm::cli {

namespace {

struct PreviewFlags {
    std::string image, schedule = "linear", method = "closed_form", timesteps, out;
    bool compare = false;
    int64_t T = 1000, seed = 0;
    int size = 128;
};

// Returns the t of a list such as "0,100,250", strictly ascending and within 0 … T−1. Without a list it is six t from 0 to T−1.
std::vector<int64_t> chosen_timesteps(const std::string& list, int64_t T) {
    std::vector<int64_t> timesteps;
    if (list.empty()) {
        for (const double part : {0.0, 0.1, 0.25, 0.5, 0.75, 1.0}) {
            const int64_t t = std::min<int64_t>(std::llround(part * static_cast<double>(T)), T - 1);
            if (timesteps.empty() || t > timesteps.back()) timesteps.push_back(t);
        }
        return timesteps;
    }
    for (const std::string& word : split(list, ',')) {
        const Json value = Json::accept(word) ? Json::parse(word) : Json(word);
        timesteps.push_back(read_integer(value, "--timesteps", Range::between(0, static_cast<double>(T - 1))));
    }
    std::sort(timesteps.begin(), timesteps.end());
    timesteps.erase(std::unique(timesteps.begin(), timesteps.end()), timesteps.end());
    return timesteps;
}

// Returns the picture as [1,C,H,W] float32 in [−1,1], with a longer side of `size` pixels. Grey stays grey, and transparency is put
// on white.
at::Tensor load_picture(const std::string& path, int size) {
    DecodeOptions options;
    options.channels = probe_image(path).channels <= 2 ? 1 : 3;
    Image image = read_image(path, options);
    const double scale = static_cast<double>(size) / std::max(image.width, image.height);
    image = resize(image, std::max(1, static_cast<int>(std::lround(image.width * scale))),
                   std::max(1, static_cast<int>(std::lround(image.height * scale))));
    at::Tensor x = at::empty({1, image.channels, image.height, image.width}, at::kFloat);
    to_signed_unit(image.pixels.data(), image.height, image.width, image.channels, x.data_ptr<float>());
    return x;
}

Tile tile_of(const at::Tensor& x, std::vector<std::string> captions) {
    captions.push_back(fmt::format("variance {:.3g}", x.var(/*unbiased=*/false).item<double>()));
    return {convert_channels(to_images(x).front(), 3), std::move(captions)};
}

TileRow strip(const ForwardMethod& method, const std::string& schedule_name, const NoiseSchedule& schedule,
              const at::Tensor& x_start, const std::vector<int64_t>& timesteps, uint64_t seed) {
    // The noise at t is the same in every row, so that rows differ only in schedule and method.
    const auto noise = [&](int64_t t) {
        at::Tensor values = at::empty_like(x_start);
        RandomStream(seed, Purpose::preview, static_cast<uint64_t>(t))
            .fill_normal(values.data_ptr<float>(), static_cast<size_t>(values.numel()));
        return values;
    };
    TileRow row;
    row.label = schedule_name + "\n" + method.name;
    row.tiles.push_back(tile_of(x_start, {"picture", ""}));
    const std::vector<at::Tensor> x = method.run(schedule, x_start, timesteps, noise);
    for (size_t i = 0; i < x.size(); ++i)
        row.tiles.push_back(tile_of(
            x[i], {fmt::format("t = {}", timesteps[i]), fmt::format("√ᾱ = {:.3g}", schedule.sqrt_alphas_cumprod()[timesteps[i]])}));
    row.tiles.push_back(tile_of(noise(schedule.size()), {"N(0, I)", "pure noise"}));
    return row;
}

int run_preview(const PreviewFlags& flags) {
    if (flags.image.empty())
        user_error("noise-preview: which picture? give a file", "for example: ddpm noise-preview data/photo.png --compare");
    if (flags.compare && flags.schedule != PreviewFlags().schedule)
        user_error("--compare shows linear and cosine; leave --schedule out");
    const fs::path out = flags.out.empty() ? fs::path(fs::path(flags.image).stem().string() + "-noise.png") : fs::path(flags.out);
    check_place("--out", out, ResultKind::picture);
    std::error_code ignored;
    if (fs::equivalent(flags.image, out, ignored))
        user_error(fmt::format("--out: {}: is the picture itself; choose another name", out.string()));
    if (flags.out.empty() && fs::exists(out, ignored) && !is_made_by_ddpm(out))
        user_error(fmt::format("{}: exists, and `ddpm noise-preview` has not drawn it; name another with --out", out.string()));
    if (const auto names = noise_schedule_names(); std::find(names.begin(), names.end(), flags.schedule) == names.end())
        user_error("--schedule: " + unknown_name("schedule", flags.schedule, names));
    at::set_num_threads(1);  // thousands of steps on one small picture: more threads would only wait for each other
    std::vector<std::string> methods = forward_method_names();
    if (flags.method != "all") {
        if (std::find(methods.begin(), methods.end(), flags.method) == methods.end()) {
            methods.emplace_back("all");
            user_error("--method: " + unknown_name("method", flags.method, methods));
        }
        methods = {flags.method};
    }
    const std::vector<int64_t> timesteps = chosen_timesteps(flags.timesteps, flags.T);
    std::vector<std::string> schedules{flags.schedule};
    if (flags.compare) schedules = {"linear", "cosine"};
    const at::Tensor x_start = load_picture(flags.image, flags.size);

    std::vector<TileRow> rows;
    for (const std::string& name : schedules) {
        DiffusionOptions options;
        options.schedule = name;
        options.timesteps = flags.T;
        naming_flags({{"diffusion.timesteps", "--T"}}, [&] { check(options); });
        const NoiseSchedule schedule = make_schedule(options);
        for (const std::string& method : methods)
            rows.push_back(strip(forward_method(method), name, schedule, x_start, timesteps, static_cast<uint64_t>(flags.seed)));
    }
    write_png(out, draw_tiles("", rows), software_text());
    std::printf("%s\n", out.c_str());
    return 0;
}

}  // namespace

std::function<int()> add_noise_preview(CLI::App& command) {
    auto flags = std::make_shared<PreviewFlags>();
    command.add_option("image", flags->image, "the picture: PNG, JPEG, BMP, GIF, PPM or TGA");
    add_with_default(command, "--schedule", flags->schedule, join(noise_schedule_names()));
    command.add_flag("--compare", flags->compare, "a row for linear and one for cosine");
    command.add_option("--timesteps", flags->timesteps, "which t to show, for example 0,100,500,999");
    add_with_default(command, "--method", flags->method, join(forward_method_names()) + " or all");
    add_with_default(command, "--T", flags->T, "timesteps of the schedule")->check(integer_in(2, 1000000));
    add_with_default(command, "--size", flags->size, "longer side of the picture in pixels")->check(integer_in(8, 4096));
    add_with_default(command, "--seed", flags->seed, "of the noise")->check(integer_in(0));
    command.add_option("--out", flags->out, "PNG to write (default: <picture's name>-noise.png here)");
    return [flags] { return run_preview(*flags); };
}

}  // namespace ddpm::cli
