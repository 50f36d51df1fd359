# These are the compiler settings of our own sources. Dependencies keep theirs.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# A precompiled header is part of every torch source, so ccache has to hash it by its text, and not by its time and
# folder. With this a second clone finds what the first one compiled.
find_program(DDPM_CCACHE ccache DOC "ccache, used when it is there")
if(DDPM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=true
        ${DDPM_CCACHE})
endif()

set(ddpm_sanitize_flag "")
if(DDPM_SANITIZE)
    string(REPLACE "address" "-fsanitize=address,undefined" ddpm_sanitize_flag ${DDPM_SANITIZE})
    string(REPLACE "thread" "-fsanitize=thread" ddpm_sanitize_flag ${ddpm_sanitize_flag})
    add_compile_options(${ddpm_sanitize_flag} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(${ddpm_sanitize_flag})
endif()
if(DDPM_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(ddpm_compile_settings target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wnon-virtual-dtor $<$<BOOL:${DDPM_WERROR}>:-Werror>)
    if(DDPM_CCACHE)
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                               "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
    endif()
endfunction()
