# Reads every #include of include/ and src/, and fails on one of a room that its own may not use, on a private header of
# another room, and on a torch header in a source that is to be torch-free. LAYERS is written by CMake from the table of
# rooms in CMakeLists.txt. bench/ and tests/ may include private headers of every room but cli, the program itself.
#   cmake -DROOT=… -DLAYERS=… -P layering_test.cmake
cmake_minimum_required(VERSION 3.22)
include(${LAYERS})

# What still includes headers of src/cli from outside: "file: header". To be emptied, not to be added to.
set(users_of_cli
    "bench/bench_ddpm.cpp: cli/pictures.h"
    "tests/parity/ddpm_parity.cpp: cli/config.h"
    "tests/parity/ddpm_parity.cpp: cli/model.h"
    "tests/torture/cases.cpp: cli/config.h")

# Sets `result` to all sources and headers under `folder`, from ROOT on.
function(sources_under folder result)
    file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cpp ${ROOT}/${folder}/*.cu ${ROOT}/${folder}/*.cuh)
    set(${result} ${files} PARENT_SCOPE)
endfunction()

# Sets `result` to what the #includes in quotes of a file name.
function(quoted_includes file result)
    file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
    list(TRANSFORM lines REPLACE "^[^\"]*\"([^\"]*)\".*$" "\\1")
    set(${result} ${lines} PARENT_SCOPE)
endfunction()

set(breaches "")
foreach(room IN LISTS rooms)
    sources_under(include/ddpm/${room} files)
    sources_under(src/${room} private_files)
    foreach(file IN LISTS files private_files)
        quoted_includes(${file} includes)
        foreach(include IN LISTS includes)
            if(include MATCHES "^\\.\\./")
                string(APPEND breaches "\n  ${file}: \"${include}\" (name it from src/ or include/ on)")
            elseif(include MATCHES "^(ddpm/)?([a-z_]+)/")
                set(public "${CMAKE_MATCH_1}")
                set(other ${CMAKE_MATCH_2})
                if(NOT other IN_LIST below_${room} AND NOT other STREQUAL room)
                    string(APPEND breaches "\n  ${file}: \"${include}\" (${room} may use: ${below_${room}})")
                elseif(NOT public AND (NOT other STREQUAL room OR file MATCHES "^include/"))
                    string(APPEND breaches "\n  ${file}: \"${include}\" (a private header of ${other})")
                endif()
            endif()
        endforeach()
    endforeach()
endforeach()

foreach(folder bench tests)
    sources_under(${folder} files)
    foreach(file IN LISTS files)
        quoted_includes(${file} includes)
        foreach(include IN LISTS includes)
            if(NOT include MATCHES "^cli/" OR NOT EXISTS ${ROOT}/src/${include} OR file MATCHES "^tests/cli/")
                continue()
            endif()
            if("${file}: ${include}" IN_LIST users_of_cli)
                list(REMOVE_ITEM users_of_cli "${file}: ${include}")
            else()
                string(APPEND breaches "\n  ${file}: \"${include}\" (src/cli is the program; nothing else includes it)")
            endif()
        endforeach()
    endforeach()
endforeach()
foreach(user IN LISTS users_of_cli)
    string(APPEND breaches "\n  ${user}: no longer so; remove it from users_of_cli in tests/build/layering_test.cmake")
endforeach()

foreach(file IN LISTS torch_free_sources)
    file(RELATIVE_PATH name ${ROOT} ${file})
    file(STRINGS ${file} includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"](torch|ATen|c10)/")
    foreach(include IN LISTS includes)
        string(APPEND breaches "\n  ${name}: ${include}  (torch-free)")
    endforeach()
endforeach()
if(breaches)
    message(FATAL_ERROR "Includes that should not be:${breaches}")
endif()
