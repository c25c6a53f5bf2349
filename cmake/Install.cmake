# `cmake --install`: the library, its public headers, a CMake package and a pkg-config file.

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/stoq")

install(TARGETS stoq_library EXPORT stoqTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/stoq DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT stoqTargets NAMESPACE stoq:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/stoqConfig.cmake.in "${CMAKE_BINARY_DIR}/stoqConfig.cmake"
    INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/stoqConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/stoqConfig.cmake" "${CMAKE_BINARY_DIR}/stoqConfigVersion.cmake"
    DESTINATION "${package_dir}")

# For pkg-config: the system's OpenSSL by its own file, one from the cache by name and place.
set(STOQ_PC_REQUIRES "")
set(STOQ_PC_LIBS "-pthread -lstdc++")
if(_stoq_openssl_from_cache)
    string(PREPEND STOQ_PC_LIBS "${OPENSSL_SSL_LIBRARY} ${OPENSSL_CRYPTO_LIBRARY} -lz -lzstd -ldl ")
else()
    set(STOQ_PC_REQUIRES "openssl >= ${STOQ_OPENSSL_LEAST}")
endif()
if(STOQ_WITH_FALCON)
    string(PREPEND STOQ_PC_LIBS "${STOQ_LIBOQS_LIBRARY} -lm ")
endif()
if(STOQ_HAVE_IPSEC_MB)
    string(PREPEND STOQ_PC_LIBS "${IPSEC_MB_LIBRARY} ")
endif()
if(STOQ_HAVE_BPF)
    string(APPEND STOQ_PC_REQUIRES " libbpf >= 1.0")
endif()
configure_file(cmake/stoq.pc.in "${CMAKE_BINARY_DIR}/stoq.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/stoq.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
