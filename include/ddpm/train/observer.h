#pragma once

#include "ddpm/train/events.h"

namespace ddpm {

// Who watches a training run: overrides what it cares about (and says `using Observer::on;`). Called on the run's own thread,
// which waits; what it throws ends the run. It changes nothing of what the run computes. On several ranks only rank 0 has
// observers.
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
    virtual void on(const events::CheckpointBegins&) {}
    virtual void on(const events::CheckpointWritten&) {}
    virtual void on(const events::SamplesDue&) {}
    virtual void on(const events::LastStepDone&) {}
    virtual void on(const events::Finished&) {}
    virtual void on(const events::Stopped&) {}
};

}  // namespace ddpm
