#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <ATen/core/Tensor.h>

#include "ddpm/core/json.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/frechet.h"
#include "ddpm/eval/source.h"

namespace ddpm {

// What is known about the real pictures of a reference without the pictures, as a file keeps it.
struct ReferenceStatistics {
    int64_t n = 0;               // pictures; 0 where the file of another program does not say
    GaussianFit fit;             // of their features, [D] and [D, D], with divisor n − 1
    FeatureTransform transform;  // what the features fitted to these pictures
    at::Tensor features;         // [n, D] float32, transformed; undefined where they were not kept
    at::Tensor hashes;           // [n] int64, ascending: picture_hash of each picture; undefined where not known
    Json protocol;               // FeatureProtocol::json(); null where the file of another program does not say
    std::string source;          // "100 pictures of shapes"; of another program's file its path
    std::string sha256;          // of the bytes of the pictures, in order; empty where not known
    std::string file;            // that it was read from; empty if it was measured
};

// Features are kept beside mean and covariance up to this many numbers, 64 MiB: 262,144 pictures of scatter, 8192 of Inception.
inline constexpr int64_t kMostKeptNumbers = int64_t{1} << 24;

// The widest features whose statistics are taken: their covariance is 128 MiB.
inline constexpr int64_t kMostColumns = 4096;

// Throws a user error if statistics of such features are not taken: they are wider than kMostColumns.
void check_columns(const FeatureProtocol& features);

// Takes the statistics of all pictures, with `after_batch` as in raw_features. Features without a fitted transform go by batches: what
// is held is 2·D² numbers in float64, at the end about 5·D² (67 and 170 MB for D = 2048), one batch, 8 bytes a picture, and the features
// up to kMostKeptNumbers.
// Features with one need the raw features of all pictures at once. Throws a user error for fewer than 2 pictures, and what check_columns
// and the features throw.
ReferenceStatistics measure_statistics(const Features& features, const ImageSource& pictures, int64_t batch,
                                       const std::function<void(int64_t done)>& after_batch);

// A number that tells one picture from another: the first 8 bytes of the SHA-256 of its pixels, [H, W, C] uint8 contiguous on the CPU.
int64_t picture_hash(const at::Tensor& pixels);

// Writes an .npz with mu and sigma (float64), which pytorch-fid, clean-fid and EDM open as theirs, n (int64), protocol (JSON in uint8),
// hashes, and where they are there features (float32) and transform.NAME (float64). The file appears whole or not at all.
void write_statistics(const std::filesystem::path& file, const ReferenceStatistics& statistics);

// Reads such a file, or one of pytorch-fid, clean-fid (deflated), EDM or guided-diffusion, of which mu and sigma are taken, and n if
// pictures lie beside them. Any of these is a user error that begins with the file: arrays that are missing, of another shape or dtype,
// not finite, a sigma that is not symmetric or has a negative variance, a protocol that is not that of write_statistics.
ReferenceStatistics read_statistics(const std::filesystem::path& file);

// Whether a file is one of write_statistics.
bool is_statistics(const std::filesystem::path& file);

// Throws a user error that begins with the file if features of that protocol may not be compared with the statistics, and says both.
// Statistics that name no protocol are taken for features "inception" of as many numbers.
void check_comparable(const ReferenceStatistics& statistics, const FeatureProtocol& asked);

}  // namespace ddpm
