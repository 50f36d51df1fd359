#include "ddpm/tensorfile/torch_archive.h"

#include <algorithm>
#include <map>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/safetensors_header.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxPickleBytes = 16 << 20;
constexpr std::string_view kPickleName = "/data.pkl";

// How a file of torch before 1.6 begins: the pickle of a magic number, and that of the version 1001.
constexpr std::string_view kOldMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr std::string_view kOldVersion = "\x80\x02M\xe9\x03.";

constexpr const char* kExpected = "weights that torch.save wrote";

// Refuses the archives of other writers, whose files may be compressed, by the names in them.
void refuse_other_archives(const std::vector<std::string>& names, const std::string& source) {
    const auto ends = [&](std::string_view ending) {
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name.ends_with(ending); });
    };
    const auto refuse = [&](const char* words, const char* advice) {
        refuse_kind(source, {FileKind::zip, words, advice}, kExpected);
    };
    if (ends("/constants.pkl"))
        refuse("a TorchScript program (of torch.jit.save, or of torch::save in C++)",
               "in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW)");
    if (ends("archive_format") || ends("serialized_exported_program.json"))
        refuse("a program of torch.export", "in Python: torch.save(torch.export.load(FILE).state_dict, NEW)");
    if (ends("/data.pkl")) return;
    if (ends(".npy")) refuse("an archive of NumPy (.npz)", "");
    if (ends("model.weights.h5")) refuse("a model of Keras", "");
    if (ends("model_index.json") || ends(".safetensors"))
        refuse("a zip archive with a model in it", "unpack it, and name what was in it");
    if (ends(".png") || ends(".jpg") || ends(".jpeg")) refuse("a zip archive of pictures", "");
    if (!ends("data.pkl")) refuse("a zip archive that holds no data.pkl", "");
}

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
    if (name.empty()) user_error(source + ": a zip archive, but none of torch.save: it holds no data.pkl in a folder of its own");
    return name;
}

// Reads a file of torch before 1.6, a chain of pickles and then the numbers of each storage behind their count.
TorchArchive read_old_torch_file(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    const std::string head = read(0, std::min(file_size, kMaxPickleBytes));
    const std::string_view rest = std::string_view(head).substr(kOldMagic.size());
    if (!rest.starts_with(kOldVersion))
        user_error(source + ": written in the format of torch before 1.6, in a version of it that is not known");
    OldTorchPickles pickles = read_old_torch_pickles(rest.substr(kOldVersion.size()), source);
    uint64_t position = kOldMagic.size() + kOldVersion.size() + pickles.bytes;
    std::map<std::string, uint64_t> begins;
    for (const PickledStorage& storage : pickles.storages) {
        uint64_t bytes = 0, count = 0;
        const bool sound = !__builtin_mul_overflow(storage.size, safetensors_dtype_size(storage.dtype), &bytes);
        const uint64_t left = file_size - position;
        if (!sound || left < sizeof count || left - sizeof count < bytes)
            user_error(fmt::format("{}: cut off: the storage {} has {} elements, there are {} bytes left", source, storage.key,
                                   storage.size, left));
        const std::string written = read(position, sizeof count);
        for (size_t i = sizeof count; i-- > 0;) count = count << 8 | static_cast<unsigned char>(written[i]);
        if (count != storage.size)
            user_error(
                fmt::format("{}: the storage {} has {} elements, its pickle says {}", source, storage.key, count, storage.size));
        begins[storage.key] = position + sizeof count;
        position += sizeof count + bytes;
    }
    if (position != file_size) user_error(source + ": has bytes after its end");
    TorchArchive archive{std::move(pickles.tensors), {}};
    for (const PickledTensor& tensor : archive.tensors) archive.begins.push_back(begins.at(tensor.storage));
    return archive;
}

}  // namespace

TorchArchive read_torch_archive(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    const std::string head = read(0, std::min<uint64_t>(file_size, kLookBytes));
    if (head.starts_with(kOldMagic)) return read_old_torch_file(read, file_size, source);
    expect_kind(head, {FileKind::zip}, source, kExpected);
    if (!is_zip(head)) user_error(source + ": not a file of torch.save: it is no zip archive");
    refuse_other_archives(read_zip_names(read, file_size, source), source);
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
