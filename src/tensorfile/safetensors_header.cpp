#include "ddpm/tensorfile/safetensors_header.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <set>

#include <sys/stat.h>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/read_at.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxRank = 64;
constexpr size_t kLengthBytes = 8;

struct Dtype {
    const char* name;
    uint64_t size;
};
constexpr Dtype kDtypes[] = {{"U64", 8}, {"I64", 8}, {"F64", 8}, {"F32", 4}, {"U32", 4}, {"I32", 4}, {"BF16", 2},
                             {"F16", 2}, {"U16", 2}, {"I16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}};

[[noreturn]] void damaged(const std::string& source, const std::string& why) {
    user_error(fmt::format("{}: not a sound safetensors file: {}", source, why));
}

// Reads the header in nlohmann's callbacks, so that no text can make it build more than the entries themselves. Depth 1
// is the header, depth 2 an entry or the metadata, depth 3 a list of an entry.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
public:
    HeaderReader(SafetensorsHeader& header, const std::string& source) : header_(header), source_(source) {}

    bool start_object(std::size_t) override {
        if (depth_ >= 2) refuse("an object");
        ++depth_;
        keys_.clear();
        if (depth_ == 2 && !in_metadata_) header_.tensors.push_back({name_, {}, {}, 0, 0});
        return true;
    }

    bool key(std::string& key) override {
        std::set<std::string>& seen = depth_ == 1 ? names_ : keys_;
        if (!seen.insert(key).second) damaged(source_, fmt::format("{} is given twice", quote(key)));
        if (depth_ == 1) {
            name_ = key;
            in_metadata_ = key == "__metadata__";
        } else if (!in_metadata_ && key != "dtype" && key != "shape" && key != "data_offsets") {
            damaged(source_, fmt::format("tensor {} has the unknown key {}", quote(name_), quote(key)));
        }
        key_ = key;
        return true;
    }

    bool string(std::string& text) override {
        if (depth_ == 2 && in_metadata_) {
            header_.metadata.emplace_back(key_, text);
        } else if (depth_ == 2 && key_ == "dtype") {
            if (text.rfind("F8_", 0) == 0)
                user_error(fmt::format("{}: tensor {} has the dtype {}, numbers of 8 bits, which are not supported; known: {}",
                                       source_, quote(name_), quote(text), join(safetensors_dtypes())),
                           "in Python: tensor.to(torch.bfloat16)");
            if (safetensors_dtype_size(text) == 0)
                damaged(source_, fmt::format("tensor {} has the dtype {}; known: {}", quote(name_), quote(text),
                                             join(safetensors_dtypes())));
            header_.tensors.back().dtype = text;
        } else {
            refuse("a text");
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (depth_ != 2 || in_metadata_ || key_ == "dtype") refuse("a list");
        ++depth_;
        numbers_.clear();
        return true;
    }

    bool number_unsigned(number_unsigned_t number) override {
        if (depth_ != 3) refuse("a number");
        if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) refuse(fmt::format("{}", number));
        if (numbers_.size() == kMaxRank) refuse("a list of more than 64 numbers");
        numbers_.push_back(number);
        return true;
    }

    bool end_array() override {
        --depth_;
        SafetensorsEntry& entry = header_.tensors.back();
        if (key_ == "shape") {
            entry.shape.assign(numbers_.begin(), numbers_.end());
        } else {
            if (numbers_.size() != 2 || numbers_[0] > numbers_[1])
                damaged(source_, fmt::format("tensor {} has data_offsets that are not [begin, end]", quote(name_)));
            entry.begin = numbers_[0];
            entry.end = numbers_[1];
        }
        return true;
    }

    bool end_object() override {
        if (depth_ == 2 && !in_metadata_ && keys_.size() != 3)
            damaged(source_, fmt::format("tensor {} lacks dtype, shape or data_offsets", quote(name_)));
        --depth_;
        return true;
    }

    bool null() override { refuse("null"); }
    bool boolean(bool) override { refuse("a truth value"); }
    bool number_integer(number_integer_t number) override { refuse(fmt::format("{}", number)); }
    bool number_float(number_float_t, const std::string& text) override { refuse(text); }
    bool binary(nlohmann::json::binary_t&) override { refuse("bytes"); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) override {
        damaged(source_, "its header is no JSON: " + one_line(error.what()));
    }

private:
    [[noreturn]] void refuse(const std::string& what) {
        damaged(source_, depth_ == 0   ? "its header is no JSON object"
                         : depth_ == 1 ? fmt::format("{} is {}, expected an object", quote(name_), what)
                                       : fmt::format("{} of {} holds {}", quote(key_), quote(name_), what));
    }

    SafetensorsHeader& header_;
    const std::string& source_;
    int depth_ = 0;
    bool in_metadata_ = false;
    std::string name_, key_;
    std::set<std::string> names_, keys_;
    std::vector<uint64_t> numbers_;
};

void check_sizes(const SafetensorsHeader& header, uint64_t file_size, const std::string& source) {
    uint64_t position = 0;
    for (const SafetensorsEntry& entry : header.tensors) {
        uint64_t bytes = safetensors_dtype_size(entry.dtype);
        for (const int64_t length : entry.shape)
            if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(length), &bytes))
                damaged(source, fmt::format("the shape of {} overflows", quote(entry.name)));
        if (entry.end - entry.begin != bytes)
            damaged(source, fmt::format("tensor {} has {} bytes, its shape and dtype make {}", quote(entry.name),
                                        entry.end - entry.begin, bytes));
        if (entry.begin != position)
            damaged(source, fmt::format("tensor {} begins at byte {} of the buffer, the one before ends at {}", quote(entry.name),
                                        entry.begin, position));
        position = entry.end;
    }
    if (file_size - header.buffer_begin != position)
        damaged(source, fmt::format("its tensors end at byte {}, the file has {}; was it copied whole?",
                                    header.buffer_begin + position, file_size));
}

void refuse_other_kinds(std::string_view head, const std::string& source) {
    FileLook look = look_at_bytes(head);
    if (look.kind == FileKind::zip) look.advice = "if torch.save wrote it, call it .pt";
    if (look.kind != FileKind::safetensors && look.kind != FileKind::unknown) refuse_kind(source, look, "a safetensors file");
}

}  // namespace

const std::vector<std::string>& safetensors_dtypes() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Dtype& dtype : kDtypes) all.emplace_back(dtype.name);
        return all;
    }();
    return names;
}

uint64_t safetensors_dtype_size(const std::string& dtype) {
    for (const Dtype& known : kDtypes)
        if (dtype == known.name) return known.size;
    return 0;
}

uint64_t safetensors_head_size(std::string_view head, uint64_t file_size, const std::string& source) {
    refuse_other_kinds(head, source);
    if (head.size() < kLengthBytes || file_size < kLengthBytes)
        damaged(source, fmt::format("{} bytes are less than its 8 byte length field", std::min<uint64_t>(head.size(), file_size)));
    uint64_t length = 0;
    for (size_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{static_cast<unsigned char>(head[i])} << (8 * i);
    if (length > kMaxHeaderBytes)
        damaged(source, fmt::format("a header of {} bytes, more than the {} allowed", length, kMaxHeaderBytes));
    if (length > file_size - kLengthBytes) damaged(source, fmt::format("a header of {} bytes in a file of {}", length, file_size));
    return kLengthBytes + length;
}

SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size, const std::string& source) {
    if (safetensors_head_size(head, file_size, source) != head.size())
        damaged(source, fmt::format("its header ends after {} bytes", head.size()));
    const std::string_view text = head.substr(kLengthBytes);
    if (text.empty() || text.front() != '{') damaged(source, "its header does not begin with {");

    SafetensorsHeader header;
    header.buffer_begin = head.size();
    HeaderReader reader(header, source);
    nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
    std::sort(header.tensors.begin(), header.tensors.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    check_sizes(header, file_size, source);
    return header;
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
    const std::string source = path.string();
    if (const FileLook look = look_at(path); look.kind < FileKind::empty) refuse_kind(source, look, "a safetensors file");
    const Descriptor file = open_to_read(path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        throw Unreadable(Error::Kind::user, fmt::format("{}: can't read: {}", source, std::generic_category().message(errno)));
    const auto file_size = static_cast<uint64_t>(status.st_size);
    std::string head(std::min<uint64_t>(kLookBytes, file_size), '\0');
    read_at(file.get(), 0, head.data(), head.size(), source);
    const uint64_t size = safetensors_head_size(head, file_size, source), begun = std::min<uint64_t>(head.size(), size);
    head.resize(size);
    read_at(file.get(), begun, head.data() + begun, size - begun, source);
    return parse_safetensors_header(head, file_size, source);
}

std::optional<uint64_t> checksum_position(std::string_view head) {
    static const std::string before = fmt::format(R"({{"__metadata__":{{"{}":")", kChecksumKey);
    const uint64_t at = kLengthBytes + before.size();
    const size_t digits = std::string_view(kNoChecksum).size();
    if (head.size() < at + digits + 1 || head.substr(kLengthBytes, before.size()) != before || head[at + digits] != '"')
        return std::nullopt;
    return at;
}

std::string checksum_digits(uint32_t crc) { return fmt::format("{:08x}", crc); }

std::string write_safetensors_head(const SafetensorsMetadata& metadata, const std::vector<SafetensorsEntry>& tensors) {
    std::string text = "{";
    const auto add = [&](const std::string& name, const std::string& value) {
        text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", Json(name).dump(), value);
    };
    if (!metadata.empty()) {
        Json pairs = Json::object();
        for (const auto& [key, value] : metadata) pairs[key] = value;
        add("__metadata__", pairs.dump());
    }
    for (const SafetensorsEntry& entry : tensors)
        add(entry.name, fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", entry.dtype,
                                    fmt::join(entry.shape, ","), entry.begin, entry.end));
    text += "}";
    text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
    std::string head;
    for (size_t i = 0; i < kLengthBytes; ++i) head += static_cast<char>(uint64_t{text.size()} >> (8 * i) & 0xFF);
    return head + text;
}

}  // namespace ddpm
