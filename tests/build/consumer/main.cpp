#include <cmath>
#include <cstdio>

#include <ATen/ops/ones.h>

#include "ddpm/diffusion/betas.h"
#include "ddpm/diffusion/schedule.h"

// Σβ of the linear schedule of 1000 steps from 1e-4 to 0.02 is 1000·(1e-4 + 0.02)/2.
int main() {
    const ddpm::NoiseSchedule schedule(ddpm::linear_betas(1000, 1e-4, 0.02));
    double sum = 0.0;
    for (const double beta : schedule.betas()) sum += beta;
    const double ones = at::ones({3}).sum().item<double>();
    std::printf("%.6f %.1f\n", sum, ones);
    return std::abs(sum - 10.05) < 1e-9 && ones == 3.0 ? 0 : 1;
}
