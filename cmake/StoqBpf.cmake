# The headers of all programs, which some sources include.
add_custom_target(stoq_bpf_headers)

# stoq_bpf_program(<name>): compiles bpf/<name>.bpf.c for the kernel, and makes of it a header,
# <name>.skel.h, that carries the program and loads it. What includes it links stoq_bpf_<name>.
function(stoq_bpf_program name)
    set(source "${PROJECT_SOURCE_DIR}/bpf/${name}.bpf.c")
    set(folder "${CMAKE_BINARY_DIR}/bpf")
    set(object "${folder}/${name}.bpf.o")
    set(header "${folder}/${name}.skel.h")
    file(MAKE_DIRECTORY "${folder}")
    # The kernel's headers include <asm/...>, which Debian keeps in a folder of the machine's kind.
    add_custom_command(OUTPUT "${header}"
        COMMAND "${STOQ_BPF_CLANG}" -target bpf -mcpu=v3 -std=gnu11 -O2 -g -Wall -Wextra -Werror
            -I "${PROJECT_SOURCE_DIR}/src" -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}"
            -MD -MF "${object}.d" -MT "${header}" -c "${source}" -o "${object}"
        COMMAND "${STOQ_BPFTOOL}" gen skeleton "${object}" name ${name}_bpf > "${header}"
        DEPENDS "${source}"
        DEPFILE "${object}.d"
        COMMENT "Compiling bpf/${name}.bpf.c"
        VERBATIM)
    add_custom_target(stoq_bpf_${name}_header DEPENDS "${header}")
    add_dependencies(stoq_bpf_headers stoq_bpf_${name}_header)
    add_library(stoq_bpf_${name} INTERFACE)
    add_dependencies(stoq_bpf_${name} stoq_bpf_${name}_header)
    target_include_directories(stoq_bpf_${name} SYSTEM INTERFACE "${folder}")
endfunction()
