#pragma once

// The version of the library and of the program. CMakeLists.txt reads it from here.
#define DDPM_VERSION_MAJOR 0
#define DDPM_VERSION_MINOR 1
#define DDPM_VERSION_PATCH 0

#define DDPM_VERSION_TEXT(major, minor, patch) #major "." #minor "." #patch
#define DDPM_VERSION_JOIN(major, minor, patch) DDPM_VERSION_TEXT(major, minor, patch)
#define DDPM_VERSION DDPM_VERSION_JOIN(DDPM_VERSION_MAJOR, DDPM_VERSION_MINOR, DDPM_VERSION_PATCH)  // "0.1.0"
