// Fuzzes a safetensors file: the length field, the header, and whether its tensors fill the file.

#include "ddpm/tensorfile/safetensors_header.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view file = fuzz::view(data, size);
    fuzz::takes([&] {
        const uint64_t head = safetensors_head_size(file, size, "fuzz");
        fuzz::require(head <= size, "the header lies in the file");
        const SafetensorsHeader header = parse_safetensors_header(file.substr(0, head), size, "fuzz");
        uint64_t end = 0;
        for (const SafetensorsEntry& entry : header.tensors) {
            fuzz::require(entry.begin == end && entry.begin <= entry.end, "tensors follow each other");
            end = entry.end;
        }
        fuzz::require(header.buffer_begin + end == size, "the tensors fill the file");
        const std::string written = write_safetensors_head(header.metadata, header.tensors);
        const SafetensorsHeader again = parse_safetensors_header(written, written.size() + end, "written");
        fuzz::require(write_safetensors_head(again.metadata, again.tensors) == written, "a header reads back as written");
    });
    return 0;
}
