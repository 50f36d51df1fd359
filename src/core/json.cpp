#include "ddpm/core/json.h"

#include <set>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

constexpr size_t kMaxDepth = 64;

// Line and column (both from 1) of a byte offset.
std::string position(std::string_view text, size_t byte) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
        if (text[i] == '\n') {
            ++line;
            column = 1;
        } else {
            ++column;
        }
    }
    return fmt::format("{}:{}", line, column);
}

// Builds the value from the parser's events, so that duplicate keys and deep nesting are caught while reading.
class StrictBuilder : public nlohmann::json_sax<Json> {
public:
    StrictBuilder(std::string_view text, const std::string& source) : text_(text), source_(source) {}

    Json take() { return std::move(root_); }

    bool null() override { return add(nullptr), true; }
    bool boolean(bool value) override { return add(value), true; }
    bool number_integer(int64_t value) override { return add(value), true; }
    bool number_unsigned(uint64_t value) override { return add(value), true; }
    bool number_float(double value, const std::string&) override { return add(value), true; }
    bool string(std::string& value) override { return add(std::move(value)), true; }
    bool binary(Json::binary_t&) override { return false; }  // JSON has none

    bool start_object(size_t) override { return open(Json::object()); }
    bool end_object() override { return close(); }
    bool start_array(size_t) override { return open(Json::array()); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        Level& level = levels_.back();
        level.key = name;
        if (!level.keys.insert(name).second)
            user_error(fmt::format("{}: {}: given twice; keep one of them", source_, one_line(path())));
        return true;
    }

    bool parse_error(size_t, const std::string&, const Json::exception& error) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …",
        // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
        std::string detail = error.what(), place = source_;
        if (const size_t end = detail.find("] "); end != detail.npos) detail.erase(0, end + 2);
        if (const auto* syntax = dynamic_cast<const Json::parse_error*>(&error)) {
            place += fmt::format(":{}", position(text_, syntax->byte));
            for (const char* mark : {"syntax error", "attempting"})
                if (const size_t at = detail.find(mark); at != detail.npos) {
                    detail.erase(0, at);
                    break;
                }
        }
        user_error(fmt::format("{}: not valid JSON: {}", place, one_line(detail)));
    }

private:
    // An object or array that is being read.
    struct Level {
        Json* container;
        std::set<std::string> keys = {};  // seen in this object
        std::string key = {};             // the one being read
    };

    Json& add(Json value) {
        if (levels_.empty()) return root_ = std::move(value);
        Level& level = levels_.back();
        if (level.container->is_array()) return level.container->emplace_back(std::move(value));
        // Appends without a search: key() has checked that the key is new.
        return level.container->get_ref<Json::object_t&>().emplace_back(level.key, std::move(value)).second;
    }

    bool open(Json container) {
        if (levels_.size() >= kMaxDepth) user_error(fmt::format("{}: nested more than {} levels deep", source_, kMaxDepth));
        levels_.push_back({&add(std::move(container))});  // stays valid: nothing is added beside the container meanwhile
        return true;
    }

    bool close() {
        levels_.pop_back();
        return true;
    }

    // The path of the key that is being read: "train.steps", "a[1].b".
    std::string path() const {
        std::string path;
        for (const Level& level : levels_) {
            if (level.container->is_array())
                path += fmt::format("[{}]", level.container->size() - 1);
            else
                path += (path.empty() ? "" : ".") + level.key;
        }
        return path;
    }

    std::string_view text_;
    std::string source_;
    Json root_;
    std::vector<Level> levels_;
};

Json with_utf8(const Json& value) {
    if (value.is_string()) return as_utf8(value.get_ref<const std::string&>());
    if (!value.is_structured()) return value;
    Json copy = value.is_array() ? Json::array() : Json::object();
    for (const auto& item : value.items()) {
        if (value.is_array())
            copy.push_back(with_utf8(item.value()));
        else
            copy[as_utf8(item.key())] = with_utf8(item.value());
    }
    return copy;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source) {
    StrictBuilder builder(text, source);
    Json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

Json read_json_file(const fs::path& path, uint64_t max_bytes) {
    if (is_present(path))  // before its size is looked at, which says nothing about a picture
        expect_kind(path, {FileKind::json, FileKind::text, FileKind::empty, FileKind::pipe}, "JSON");
    const std::string text = read_file(path, max_bytes);
    if (text.empty()) refuse_kind(path.string(), look_at_bytes(text), "JSON");
    return parse_json(text, path.string());
}

std::string dump_json(const Json& value) {
    try {
        return value.dump(2) + "\n";
    } catch (const Json::type_error&) {  // 316: a text that is not UTF-8
        return with_utf8(value).dump(2) + "\n";
    }
}

std::string brief(const Json& value) {
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    constexpr size_t limit = 60;
    return text.size() > limit ? std::string(within_bytes(text, limit)) + "…" : text;
}

}  // namespace ddpm
