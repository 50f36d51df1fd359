#include "ddpm/eval/copy_search.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/sha256.h"
#include "ddpm/eval/source.h"
#include "ddpm/eval/view_search.h"

namespace ddpm {

namespace {

constexpr int64_t kFitted = 2000;                    // training pictures that features are fitted to
constexpr int64_t kBlockNumbers = int64_t{4} << 20;  // of the training pictures that are in memory at a time, 32 MB
constexpr int64_t kBlockBytes = int64_t{64} << 20;   // of them before they are reduced
constexpr int64_t kLargestBlock = 1024;

at::Tensor channels_first(const at::Tensor& pixels) { return pixels.permute({0, 3, 1, 2}); }

// A distance between pictures: views of one that are laid above, and one row of another that lies below.
class Distance {
public:
    virtual ~Distance() = default;
    virtual std::string name() const = 0;
    // What is kept of N pictures that are laid above, [N, …], and what of some of it are the views, [n, V, D] float64 on the CPU.
    virtual at::Tensor prepared(const at::Tensor& pictures) const = 0;
    virtual at::Tensor views(const at::Tensor& prepared) const = 0;
    // The rows of pictures that lie below, [n, D] float64 on the CPU.
    virtual at::Tensor rows(const at::Tensor& pictures) const = 0;
    // Whether rows are kept for the second pass, because they are few numbers and dear.
    virtual bool keeps_rows() const = 0;
};

class PixelDistance : public Distance {
public:
    explicit PixelDistance(const PictureViews& views) : views_(views) {}
    std::string name() const override { return "pixel"; }
    at::Tensor prepared(const at::Tensor& pictures) const override { return views_.reduced(pictures); }
    at::Tensor views(const at::Tensor& prepared) const override { return views_.all(prepared); }
    at::Tensor rows(const at::Tensor& pictures) const override { return views_.middle(views_.reduced(pictures)); }
    bool keeps_rows() const override { return false; }

private:
    const PictureViews& views_;
};

class FeatureDistance : public Distance {
public:
    FeatureDistance(const Features& features, const CopySets& sets, const CopySettings& settings)
        : features_(features), settings_(settings) {
        std::vector<at::Tensor> raw;
        for (const int64_t i : spread(sets.training, kFitted))
            if (const NumberedPictures one = sets.read(i, 1); one.pixels.size(0) > 0)
                raw.push_back(features_.raw(channels_first(one.pixels)));
        if (raw.empty()) user_error("the training pictures: none can be read");
        transform_ = features_.fit(at::cat(raw));
    }
    std::string name() const override { return features_.protocol().features; }
    at::Tensor prepared(const at::Tensor& pictures) const override {
        std::vector<at::Tensor> views{rows(pictures)};
        if (settings_.mirrored) views.push_back(rows(pictures.flip(3)));
        return at::stack(views, 1);
    }
    at::Tensor views(const at::Tensor& prepared) const override { return prepared; }
    at::Tensor rows(const at::Tensor& pictures) const override {
        const auto read = [&](int64_t first, int64_t n) { return pictures.slice(0, first, first + n); };
        const at::Tensor raw = raw_features(features_, pictures.size(0), settings_.batch, read, [](int64_t) {});
        return features_.transformed(raw, transform_).to(at::kCPU, at::kDouble);
    }
    bool keeps_rows() const override { return true; }

private:
    const Features& features_;
    const CopySettings settings_;
    FeatureTransform transform_;
};

ViewSearch::Views views_of(const Distance& distance, const at::Tensor& pictures) {
    return [&distance, prepared = distance.prepared(pictures)](int64_t first, int64_t n) {
        return distance.views(prepared.slice(0, first, first + n));
    };
}

// Pictures that were found near the samples, each once.
struct FoundPictures {
    at::Tensor numbers, pixels;  // [n], [n, C, H, W]
    at::Tensor places;           // [N]: which of them is that of a sample
};

FoundPictures read_found(const CopySets& sets, const at::Tensor& numbers) {
    const auto [unique, places, counts] = at::_unique2(numbers, /*sorted=*/true, /*return_inverse=*/true);
    std::vector<at::Tensor> pixels;
    for (int64_t i = 0; i < unique.size(0); ++i) {
        const NumberedPictures one = sets.read(unique[i].item<int64_t>(), 1);
        if (one.pixels.size(0) == 0) runtime_failure("a training picture can't be read any more, after it was read once");
        pixels.push_back(channels_first(one.pixels));
    }
    return {unique, at::cat(pixels), places};
}

// Takes what a distance says about the samples, pass by pass.
class Measuring {
public:
    Measuring(std::unique_ptr<Distance> distance, const CopySets& sets) : distance_(std::move(distance)), sets_(sets) {
        sample_views_ = views_of(*distance_, sets.samples);
        samples_ = std::make_unique<ViewSearch>(sets.samples.size(0), kRatioNeighbours, sample_views_);
        held_out_ =
            std::make_unique<ViewSearch>(sets.held_out.size(0), kRatioNeighbours, views_of(*distance_, sets.held_out), sets.own);
    }

    void add(const at::Tensor& pictures, const at::Tensor& numbers) {
        const at::Tensor rows = distance_->rows(pictures);
        if (distance_->keeps_rows()) kept_.emplace_back(rows.to(at::kFloat), numbers);
        samples_->add(rows, numbers);
        held_out_->add(rows, numbers);
    }

    // After the first pass over `training` pictures.
    void judge(int64_t training) {
        const int64_t k = std::min(kRatioNeighbours, sets_.own.defined() ? training - 1 : training);
        const Neighbours near = samples_->found(), held_out_near = held_out_->found();
        measure_.name = distance_->name();
        measure_.ratios = nearness_ratios_of(near.distances.slice(1, 0, k));
        measure_.held_out_ratios = nearness_ratios_of(held_out_near.distances.slice(1, 0, k));
        measure_.copies = find_copies(measure_.ratios, measure_.held_out_ratios);
        measure_.to_training = near.distances.select(1, 0).clone();
        measure_.training = near.rows.select(1, 0).clone();
        const at::Tensor of_held_out = held_out_near.distances.select(1, 0);
        measure_.equal = measure_.to_training.eq(0).sum().item<int64_t>();
        measure_.held_out_equal = of_held_out.eq(0).sum().item<int64_t>();
        if (!sets_.own.defined()) {
            const Neighbours held_out = nearest_held_out();
            measure_.to_held_out = held_out.distances.select(1, 0).clone();
            measure_.held_out = held_out.rows.select(1, 0).clone();
            measure_.nearer_to_training = share_nearer_of(measure_.to_training, measure_.to_held_out);
            measure_.data_copying = data_copying_of(measure_.to_training, of_held_out);
        }
        found_ = read_found(sets_, measure_.training);
        around_ = std::make_unique<ViewSearch>(found_.numbers.size(0), 1, views_of(*distance_, found_.pixels), found_.numbers);
    }

    // In the second pass, which looks for the neighbours of what the first one found. Kept rows are not taken anew.
    void add_again(const at::Tensor& pictures, const at::Tensor& numbers) {
        if (!distance_->keeps_rows()) around_->add(distance_->rows(pictures), numbers);
    }

    CopyMeasure finish() {
        for (const auto& [rows, numbers] : kept_) around_->add(rows.to(at::kDouble), numbers);
        measure_.authentic =
            authentic_share_of(measure_.to_training, around_->found().distances.select(1, 0).index_select(0, found_.places));
        return std::move(measure_);
    }

private:
    Neighbours nearest_held_out() const {
        ViewSearch search(sets_.samples.size(0), 1, sample_views_);
        const int64_t all = sets_.held_out.size(0);
        for (int64_t first = 0; first < all; first += kLargestBlock) {
            const int64_t last = std::min(first + kLargestBlock, all);
            search.add(distance_->rows(sets_.held_out.slice(0, first, last)), at::arange(first, last, at::kLong));
        }
        return search.found();
    }

    const std::unique_ptr<Distance> distance_;
    const CopySets& sets_;
    ViewSearch::Views sample_views_;
    std::unique_ptr<ViewSearch> samples_, held_out_, around_;
    std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
    FoundPictures found_;
    CopyMeasure measure_;
};

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string flagged_words(const CopyMeasure& measure) {
    return fmt::format("{} by {} ({}, 95 % interval {:.1f} ... {})", measure.copies.rows.size(0), measure.name,
                       percent(measure.copies.flagged.value), 100 * measure.copies.flagged.low,
                       percent(measure.copies.flagged.high));
}

}  // namespace

CopySearch search_copies(const CopySets& sets, const Features* features, const CopySettings& settings,
                         const AfterBatch& after_block) {
    const c10::InferenceMode no_gradients;
    const PictureFormat format{sets.samples.size(1), sets.samples.size(2), sets.samples.size(3)};
    const PictureViews views(format, settings.mirrored);
    std::vector<std::unique_ptr<Measuring>> measuring;
    measuring.push_back(std::make_unique<Measuring>(std::make_unique<PixelDistance>(views), sets));
    if (features != nullptr && features->protocol().features != "pixel")
        measuring.push_back(std::make_unique<Measuring>(std::make_unique<FeatureDistance>(*features, sets, settings), sets));

    CopySearch search;
    search.stands_in = sets.own.defined();
    Sha256 hash;
    const int64_t block =
        std::clamp(std::min(kBlockNumbers / views.bytes(), kBlockBytes / (format.channels * format.height * format.width)),
                   int64_t{1}, kLargestBlock);
    for (const bool first_pass : {true, false}) {
        for (int64_t first = 0; first < sets.training; first += block) {
            const int64_t n = std::min(block, sets.training - first);
            const NumberedPictures some = sets.read(first, n);
            const at::Tensor pixels = some.pixels.contiguous();
            if (first_pass)
                hash.add({reinterpret_cast<const char*>(pixels.const_data_ptr<uint8_t>()), static_cast<size_t>(pixels.numel())});
            if (first_pass) search.training += pixels.size(0);
            for (const auto& measure : measuring)
                if (pixels.size(0) > 0 && first_pass)
                    measure->add(channels_first(pixels), some.numbers);
                else if (pixels.size(0) > 0)
                    measure->add_again(channels_first(pixels), some.numbers);
            after_block((first_pass ? 0 : sets.training) + first + n);
        }
        if (!first_pass) break;
        if (search.training < 3)
            user_error(fmt::format("the training pictures: {} can be read, but at least 3 are needed to say which are near",
                                   search.training));
        for (const auto& measure : measuring) measure->judge(search.training);
    }
    search.sha256 = hash.finish();
    search.nearer_expected = static_cast<double>(search.training) / static_cast<double>(search.training + sets.held_out.size(0));
    for (const auto& measure : measuring) search.measures.push_back(measure->finish());
    return search;
}

at::Tensor suspicion(const CopySearch& search) {
    const c10::InferenceMode no_gradients;
    at::Tensor least;
    for (const CopyMeasure& measure : search.measures) {
        // Where the threshold is 0, nothing is below it: 0/0 counts as 1, and everything else as endlessly far.
        const at::Tensor relative = (measure.ratios / measure.copies.threshold).nan_to_num(1);
        least = least.defined() ? at::minimum(least, relative) : relative;
    }
    return least;
}

bool accuses(const CopyMeasure& measure, const CopySearch& search) {
    const double level = kAccusation / static_cast<double>(search.measures.size());
    return measure.copies.p_value <= (search.stands_in ? level / 10 : level);
}

std::string copying_verdict(const CopySearch& search) {
    const int64_t n = search.measures.front().ratios.size(0);
    const CopyMeasure* strongest = &search.measures.front();
    bool blind = true;
    std::vector<std::string> flagged;
    for (const CopyMeasure& measure : search.measures) {
        if (measure.copies.p_value < strongest->copies.p_value) strongest = &measure;
        blind = blind && measure.copies.threshold == 0;
        flagged.push_back(flagged_words(measure));
    }
    const char* const others = search.stands_in ? "training pictures" : "held-out pictures";
    const std::string expected = percent(strongest->copies.expected);
    if (blind)
        return fmt::format("copies can't be told: of {} {} {} equal {} training picture", strongest->held_out_ratios.size(0),
                           others, strongest->held_out_equal, search.stands_in ? "another" : "a");
    if (accuses(*strongest, search))
        return fmt::format(
            "copies: of {} samples {} stand out as near to one training picture as only {} of {} are; chance does as much in "
            "1 case of {:.3g}",
            n, flagged_words(*strongest), expected, others, 1 / std::max(strongest->copies.p_value, 1e-300));
    return fmt::format(
        "no sign of copies: of {} samples {} stand out, where {} are expected; a model that copies nothing is accused in at most "
        "1 case of 20",
        n, fmt::join(flagged, " and "), expected);
}

}  // namespace ddpm
