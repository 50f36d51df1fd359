# Finds LibTorch and imports its libraries as LibTorch::LibTorch.
set(root)
foreach(folder IN LISTS CMAKE_PREFIX_PATH)
    if(EXISTS ${folder}/include/torch/csrc/api/include/torch/version.h)
        set(root ${folder})
    endif()
endforeach()
if(NOT root)
    message(FATAL_ERROR "LibTorch: not found; give its folder with -DCMAKE_PREFIX_PATH=…/torch")
endif()
message(STATUS "LibTorch: ${root}")
add_library(LibTorch::LibTorch INTERFACE IMPORTED)
target_compile_options(LibTorch::LibTorch INTERFACE
    "SHELL:-idirafter ${root}/include/torch/csrc/api/include" "SHELL:-idirafter ${root}/include")
target_link_libraries(LibTorch::LibTorch INTERFACE
    "-Wl,--push-state,--no-as-needed,${root}/lib/libtorch.so,--pop-state"
    ${root}/lib/libtorch_cpu.so ${root}/lib/libc10.so)
