// Gives the files that are named, and those in folders that are named, to a fuzz target.

#include <cstdio>

#include "ddpm/core/files.h"
#include "fuzz/fuzz.h"

int main(int argc, char** argv) {
    int count = 0;
    for (int i = 1; i < argc; ++i) {
        const std::filesystem::path path = argv[i];
        std::vector<std::filesystem::path> files{path};
        if (std::filesystem::is_directory(path)) files = ddpm::list_files(path, false);
        for (const std::filesystem::path& file : files) {
            const std::string bytes = ddpm::read_file(file, 1 << 26);
            LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
            ++count;
        }
    }
    std::printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
