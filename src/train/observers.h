#pragma once

#include <vector>

#include "ddpm/train/observer.h"

namespace ddpm::train {

// The observers of a run. They receive each event in the order in which they were added, and must outlive the object.
class Observers {
public:
    void add(Observer& observer) { all_.push_back(&observer); }

    template <class Event>
    void tell(const Event& event) const {
        for (Observer* observer : all_) observer->on(event);
    }

private:
    std::vector<Observer*> all_;
};

}  // namespace ddpm::train
