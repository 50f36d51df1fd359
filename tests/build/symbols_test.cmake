# The program must call the system's C++ library, and not the parts of another one that libtorch_cpu.so exports.
#   cmake -DPROGRAM=<ddpm> -P symbols_test.cmake
set(ENV{LD_DEBUG} bindings)
set(ENV{LD_BIND_NOW} 1)
execute_process(COMMAND ${PROGRAM} --version OUTPUT_QUIET ERROR_VARIABLE bindings COMMAND_ERROR_IS_FATAL ANY)
if(NOT bindings MATCHES "binding file [^\n]*/ddpm \\[0\\] to [^\n]*libtorch")
    message(FATAL_ERROR "${PROGRAM}: the loader tells nothing of its calls")
endif()
# There are no such symbols if the compiler links its C++ library statically.
string(REGEX MATCHALL "binding file [^\n]*/ddpm \\[0\\] to [^\n]*St10filesystem[^\n]*" calls "${bindings}")
foreach(call IN LISTS calls)
    if(call MATCHES "libtorch")
        message(FATAL_ERROR "${call}")
    endif()
endforeach()
