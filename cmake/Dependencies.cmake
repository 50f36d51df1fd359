# The libraries beside LibTorch. Each of them is, in this order,
#   1. built from its sources in DDPM_DEPS_DIR/<folder>, if that is set and holds them: CLI11, spdlog, json, googletest,
#      stb, libjpeg-turbo, zlib, highway, utf8proc, cpp-httplib, benchmark. CMake then uses no network at all;
#   2. the system's, if find_package finds it (Debian: see scripts/lib/common.sh);
#   3. fetched with Git at the tag named here, and built.
# CMake builds them while it configures, into deps/ of the build tree. libjpeg-turbo's build can be part of another one
# in no other way, and one way for all is simplest.

set(DDPM_DEPS_DIR "" CACHE PATH "Folder with the sources of dependencies; set it to build without a network")
include(FetchContent)

set(ddpm_deps_prefix ${PROJECT_BINARY_DIR}/deps)

# Sets `result` to the folder with a dependency's sources, and fetches them if need be.
function(ddpm_dependency_source name repository tag result)
    if(DDPM_DEPS_DIR)
        if(NOT EXISTS ${DDPM_DEPS_DIR}/${name})
            message(FATAL_ERROR "${name}: not found on this machine, and there is no ${DDPM_DEPS_DIR}/${name}")
        endif()
        file(COPY ${DDPM_DEPS_DIR}/${name} DESTINATION ${ddpm_deps_prefix}/src)  # zlib's build writes to its sources
        set(${result} ${ddpm_deps_prefix}/src/${name} PARENT_SCOPE)
        return()
    endif()
    set(folder ${ddpm_deps_prefix}/src/${name})
    if(NOT EXISTS ${folder}.fetched)
        message(STATUS "${name}: not found on this machine; fetching ${tag} from ${repository}")
        string(LENGTH ${tag} length)
        string(COMPARE LESS ${length} 40 shallow)  # a commit can't be cloned by its name
        FetchContent_Populate(${name} QUIET
            GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW ${shallow}
            GIT_CONFIG http.lowSpeedLimit=1000 http.lowSpeedTime=20
            SOURCE_DIR ${folder} BINARY_DIR ${folder}-build SUBBUILD_DIR ${folder}-subbuild)
        file(TOUCH ${folder}.fetched)
    endif()
    set(${result} ${folder} PARENT_SCOPE)
endfunction()

# Builds a dependency as a static library and installs it into the build tree.
function(ddpm_build_dependency name source)
    if(EXISTS ${ddpm_deps_prefix}/${name}.built)
        return()
    endif()
    message(STATUS "${name}: building its sources")
    set(folder ${ddpm_deps_prefix}/build/${name})
    file(MAKE_DIRECTORY ${folder})
    execute_process(
        COMMAND ${CMAKE_COMMAND} -S ${source} -B ${folder} -G ${CMAKE_GENERATOR}
                -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
                -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM} -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF
                -DCMAKE_INSTALL_PREFIX=${ddpm_deps_prefix} -DCMAKE_INSTALL_LIBDIR=lib ${ARGN}
        OUTPUT_FILE ${folder}.log ERROR_FILE ${folder}.log RESULT_VARIABLE failed)
    if(NOT failed)
        execute_process(COMMAND ${CMAKE_COMMAND} --build ${folder} --parallel --target install
                        OUTPUT_FILE ${folder}.log ERROR_FILE ${folder}.log RESULT_VARIABLE failed)
    endif()
    if(failed)
        message(FATAL_ERROR "${name}: the build failed; see ${folder}.log")
    endif()
    file(TOUCH ${ddpm_deps_prefix}/${name}.built)
endfunction()

#   ddpm_dependency(<package> <folder> <repository> <tag> [CMake options of its build…])
#
# finds or builds a dependency in the order above.
macro(ddpm_dependency package name repository tag)
    if(NOT EXISTS ${ddpm_deps_prefix}/${name}.built AND NOT (DDPM_DEPS_DIR AND EXISTS ${DDPM_DEPS_DIR}/${name}))
        find_package(${package} QUIET)
    endif()
    if(${package}_FOUND)
        message(STATUS "${name}: the system's ${${package}_VERSION}${${package}_VERSION_STRING}")
    else()
        ddpm_dependency_source(${name} ${repository} ${tag} ddpm_source)
        ddpm_build_dependency(${name} ${ddpm_source} ${ARGN})
        set(${package}_ROOT ${ddpm_deps_prefix})
        set(CMAKE_FIND_LIBRARY_SUFFIXES ${CMAKE_STATIC_LIBRARY_SUFFIX})
        find_package(${package} REQUIRED QUIET)
        set(CMAKE_FIND_LIBRARY_SUFFIXES ${ddpm_library_suffixes})
        message(STATUS "${name}: built here, ${${package}_VERSION}")
    endif()
endmacro()

set(ddpm_library_suffixes ${CMAKE_FIND_LIBRARY_SUFFIXES})
ddpm_dependency(CLI11 CLI11 https://github.com/CLIUtils/CLI11.git v2.4.2
    -DCLI11_BUILD_DOCS=OFF -DCLI11_BUILD_TESTS=OFF -DCLI11_BUILD_EXAMPLES=OFF)
ddpm_dependency(spdlog spdlog https://github.com/gabime/spdlog.git v1.13.0 -DSPDLOG_BUILD_EXAMPLE=OFF)
ddpm_dependency(nlohmann_json json https://github.com/nlohmann/json.git v3.11.3 -DJSON_BuildTests=OFF)
ddpm_dependency(ZLIB zlib https://github.com/madler/zlib.git v1.3.1)
ddpm_dependency(JPEG libjpeg-turbo https://github.com/libjpeg-turbo/libjpeg-turbo.git 3.0.4
    -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF)
ddpm_dependency(hwy highway https://github.com/google/highway.git 1.2.0
    -DBUILD_SHARED_LIBS=OFF -DHWY_ENABLE_TESTS=OFF -DHWY_ENABLE_EXAMPLES=OFF -DHWY_ENABLE_CONTRIB=OFF)
ddpm_dependency(utf8proc utf8proc https://github.com/JuliaStrings/utf8proc.git v2.9.0 -DUTF8PROC_ENABLE_TESTING=OFF)
# `ddpm report --watch` alone needs cpp-httplib. Sources in DDPM_DEPS_DIR that lack it are a build without that flag.
set(ddpm_httplib "")
if(DDPM_TORCH AND DDPM_HTTPLIB)
    if(DDPM_DEPS_DIR AND NOT EXISTS ${DDPM_DEPS_DIR}/cpp-httplib)
        find_package(httplib QUIET)
    endif()
    if(httplib_FOUND OR NOT DDPM_DEPS_DIR OR EXISTS ${DDPM_DEPS_DIR}/cpp-httplib)
        ddpm_dependency(httplib cpp-httplib https://github.com/yhirose/cpp-httplib.git v0.14.3
            -DHTTPLIB_USE_OPENSSL_IF_AVAILABLE=OFF -DHTTPLIB_USE_ZLIB_IF_AVAILABLE=OFF -DHTTPLIB_USE_BROTLI_IF_AVAILABLE=OFF)
        set(ddpm_httplib $<BUILD_INTERFACE:httplib::httplib>)
    else()
        message(STATUS "cpp-httplib: not found; `ddpm report --watch` will say so")
    endif()
endif()
if(DDPM_BUILD_TESTS)
    ddpm_dependency(GTest googletest https://github.com/google/googletest.git v1.14.0 -DBUILD_GMOCK=OFF)
endif()

if(DDPM_BUILD_BENCH)
    ddpm_dependency(benchmark benchmark https://github.com/google/benchmark.git v1.8.3
        -DBENCHMARK_ENABLE_TESTING=OFF -DBENCHMARK_ENABLE_WERROR=OFF)
endif()

# stb consists of headers without a build and without releases. The commit is Debian's.
set(ddpm_source "")
if(NOT (DDPM_DEPS_DIR AND EXISTS ${DDPM_DEPS_DIR}/stb))
    find_path(DDPM_STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
    set(ddpm_source ${DDPM_STB_INCLUDE_DIR})
endif()
if(NOT ddpm_source)
    ddpm_dependency_source(stb https://github.com/nothings/stb.git 8b5f1f37b5b75829fc72d38e7b5d4bcbf8a26d55 ddpm_source)
endif()
message(STATUS "stb: ${ddpm_source}")
add_library(ddpm_stb INTERFACE)
target_include_directories(ddpm_stb SYSTEM INTERFACE ${ddpm_source})
