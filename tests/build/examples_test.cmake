# Runs the examples one after the other: the second one samples from what the first one has trained.
#   cmake -DTRAIN=… -DSAMPLE=… -DWORK=… -P examples_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${TRAIN} ${WORK}/run)
run(${SAMPLE} ${WORK}/run ${WORK}/grid.png)
if(NOT EXISTS ${WORK}/grid.png)
    message(FATAL_ERROR "${WORK}/grid.png was not written")
endif()
