# Installs the built tree under another prefix, and builds a project that finds it there. The project must sample the same
# pictures as the installed program from the same run.
#   cmake -DBUILD=… -DSOURCE=… -DWORK=… -DGENERATOR=… -DCXX=… -DTYPE=… -DFLAGS=… -P consumer_test.cmake
file(REMOVE_RECURSE ${WORK})

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${WORK}/prefix/bin/ddpm --version)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=${TYPE}
    -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
file(WRITE ${WORK}/tiny.json [[{
    "dataset": {"type": "shapes", "image_size": 8},
    "model": {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4, "attention_resolutions": [4]},
    "diffusion": {"timesteps": 20},
    "train": {"steps": 2, "batch_size": 4, "warmup_steps": 0, "sample_every": 0}
}]])
run(${WORK}/prefix/bin/ddpm train --config ${WORK}/tiny.json --out ${WORK}/run)
run(${WORK}/prefix/bin/ddpm sample --ckpt ${WORK}/run --n 4 --format safetensors --out ${WORK}/samples)
run(${WORK}/build/consumer ${WORK}/run ${WORK}/samples/samples.safetensors)
