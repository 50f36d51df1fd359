#include "ddpm/core/json.h"

#include <set>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

constexpr int kMaxDepth = 64;
constexpr uint64_t kMaxFileBytes = uint64_t{4} << 20;  // in memory it can be thirty times as large

// nlohmann's DOM builder, told of every event so that duplicate keys and deep nesting are caught while reading.
class StrictBuilder : public nlohmann::detail::json_sax_dom_parser<Json> {
    using Base = nlohmann::detail::json_sax_dom_parser<Json>;

public:
    StrictBuilder(Json& root, const std::string& source) : Base(root, true), source_(source) {}

    bool start_object(std::size_t elements) {
        open(false);
        return Base::start_object(elements);
    }
    bool end_object() {
        levels_.pop_back();
        return Base::end_object();
    }
    bool start_array(std::size_t elements) {
        open(true);
        return Base::start_array(elements);
    }
    bool end_array() {
        levels_.pop_back();
        return Base::end_array();
    }
    bool key(std::string& name) {
        Level& level = levels_.back();
        if (!level.keys.insert(name).second) {
            std::string path = level.prefix.empty() ? name : level.prefix + "." + name;
            user_error(fmt::format("{}: {}: given twice; keep one of them", source_, one_line(path)));
        }
        level.key = name;
        return Base::key(name);
    }
    bool null() { return count(), Base::null(); }
    bool boolean(bool value) { return count(), Base::boolean(value); }
    bool number_integer(Json::number_integer_t value) { return count(), Base::number_integer(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return count(), Base::number_unsigned(value); }
    bool number_float(Json::number_float_t value, const std::string& text) {
        return count(), Base::number_float(value, text);
    }
    bool string(std::string& value) { return count(), Base::string(value); }

private:
    struct Level {
        bool array = false;
        std::string prefix;          // path of this container
        std::set<std::string> keys;  // seen in this object
        std::string key;             // the one being read
        size_t index = 0;            // of the array element being read
    };

    void count() {
        if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
    }

    void open(bool array) {
        if (levels_.size() >= kMaxDepth)
            user_error(fmt::format("{}: nested more than {} levels deep", source_, kMaxDepth));
        std::string prefix;
        if (!levels_.empty()) {
            const Level& parent = levels_.back();
            prefix = parent.prefix;
            if (parent.array)
                prefix += fmt::format("[{}]", parent.index);
            else
                prefix += (prefix.empty() ? "" : ".") + parent.key;
        }
        count();
        levels_.push_back({array, prefix, {}, {}, 0});
    }

    std::string source_;
    std::vector<Level> levels_;
};

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

}  // namespace

Json parse_json(std::string_view text, const std::string& source) {
    Json root;
    StrictBuilder builder(root, source);
    try {
        Json::sax_parse(text.begin(), text.end(), &builder);
    } catch (const Json::parse_error& error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …"
        std::string detail = error.what();
        for (const char* mark : {"syntax error", "attempting"})
            if (const size_t at = detail.find(mark); at != std::string::npos) {
                detail = detail.substr(at);
                break;
            }
        user_error(fmt::format("{}:{}: not valid JSON: {}", source, position(text, error.byte), one_line(detail)));
    } catch (const Json::exception& error) {
        // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
        const std::string text = error.what();
        const size_t end = text.find("] ");
        user_error(fmt::format("{}: not valid JSON: {}", source, one_line(end == text.npos ? text : text.substr(end + 2))));
    }
    return root;
}

Json read_json_file(const fs::path& path) { return parse_json(read_file(path, kMaxFileBytes), path.string()); }

std::string dump_json(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string brief(const Json& value) {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    constexpr size_t limit = 60;
    if (text.size() > limit) {
        size_t cut = limit;
        while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0u) == 0x80u) --cut;
        text = text.substr(0, cut) + "…";
    }
    return text;
}

}  // namespace ddpm
