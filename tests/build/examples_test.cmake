# Runs the examples one after the other: the second one samples from what the first one has trained.
#   cmake -DTRAIN=… -DSAMPLE=… -DWORK=… -P examples_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(failed)
        list(JOIN ARGV " " command)
        message(FATAL_ERROR "${command}\n${output}")
    endif()
endfunction()

run(${TRAIN} ${WORK}/run)
run(${SAMPLE} ${WORK}/run ${WORK}/grid.png)
if(NOT EXISTS ${WORK}/grid.png)
    message(FATAL_ERROR "${WORK}/grid.png was not written")
endif()
