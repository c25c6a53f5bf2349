# What the library links: OpenSSL, liboqs for Falcon, and intel-ipsec-mb and libbpf where there are such.
#
# The system's packages come first. Where they are too old, tools/dev/setup.sh (`make setup`) has put
# newer ones into a cache outside the tree and left their prefixes in prefixes.cmake there.

find_package(PkgConfig QUIET)
find_package(Threads REQUIRED)

set(STOQ_OPENSSL_LEAST 3.5)

if(DEFINED ENV{STOQ_CACHE})
    set(_stoq_cache "$ENV{STOQ_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(_stoq_cache "$ENV{XDG_CACHE_HOME}/stoq")
else()
    set(_stoq_cache "$ENV{HOME}/.cache/stoq")
endif()
include("${_stoq_cache}/prefixes.cmake" OPTIONAL)

# --- OpenSSL: OpenSSL::SSL, OpenSSL::Crypto ------------------------------------------------------

set(_stoq_openssl_from_cache OFF)
if(NOT OPENSSL_ROOT_DIR AND NOT DEFINED ENV{OPENSSL_ROOT_DIR} AND STOQ_OPENSSL_ROOT)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(STOQ_SYSTEM_OPENSSL QUIET "openssl>=${STOQ_OPENSSL_LEAST}")
    endif()
    if(NOT STOQ_SYSTEM_OPENSSL_FOUND)
        set(_stoq_openssl_from_cache ON)
        set(OPENSSL_ROOT_DIR "${STOQ_OPENSSL_ROOT}")
        set(OPENSSL_USE_STATIC_LIBS TRUE)
    endif()
endif()

find_package(OpenSSL QUIET)
if(NOT OPENSSL_FOUND OR OPENSSL_VERSION VERSION_LESS STOQ_OPENSSL_LEAST)
    message(FATAL_ERROR "STOQ needs OpenSSL >= ${STOQ_OPENSSL_LEAST}, found: '${OPENSSL_VERSION}'.\n"
        "`make setup` installs or builds one into ${_stoq_cache};\n"
        "or name one of your own with -DOPENSSL_ROOT_DIR=<prefix>.")
endif()

if(_stoq_openssl_from_cache)
    # The archive was built with both compressions for certificates; an archive does not say so itself.
    find_package(ZLIB REQUIRED)
    find_library(STOQ_ZSTD_LIBRARY NAMES zstd REQUIRED)
    mark_as_advanced(STOQ_ZSTD_LIBRARY)
    set_property(TARGET OpenSSL::Crypto APPEND PROPERTY INTERFACE_LINK_LIBRARIES
        ZLIB::ZLIB "${STOQ_ZSTD_LIBRARY}" Threads::Threads ${CMAKE_DL_LIBS})
    set(_stoq_openssl_hints HINTS "${STOQ_OPENSSL_ROOT}/bin" NO_DEFAULT_PATH)
endif()

# The program of the same version: tests make certificates with it.
find_program(STOQ_OPENSSL_PROGRAM openssl ${_stoq_openssl_hints})
mark_as_advanced(STOQ_OPENSSL_PROGRAM)

# --- intel-ipsec-mb: ipsec_mb::ipsec_mb ----------------------------------------------------------

set(STOQ_WITH_IPSEC_MB AUTO CACHE STRING "Seal packets in batches with intel-ipsec-mb: AUTO, ON, OFF")
set_property(CACHE STOQ_WITH_IPSEC_MB PROPERTY STRINGS AUTO ON OFF)

# The QUIC calls came with 2.0; an older header does not name them.
function(stoq_find_ipsec_mb result)
    set(${result} OFF PARENT_SCOPE)
    find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h HINTS ${STOQ_IPSEC_MB_ROOT} PATH_SUFFIXES include)
    if(STOQ_IPSEC_MB_ROOT)
        # As an archive: what is built must run where the cache is not.
        find_library(IPSEC_MB_LIBRARY NAMES libIPSec_MB.a NO_DEFAULT_PATH
            PATHS "${STOQ_IPSEC_MB_ROOT}/lib" "${STOQ_IPSEC_MB_ROOT}/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
    endif()
    find_library(IPSEC_MB_LIBRARY NAMES IPSec_MB)
    mark_as_advanced(IPSEC_MB_INCLUDE_DIR IPSEC_MB_LIBRARY)
    if(NOT IPSEC_MB_INCLUDE_DIR OR NOT IPSEC_MB_LIBRARY)
        return()
    endif()
    file(STRINGS "${IPSEC_MB_INCLUDE_DIR}/intel-ipsec-mb.h" has_quic REGEX "imb_quic_aes_gcm" LIMIT_COUNT 1)
    if(NOT has_quic)
        return()
    endif()
    add_library(ipsec_mb::ipsec_mb UNKNOWN IMPORTED GLOBAL)
    set_target_properties(ipsec_mb::ipsec_mb PROPERTIES
        IMPORTED_LOCATION "${IPSEC_MB_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${IPSEC_MB_INCLUDE_DIR}")
    set(${result} ON PARENT_SCOPE)
endfunction()

set(STOQ_HAVE_IPSEC_MB OFF)
if(STOQ_WITH_IPSEC_MB)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
        stoq_find_ipsec_mb(STOQ_HAVE_IPSEC_MB)
    endif()
    if(NOT STOQ_HAVE_IPSEC_MB AND NOT STOQ_WITH_IPSEC_MB STREQUAL AUTO)
        message(FATAL_ERROR "intel-ipsec-mb >= 2.0 was asked for and not found; `make setup` installs it.")
    endif()
endif()

# --- liboqs: oqs::oqs ----------------------------------------------------------------------------

option(STOQ_WITH_FALCON "Falcon signatures, with liboqs" ON)

option(STOQ_FALCON_PORTABLE "Sign with constant-time integer code alone, at twenty times the cost (SECURITY.md)" OFF)

set(STOQ_LIBOQS_LEAST 0.12)

# Another value of the option: another library.
if(NOT "${STOQ_FALCON_PORTABLE_OF_LAST_TIME}" STREQUAL "${STOQ_FALCON_PORTABLE}")
    unset(STOQ_LIBOQS_INCLUDE_DIR CACHE)
    unset(STOQ_LIBOQS_LIBRARY CACHE)
    set(STOQ_FALCON_PORTABLE_OF_LAST_TIME "${STOQ_FALCON_PORTABLE}" CACHE INTERNAL "")
endif()

# Sets `result` to whether a liboqs with all of Falcon was found; then STOQ_LIBOQS_LIBRARY and
# STOQ_LIBOQS_INCLUDE_DIR name it.
function(stoq_find_liboqs result)
    set(${result} OFF PARENT_SCOPE)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(STOQ_SYSTEM_LIBOQS QUIET "liboqs>=${STOQ_LIBOQS_LEAST}")
    endif()
    if(STOQ_FALCON_PORTABLE)
        set(hints HINTS $CACHE{STOQ_PORTABLE_LIBOQS_ROOT} ${STOQ_PORTABLE_LIBOQS_ROOT}
            PATH_SUFFIXES include lib NO_DEFAULT_PATH)
    elseif(STOQ_SYSTEM_LIBOQS_FOUND AND NOT DEFINED CACHE{STOQ_LIBOQS_ROOT})
        set(hints HINTS ${STOQ_SYSTEM_LIBOQS_INCLUDE_DIRS} ${STOQ_SYSTEM_LIBOQS_LIBRARY_DIRS})
    else()
        # What -D names, before what set-up has left.
        set(hints HINTS $CACHE{STOQ_LIBOQS_ROOT} ${STOQ_LIBOQS_ROOT} PATH_SUFFIXES include lib)
    endif()
    find_path(STOQ_LIBOQS_INCLUDE_DIR oqs/oqs.h ${hints})
    find_library(STOQ_LIBOQS_LIBRARY NAMES oqs ${hints})
    mark_as_advanced(STOQ_LIBOQS_INCLUDE_DIR STOQ_LIBOQS_LIBRARY)
    if(NOT STOQ_LIBOQS_INCLUDE_DIR OR NOT STOQ_LIBOQS_LIBRARY)
        return()
    endif()
    file(STRINGS "${STOQ_LIBOQS_INCLUDE_DIR}/oqs/oqsconfig.h" has_falcon
        REGEX "^#define OQS_ENABLE_SIG_falcon_(padded_)?(512|1024) ")
    list(LENGTH has_falcon kinds)
    file(STRINGS "${STOQ_LIBOQS_INCLUDE_DIR}/oqs/oqsconfig.h" fast REGEX "^#define OQS_ENABLE_SIG_falcon_.*_(avx2|aarch64) ")
    if(STOQ_FALCON_PORTABLE AND fast)
        message(FATAL_ERROR "${STOQ_LIBOQS_LIBRARY} has code for one processor, which STOQ_FALCON_PORTABLE forbids.")
    endif()
    if(kinds EQUAL 4)
        set(${result} ON PARENT_SCOPE)
    endif()
endfunction()

if(STOQ_WITH_FALCON)
    stoq_find_liboqs(STOQ_HAVE_LIBOQS)
    if(NOT STOQ_HAVE_LIBOQS)
        message(FATAL_ERROR "STOQ needs liboqs >= ${STOQ_LIBOQS_LEAST} with Falcon-512 and Falcon-1024, plain and padded.\n"
            "`make setup` builds one into ${_stoq_cache};\n"
            "or name one of your own with -DSTOQ_LIBOQS_ROOT=<prefix>;\n"
            "(with STOQ_FALCON_PORTABLE: `tools/dev/setup.sh falcon-portable`, -DSTOQ_PORTABLE_LIBOQS_ROOT=<prefix>);\n"
            "or build without Falcon: -DSTOQ_WITH_FALCON=OFF (then no peer can be authenticated post-quantum with it).")
    endif()
    add_library(oqs::oqs UNKNOWN IMPORTED GLOBAL)
    set_target_properties(oqs::oqs PROPERTIES
        IMPORTED_LOCATION "${STOQ_LIBOQS_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${STOQ_LIBOQS_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "OpenSSL::Crypto;Threads::Threads;m")
endif()

# --- libbpf: PkgConfig::LIBBPF -------------------------------------------------------------------

set(STOQ_WITH_BPF AUTO CACHE STRING "Programs for the kernel, with libbpf, clang and bpftool: AUTO, ON, OFF")
set_property(CACHE STOQ_WITH_BPF PROPERTY STRINGS AUTO ON OFF)

set(STOQ_HAVE_BPF OFF)
if(STOQ_WITH_BPF)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(LIBBPF QUIET IMPORTED_TARGET GLOBAL "libbpf>=1.0")
    endif()
    find_program(STOQ_BPF_CLANG NAMES clang clang-19)
    find_program(STOQ_BPFTOOL bpftool PATHS /usr/sbin)
    mark_as_advanced(STOQ_BPF_CLANG STOQ_BPFTOOL)
    if(LIBBPF_FOUND AND STOQ_BPF_CLANG AND STOQ_BPFTOOL)
        set(STOQ_HAVE_BPF ON)
    elseif(NOT STOQ_WITH_BPF STREQUAL AUTO)
        message(FATAL_ERROR "libbpf >= 1.0, clang and bpftool were asked for and not found; `make setup` installs them.")
    endif()
endif()

message(STATUS "STOQ: OpenSSL ${OPENSSL_VERSION} (${OPENSSL_SSL_LIBRARY})")
if(STOQ_HAVE_IPSEC_MB)
    message(STATUS "STOQ: intel-ipsec-mb (${IPSEC_MB_LIBRARY})")
else()
    message(STATUS "STOQ: no intel-ipsec-mb; packets are protected by OpenSSL alone")
endif()
if(STOQ_WITH_FALCON)
    message(STATUS "STOQ: liboqs (${STOQ_LIBOQS_LIBRARY})")
else()
    message(STATUS "STOQ: without Falcon")
endif()
if(STOQ_HAVE_BPF)
    message(STATUS "STOQ: libbpf ${LIBBPF_VERSION}")
else()
    message(STATUS "STOQ: no libbpf, clang or bpftool; workers hand datagrams over to each other")
endif()
