#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ddpm/core/error.h"
#include "ddpm/core/json.h"
#include "ddpm/core/text.h"

namespace ddpm {

// What `ddpm config` shows of a key.
struct FieldInfo {
    std::string name;             // "learning_rate"
    std::string type;             // "number", "integer", "true or false", "text", "list of integers", … [or null]
    std::string default_value;    // JSON text
    std::string allowed;          // "> 0", "1 … 1000000", "adamw, adam"; empty: anything of the type
    std::string meaning;          // one sentence
    bool free_on_resume = false;  // a run may be continued with another value: no weights depend on it
};

// Bounds of a number. Both ends are included; with `open_min` the lower one is not.
struct Range {
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
    bool open_min = false;

    static Range at_least(double low) { return {low}; }
    static Range above(double low) { return {low, std::numeric_limits<double>::infinity(), true}; }
    static Range between(double low, double high) { return {low, high}; }

    bool contains(double value) const { return (open_min ? value > min : value >= min) && value <= max; }
    std::string text() const;  // "≥ 1", "> 0", "0 … 1", ""
};

// These read one value. A value of another type, outside the range or not among the names is a user_error whose key is
// `path` ("train.steps", "model.block_out_channels[1]"). Integers may be written 2e4; a fraction or a value beyond int64 is
// refused. wrong_value throws that error: "got …, expected …".
int64_t read_integer(const Json& value, const std::string& path, const Range& range);
double read_number(const Json& value, const std::string& path, const Range& range);
bool read_boolean(const Json& value, const std::string& path);
std::string read_text(const Json& value, const std::string& path);
std::string read_choice(const Json& value, const std::string& path, const std::vector<std::string>& allowed);
std::vector<int64_t> read_integers(const Json& value, const std::string& path, const Range& range);
[[noreturn]] void wrong_value(const Json& value, const std::string& path, const std::string& expected);

// The keys of one configuration section, each tied to a member of the options struct. The default of a key is the
// member's initialiser and stands nowhere else.
//
//   const FieldTable<TrainOptions>& train_fields() {
//       static const FieldTable<TrainOptions> table = FieldTable<TrainOptions>()
//           .add("steps", &TrainOptions::steps, Range::at_least(1), "optimizer steps in all")
//           .choice("optimizer", &TrainOptions::optimizer, {"adamw", "adam"}, "the optimizer");
//       return table;
//   }
template <class Options>
class FieldTable {
public:
    using Reader = std::function<void(Options&, const Json&, const std::string& path)>;
    using Writer = std::function<Json(const Options&)>;

    // Adds a key for an int64_t, a double, a std::vector<int64_t>, or a std::optional of the first two, with a range.
    template <class Value>
    FieldTable& add(std::string name, Value Options::*member, Range range, std::string meaning) {
        std::string type = std::is_same_v<Value, double> || std::is_same_v<Value, std::optional<double>> ? "number"
                           : std::is_same_v<Value, std::vector<int64_t>>                                 ? "list of integers"
                                                                                                         : "integer";
        if (std::is_same_v<Value, std::optional<int64_t>> || std::is_same_v<Value, std::optional<double>>) type += " or null";
        return custom(
            {std::move(name), type, {}, range.text(), std::move(meaning)},
            [member, range](Options& options, const Json& value, const std::string& path) {
                read_into(options.*member, value, path, range);
            },
            [member](const Options& options) { return to_json_value(options.*member); });
    }

    // Adds a key for a bool or a std::string.
    template <class Value>
    FieldTable& add(std::string name, Value Options::*member, std::string meaning) {
        static_assert(std::is_same_v<Value, bool> || std::is_same_v<Value, std::string>);
        return custom(
            {std::move(name), std::is_same_v<Value, bool> ? "true or false" : "text", {}, {}, std::move(meaning)},
            [member](Options& options, const Json& value, const std::string& path) {
                if constexpr (std::is_same_v<Value, bool>)
                    options.*member = read_boolean(value, path);
                else
                    options.*member = read_text(value, path);
            },
            [member](const Options& options) { return Json(options.*member); });
    }

    // Adds a key whose value is one of a list of names.
    FieldTable& choice(std::string name, std::string Options::*member, std::vector<std::string> allowed, std::string meaning) {
        std::string listed = join(allowed);
        return custom(
            {std::move(name), "text", {}, std::move(listed), std::move(meaning)},
            [member, allowed = std::move(allowed)](Options& options, const Json& value, const std::string& path) {
                options.*member = read_choice(value, path, allowed);
            },
            [member](const Options& options) { return Json(options.*member); });
    }

    // Adds a key of any other kind. `info.default_value` is filled in from a default-constructed Options.
    FieldTable& custom(FieldInfo info, Reader reader, Writer writer) {
        const Options defaults;  // a temporary makes GCC 12 warn of members that are not initialized
        info.default_value = writer(defaults).dump();
        fields_.push_back({std::move(info), std::move(reader), std::move(writer)});
        return *this;
    }

    // Adds all keys of a base class of Options.
    template <class Base>
    FieldTable& include(const FieldTable<Base>& table) {
        static_assert(std::is_base_of_v<Base, Options>);
        for (const auto& field : table.fields_) fields_.push_back({field.info, field.reader, field.writer, field.when_absent});
        return *this;
    }

    // Says that the last key, or all keys so far, may have another value when a run is continued. Such a key decides when
    // something is written, how fast work is done, or what is done when training goes wrong.
    FieldTable& free_on_resume() {
        fields_.back().info.free_on_resume = true;
        return *this;
    }
    FieldTable& all_free_on_resume() {
        for (Field& field : fields_) field.info.free_on_resume = true;
        return *this;
    }

    // Says that read_written takes `value` if the last key is missing: what programs without that key did, where today's
    // default is something else.
    FieldTable& absent_means(const Json& value) {
        Field& field = fields_.back();
        Options probe;
        field.reader(probe, value, field.info.name);  // throws at once if the key does not allow the value
        field.when_absent = value;
        return *this;
    }

    // Lets a section hold foreign notes: keys that begin with an underscore are ignored.
    FieldTable& ignore_underscored() {
        ignores_underscored_ = true;
        return *this;
    }

    // Reads the keys that `section` holds into `options`; the others keep what they have. `path` is the section's
    // own name. An unknown key is a user_error that names the nearest known one.
    void read(Options& options, const Json& section, const std::string& path) const {
        if (!section.is_object()) wrong_value(section, path, "an object");
        for (const auto& item : section.items()) {
            if (ignores_underscored_ && item.key().rfind('_', 0) == 0) continue;
            const Field* field = find(item.key());
            if (field == nullptr) key_error(path, unknown_name("key", item.key(), names()));
            field->reader(options, item.value(), path + "." + item.key());
        }
    }

    // Reads a section into which a program, perhaps an older one, has written all its keys. A missing key takes the value of
    // absent_means; one that has none keeps what it has.
    void read_written(Options& options, const Json& section, const std::string& path) const {
        read(options, section, path);
        for (const Field& field : fields_)
            if (field.when_absent && !section.contains(field.info.name))
                field.reader(options, *field.when_absent, path + "." + field.info.name);
    }

    // Returns a section with every key, in the table's order.
    Json write(const Options& options) const {
        Json section = Json::object();
        for (const Field& field : fields_) section[field.info.name] = field.writer(options);
        return section;
    }

    std::vector<FieldInfo> describe() const {
        std::vector<FieldInfo> infos;
        for (const Field& field : fields_) infos.push_back(field.info);
        return infos;
    }

    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const Field& field : fields_) all.push_back(field.info.name);
        return all;
    }

private:
    template <class>
    friend class FieldTable;

    struct Field {
        FieldInfo info;
        Reader reader;
        Writer writer;
        std::optional<Json> when_absent{};
    };

    const Field* find(const std::string& name) const {
        for (const Field& field : fields_)
            if (field.info.name == name) return &field;
        return nullptr;
    }

    static void read_into(int64_t& to, const Json& value, const std::string& path, const Range& range) {
        to = read_integer(value, path, range);
    }
    static void read_into(double& to, const Json& value, const std::string& path, const Range& range) {
        to = read_number(value, path, range);
    }
    static void read_into(std::vector<int64_t>& to, const Json& value, const std::string& path, const Range& range) {
        to = read_integers(value, path, range);
    }
    template <class Value>
    static void read_into(std::optional<Value>& to, const Json& value, const std::string& path, const Range& range) {
        if (value.is_null()) {
            to.reset();
        } else {
            Value inner{};
            read_into(inner, value, path, range);
            to = inner;
        }
    }

    template <class Value>
    static Json to_json_value(const Value& value) {
        return Json(value);
    }
    template <class Value>
    static Json to_json_value(const std::optional<Value>& value) {
        return value ? Json(*value) : Json(nullptr);
    }

    std::vector<Field> fields_;
    bool ignores_underscored_ = false;
};

}  // namespace ddpm
