#include "cli/edit_flags.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "cli/given_noise.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"
#include "ddpm/image/pixels.h"

namespace ddpm::cli {

namespace {

// Returns the two numbers of "10,20", each `low` or more, or nothing if the text is not of that form.
std::optional<std::pair<int64_t, int64_t>> two_numbers(const std::string& text, int64_t low) {
    const std::vector<std::string> parts = split(text, ',');
    if (parts.size() != 2) return std::nullopt;
    std::vector<int64_t> numbers;
    for (const std::string& part : parts) {
        if (part.empty() || part.size() > 9 || part.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
        numbers.push_back(std::stoll(part));
        if (numbers.back() < low) return std::nullopt;
    }
    return std::pair(numbers[0], numbers[1]);
}

std::optional<Repaint> read_repaint(const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto numbers = two_numbers(text, 1);
    if (!numbers)
        user_error(
            fmt::format("--repaint: got {}, expected R,J: how often each step is taken and over how many steps a jump "
                        "back goes, such as 10,10",
                        quote(text)));
    if (numbers->first == 1)
        user_error(
            fmt::format("--repaint: got {}, by which no step is repeated; expected R of 2 or more, or leave it out", quote(text)));
    return Repaint{numbers->first, numbers->second};
}

// The options by which a run reads pictures; for a model of another program the defaults.
DatasetOptions reading_of(const Model& model) {
    DatasetOptions options;
    if (model.config.is_object() && model.config.contains("dataset"))
        dataset_fields().read(options, model.config.at("dataset"), "dataset");
    options.height = model.height;
    options.width = model.width;
    options.channels = model.channels();
    return options;
}

at::Tensor read_mask(const std::string& path, const Model& model) {
    DecodeOptions decode;
    decode.channels = 1;
    const Image image = read_image(path, decode);
    if (image.width != model.width || image.height != model.height)
        user_error(fmt::format("--mask: {}: is {} x {} pixels, but this model draws {} x {}", path, image.width, image.height,
                               model.width, model.height));
    const at::Tensor bytes = at::tensor(std::vector<uint8_t>(image.pixels), at::kByte);
    const at::Tensor mask = bytes.to(at::kFloat).div(255).view({model.height, model.width});
    const double kept = 100 * mask.mean().item<double>();
    if (kept == 0 || kept == 100)
        spdlog::warn("--mask: {}: is all {}, so {} is kept; white is kept and black is drawn", path, kept == 0 ? "black" : "white",
                     kept == 0 ? "nothing" : "everything");
    else
        spdlog::info("{}: {:.0f} % of the pixels are kept", path, kept);
    return mask;
}

}  // namespace

std::vector<FramedPicture> read_for(const Model& model, const std::string& flag, const fs::path& path, int threads,
                                    at::Tensor& pixels) {
    const int64_t C = model.channels();
    if (C != 1 && C != 3 && C != 4)
        user_error(fmt::format("{}: {} has {} channels, and pictures have 1, 3 or 4", flag, model.source, C));
    FramedPictures read = read_pictures(path, reading_of(model), threads);
    if (!read.notes.empty()) spdlog::warn("{}", read.notes);
    const auto N = static_cast<int64_t>(read.pictures.size());
    pixels = at::empty({N, C, model.height, model.width}, at::kFloat);
    int64_t resized = 0;
    for (int64_t i = 0; i < N; ++i) {
        FramedPicture& picture = read.pictures[static_cast<size_t>(i)];
        to_signed_unit(picture.image.pixels.data(), static_cast<int>(model.height), static_cast<int>(model.width),
                       static_cast<int>(C), pixels[i].data_ptr<float>());
        picture.image = {};
        if (picture.width != model.width || picture.height != model.height) ++resized;
    }
    if (resized > 0)
        spdlog::info("{}: {} of {} resized to {} x {} and cut to the middle, as training does", one_line(path.string()), resized,
                     plural(N, "picture"), model.width, model.height);
    return std::move(read.pictures);
}

void EditFlags::add(CLI::App& command) {
    command_ = &command;
    command.add_option(
        "--init", init_,
        "begin with this picture, or with each of this folder, in place of noise (--strength, --from-t), or keep a part "
        "of it (--mask); --n variants of each");
    command
        .add_option("--strength", start_.strength,
                    "--init: the share of the steps that is taken, above 0 to 1; the more, the less of the picture is left")
        ->check(number_above(0, 1));
    command.add_option("--from-t", start_.from_t, "--init: add the noise of this t and denoise from it, in place of --strength")
        ->check(integer_in(0));
    command.add_option("--mask", mask_,
                       "--init: keep the picture where this one, of the model's size, is white, and draw where it is black (other "
                       "programs do the opposite)");
    command.add_option(
        "--repaint", repaint_,
        "--mask: R,J: take each step R times, in jumps back over J steps, such as 10,10; of " + join(repainting_samplers()));
    command.add_option(
        "--interpolate", interpolate_,
        "draw what lies between two: A,B are pictures by their number under --seed or in --noise; or a file of two x_T");
    command.add_option(
        "--encode", encode_,
        "draw nothing, but write to --out FILE.safetensors the x_T that this picture, or each of this folder, comes from "
        "(DDIM inversion); --noise FILE draws them again");
    command.add_option("--fixed-point", fixed_point_, "--encode: evaluations a step; the more, the more exact (default: 1)")
        ->check(integer_in(1, 1000));
}

std::vector<std::pair<std::string, fs::path>> EditFlags::inputs() const {
    return {{"--init", init_},
            {"--mask", mask_},
            {"--encode", encode_},
            {"--interpolate", is_present(interpolate_) ? interpolate_ : ""}};
}

bool EditFlags::given(const char* flag) const { return command_->count(flag) > 0; }

void EditFlags::check(const std::string& noise) const {
    const auto wants = [&](const char* flag, const char* other) {
        if (given(flag) && !given(other)) user_error(fmt::format("{}: belongs to {}, which is not given", flag, other));
    };
    const auto excludes = [&](const char* flag, std::initializer_list<const char*> others) {
        for (const char* other : others)
            if (given(flag) && given(other)) user_error(fmt::format("{} and {} don't go together; leave one out", flag, other));
    };
    excludes("--encode", {"--init", "--strength", "--from-t", "--mask", "--repaint", "--interpolate", "--noise", "--n", "--grid",
                          "--trajectory", "--format", "--seed"});
    excludes("--interpolate", {"--init", "--strength", "--from-t", "--mask", "--repaint"});
    wants("--fixed-point", "--encode");
    for (const char* flag : {"--strength", "--from-t", "--mask"}) wants(flag, "--init");
    wants("--repaint", "--mask");
    excludes("--strength", {"--from-t"});
    read_repaint(repaint_);
    if (edits() && mask_.empty() && !start_.in_the_middle())
        user_error("--init: how much of it is to be drawn anew?",
                   "--strength 0.6 or --from-t 400 draw all of it from some noise on, --mask PICTURE a part of it");
    for (const auto& [flag, path] : {std::pair<const char*, const std::string&>("--init", init_), {"--encode", encode_}})
        if (given(flag) && !is_folder(path))
            expect_kind(path, {FileKind::picture, FileKind::unknown},
                        fmt::format("a picture or a folder of pictures for {}", flag));
    if (given("--mask")) expect_kind(mask_, {FileKind::picture, FileKind::unknown}, "a picture for --mask");
    if (!interpolates()) return;
    const auto ends = two_numbers(interpolate_, 0);
    if (ends && ends->first == ends->second)
        user_error(fmt::format("--interpolate: got picture {} twice, expected two pictures", ends->first));
    if (!ends && !noise.empty())
        user_error(fmt::format("--interpolate: {}: --noise names a file already; say which two of its pictures, such as 0,1",
                               quote(interpolate_)));
    if (!ends && !is_present(interpolate_) && fs::path(interpolate_).extension() != ".safetensors")
        user_error(
            fmt::format("--interpolate: got {}, expected two numbers of pictures such as 0,1, or a .safetensors file of two x_T",
                        quote(interpolate_)));
    if (!ends)
        expect_kind(interpolate_, {FileKind::safetensors, FileKind::unknown},
                    "two numbers such as 0,1, or a file of two x_T for --interpolate");
    if (given("--seed") && (!ends || !noise.empty()))
        user_error(fmt::format("--seed: nothing follows from it, because the x_T are those of {}; leave it out",
                               ends ? noise : interpolate_));
}

EditInput EditFlags::read(const Model& model, int64_t variants, int threads) const {
    EditInput input;
    if (interpolates() && !two_numbers(interpolate_, 0)) input.interpolate_crc32 = crc32_of_file(interpolate_);
    if (!edits()) return input;
    Edit& edit = input.edit;
    input.pictures = read_for(model, "--init", init_, threads, edit.pictures);
    edit.variants = variants;
    edit.start = start_;
    edit.repaint = read_repaint(repaint_);
    if (!mask_.empty()) {
        edit.mask = read_mask(mask_, model);
        input.mask_crc32 = crc32_of_file(mask_);
    }
    if (variants > 1)
        spdlog::info("{}, {} of each: number i·{} + j is variant j of picture i",
                     plural(static_cast<int64_t>(input.pictures.size()), "picture"), plural(variants, "variant"), variants);
    return input;
}

ResolvedSampling EditFlags::walk(const ResolvedSampling& whole, const Edit& edit, const Model& model) const {
    return naming_flags({{"strength", "--strength"}, {"from_t", "--from-t"}, {"repaint", "--repaint"}}, [&] {
        const ResolvedSampling cut = begun_at(whole, start_, model.schedule);
        steps_taken(edit, cut);
        if (edit.repaint && !sampler_info(cut.sampler).repaints)
            key_error("repaint", fmt::format("can't repeat the steps of {}, expected --sampler {}", cut.sampler,
                                             join(repainting_samplers(), " or ")));
        return cut;
    });
}

at::Tensor EditFlags::strip(const Model& model, const ResolvedSampling& settings, uint64_t seed, int64_t n,
                            const at::Tensor& given) const {
    if (adds_noise(settings))
        user_error(fmt::format("--interpolate: {} adds noise, so that a picture does not follow from its x_T", settings.sampler),
                   "--sampler ddim, unipc or heun draws without, unless --eta or --churn asks for it");
    if (n < 2) user_error(fmt::format("--n: got {}, but --interpolate has two ends", n));
    const auto ends = two_numbers(interpolate_, 0);
    at::Tensor a, b;
    if (!ends || given.defined()) {
        const at::Tensor x_T =
            ends ? given
                 : read_noise(interpolate_, {model.channels(), model.height, model.width}, settings.steps(), "--interpolate").x_T;
        if (!ends && x_T.size(0) != 2)
            user_error(fmt::format("--interpolate: {}: holds {}, expected two", interpolate_, plural(x_T.size(0), "picture")),
                       "--noise FILE --interpolate A,B takes two of several");
        const auto [first, last] = ends.value_or(std::pair<int64_t, int64_t>(0, 1));
        if (std::max(first, last) >= x_T.size(0))
            user_error(fmt::format("--interpolate: picture {}, but --noise holds {} and counts from 0", std::max(first, last),
                                   plural(x_T.size(0), "picture")));
        a = x_T[first];
        b = x_T[last];
    } else {
        a = drawn_start(model, seed, ends->first, 1)[0].cpu();
        b = drawn_start(model, seed, ends->second, 1)[0].cpu();
    }
    std::vector<at::Tensor> between;
    for (int64_t i = 0; i < n; ++i) between.push_back(slerp(a, b, static_cast<double>(i) / static_cast<double>(n - 1)));
    return at::stack(between);
}

std::optional<int64_t> EditFlags::label_of_strip(const Model& model, const std::optional<int64_t>& label) const {
    if (label || !model.has_classes() || model.classes() <= 1) return label;
    const auto [first, last] = two_numbers(interpolate_, 0).value_or(std::pair<int64_t, int64_t>(0, 1));
    const int64_t classes = model.classes();
    if (first % classes != last % classes)
        user_error(fmt::format("--interpolate: its ends have labels {} and {}", first % classes, last % classes),
                   "--label chooses one for all of it");
    return first % classes;
}

std::string EditFlags::describe_ends(const std::string& noise, int64_t seed) const {
    const auto ends = two_numbers(interpolate_, 0);
    if (!ends) return "from the first to the second x_T of " + interpolate_;
    return fmt::format("from picture {} to {} of {}", ends->first, ends->second,
                       noise.empty() ? fmt::format("seed {}", seed) : noise);
}

PngText EditFlags::text(const EditInput& input, int64_t first, int64_t count, int64_t n) const {
    PngText text;
    if (edits()) {
        const int64_t variants = input.edit.variants, from = first / variants, to = (first + count - 1) / variants;
        const FramedPicture& picture = input.pictures[static_cast<size_t>(from)];
        text.emplace_back("init", init_);
        if (from == to && (input.pictures.size() > 1 || picture.file != fs::path(init_)))
            text.emplace_back("init_picture", picture.file.string());
        std::vector<std::string> checksums;
        for (int64_t i = from; i <= to; ++i) checksums.push_back(input.pictures[static_cast<size_t>(i)].crc32);
        text.emplace_back("init_crc32", join(checksums, ","));
        if (input.edit.variants > 1) text.emplace_back("variants", std::to_string(input.edit.variants));
    }
    if (start_.strength) text.emplace_back("strength", fmt::format("{}", *start_.strength));
    if (start_.from_t) text.emplace_back("from_t", std::to_string(*start_.from_t));
    if (!mask_.empty()) text.insert(text.end(), {{"mask", mask_}, {"mask_crc32", input.mask_crc32}});
    if (!repaint_.empty()) text.emplace_back("repaint", repaint_);
    if (interpolates()) text.emplace_back("interpolate", interpolate_);
    if (!input.interpolate_crc32.empty()) text.emplace_back("interpolate_crc32", input.interpolate_crc32);
    if (interpolates() && count == 1) text.emplace_back("position", fmt::format("{} of {}", first, n));
    return text;
}

}  // namespace ddpm::cli
