#pragma once

#include <functional>
#include <memory>

#include <c10/core/Device.h>

namespace ddpm {

namespace kernels {
class Recorder;
}

// Whether a Recording on this device is more than a call: a GPU, in a build with CUDA sources.
bool records_on(const c10::Device& device);

// Work on tensors that stay where they are, done again and again. On a GPU it is recorded the third time as a CUDA graph and
// then replayed, one launch instead of hundreds; elsewhere it is called. While it is recorded nothing is computed, so the
// work must not look at numbers, and what it leaves behind in variables belongs to the recording: every later run
// overwrites it. If the work can't be recorded, one warning says so, and it is called from then on.
class Recording {
public:
    Recording(const c10::Device& device, std::function<void()> work);
    ~Recording();
    Recording(Recording&&) noexcept;

    void run();

private:
    std::function<void()> work_;
    std::unique_ptr<kernels::Recorder> recorder_;  // null: it is called
};

}  // namespace ddpm
