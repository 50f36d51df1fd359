#include "train/diagnosis.h"

#include <map>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/nn/unet.h"
#include "train/state.h"

namespace ddpm::train {

namespace {

// While it lives, it watches what this thread's operators return and remembers the first that is not finite.
class FiniteWatch {
public:
    explicit FiniteWatch(const UNet2D& network) {
        for (const auto& item : network.named_parameters()) names_[item.value().const_data_ptr()] = item.key();
        watching = this;
        handle_ = at::addThreadLocalCallback(
            at::RecordFunctionCallback(begin, end).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}));
    }
    ~FiniteWatch() {
        at::removeCallback(handle_);
        watching = nullptr;
    }
    FiniteWatch(const FiniteWatch&) = delete;
    FiniteWatch& operator=(const FiniteWatch&) = delete;

    // "down_blocks.0.resnets.0.conv1 (aten::conv2d)"; empty as long as everything is finite.
    const std::string& found() const { return found_; }

private:
    // Operators call other operators. Only those that the network itself calls are watched.
    static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& call) {
        if (watching->depth_++ == 0)
            for (const c10::IValue& input : call.inputs())
                if (input.isTensor() && input.toTensor().defined() && input.toTensor().has_storage())
                    if (const auto known = watching->names_.find(input.toTensor().const_data_ptr());
                        known != watching->names_.end())
                        watching->layer_ = known->second.substr(0, known->second.rfind('.'));
        return nullptr;
    }

    static void end(const at::RecordFunction& call, at::ObserverContext*) {
        FiniteWatch& watch = *watching;
        if (--watch.depth_ > 0 || !watch.found_.empty()) return;
        const std::string name = call.name();
        if (name.find("empty") != std::string::npos) return;  // its result holds anything until it is written to
        const at::RecordFunctionGuard unwatched(false);
        for (const c10::IValue& output : call.outputs())
            if (output.isTensor() && output.toTensor().defined() && output.toTensor().is_floating_point() &&
                !at::isfinite(output.toTensor()).all().item<bool>()) {
                watch.found_ = fmt::format("{} ({})", watch.layer_.empty() ? "the input" : watch.layer_, name);
                return;
            }
    }

    static thread_local FiniteWatch* watching;
    std::map<const void*, std::string> names_;
    at::CallbackHandle handle_;
    int depth_ = 0;
    std::string layer_;  // the layer whose parameter was used last
    std::string found_;
};
thread_local FiniteWatch* FiniteWatch::watching = nullptr;

}  // namespace

std::string Diagnosis::text() const {
    return fmt::format("t = {} … {} in its batch, first value that is not finite: {}", first_t, last_t, place);
}

Diagnosis diagnose_step(const UNet2D& network, const NoiseSchedule& schedule, const TrainJob& job, uint64_t seed, Streams streams,
                        int64_t step, const std::function<Batch(int64_t)>& load) {
    UNet2D copy(job.unet);
    copy.to(job.runtime.device);
    copy_weights(network, copy);
    TrainingStep training(copy, make_objective(schedule, job.diffusion, job.train), job.train, seed, job.runtime, streams);
    Diagnosis diagnosis;
    for (int64_t micro = 0; micro < job.train.gradient_accumulation_steps; ++micro) {
        const Batch batch = load(micro);
        const StepNoise drawn = training.draw(batch, step, micro);
        diagnosis.first_t = drawn.t.min().item<int64_t>();
        diagnosis.last_t = drawn.t.max().item<int64_t>();
        const FiniteWatch watch(copy);
        training.accumulate(batch, drawn);
        if (!watch.found().empty()) {
            diagnosis.place = "at " + watch.found();
            return diagnosis;
        }
    }
    diagnosis.place = "none by itself, so the norm of the gradient overflowed, or the arithmetic of the fast kernels did";
    return diagnosis;
}

}  // namespace ddpm::train
