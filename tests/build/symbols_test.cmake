# The C++ library that the program calls is the system's, not what libtorch_cpu.so exports of the one it was built with.
#   cmake -DPROGRAM=<ddpm> -P symbols_test.cmake
set(ENV{LD_DEBUG} bindings)
set(ENV{LD_BIND_NOW} 1)
execute_process(COMMAND ${PROGRAM} --version OUTPUT_QUIET ERROR_VARIABLE bindings COMMAND_ERROR_IS_FATAL ANY)
if(NOT bindings MATCHES "binding file [^\n]*/ddpm \\[0\\] to [^\n]*libtorch")
    message(FATAL_ERROR "${PROGRAM}: the loader tells nothing of its calls")
endif()
# None at all where the compiler links its C++ library statically.
string(REGEX MATCHALL "binding file [^\n]*/ddpm \\[0\\] to [^\n]*St10filesystem[^\n]*" calls "${bindings}")
foreach(call IN LISTS calls)
    if(call MATCHES "libtorch")
        message(FATAL_ERROR "${call}")
    endif()
endforeach()
