// Statistics of a reference in an .npz file.

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/reference.h"
#include "ddpm/tensorfile/npz.h"
#include "ddpm/tensorfile/npz_file.h"

namespace ddpm {

namespace fs = std::filesystem;

namespace {

constexpr const char* kStatisticsFormat = "ddpm eval stats";
constexpr int64_t kSchema = 1;
constexpr const char* kTransform = "transform.";
constexpr uint64_t kPiece = uint64_t{1} << 20;  // bytes that are read at a time
constexpr int64_t kMostProtocolBytes = 1 << 16;
constexpr double kSymmetric = 1e-5;  // of the largest variance; float32 sums of other programs differ by less

std::string descr_of(at::ScalarType type) {
    return type == at::kDouble ? "<f8" : type == at::kFloat ? "<f4" : type == at::kLong ? "<i8" : "|u1";
}

std::string name_of(at::ScalarType type) {
    return type == at::kDouble ? "float64" : type == at::kFloat ? "float32" : type == at::kLong ? "int64" : "uint8";
}

void write_tensor(NpzWriter& writer, const std::string& name, const at::Tensor& tensor) {
    const at::Tensor values = tensor.contiguous();
    writer.begin(name, descr_of(values.scalar_type()), values.sizes().vec());
    writer.write({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
}

// What a file must hold of an array; −1 stands for any side.
at::Tensor read_tensor(NpzFile& file, const std::string& name, std::initializer_list<at::ScalarType> types,
                       const std::vector<int64_t>& shape) {
    const NpzArray* array = file.find(name);
    if (array == nullptr) user_error(fmt::format("{}: holds no array {}", file.source(), quote(name)));
    const auto type = std::find_if(types.begin(), types.end(), [&](at::ScalarType t) { return descr_of(t) == array->descr; });
    bool fits = type != types.end() && array->shape.size() == shape.size();
    for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || array->shape[i] == shape[i];
    if (!fits) {
        std::vector<std::string> sides;
        for (const int64_t side : shape) sides.push_back(side < 0 ? "D" : std::to_string(side));
        user_error(fmt::format("{}: {} is {}, expected {} {}", file.source(), quote(name), array->words(), name_of(*types.begin()),
                               shape.empty() ? "number" : join(sides, "x")));
    }
    if (array->fortran_order && shape.size() > 1 && name != "sigma")
        user_error(fmt::format("{}: {} is in Fortran's order, expected C's", file.source(), quote(name)));
    at::Tensor values = at::empty(array->shape, *type);
    auto* bytes = static_cast<char*>(values.mutable_data_ptr());
    for (uint64_t done = 0, size = values.nbytes(); done < size; done += kPiece) {
        const std::string piece = file.read(*array, done, std::min(kPiece, size - done));
        std::memcpy(bytes + done, piece.data(), piece.size());
    }
    if (values.is_floating_point() && !at::isfinite(values).all().item<bool>())
        user_error(fmt::format("{}: {} has numbers that are not finite", file.source(), quote(name)));
    return values;
}

GaussianFit read_fit(NpzFile& file) {
    const std::initializer_list<at::ScalarType> floats = {at::kDouble, at::kFloat};
    const NpzArray* mu = file.find("mu");
    if (mu == nullptr || file.find("sigma") == nullptr)
        user_error(fmt::format("{}: holds no mu and sigma, so it is no file of statistics; {} lies in it", file.source(),
                               quote(file.arrays().front().name)),
                   "`ddpm eval stats` makes one of real pictures");
    if (mu->shape.size() == 1 && (mu->shape[0] < 1 || mu->shape[0] > kMostColumns))
        user_error(
            fmt::format("{}: statistics of {} numbers a picture, expected 1 to {}", file.source(), mu->shape[0], kMostColumns));
    const at::Tensor mean = read_tensor(file, "mu", floats, {-1}).to(at::kDouble);
    const int64_t D = mean.size(0);
    const at::Tensor sigma = read_tensor(file, "sigma", floats, {D, D}).to(at::kDouble);
    const double largest = sigma.diagonal().max().item<double>();
    if (sigma.diagonal().min().item<double>() < 0)
        user_error(file.source() + ": sigma has a negative variance; it is no covariance");
    if ((sigma - sigma.t()).abs().max().item<double>() > kSymmetric * largest)
        user_error(file.source() + ": sigma is not symmetric; it is no covariance");
    return {mean, (sigma + sigma.t()) / 2};
}

// Returns the text that write_statistics puts into "protocol".
Json read_protocol(NpzFile& file) {
    const NpzArray* array = file.find("protocol");
    if (array->shape.size() == 1 && array->shape[0] > kMostProtocolBytes)
        user_error(fmt::format("{}: a protocol of {} bytes, expected a short text", file.source(), array->shape[0]));
    const at::Tensor bytes = read_tensor(file, "protocol", {at::kByte}, {-1});
    const std::string where = file.source() + ": protocol";
    Json json =
        parse_json({reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), static_cast<size_t>(bytes.numel())}, where);
    const auto is_text = [](const Json& object, const char* key) { return object.contains(key) && object[key].is_string(); };
    if (!json.is_object() || !is_text(json, "format") || json["format"] != kStatisticsFormat)
        user_error(fmt::format("{}: is not that of `ddpm eval stats`", where));
    if (json.value("schema", Json()) != kSchema)
        user_error(fmt::format("{}: schema {}; this program reads {}", where, brief(json.value("schema", Json())), kSchema));
    const Json protocol = json.value("protocol", Json()), reference = json.value("reference", Json());
    if (!protocol.is_object() || !reference.is_object() || !is_text(reference, "source") || !is_text(reference, "sha256_of_pixels"))
        user_error(fmt::format("{}: lacks protocol or reference", where));
    return json;
}

void read_own(NpzFile& file, ReferenceStatistics& statistics) {
    const Json json = read_protocol(file);
    const int64_t n = read_tensor(file, "n", {at::kLong}, {}).item<int64_t>();
    if (n < 2) user_error(fmt::format("{}: statistics of {} pictures, expected at least 2", file.source(), n));
    statistics.n = n;
    statistics.protocol = json["protocol"];
    statistics.source = json["reference"]["source"].get<std::string>();
    statistics.sha256 = json["reference"]["sha256_of_pixels"].get<std::string>();
    statistics.hashes = read_tensor(file, "hashes", {at::kLong}, {n});
    if (file.find("features") != nullptr)
        statistics.features = read_tensor(file, "features", {at::kFloat}, {n, statistics.fit.mean.size(0)});
    for (const NpzArray& array : file.arrays()) {
        if (array.name.rfind(kTransform, 0) != 0) continue;
        const std::vector<int64_t> any(array.shape.size(), -1);
        statistics.transform[array.name.substr(std::strlen(kTransform))] = read_tensor(file, array.name, {at::kDouble}, any);
    }
}

}  // namespace

void write_statistics(const fs::path& file, const ReferenceStatistics& statistics) {
    const Json json = {{"format", kStatisticsFormat},
                       {"schema", kSchema},
                       {"protocol", statistics.protocol},
                       {"reference", {{"source", as_utf8(statistics.source)}, {"sha256_of_pixels", statistics.sha256}}}};
    const std::string text = dump_json(json);
    NpzWriter writer(file);
    write_tensor(writer, "mu", statistics.fit.mean);
    write_tensor(writer, "sigma", statistics.fit.covariance);
    write_tensor(writer, "n", at::scalar_tensor(statistics.n, at::kLong));
    writer.begin("protocol", "|u1", {static_cast<int64_t>(text.size())});
    writer.write(text);
    write_tensor(writer, "hashes", statistics.hashes);
    for (const auto& [name, tensor] : statistics.transform) write_tensor(writer, kTransform + name, tensor);
    if (statistics.features.defined()) write_tensor(writer, "features", statistics.features);
    writer.commit();
}

ReferenceStatistics read_statistics(const fs::path& path) {
    NpzFile file(path);
    ReferenceStatistics statistics;
    statistics.file = path.string();
    statistics.fit = read_fit(file);
    if (file.find("protocol") != nullptr) {
        read_own(file, statistics);
        return statistics;
    }
    statistics.source = path.string();
    const NpzArray* pictures = file.find("arr_0");
    if (pictures != nullptr && pictures->shape.size() == 4) statistics.n = pictures->shape[0];
    return statistics;
}

bool is_statistics(const fs::path& path) {
    try {
        NpzFile file(path);
        return file.find("protocol") != nullptr && !read_protocol(file).is_null();
    } catch (const Error&) {
        return false;
    }
}

}  // namespace ddpm
