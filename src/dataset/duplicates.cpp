#include "ddpm/dataset/duplicates.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "dataset/parallel.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"

namespace ddpm {

namespace {

constexpr size_t kDepth = kThumbnailSide * kThumbnailSide;
constexpr size_t kBlock = 64;                // pictures of a block
constexpr float kCandidate = 0.99F - 1e-4F;  // below kNearlyTheSame by more than 256 products in float can be off

// 128 bits by two hashes of FNV's form; equal pictures have equal ones, and others do not in practice.
using PixelHash = std::pair<uint64_t, uint64_t>;

PixelHash hash_of(const std::vector<uint8_t>& pixels) {
    PixelHash hash{0xCBF29CE484222325, 0x9E3779B97F4A7C15};
    for (const uint8_t byte : pixels) {
        hash.first = (hash.first ^ byte) * 0x100000001B3;
        hash.second = (hash.second ^ byte) * 0xD6E8FEB86659FD93;
        hash.second ^= hash.second >> 32;
    }
    return hash;
}

// What is kept of a picture.
struct Seen {
    PictureOf place;
    PixelHash hash;
    Thumbnail thumbnail{};
    std::string reason;  // why it can't be read
};

std::vector<Seen> look_at_all(const std::vector<const Dataset*>& parts, int threads) {
    std::vector<Seen> all;
    for (size_t part = 0; part < parts.size(); ++part)
        for (int64_t i = 0; i < parts[part]->size(); ++i) all.push_back({{part, i}, {}, {}, {}});
    dataset::parallel_for(static_cast<int64_t>(all.size()), threads, "looking at pictures", [&](int64_t index) {
        Seen& seen = all[static_cast<size_t>(index)];
        const Dataset& part = *parts[seen.place.part];
        Image picture =
            make_image(static_cast<int>(part.width()), static_cast<int>(part.height()), static_cast<int>(part.channels()));
        try {
            part.read_as_it_is(seen.place.index, picture.pixels.data());
        } catch (const Error& error) {
            seen.reason = error.what();
            return;
        }
        seen.hash = hash_of(picture.pixels);
        seen.thumbnail = make_thumbnail(picture);
    });
    return all;
}

// Different pictures, as rows of unit length of a matrix whose product with its transpose holds their correlations. Its rows are
// filled up to whole blocks with zeros.
class DifferentPictures {
public:
    explicit DifferentPictures(std::vector<const Seen*> pictures) : pictures_(std::move(pictures)) {
        rows_.resize(blocks() * kBlock * kDepth);
        for (size_t i = 0; i < pictures_.size(); ++i) fill_row(pictures_[i]->thumbnail, rows_.data() + i * kDepth);
    }

    size_t blocks() const { return (pictures_.size() + kBlock - 1) / kBlock; }
    const Seen& operator[](size_t i) const { return *pictures_[i]; }

    // Calls visit(i, j) with i < j for candidates: all pairs of a picture of block `a` and one of block `b` that may be nearly the
    // same. Ascending by i, then j.
    template <class Visit>
    void for_candidates(size_t a, size_t b, const Visit& visit) const {
        std::array<float, kBlock * kBlock> products;
        multiply(a, b, products);
        for (size_t row = 0; row < kBlock; ++row)
            for (size_t column = a == b ? row + 1 : 0; column < kBlock; ++column)
                if (products[row * kBlock + column] > kCandidate) visit(a * kBlock + row, b * kBlock + column);
    }

private:
    // A thumbnail of one grey becomes zeros.
    static void fill_row(const Thumbnail& thumbnail, float* row) {
        double sum = 0, squares = 0;
        for (const uint8_t pixel : thumbnail) sum += pixel;
        const double mean = sum / kDepth;
        for (const uint8_t pixel : thumbnail) squares += (pixel - mean) * (pixel - mean);
        const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
        for (size_t k = 0; k < kDepth; ++k) row[k] = static_cast<float>((thumbnail[k] - mean) * scale);
    }

    // The products of the rows of two blocks. Four rows by eight columns of sums stay in registers.
    void multiply(size_t a, size_t b, std::array<float, kBlock * kBlock>& products) const {
        using Four = float __attribute__((vector_size(16)));
        constexpr size_t height = 4, width = 2, lanes = 4;
        const float* left = rows_.data() + a * kBlock * kDepth;
        const float* right = rows_.data() + b * kBlock * kDepth;
        std::vector<float> columns(kDepth * kBlock);
        for (size_t column = 0; column < kBlock; ++column)
            for (size_t k = 0; k < kDepth; ++k) columns[k * kBlock + column] = right[column * kDepth + k];
        for (size_t row = 0; row < kBlock; row += height)
            for (size_t column = 0; column < kBlock; column += width * lanes) {
                Four sums[height][width] = {};
                for (size_t k = 0; k < kDepth; ++k) {
                    Four factors[width];
                    std::memcpy(factors, columns.data() + k * kBlock + column, sizeof factors);
                    for (size_t r = 0; r < height; ++r)
                        for (size_t c = 0; c < width; ++c) sums[r][c] += left[(row + r) * kDepth + k] * factors[c];
                }
                for (size_t r = 0; r < height; ++r)
                    std::memcpy(products.data() + (row + r) * kBlock + column, sums[r], sizeof sums[r]);
            }
    }

    std::vector<const Seen*> pictures_;
    std::vector<float> rows_;
};

// The first pairs in the order of Duplicates::pairs, of all that were added in any order.
class FirstPairs {
public:
    explicit FirstPairs(size_t most) : most_(most) {}

    void add(const DuplicatePair& pair) {
        pairs_.push_back(pair);
        if (pairs_.size() > 2 * most_) cut();
    }
    const std::vector<DuplicatePair>& cut() {
        const auto key = [](const DuplicatePair& pair) {
            return std::tuple(!pair.is_across(), !pair.same, pair.first, pair.second);
        };
        std::sort(pairs_.begin(), pairs_.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
        if (pairs_.size() > most_) pairs_.resize(most_);
        return pairs_;
    }

private:
    size_t most_;
    std::vector<DuplicatePair> pairs_;
};

// Adds the pairs that are nearly the same. `times`: how often each picture is there.
void find_near(const DifferentPictures& pictures, const std::vector<int64_t>& times, size_t most_pairs, int threads,
               Duplicates& found, FirstPairs& pairs) {
    const size_t blocks = pictures.blocks();
    std::vector<FirstPairs> of_block(blocks, FirstPairs(most_pairs));
    std::atomic<int64_t> near_pairs{0};
    const auto near_first_part = std::make_unique<std::atomic<bool>[]>(times.size());
    dataset::parallel_for(static_cast<int64_t>(blocks), threads, "comparing pictures, blocks", [&](int64_t index) {
        const auto block = static_cast<size_t>(index);
        for (size_t other = block; other < blocks; ++other)
            pictures.for_candidates(block, other, [&](size_t i, size_t j) {
                const Seen &a = pictures[i], &b = pictures[j];
                const double alike = correlation(a.thumbnail, b.thumbnail);
                if (!(alike > kNearlyTheSame)) return;
                ++near_pairs;
                if (a.place.part == 0 && b.place.part > 0) near_first_part[j] = true;
                of_block[block].add({a.place, b.place, false, alike});
            });
        of_block[block].cut();
    });
    found.near_pairs = near_pairs;
    for (size_t i = 0; i < times.size(); ++i)
        if (near_first_part[i]) found.near_across += times[i];
    for (FirstPairs& some : of_block)
        for (const DuplicatePair& pair : some.cut()) pairs.add(pair);
}

}  // namespace

Thumbnail make_thumbnail(const Image& picture) {
    const Image grey = resize(convert_channels(picture, 1), kThumbnailSide, kThumbnailSide);
    Thumbnail thumbnail{};
    std::copy(grey.pixels.begin(), grey.pixels.end(), thumbnail.begin());
    return thumbnail;
}

double correlation(const Thumbnail& a, const Thumbnail& b) {
    int64_t sum_a = 0, sum_b = 0, squares_a = 0, squares_b = 0, products = 0;
    for (size_t k = 0; k < kDepth; ++k) {
        const int64_t x = a[k], y = b[k];
        sum_a += x;
        sum_b += y;
        squares_a += x * x;
        squares_b += y * y;
        products += x * y;
    }
    constexpr auto count = static_cast<int64_t>(kDepth);
    const int64_t variance_a = count * squares_a - sum_a * sum_a, variance_b = count * squares_b - sum_b * sum_b;
    if (variance_a == 0 || variance_b == 0) return 0;
    return static_cast<double>(count * products - sum_a * sum_b) /
           std::sqrt(static_cast<double>(variance_a) * static_cast<double>(variance_b));
}

Duplicates find_duplicates(const std::vector<const Dataset*>& parts, size_t most_pairs, int threads) {
    const std::vector<Seen> all = look_at_all(parts, threads);
    Duplicates found;
    FirstPairs pairs(most_pairs);
    std::map<PixelHash, size_t> number_of;  // of the different pictures
    std::vector<const Seen*> different;
    std::vector<int64_t> times;
    for (const Seen& seen : all) {
        if (!seen.reason.empty()) {
            found.unreadable.push_back(one_line(seen.reason));
            continue;
        }
        ++found.compared;
        const auto [at, is_new] = number_of.emplace(seen.hash, different.size());
        if (is_new) {
            different.push_back(&seen);
            times.push_back(1);
            continue;
        }
        const PictureOf& first = different[at->second]->place;
        ++times[at->second];
        ++found.copies;
        if (first.part == 0 && seen.place.part > 0) ++found.copies_across;
        pairs.add({first, seen.place, true, 1});
    }
    find_near(DifferentPictures(std::move(different)), times, most_pairs, threads, found, pairs);
    found.pairs = pairs.cut();
    return found;
}

}  // namespace ddpm
