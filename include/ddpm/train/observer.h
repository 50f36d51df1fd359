#pragma once

#include "ddpm/train/events.h"

namespace ddpm {

// An observer watches a training run. It overrides the events that it needs and says `using Observer::on;`, so that the others
// stay visible. The run calls it on its own thread and waits. An observer must not change anything that the run computes. What it
// throws ends the run. With several ranks, only rank 0 has observers.
class Observer {
public:
    virtual ~Observer() = default;

    virtual void on(const events::Begun&) {}
    virtual void on(const events::AttemptBegun&) {}
    virtual void on(const events::SpikeBegun&) {}
    virtual void on(const events::StepDone&) {}
    virtual void on(const events::Skipped&) {}
    virtual void on(const events::RollingBack&) {}
    virtual void on(const events::RolledBack&) {}
    virtual void on(const events::GaveUp&) {}
    virtual void on(const events::Validated&) {}
    virtual void on(const events::QualityMeasured&) {}
    virtual void on(const events::JudgingSkipped&) {}
    virtual void on(const events::DoneFound&) {}
    virtual void on(const events::CheckpointBegins&) {}
    virtual void on(const events::CheckpointWritten&) {}
    virtual void on(const events::SamplesDue&) {}
    virtual void on(const events::SamplesDrawn&) {}
    virtual void on(const events::LastStepDone&) {}
    virtual void on(const events::Finished&) {}
    virtual void on(const events::Stopped&) {}
};

}  // namespace ddpm
