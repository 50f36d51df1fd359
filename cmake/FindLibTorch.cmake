# Finds LibTorch and imports its libraries as LibTorch::LibTorch.
#
# The stock TorchConfig.cmake is not used, because with a CUDA build of LibTorch it demands a CUDA toolkit of a fitting
# version. A program without CUDA sources needs none, on the CPU and on the GPU.
#
# It searches in this order and reports it line by line:
#   1. the folder given: LIBTORCH, Torch_DIR or CMAKE_PREFIX_PATH, as a CMake variable, then from the environment;
#   2. the torch that python3 would import;
#   3. the project's own virtual environment, .venv, where scripts/get-libtorch installs it.
# LIBTORCH is an unpacked LibTorch, Python's torch folder, or a folder that holds either.
#
# It sets LibTorch_FOUND, LibTorch_VERSION, LibTorch_FOLDER and LibTorch_CUDA (CUDA's version, empty for a CPU build).

# Sets `result` to LibTorch's folder within `path`, or to nothing. Torch_DIR and torch.utils.cmake_prefix_path end in
# share/cmake[/Torch].
function(_libtorch_folder_in path result)
    file(GLOB environments LIST_DIRECTORIES TRUE ${path}/lib/python3*/site-packages/torch)
    foreach(folder IN ITEMS ${path} ${path}/torch ${path}/libtorch ${path}/../.. ${path}/../../.. ${environments})
        if(EXISTS ${folder}/include/torch/csrc/api/include/torch/version.h AND EXISTS ${folder}/lib)
            file(REAL_PATH ${folder} folder)
            set(${result} ${folder} PARENT_SCOPE)
            return()
        endif()
    endforeach()
    set(${result} "" PARENT_SCOPE)
endfunction()

# Reads LibTorch's version without starting Python. The number is in a header, the build in two small files.
function(_libtorch_version_of folder version cuda)
    set(number "")
    foreach(header IN ITEMS headeronly/version.h csrc/api/include/torch/version.h)
        if(NOT number AND EXISTS ${folder}/include/torch/${header})
            file(READ ${folder}/include/torch/${header} text)
            if(text MATCHES "TORCH_VERSION[ \\\n]+\"([0-9]+\\.[0-9]+\\.[0-9]+)")
                set(number ${CMAKE_MATCH_1})
            endif()
        endif()
    endforeach()
    set(${version} "${number}" PARENT_SCOPE)

    set(toolkit "")
    if(EXISTS ${folder}/version.py)
        file(STRINGS ${folder}/version.py line REGEX "^cuda.*=.*'[0-9.]+'")
        string(REGEX MATCH "[0-9]+\\.[0-9]+" toolkit "${line}")
    elseif(EXISTS ${folder}/build-version)
        file(READ ${folder}/build-version text)
        if(text MATCHES "\\+cu([0-9]+)([0-9])")
            set(toolkit ${CMAKE_MATCH_1}.${CMAKE_MATCH_2})
        endif()
    endif()
    set(${cuda} "${toolkit}" PARENT_SCOPE)
endfunction()

# Takes the LibTorch in `path` if there is one and it is new enough. `origin` names the place in the output.
macro(_libtorch_try path origin)
    if(NOT LibTorch_FOLDER)
        _libtorch_folder_in("${path}" _libtorch_folder)
        if(NOT _libtorch_folder)
            message(STATUS "LibTorch: none in ${path} (${origin})")
        else()
            _libtorch_version_of(${_libtorch_folder} LibTorch_VERSION LibTorch_CUDA)
            if(LibTorch_VERSION VERSION_LESS LibTorch_FIND_VERSION)
                message(STATUS "LibTorch: ${LibTorch_VERSION} in ${_libtorch_folder} (${origin}) is too old; "
                               "${LibTorch_FIND_VERSION} or later is needed")
            else()
                set(LibTorch_FOLDER ${_libtorch_folder})
                if(LibTorch_CUDA)
                    message(STATUS "LibTorch: ${LibTorch_VERSION} for CUDA ${LibTorch_CUDA} "
                                   "in ${LibTorch_FOLDER} (${origin})")
                else()
                    message(STATUS "LibTorch: ${LibTorch_VERSION} for the CPU in ${LibTorch_FOLDER} (${origin})")
                endif()
            endif()
        endif()
    endif()
endmacro()

set(LibTorch_FOLDER "")
set(LibTorch_VERSION "")
set(LibTorch_CUDA "")

# 1. The folder given. LIBTORCH and Torch_DIR have no other meaning, so one without a usable LibTorch is a mistake.
#    CMAKE_PREFIX_PATH may be there for other packages, but has to exist.
foreach(_libtorch_path IN LISTS CMAKE_PREFIX_PATH)
    if(NOT IS_DIRECTORY "${_libtorch_path}")
        message(FATAL_ERROR "CMAKE_PREFIX_PATH: ${_libtorch_path} is not a folder")
    endif()
endforeach()
foreach(_libtorch_name IN ITEMS LIBTORCH Torch_DIR CMAKE_PREFIX_PATH)
    foreach(_libtorch_path IN LISTS ${_libtorch_name})
        _libtorch_try("${_libtorch_path}" "${_libtorch_name}")
    endforeach()
    if(NOT LibTorch_FOLDER AND NOT "$ENV{${_libtorch_name}}" STREQUAL "")
        string(REPLACE ":" ";" _libtorch_paths "$ENV{${_libtorch_name}}")
        foreach(_libtorch_path IN LISTS _libtorch_paths)
            _libtorch_try("${_libtorch_path}" "${_libtorch_name} in the environment")
        endforeach()
    endif()
    if(NOT LibTorch_FOLDER AND NOT _libtorch_name STREQUAL "CMAKE_PREFIX_PATH"
       AND NOT "${${_libtorch_name}}$ENV{${_libtorch_name}}" STREQUAL "")
        message(FATAL_ERROR "${_libtorch_name} names no LibTorch ${LibTorch_FIND_VERSION} or later. Give an unpacked "
                            "LibTorch or Python's torch folder, or leave it out to have one found.")
    endif()
endforeach()

# A build tree stays with the LibTorch that it began with, even if another Python is in PATH later.
if(NOT LibTorch_FOLDER AND DDPM_LIBTORCH_IN_USE AND EXISTS ${DDPM_LIBTORCH_IN_USE})
    _libtorch_try(${DDPM_LIBTORCH_IN_USE} "as before")
endif()

# 2. Python's torch. Finding the folder costs 30 ms; importing torch would cost seconds.
if(NOT LibTorch_FOLDER)
    execute_process(
        COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(*s.submodule_search_locations)"
        WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}
        OUTPUT_VARIABLE _libtorch_path OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE _libtorch_failed)
    if(NOT _libtorch_failed AND _libtorch_path)
        _libtorch_try("${_libtorch_path}" "the torch of python3")
    else()
        message(STATUS "LibTorch: python3 has no torch")
    endif()
endif()

# 3. The project's own LibTorch. Its mark is written when an installation is complete.
set(_libtorch_script ${CMAKE_CURRENT_LIST_DIR}/../scripts/get-libtorch)
if(NOT LibTorch_FOLDER AND EXISTS ${_libtorch_script})
    file(REAL_PATH ${CMAKE_CURRENT_LIST_DIR}/../.venv _libtorch_path)
    if(NOT EXISTS ${_libtorch_path}/libtorch-installed)
        message(STATUS "LibTorch: none on this machine; scripts/get-libtorch installs it into ${_libtorch_path}")
        execute_process(COMMAND ${_libtorch_script} RESULT_VARIABLE _libtorch_failed)
        if(_libtorch_failed)
            message(FATAL_ERROR "LibTorch could not be installed (see above). Try again with ./scripts/get-libtorch, "
                                "or download LibTorch from pytorch.org and give its folder with -DLIBTORCH=FOLDER.")
        endif()
    endif()
    _libtorch_try("${_libtorch_path}" "the project's own")
endif()

if(LibTorch_FOLDER)
    set(DDPM_LIBTORCH_IN_USE ${LibTorch_FOLDER} CACHE INTERNAL "The LibTorch this build tree began with")
endif()
include(FindPackageHandleStandardArgs)
set(LibTorch_FIND_QUIETLY TRUE)  # the search has reported it already
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_FOLDER VERSION_VAR LibTorch_VERSION
                                  REASON_FAILURE_MESSAGE "give its folder with -DLIBTORCH=FOLDER")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    # LibTorch's include folder also holds fmt, pybind11, dnnl and others. It comes after the system's, so that a header
    # of theirs never replaces the one that another library was built with.
    target_compile_options(LibTorch::LibTorch INTERFACE
        "SHELL:-idirafter ${LibTorch_FOLDER}/include/torch/csrc/api/include"
        "SHELL:-idirafter ${LibTorch_FOLDER}/include")
    foreach(_libtorch_path IN LISTS CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
        if(EXISTS ${_libtorch_path}/ATen/ATen.h)
            message(FATAL_ERROR "Another LibTorch lies in ${_libtorch_path}, where the compiler finds it first. "
                                "Remove its package (libtorch-dev) or build in a container.")
        endif()
    endforeach()
    target_compile_features(LibTorch::LibTorch INTERFACE cxx_std_20)
    # LibTorch is built with NDEBUG, and the members of some of its classes depend on it
    # (at::RecordFunction::inputs_valid_). Without it a Debug build reads members that LibTorch has not made.
    target_compile_definitions(LibTorch::LibTorch INTERFACE $<$<CONFIG:Debug>:NDEBUG>)

    # Wheels of 2.11 and later use the C++11 ABI of std::string; somebody's own build may not.
    set(_libtorch_config ${LibTorch_FOLDER}/share/cmake/Torch/TorchConfig.cmake)
    if(EXISTS ${_libtorch_config})
        file(READ ${_libtorch_config} _libtorch_text)
        if(_libtorch_text MATCHES "-D_GLIBCXX_USE_CXX11_ABI=0")
            target_compile_definitions(LibTorch::LibTorch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
        endif()
    endif()

    # libtorch.so has no symbols of its own; it loads the CUDA libraries of a CUDA build. OpenMP comes with LibTorch; a
    # second one, linked here, would compete with it for the cores (src/kernels/parallel.cpp). libtorch_cpu.so exports parts of the C++ library
    # that it was built with, std::filesystem among them. The system's library comes first, because otherwise this
    # program's calls reach those parts, which a newer compiler's objects do not fit (remove_all crashes).
    set(_libtorch_suffix ${CMAKE_SHARED_LIBRARY_SUFFIX})
    set(_libtorch_prefix ${LibTorch_FOLDER}/lib/${CMAKE_SHARED_LIBRARY_PREFIX})
    if(APPLE)
        target_link_libraries(LibTorch::LibTorch INTERFACE ${_libtorch_prefix}torch${_libtorch_suffix})
    else()
        target_link_libraries(LibTorch::LibTorch INTERFACE
            "-Wl,--push-state,--no-as-needed,-lstdc++,${_libtorch_prefix}torch${_libtorch_suffix},--pop-state")
        file(GLOB _libtorch_paths LIST_DIRECTORIES TRUE ${LibTorch_FOLDER}/../nvidia/*/lib)
        foreach(_libtorch_path IN LISTS _libtorch_paths)
            target_link_options(LibTorch::LibTorch INTERFACE "LINKER:-rpath-link,${_libtorch_path}")
        endforeach()
    endif()

    target_link_libraries(LibTorch::LibTorch INTERFACE
        ${_libtorch_prefix}torch_cpu${_libtorch_suffix} ${_libtorch_prefix}c10${_libtorch_suffix})
endif()
