#include "ddpm/kernels/recording.h"

#include "kernels/gpu.h"

namespace ddpm {

bool records_on(const c10::Device& device) { return device.is_cuda() && kernels::gpu() != nullptr; }

Recording::Recording(const c10::Device& device, std::function<void()> work)
    : work_(std::move(work)), recorder_(records_on(device) ? kernels::gpu()->make_recorder(device) : nullptr) {}

Recording::~Recording() = default;
Recording::Recording(Recording&&) noexcept = default;

void Recording::run() {
    if (recorder_)
        recorder_->run(work_);
    else
        work_();
}

}  // namespace ddpm
