# Makes a page of `ddpm report` about a run with sample grids and looks at it in headless Chromium (report_page.mjs). It skips where
# there is no Node.js, no Chromium or no playwright-core (`npm install playwright-core` in MODULES).
#   cmake -DPROGRAM=<ddpm> -DSOURCE=<tests/build> -DWORK=<folder> -DCONFIG=<configuration> -P report_page_test.cmake
find_program(NODE node)
find_program(CHROMIUM NAMES chromium-headless-shell chromium chromium-browser)
if(NOT MODULES)
    set(MODULES $ENV{DDPM_NODE_MODULES})
endif()
if(NOT MODULES)
    set(MODULES ${SOURCE}/node_modules)
endif()
foreach(thing NODE CHROMIUM)
    if(NOT ${thing})
        message(STATUS "skipped: there is no ${thing}")
        return()
    endif()
endforeach()
if(NOT EXISTS ${MODULES}/playwright-core)
    message(STATUS "skipped: there is no ${MODULES}/playwright-core; DDPM_NODE_MODULES may name another folder")
    return()
endif()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(run_settings --device cpu --quiet --out run
    --set train.steps=6 --set train.batch_size=4 --set train.checkpoint_every=3 --set train.sample_every=2 --set train.sample_images=4
    --set train.warmup_steps=1 --set train.validate_every=2 --set dataset.holdout=8 --set sample.steps=2
    --set "model.block_out_channels=[32,32,32]" --set model.layers_per_block=1)
execute_process(COMMAND ${PROGRAM} train --config ${CONFIG} ${run_settings} WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PROGRAM} report run --out report.html WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
get_filename_component(modules_parent ${MODULES} DIRECTORY)
execute_process(COMMAND ${NODE} ${SOURCE}/report_page.mjs ${WORK}/report.html ${CHROMIUM} ${WORK}
                WORKING_DIRECTORY ${modules_parent} COMMAND_ERROR_IS_FATAL ANY)
