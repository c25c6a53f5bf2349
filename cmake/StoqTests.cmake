# Tests of three kinds: unit tests, property tests and fuzz targets.

include(GoogleTest)

# A test's own code is compiled more often than it runs; the library below it stays as it is built.
set(STOQ_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)

# Sets `result` to the targets of the named folders of src/, or to NOTFOUND.
function(_stoq_test_dependencies name result)
    set(targets "")
    foreach(dependency IN LISTS ARGN)
        set(target stoq_${dependency})
        if(TARGET ${dependency})
            set(target ${dependency})
        elseif(NOT TARGET ${target})
            stoq_left_out("the test ${name} needs ${dependency}, which is not built")
            set(${result} NOTFOUND PARENT_SCOPE)
            return()
        endif()
        list(APPEND targets ${target})
    endforeach()
    set(${result} "${targets}" PARENT_SCOPE)
endfunction()

# stoq_unit_test(<name> SOURCES file... [DEPENDS folder-or-target...] [LINK library...] [LABEL unit]
#                [TIMEOUT seconds] [WHOLE])
#
# A GoogleTest program. Without run-time type information, as the library, so that a test may derive
# from a class of it. WHOLE: one ctest entry for the program, rather than one for each case; for
# programs with a fixture that is dear to set up, or with thousands of generated cases.
function(stoq_unit_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "WHOLE" "LABEL;TIMEOUT" "SOURCES;DEPENDS;LINK")
    _stoq_test_dependencies(${name} dependencies ${arg_DEPENDS})
    if("${dependencies}" STREQUAL NOTFOUND)
        return()
    endif()
    if(NOT arg_LABEL)
        set(arg_LABEL unit)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    stoq_present_sources(sources ${arg_SOURCES})
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_compile_options(${name} PRIVATE -fno-rtti ${STOQ_TEST_OPTIONS})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE ${dependencies} ${arg_LINK} stoq_warnings GTest::gmock GTest::gtest_main)
    if(arg_WHOLE)
        add_test(NAME ${name} COMMAND ${name})
        set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
    else()
        gtest_discover_tests(${name} NO_PRETTY_VALUES PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} DISCOVERY_TIMEOUT 60)
    endif()
endfunction()

# stoq_allocation_test(<name> SOURCES file... [DEPENDS ...])
#
# A unit test that counts allocations, by functions of its own in place of the global ones.
# ThreadSanitizer does the same, so the two do not go together.
function(stoq_allocation_test name)
    if(STOQ_SANITIZE MATCHES "thread")
        message(STATUS "STOQ: ${name} is left out: ThreadSanitizer has allocation functions of its own")
        return()
    endif()
    stoq_unit_test(${name} ${ARGN})
endfunction()

# stoq_property_test(<name> SOURCES file... [DEPENDS ...] [LINK ...] [TIMEOUT seconds])
#
# A GoogleTest program with RapidCheck, which needs exceptions and run-time type information.
function(stoq_property_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPENDS;LINK")
    _stoq_test_dependencies(${name} dependencies ${arg_DEPENDS})
    if("${dependencies}" STREQUAL NOTFOUND)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    stoq_present_sources(sources ${arg_SOURCES})
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_compile_options(${name} PRIVATE ${STOQ_TEST_OPTIONS})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE
        ${dependencies} ${arg_LINK} stoq_warnings stoq_rapidcheck GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name} NO_PRETTY_VALUES PROPERTIES LABELS property TIMEOUT ${arg_TIMEOUT} DISCOVERY_TIMEOUT 60)
endfunction()

# stoq_fuzz_target(<name> SOURCES file... [DEPENDS ...] [LINK ...] [CORPUS folder] [MUTATIONS count])
#
# SOURCES define LLVMFuzzerTestOneInput. With -DSTOQ_FUZZ=ON a libFuzzer program; otherwise one that
# replays the corpus (tests/fuzz/corpus/<name> unless named) and mutations of it, as a test. MUTATIONS:
# how many, for targets whose executions are dear.
function(stoq_fuzz_target name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS;MUTATIONS" "SOURCES;DEPENDS;LINK")
    _stoq_test_dependencies(${name} dependencies ${arg_DEPENDS})
    if("${dependencies}" STREQUAL NOTFOUND)
        return()
    endif()
    if(NOT arg_CORPUS)
        set(arg_CORPUS "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
    endif()
    stoq_present_sources(sources ${arg_SOURCES})
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_compile_options(${name} PRIVATE -fno-rtti)
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE ${dependencies} ${arg_LINK} stoq_warnings)
    set_property(GLOBAL APPEND PROPERTY STOQ_FUZZ_TARGETS ${name})
    if(STOQ_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp")
        add_test(NAME replay.${name} COMMAND ${name} "${arg_CORPUS}" ${arg_MUTATIONS})
        set_tests_properties(replay.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
    endif()
endfunction()
