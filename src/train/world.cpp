#include "ddpm/train/world.h"

namespace ddpm {

namespace {

class Alone : public World {
public:
    int64_t rank() const override { return 0; }
    int64_t size() const override { return 1; }
    void all_reduce(const std::vector<at::Tensor>&) override {}
    bool any(bool here) override { return here; }
};

}  // namespace

World& World::alone() {
    static Alone world;
    return world;
}

}  // namespace ddpm
