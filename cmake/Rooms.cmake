# A room is a folder of src/. It becomes object libraries that know only the rooms below them.
#
#   ddpm_room(<room> [DEPENDS rooms…] [LIBRARIES targets…] [TORCH] [TORCH_SOURCES files…] [TORCH_FREE_SOURCES files…])
#
# makes ddpm_<room> of src/<room>/*.cpp. TORCH says that its sources see LibTorch's headers. The few that differ from
# their room (TORCH_SOURCES of a torch-free one, TORCH_FREE_SOURCES of a torch one) become ddpm_<room>_torch and
# ddpm_<room>_plain. src/<room>/main.cpp belongs to a program and is left out.

function(ddpm_room room)
    cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "DEPENDS;LIBRARIES;TORCH_SOURCES;TORCH_FREE_SOURCES")
    set(folder ${PROJECT_SOURCE_DIR}/src/${room})

    set(below)
    foreach(dependency IN LISTS arg_DEPENDS)
        get_property(further GLOBAL PROPERTY ddpm_below_${dependency})
        list(APPEND below ${further} ${dependency})
    endforeach()
    list(REMOVE_DUPLICATES below)
    set_property(GLOBAL PROPERTY ddpm_below_${room} ${below})
    set_property(GLOBAL APPEND PROPERTY ddpm_rooms ${room})

    set(libraries ${arg_LIBRARIES})
    foreach(lower IN LISTS below)
        get_property(further GLOBAL PROPERTY ddpm_libraries_${lower})
        list(APPEND libraries ${further})
    endforeach()
    list(REMOVE_DUPLICATES libraries)
    set_property(GLOBAL PROPERTY ddpm_libraries_${room} ${libraries})

    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    list(REMOVE_ITEM sources ${folder}/main.cpp)
    set(differing ${arg_TORCH_SOURCES} ${arg_TORCH_FREE_SOURCES})
    list(TRANSFORM differing PREPEND ${folder}/)
    set(odd_sources)
    foreach(source IN LISTS sources)
        if(source IN_LIST differing)
            list(APPEND odd_sources ${source})
        endif()
    endforeach()
    if(odd_sources)
        list(REMOVE_ITEM sources ${odd_sources})
    endif()

    if(arg_TORCH)
        ddpm_room_objects(${room} ddpm_${room} torch "${sources}" "${libraries}")
        ddpm_room_objects(${room} ddpm_${room}_plain plain "${odd_sources}" "${libraries}")
    else()
        ddpm_room_objects(${room} ddpm_${room} plain "${sources}" "${libraries}")
        ddpm_room_objects(${room} ddpm_${room}_torch torch "${odd_sources}" "${libraries}")
    endif()
endfunction()

function(ddpm_room_objects room target kind sources libraries)
    if(NOT sources OR (kind STREQUAL "torch" AND NOT DDPM_TORCH))
        return()
    endif()
    add_library(${target} OBJECT ${sources})
    if(NOT DDPM_TORCH)
        set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)  # the tests take what they need
    endif()
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${libraries})
    ddpm_compile_settings(${target})
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${DDPM_UNITY} UNITY_BUILD_BATCH_SIZE 4)
    if(kind STREQUAL "torch")
        target_link_libraries(${target} PUBLIC LibTorch::LibTorch)
        ddpm_use_torch_pch(${target})
    endif()
    set_property(GLOBAL APPEND PROPERTY ddpm_${kind}_objects_${room} ${target})
endfunction()

#   ddpm_vector_sources(files…)
#
# marks sources that Highway includes once for each instruction set. The instruction sets of x86 that add nothing here are
# left out. Each such source is a unit by itself.
function(ddpm_vector_sources)
    set_source_files_properties(${ARGN} PROPERTIES
        SKIP_UNITY_BUILD_INCLUSION ON COMPILE_DEFINITIONS "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL)")
endfunction()

# LibTorch's operators cost 7 s a source, or 1.3 s when they are compiled once for all sources. torch/nn.h would cost
# every source 5 s in here, because GCC instantiates a precompiled header's pending templates again in each; the few
# sources that define modules include it themselves.
function(ddpm_use_torch_pch target)
    if(NOT TARGET ddpm_torch_pch)
        set(source ${PROJECT_BINARY_DIR}/torch_pch.cpp)
        file(CONFIGURE OUTPUT ${source} CONTENT "// The precompiled header needs a source to hang on.\n")
        add_library(ddpm_torch_pch OBJECT ${source})
        # spdlog and JSON are in it because nearly every source sees them. Every room links both, so their definitions
        # agree.
        target_link_libraries(ddpm_torch_pch PRIVATE LibTorch::LibTorch nlohmann_json::nlohmann_json spdlog::spdlog)
        target_precompile_headers(ddpm_torch_pch PRIVATE <ATen/ATen.h> <nlohmann/json.hpp> <spdlog/spdlog.h>)
        ddpm_compile_settings(ddpm_torch_pch)
    endif()
    target_precompile_headers(${target} REUSE_FROM ddpm_torch_pch)
endfunction()

#   ddpm_torch_free_library(<target> rooms…)
#
# makes one static library of the sources of the rooms that see no LibTorch header. These are parsers, readers and
# threads, which are fuzzed and sanitized without LibTorch.
function(ddpm_torch_free_library target)
    add_library(${target} STATIC EXCLUDE_FROM_ALL)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src)
    foreach(room IN LISTS ARGN)
        get_property(objects GLOBAL PROPERTY ddpm_plain_objects_${room})
        foreach(object IN LISTS objects)
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
        endforeach()
        get_property(libraries GLOBAL PROPERTY ddpm_libraries_${room})
        target_link_libraries(${target} PUBLIC ${libraries})
    endforeach()
endfunction()

# Makes one static library of all rooms.
function(ddpm_library target)
    add_library(${target} STATIC)
    add_library(ddpm::${target} ALIAS ${target})
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_compile_features(${target} PUBLIC cxx_std_20)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
    get_property(rooms GLOBAL PROPERTY ddpm_rooms)
    foreach(room IN LISTS rooms)
        get_property(objects GLOBAL PROPERTY ddpm_plain_objects_${room})
        get_property(torch_objects GLOBAL PROPERTY ddpm_torch_objects_${room})
        foreach(object IN LISTS objects torch_objects)
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
        endforeach()
        get_property(libraries GLOBAL PROPERTY ddpm_libraries_${room})
        target_link_libraries(${target} PUBLIC ${libraries})
    endforeach()
    target_link_libraries(${target} PUBLIC LibTorch::LibTorch)
endfunction()

# Makes the program of src/cli/main.cpp and the library.
function(ddpm_program target library)
    add_executable(${target} ${PROJECT_SOURCE_DIR}/src/cli/main.cpp)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ddpm)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PRIVATE ${library})
    ddpm_compile_settings(${target})
endfunction()

#   ddpm_room_tests(<name> [rooms…] [SOURCES files…] [SHARDS n])
#
# makes test_<name> of tests/<name>/*_test.cpp, or of the files named alone. It links the objects of the rooms (without
# any, of the room of that name) and of the rooms below them, so that an upward call does not link. The tests of
# torch-free rooms link no LibTorch. One CTest test is one executable, because a process that loads LibTorch pays 0.3 s
# before main, too much for every case. With SHARDS they are n CTest tests, name_1 … name_n, which can run side by side.
function(ddpm_room_tests name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SHARDS" "SOURCES")
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp)
    if(arg_SOURCES)
        list(TRANSFORM arg_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/tests/${name}/ OUTPUT_VARIABLE sources)
    endif()
    if(NOT sources)
        return()
    endif()
    set(tested ${arg_UNPARSED_ARGUMENTS})
    if(NOT tested)
        set(tested ${name})
    endif()
    set(members)
    set(uses_torch)
    set(libraries)
    foreach(room IN LISTS tested)
        get_property(below GLOBAL PROPERTY ddpm_below_${room})
        list(APPEND members ${below} ${room})
        get_property(objects GLOBAL PROPERTY ddpm_torch_objects_${room})
        list(APPEND uses_torch ${objects})
        get_property(further GLOBAL PROPERTY ddpm_libraries_${room})
        list(APPEND libraries ${further})
    endforeach()
    list(REMOVE_DUPLICATES members)
    list(REMOVE_DUPLICATES libraries)

    add_executable(test_${name} ${sources})
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                                                    ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(test_${name} PRIVATE DDPM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                    DDPM_TEST_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data")
    if(NOT DDPM_TORCH)
        set(members)  # torch rooms lie between the torch-free parts, so all of those are taken
        set(libraries ddpm_torch_free)
    endif()
    foreach(member IN LISTS members)
        get_property(objects GLOBAL PROPERTY ddpm_plain_objects_${member})
        get_property(torch_objects GLOBAL PROPERTY ddpm_torch_objects_${member})
        target_link_libraries(test_${name} PRIVATE ${objects})
        if(uses_torch)
            target_link_libraries(test_${name} PRIVATE ${torch_objects})
        endif()
    endforeach()
    target_link_libraries(test_${name} PRIVATE ${libraries} GTest::gtest_main)
    ddpm_compile_settings(test_${name})
    if(uses_torch)
        ddpm_use_torch_pch(test_${name})
    endif()

    # CTest runs the rooms side by side. With one thread each, OpenMP does not compete for the cores. The limit is for what waits
    # for ever; a busy machine may take long.
    set(environment OMP_NUM_THREADS=1)
    if(NOT arg_SHARDS)
        add_test(NAME ${name} COMMAND test_${name} --gtest_brief=1)
        set_tests_properties(${name} PROPERTIES ENVIRONMENT "${environment}" TIMEOUT 3600)
        return()
    endif()
    foreach(shard RANGE 1 ${arg_SHARDS})
        math(EXPR index "${shard} - 1")
        add_test(NAME ${name}_${shard} COMMAND test_${name} --gtest_brief=1)
        set_tests_properties(${name}_${shard} PROPERTIES TIMEOUT 3600
            ENVIRONMENT "${environment};GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${index}")
    endforeach()
endfunction()
