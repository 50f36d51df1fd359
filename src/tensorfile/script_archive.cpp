#include "ddpm/tensorfile/script_archive.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"
#include "tensorfile/zip_stream.h"

namespace ddpm {

namespace {

constexpr const char* kScriptExpected = "a TorchScript program that torch.jit.save wrote";
constexpr uint64_t kMaxUnpackedBytes = 64 << 20;  // bytes of a compressed entry; code and pickles are far smaller
constexpr uint64_t kScriptPiece = 1 << 20;
constexpr uint64_t kLastRecordSize = 22;  // of the zip's last record, without a comment

struct Forbidden {
    std::string_view text;
    const char* why;
};

// Words that no entry may hold. In a pickle a name is cut in two by a line break, which counts as the dot that it stands for.
constexpr Forbidden kForbidden[] = {
    {"__setstate__", "which runs code of the file while it is loaded"},
    {"torch.classes", "a class that is written in C++"},
    {"torch.distributed", "which speaks to other processes"},
};
constexpr size_t kLongestWord = 17;

std::string lower_case(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// Refuses what is no TorchScript archive by the names in it.
void check_script_names(const std::vector<ZipEntry>& entries, const std::string& source) {
    std::set<std::string> names;
    bool constants = false, data = false;
    for (const ZipEntry& entry : entries) {
        const std::string name = lower_case(entry.name);
        if (!names.insert(name).second)
            user_error(fmt::format("{}: not a sound zip archive: {} is there twice, in other letters", source, quote(entry.name)));
        if (name.ends_with("/model.json"))
            user_error(source + ": a TorchScript program in the format of before torch 1.4, which is not read",
                       "in Python: torch.jit.save(torch.jit.load(FILE), NEW) writes the present one");
        constants = constants || name.ends_with("/constants.pkl");
        data = data || name.ends_with("/data.pkl");
    }
    if (data && constants) return;
    const char* advice = "in Python: torch.jit.trace(net.eval(), pictures).save(FILE)";
    refuse_kind(source,
                {FileKind::zip, data ? "weights of torch.save without a program" : "a zip archive that holds no program", advice},
                kScriptExpected);
}

void check_words(const ReadBytes& read, const ZipEntry& entry, const std::string& source) {
    if (entry.deflated && entry.content_size > kMaxUnpackedBytes)
        user_error(fmt::format("{}: {} unpacks to {} bytes, more than the {} allowed", source, quote(entry.name),
                               entry.content_size, kMaxUnpackedBytes));
    tensorfile::ZipStream stream(read, entry, source);
    std::string window;  // the end of what was seen, and the next piece
    while (stream.position() < entry.content_size) {
        std::string piece = stream.next(std::min(kScriptPiece, entry.content_size - stream.position()));
        std::replace(piece.begin(), piece.end(), '\n', '.');
        window = window.substr(window.size() - std::min(window.size(), kLongestWord - 1)) + piece;
        for (const auto& [text, why] : kForbidden)
            if (window.find(text) != window.npos)
                user_error(fmt::format("{}: {} uses {}, {}; refused", source, quote(entry.name), text, why),
                           "docs/judging.md says how to export a network");
    }
}

}  // namespace

void check_script_archive(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    const std::string head = read(0, std::min<uint64_t>(file_size, kLookBytes));
    expect_kind(head, {FileKind::zip}, source, kScriptExpected);
    if (!is_zip(head)) user_error(fmt::format("{}: a file of an unknown kind, expected {}", source, kScriptExpected));
    const std::vector<ZipEntry> entries = read_zip_directory(read, file_size, source, true);
    // The last record is the one that every reader finds only where no comment follows it.
    const std::string end = read(file_size - kLastRecordSize, kLastRecordSize);
    if (end.substr(0, 4) != "PK\x05\x06" || end.substr(20) != std::string(2, '\0'))
        user_error(source + ": not a sound zip archive: it has a comment, which torch.jit.save does not write");
    check_script_names(entries, source);
    for (const ZipEntry& entry : entries) check_words(read, entry, source);
}

}  // namespace ddpm
