# CUDA sources. This file is included if there is a toolkit that fits LibTorch.

# Each generation that LibTorch still serves gets its machine code, and newer ones get code that they translate.
if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 90)
endif()
if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)  # CMake has 20 for CUDA only from 3.26 on
set(CMAKE_CUDA_STANDARD_REQUIRED ON)

target_link_libraries(LibTorch::LibTorch INTERFACE
    ${LibTorch_FOLDER}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}torch_cuda${CMAKE_SHARED_LIBRARY_SUFFIX}
    ${LibTorch_FOLDER}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}c10_cuda${CMAKE_SHARED_LIBRARY_SUFFIX}
    CUDA::cudart)

#   ddpm_cuda_sources(<room> files…)
#
# adds files of src/<room>/cuda/ to the room. Its .cu files see no LibTorch header, so that they compile in seconds and
# for any version.
function(ddpm_cuda_sources room)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/src/${room}/cuda/)
    set(kernels ${ARGN})
    list(FILTER kernels INCLUDE REGEX "\\.cu$")
    list(FILTER ARGN EXCLUDE REGEX "\\.cu$")
    target_sources(ddpm_${room} PRIVATE ${ARGN})
    target_include_directories(ddpm_${room} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})

    add_library(ddpm_${room}_cuda OBJECT ${kernels})
    target_include_directories(ddpm_${room}_cuda PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    set_property(GLOBAL APPEND PROPERTY ddpm_torch_objects_${room} ddpm_${room}_cuda)
endfunction()
