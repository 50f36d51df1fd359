# cmake --install installs the program, and the library for find_package(ddpm).
include(CMakePackageConfigHelpers)
set(ddpm_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ddpm)

# The program runs from anywhere, with the LibTorch that it was built with or with a copy of its own. The copy keeps the
# folders of the wheel, torch/lib and nvidia/*/lib, by which LibTorch's libraries find each other.
if(DDPM_BUNDLE_LIBTORCH)
    set(ddpm_bundle_folder ${CMAKE_INSTALL_LIBDIR}/ddpm)
    file(RELATIVE_PATH ddpm_bundle_from_program ${CMAKE_INSTALL_FULL_BINDIR}
         ${CMAKE_INSTALL_FULL_LIBDIR}/ddpm/torch/lib)
    set_target_properties(ddpm_executable PROPERTIES
        INSTALL_RPATH "$<IF:$<PLATFORM_ID:Darwin>,@loader_path,$ORIGIN>/${ddpm_bundle_from_program}")
    set(ddpm_libraries_only FILES_MATCHING PATTERN "*.so" PATTERN "*.so.*" PATTERN "*.dylib"
                            PATTERN "*torch_python*" EXCLUDE PATTERN "include" EXCLUDE)
    install(DIRECTORY ${LibTorch_FOLDER}/lib/ DESTINATION ${ddpm_bundle_folder}/torch/lib ${ddpm_libraries_only})
    if(LibTorch_CUDA AND EXISTS ${LibTorch_FOLDER}/../nvidia)
        install(DIRECTORY ${LibTorch_FOLDER}/../nvidia DESTINATION ${ddpm_bundle_folder} ${ddpm_libraries_only})
    endif()
else()
    # LibTorch is named here because INSTALL_RPATH_USE_LINK_PATH leaves out folders of the clone, where .venv is.
    set_target_properties(ddpm_executable PROPERTIES INSTALL_RPATH ${LibTorch_FOLDER}/lib INSTALL_RPATH_USE_LINK_PATH ON)
endif()
install(TARGETS ddpm_executable)

install(TARGETS ddpm EXPORT ddpmTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ddpm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT ddpmTargets NAMESPACE ddpm:: DESTINATION ${ddpm_package_folder})
configure_package_config_file(cmake/ddpmConfig.cmake.in ${PROJECT_BINARY_DIR}/ddpmConfig.cmake
                              INSTALL_DESTINATION ${ddpm_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ddpmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ddpmConfig.cmake ${PROJECT_BINARY_DIR}/ddpmConfigVersion.cmake
              cmake/FindLibTorch.cmake cmake/Findutf8proc.cmake DESTINATION ${ddpm_package_folder})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Dependencies that were built in this tree are installed too, apart from the system's.
if(IS_DIRECTORY ${ddpm_deps_prefix})
    install(DIRECTORY ${ddpm_deps_prefix}/include ${ddpm_deps_prefix}/lib ${ddpm_deps_prefix}/share
            DESTINATION ${ddpm_package_folder}/deps PATTERN "*.so*" EXCLUDE)
endif()
