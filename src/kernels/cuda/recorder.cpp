#include "kernels/cuda/recorder.h"

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <spdlog/spdlog.h>

namespace ddpm::kernels {

namespace {

// Runs the work twice on a stream of its own, during which libraries choose their algorithms and take their memory: that can't
// be recorded. The third time it records the work.
class GraphRecorder : public Recorder {
public:
    explicit GraphRecorder(const c10::Device& device)
        : device_(device), stream_(c10::cuda::getStreamFromPool(false, device.index())) {}

    void run(const std::function<void()>& work) override {
        const c10::cuda::CUDAGuard guard(device_);
        constexpr int warm_up = 2;
        if (graph_) return graph_->replay();
        if (refused_) return work();
        const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream(device_.index());
        wait(stream_, current);
        if (runs_ < warm_up) {
            const c10::cuda::CUDAStreamGuard on(stream_);
            work();
            ++runs_;
            wait(current, stream_);
            return;
        }
        record(work);
        wait(current, stream_);
        if (graph_)
            graph_->replay();
        else
            work();
    }

private:
    static void wait(const c10::cuda::CUDAStream& waiting, const c10::cuda::CUDAStream& for_this) {
        at::cuda::CUDAEvent event;
        event.record(for_this);
        event.block(waiting);
    }

    void record(const std::function<void()>& work) {
        const c10::cuda::CUDAStreamGuard on(stream_);
        auto graph = std::make_unique<at::cuda::CUDAGraph>();
        // ThreadLocal lets other threads (the loader's, autograd's) go on meanwhile.
        graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
        try {
            work();
            graph->capture_end();
            graph_ = std::move(graph);
        } catch (const std::exception& error) {
            refused_ = true;
            spdlog::warn("not recorded as a CUDA graph, and slower for it: {}", first_line(error.what()));
            try {
                graph->capture_end();
            } catch (const std::exception&) {  // capture_end itself has failed
            }
            static_cast<void>(cudaGetLastError());
        }
    }

    static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

    c10::Device device_;
    c10::cuda::CUDAStream stream_;
    std::unique_ptr<at::cuda::CUDAGraph> graph_;
    int runs_ = 0;
    bool refused_ = false;
};

}  // namespace

std::unique_ptr<Recorder> make_graph_recorder(const c10::Device& device) { return std::make_unique<GraphRecorder>(device); }

}  // namespace ddpm::kernels
