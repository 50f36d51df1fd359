#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "ddpm/core/json.h"

namespace ddpm {

// Features are numbers that are taken of each picture, so that two sets of pictures can be compared by the laws of these numbers.

// The pictures that features are taken of, all of one size: those of a data set, and the samples of its model.
struct PictureFormat {
    int64_t channels = 3;  // 1 … 4
    int64_t height = 0, width = 0;
};

// What decides the numbers. Distances between sets can be compared only where all of this is the same.
struct FeatureProtocol {
    std::string features;    // the name that chose them: "scatter"
    std::string definition;  // what is computed, on one line
    std::string sha256;      // of the file of weights; of `definition` where there are none
    std::string resize;      // "none", or to which size and how
    std::string range;       // of the numbers that the features are taken of
    PictureFormat pictures;
    int64_t dimension = 0;  // of a feature; fewer if the reference has not more pictures than that

    // {features, definition, sha256, resize, range, pictures: "3x32x32", dimension}
    Json json() const;
    // "scatter (sha256 0123456789ab), 3x32x32, resize none, 8 bits as 0 ... 1, 64 numbers"
    std::string line() const;
};

// What was fitted to the reference: tensors by name, float64 on the CPU, to be kept with its statistics. It is empty for features
// that are taken as they are.
using FeatureTransform = std::map<std::string, at::Tensor>;

// One kind of features for pictures of one format. A feature is made in two steps, because the second may depend on the reference:
//     const at::Tensor raw = features.raw(pictures);             // of any pictures
//     const FeatureTransform transform = features.fit(raw_of_reference);
//     const at::Tensor x = features.transformed(raw, transform);  // reference and samples by the same transform
// On the CPU neither result depends on how pictures are divided into calls or on the number of threads, but for the rounding of
// LibTorch's operators in float32.
class Features {
public:
    virtual ~Features() = default;

    const FeatureProtocol& protocol() const { return protocol_; }

    // Takes pictures [N, C, H, W] of the protocol's format, N ≥ 0, on any device: uint8, or floating in [−1, 1] as samplers return
    // them. The latter are rounded to 8 bits first, so that they count as the PNGs that would be written of them. Returns
    // [N, D_raw] float32 on the CPU; scatter has 24 kB for a picture of 3×32×32 and 98 kB for one of 3×64×64. Throws a user error if
    // pictures have another format or a number is not finite.
    at::Tensor raw(const at::Tensor& pictures) const;

    // Whether fit() fits anything, for which it needs the raw features of all pictures of the reference at once.
    virtual bool is_fitted() const { return false; }

    // Fits the transform to raw features of the reference, [N, D_raw]. Throws a user error if they are too few or all the same.
    virtual FeatureTransform fit(const at::Tensor& raw) const;

    // Takes raw features [N, D_raw] and returns [N, D] float32, D ≤ protocol().dimension. The transform may come from a file; a
    // user error says if it has not the tensors that fit() returns for this format.
    virtual at::Tensor transformed(const at::Tensor& raw, const FeatureTransform& transform) const;

protected:
    explicit Features(FeatureProtocol protocol);

private:
    // Takes bytes [n, C, H, W] on the CPU, n ≥ 0, and returns [n, D_raw] float32.
    virtual at::Tensor compute(const at::Tensor& bytes) const = 0;

    FeatureProtocol protocol_;
};

// A row of the table of features.
struct FeatureKind {
    std::string name;
    std::string summary;
    bool takes_file;  // whether its weights come from a file, which the user names as NAME:FILE
    // Makes them with the weights of `file`, which is empty where none is taken. Throws a user error if pictures of that format are none
    // that it can take, or if the file is not what it should be.
    std::unique_ptr<Features> (*make)(const PictureFormat& format, c10::Device device, const std::filesystem::path& file);
};

const std::vector<FeatureKind>& feature_kinds();

// The features that are taken where none are named.
inline constexpr const char* kDefaultFeatures = "scatter";

// What "scatter", "inception:FILE" or "FILE.pt" names. The last, any name that ends in .pt and holds no colon, means torchscript:FILE.pt.
struct FeatureChoice {
    const FeatureKind* kind = nullptr;
    std::filesystem::path file;  // empty where the kind takes none
};

// Reads the name of features. Throws a user error if there are none of that name, which lists the known ones, or if a file is missing
// or too many. It does not look at the file.
FeatureChoice read_feature_choice(const std::string& name);

// Makes the features of that name, which compute on `device`. The errors are those of read_feature_choice and FeatureKind::make.
std::unique_ptr<Features> make_features(const std::string& name, const PictureFormat& format, c10::Device device = c10::kCPU);

}  // namespace ddpm
