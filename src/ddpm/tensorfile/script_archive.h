#pragma once

#include <cstdint>
#include <string>

#include "ddpm/tensorfile/zip.h"

namespace ddpm {

// Looks into a TorchScript file (of torch.jit.save) before anything loads it, and lets pass only one that runs nothing while it is
// loaded. Any of these is a user_error that begins with `source`: another kind of file; an archive that readers of zip files may
// understand in several ways (a comment, damage, names that differ in case alone); `__setstate__`, which is called for each object
// that is loaded; classes that are written in C++ (`torch.classes`), which are made by code of their own; `torch.distributed`; and
// the format of before torch 1.4, whose parts lie elsewhere. What the program does when it is called is not looked at.
void check_script_archive(const ReadBytes& read, uint64_t file_size, const std::string& source);

}  // namespace ddpm
