#include "cli/labels.h"

#include <spdlog/spdlog.h>

#include "cli/class_rows.h"
#include "ddpm/core/error.h"
#include "ddpm/core/json.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"

namespace ddpm::cli {

namespace {

ClassTable classes_of(const Model& model) { return {model.class_names, model.network->config().num_class_embeds.value_or(0)}; }

}  // namespace

std::optional<int64_t> chosen_label(const std::string& text, const Model& model) {
    const ClassTable classes = classes_of(model);
    if (text.empty()) {
        if (model.has_classes() && classes.rows == 0)
            spdlog::warn("{}: its labels are arbitrary numbers, embedded like a time; taking 0 (--label takes another)",
                         model.source);
        return std::nullopt;
    }
    if (!model.has_classes()) user_error("--label: this model has no labels");
    const Json value = Json::accept(text) ? Json::parse(text) : Json();
    if (classes.rows == 0) return read_integer(value, "--label", Range::between(0, 1e9));  // embedded like a time
    if (const auto row = row_of_label(classes, text_of_name(text))) return row;
    const std::string numbers = misleading_numbers(classes.names);
    if (!numbers.empty())
        user_error("--label: " + unknown_name("class", text, classes.names),
                   fmt::format("its classes are called by numbers that are not their labels: {}", numbers));
    if (value.is_number()) return read_integer(value, "--label", Range::between(0, static_cast<double>(classes.rows - 1)));
    if (classes.names.empty())
        user_error(fmt::format("--label: got {}, but this checkpoint knows its classes by number alone: 0 … {}", quote(text),
                               classes.rows - 1));
    user_error("--label: " + unknown_name("class", text, classes.names));
}

std::string what_is_drawn(const Model& model, const std::optional<int64_t>& label) {
    if (!model.has_classes()) return "";
    if (label) return ", " + label_text(classes_of(model), *label);
    return model.classes() > 1 ? fmt::format(", {} classes in turn", model.classes()) : "";
}

}  // namespace ddpm::cli
