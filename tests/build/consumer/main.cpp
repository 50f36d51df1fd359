// Samples four pictures through the installed library and compares them with those of the installed program.
//   consumer CHECKPOINT SAMPLES.safetensors
#include <cstdio>
#include <exception>

#include <ATen/ATen.h>

#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/version.h"

int main(int argc, char** argv) try {
    if (argc != 3) return 2;
    const at::Tensor theirs = ddpm::read_safetensors(argv[2]).at(0).second;
    ddpm::Session session(ddpm::Model::open(argv[1]));
    const at::Tensor ours = session.sample(0, 4);
    std::printf("ddpm %s: %s\n", DDPM_VERSION, at::equal(ours, theirs) ? "the same four pictures" : "other pictures");
    return at::equal(ours, theirs) ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
