#include "ddpm/eval/npz_pictures.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/npz_file.h"

namespace ddpm {

namespace {

bool is_channels(int64_t side) { return side >= 1 && side <= 4; }

bool is_pictures(const NpzArray& array) {
    return array.descr == "|u1" && array.shape.size() == 4 && is_channels(array.shape[3]) && !array.fortran_order;
}

// Returns arr_0, or the only array of pictures.
const NpzArray& pictures_in(const NpzFile& file) {
    const NpzArray* first = file.find("arr_0");
    if (first == nullptr) {
        const auto count = std::count_if(file.arrays().begin(), file.arrays().end(), is_pictures);
        if (count == 1) return *std::find_if(file.arrays().begin(), file.arrays().end(), is_pictures);
        if (count > 1) user_error(file.source() + ": holds several arrays of pictures and none is called arr_0");
        first = &file.arrays().front();
    }
    if (is_pictures(*first)) return *first;
    const bool floats = first->descr.size() > 1 && first->descr[1] == 'f';
    const bool planes = first->shape.size() == 4 && is_channels(first->shape[1]) && !is_channels(first->shape[3]);
    user_error(fmt::format("{}: {} is {}, expected pictures: uint8 [N, height, width, channels] in C's order", file.source(),
                           quote(first->name), first->words()),
               floats   ? "in Python: ((x + 1) * 127.5).clip(0, 255).round().astype(\"uint8\") for numbers from -1 to 1"
               : planes ? "in Python: x.transpose(0, 2, 3, 1)"
                        : "");
}

at::Tensor pixels_at(NpzFile& file, const NpzArray& array, int64_t first, int64_t count) {
    at::Tensor pixels = at::empty({count, array.shape[1], array.shape[2], array.shape[3]}, at::kByte);
    const auto each = static_cast<uint64_t>(array.shape[1] * array.shape[2] * array.shape[3]);
    const std::string bytes = file.read(array, static_cast<uint64_t>(first) * each, static_cast<uint64_t>(count) * each);
    std::memcpy(pixels.mutable_data_ptr<uint8_t>(), bytes.data(), bytes.size());
    return pixels;
}

}  // namespace

NpzPictures open_npz_pictures(const std::filesystem::path& path, int64_t count) {
    const auto file = std::make_shared<NpzFile>(path);
    const NpzArray& array = pictures_in(*file);
    NpzPictures pictures{{array.shape[3], array.shape[1], array.shape[2]}, array.shape[0], {}};
    const int64_t total = pictures.total, wanted = std::min(count, total);
    if (array.count() == 0)
        user_error(fmt::format("{}: {} holds no pictures: it is {}", path.string(), quote(array.name), array.words()));
    pictures.source.count = wanted;
    pictures.source.description = fmt::format("{} in {}", plural(total, "picture"), one_line(path.string()));
    pictures.source.read = [file, &array, total, wanted, places = spread(total, wanted)](int64_t first, int64_t n) {
        ImageBatch batch{{}, at::full({n}, -1, at::kLong)};
        if (wanted == total) {
            batch.pixels = pixels_at(*file, array, first, n);
            return batch;
        }
        std::vector<at::Tensor> each;
        for (int64_t i = 0; i < n; ++i) each.push_back(pixels_at(*file, array, places[static_cast<size_t>(first + i)], 1));
        batch.pixels = at::cat(each);
        return batch;
    };
    return pictures;
}

}  // namespace ddpm
