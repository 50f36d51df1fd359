#include "train/spikes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/options.h"

namespace ddpm::train {

namespace {

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return (*middle + *std::max_element(values.begin(), middle)) / 2;  // the number of values is even
}
static_assert(LossWindow::kWindow % 2 == 0);

double log_loss(double loss) { return std::log(std::max(loss, 1e-30)); }

}  // namespace

double LossWindow::add(double loss) {
    double score = 0;
    if (losses_.size() == kWindow) {
        std::vector<double> values;
        for (const double earlier : losses_) values.push_back(log_loss(earlier));
        const double center = median(values);
        for (double& value : values) value = std::abs(value - center);
        score = (log_loss(loss) - center) / std::max(1.4826 * median(values), 1e-9);
        losses_.pop_front();
    }
    losses_.push_back(loss);
    return score;
}

Json LossWindow::write() const { return Json(losses_); }

LossWindow LossWindow::read(const Json& json, const std::string& path) {
    if (!json.is_array() || json.size() > kWindow) wrong_value(json, path, fmt::format("a list of up to {} numbers", kWindow));
    LossWindow window;
    for (const Json& loss : json) window.losses_.push_back(read_number(loss, path, Range::at_least(0)));
    return window;
}

}  // namespace ddpm::train
