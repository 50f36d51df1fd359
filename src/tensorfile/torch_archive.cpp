#include "ddpm/tensorfile/torch_archive.h"

#include <algorithm>
#include <map>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/safetensors_header.h"
#include "tensorfile/not_weights.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxPickleBytes = 16 << 20;
constexpr std::string_view kPickleName = "/data.pkl";

// Returns the name of the archive: "model" for model/data.pkl, model/data/0, …
std::string archive_name(const std::map<std::string, ZipEntry>& entries, const std::string& source) {
    std::string name;
    for (const auto& [path, entry] : entries) {
        if (path.size() <= kPickleName.size() || path.find('/') != path.size() - kPickleName.size() ||
            path.substr(path.size() - kPickleName.size()) != kPickleName)
            continue;
        if (!name.empty()) user_error(source + ": holds two files of torch.save in one archive");
        name = path.substr(0, path.size() - kPickleName.size());
    }
    if (name.empty()) user_error(source + ": a zip archive, but none of torch.save: it holds no data.pkl");
    if (entries.contains(name + "/constants.pkl"))
        user_error(source + ": a TorchScript program, expected weights",
                   "in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW)");
    return name;
}

}  // namespace

bool is_old_torch_file(std::string_view head) { return head.substr(0, 4) == "\x80\x02\x8a\x0a"; }

TorchArchive read_torch_archive(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    const std::string head = read(0, std::min<uint64_t>(file_size, 16));
    tensorfile::refuse_failed_download(head, source);
    if (is_old_torch_file(head))
        user_error(source + ": written in the format of torch before 1.6, a chain of pickles, which is not read",
                   "any newer torch writes the present one: torch.save(torch.load(FILE, weights_only=True), NEW)");
    if (!is_zip(head)) user_error(source + ": not a file of torch.save: it is no zip archive");
    std::map<std::string, ZipEntry> entries;
    for (ZipEntry& entry : read_zip_directory(read, file_size, source)) entries[entry.name] = entry;
    const std::string name = archive_name(entries, source);
    if (const auto order = entries.find(name + "/byteorder"); order != entries.end())
        if (order->second.size != 6 || read(order->second.begin, 6) != "little")
            user_error(source + ": holds the numbers of a big-endian machine, expected little-endian ones");
    const ZipEntry& pickle = entries[name + std::string(kPickleName)];
    if (pickle.size > kMaxPickleBytes)
        user_error(fmt::format("{}: a pickle of {} bytes, more than the {} allowed", source, pickle.size, kMaxPickleBytes));
    TorchArchive archive;
    archive.tensors = read_torch_pickle(read(pickle.begin, pickle.size), source);
    for (const PickledTensor& tensor : archive.tensors) {
        const auto data = entries.find(name + "/data/" + tensor.storage);
        const uint64_t bytes = tensor.storage_size * safetensors_dtype_size(tensor.dtype);
        if (data == entries.end() ? bytes > 0 : data->second.size != bytes)
            user_error(fmt::format("{}: {} needs {} bytes in data/{}, there are {}", source, quote(tensor.name), bytes,
                                   tensor.storage, data == entries.end() ? 0 : data->second.size));
        archive.begins.push_back(data == entries.end() ? 0 : data->second.begin);
    }
    return archive;
}

}  // namespace ddpm
