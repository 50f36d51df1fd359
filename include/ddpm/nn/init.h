#pragma once

#include <cstdint>

namespace ddpm {

class UNet2D;

// Sets initial weights as in Ho et al.'s code. Convolutions and linear maps are uniform with variance 1/((fan_in +
// fan_out)/2), biases are zero, norms have weight one and bias zero. The last convolution of each resnet block, the
// output map of each attention and the network's last convolution are zero too, so that every block begins as the
// identity and the network as zero. Tables of classes and times are N(0, 1), Fourier frequencies N(0, 16²).
// The numbers follow from `seed` and the order of the parameters alone, on every device and in every dtype.
void initialize_weights(UNet2D& unet, uint64_t seed);

}  // namespace ddpm
