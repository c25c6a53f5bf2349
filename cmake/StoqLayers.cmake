# One target per folder of src/, in layers: a folder sees only folders of lower layers, and of those
# only the ones it names. Each folder is staged as <build>/layers/<folder>/<folder>, and a target's
# include path holds nothing but the stages of what it depends on, so that an include upward or
# sideways is a file that cannot be found.

set(STOQ_LAYERS
    "base"
    "wire crypto falcon io"
    "observe"
    "protection tls"
    "recovery congestion streams path extensions adapt"
    "connection"
    "endpoint"
    "runtime")

string(REPLACE ";" " " _stoq_folders "${STOQ_LAYERS}")
separate_arguments(STOQ_FOLDERS UNIX_COMMAND "${_stoq_folders}")

# Something that is named but not there: an error of the presets, and a warning otherwise, so that
# folders which are being written do not stop the work on others.
option(STOQ_STRICT "What is named but not there is an error" OFF)
function(stoq_left_out text)
    if(STOQ_STRICT)
        message(FATAL_ERROR "${text}")
    endif()
    message(WARNING "left out: ${text}")
endfunction()

# Sets `result` to those of the named sources that are there.
function(stoq_present_sources result)
    set(present "")
    foreach(source IN LISTS ARGN)
        if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${source}" OR EXISTS "${source}")
            list(APPEND present "${source}")
        else()
            stoq_left_out("${CMAKE_CURRENT_SOURCE_DIR}/${source}")
        endif()
    endforeach()
    set(${result} "${present}" PARENT_SCOPE)
endfunction()

# Sets `result` to the number of the layer that `folder` belongs to.
function(stoq_layer_of folder result)
    set(number 0)
    foreach(layer IN LISTS STOQ_LAYERS)
        separate_arguments(folders UNIX_COMMAND "${layer}")
        if(folder IN_LIST folders)
            set(${result} ${number} PARENT_SCOPE)
            return()
        endif()
        math(EXPR number "${number} + 1")
    endforeach()
    message(FATAL_ERROR "${folder} is in no layer of cmake/StoqLayers.cmake")
endfunction()

# Warnings for our own code. C++23 without extensions comes from the root.
add_library(stoq_warnings INTERFACE)
target_compile_options(stoq_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wundef -Wvla
    $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local -Wduplicated-cond>
    $<$<CXX_COMPILER_ID:Clang>:-Wshadow -Wno-sign-conversion>
    $<$<BOOL:${STOQ_WARNINGS_AS_ERRORS}>:-Werror>)

# What GCC's optimizer warns about changes with its version and is often wrong: GCC 12 sees overlapping
# copies in std::string (its bug 105329) and uninitialized members in moved variants. Clang and the
# sanitizers look for the same mistakes.
target_compile_options(stoq_warnings INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overread
        -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=free-nonheap-object>)

# Sources without exceptions and run-time type information. -fno-sanitize=vptr: that check needs the latter.
add_library(stoq_core_flags INTERFACE)
target_compile_options(stoq_core_flags INTERFACE
    -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections)
target_link_libraries(stoq_core_flags INTERFACE stoq_warnings)

# stoq_layer(<folder> [SOURCES file...] [DEPENDS folder...] [LINK library...])
#
# A static library stoq_<folder> (headers only: an interface library). What a folder depends on is
# visible to those who depend on it: its headers include theirs.
function(stoq_layer folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LINK")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "stoq_layer(${folder}): what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    stoq_layer_of(${folder} own_layer)
    set(depends "")
    foreach(dependency IN LISTS arg_DEPENDS)
        stoq_layer_of(${dependency} their_layer)
        if(NOT their_layer LESS own_layer)
            message(FATAL_ERROR "layers: ${folder} (L${own_layer}) may not depend on ${dependency} (L${their_layer})")
        endif()
        if(NOT TARGET stoq_${dependency})
            stoq_left_out("src/${folder} depends on src/${dependency}, which is not built")
            return()
        endif()
        list(APPEND depends stoq_${dependency})
    endforeach()

    set(stage "${CMAKE_BINARY_DIR}/layers/${folder}")
    file(MAKE_DIRECTORY "${stage}")
    file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${stage}/${folder}" SYMBOLIC)

    set(target stoq_${folder})
    stoq_present_sources(sources ${arg_SOURCES})
    if(sources)
        add_library(${target} STATIC ${sources})
        set(scope PUBLIC)
        target_link_libraries(${target} PRIVATE stoq_core_flags)
        set_property(GLOBAL APPEND PROPERTY STOQ_OBJECT_TARGETS ${target})
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${target} ${scope} "${stage}" "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${target} ${scope} ${depends} ${arg_LINK})
    set_property(GLOBAL APPEND PROPERTY STOQ_LINKED ${arg_LINK})

    file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}/.." "*.h" "*/*.h")
    stoq_check_headers(${folder} ${target} ${headers})
endfunction()

# Compiles each header alone, in the target check_headers: a header includes what it needs.
function(stoq_check_headers name target)
    set(sources "")
    foreach(header IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "${header}" identifier)
        set(source "${CMAKE_BINARY_DIR}/headers/${identifier}.cpp")
        file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\" // IWYU pragma: keep\n")
        list(APPEND sources "${source}")
    endforeach()
    if(NOT sources)
        return()
    endif()
    add_library(stoq_${name}_headers OBJECT EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(stoq_${name}_headers PRIVATE ${target} stoq_core_flags)
    target_compile_options(stoq_${name}_headers PRIVATE -O0)
    if(NOT TARGET check_headers)
        add_custom_target(check_headers)
    endif()
    add_dependencies(check_headers stoq_${name}_headers)
endfunction()

# Adds a folder if it has a CMakeLists.txt.
macro(stoq_add_if_present folder)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
        add_subdirectory("${folder}")
    endif()
endmacro()

# The library that users link: the objects of every layer in one archive, and the public headers.
function(stoq_bundle)
    get_property(layers GLOBAL PROPERTY STOQ_OBJECT_TARGETS)
    get_property(linked GLOBAL PROPERTY STOQ_LINKED)
    list(REMOVE_DUPLICATES linked)
    if(NOT layers)
        return()
    endif()
    list(TRANSFORM layers REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
    add_library(stoq_library STATIC ${objects})
    add_library(stoq::stoq ALIAS stoq_library)
    set_target_properties(stoq_library PROPERTIES OUTPUT_NAME stoq EXPORT_NAME stoq LINKER_LANGUAGE CXX)
    target_compile_features(stoq_library PUBLIC cxx_std_23)
    target_include_directories(stoq_library PUBLIC
        "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
    # A static library's own libraries are a matter of linking alone, for whoever links it.
    foreach(library IN LISTS linked)
        target_link_libraries(stoq_library PUBLIC "$<LINK_ONLY:${library}>")
    endforeach()
    target_link_libraries(stoq_library PUBLIC Threads::Threads)
endfunction()
