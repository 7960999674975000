# What every target of imgsearch shares: warnings, sanitizers, hardening; and the two functions with
# which a folder declares its library and its tests.

add_library(ims_options INTERFACE)
target_include_directories(ims_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(ims_options INTERFACE
    _POSIX_C_SOURCE=200809L _XOPEN_SOURCE=700 _DEFAULT_SOURCE _DARWIN_C_SOURCE
    _FILE_OFFSET_BITS=64 IMS_VERSION="${PROJECT_VERSION}")
target_compile_options(ims_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wpointer-arith -Wwrite-strings
    -fno-math-errno -ffp-contract=off)
# snprintf into a fixed buffer cuts on purpose here; clang has no such warning to switch off.
include(CheckCCompilerFlag)
check_c_compiler_flag(-Wformat-truncation IMS_HAS_FORMAT_TRUNCATION)
if(IMS_HAS_FORMAT_TRUNCATION)
    target_compile_options(ims_options INTERFACE -Wno-format-truncation)
endif()
if(IMS_WERROR)
    target_compile_options(ims_options INTERFACE -Werror)
endif()
if(IMS_SANITIZE)
    string(REPLACE ";" "," sanitizers "${IMS_SANITIZE}")
    target_compile_options(ims_options INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(ims_options INTERFACE -fsanitize=${sanitizers})
    target_compile_definitions(ims_options INTERFACE IMS_SANITIZED=1)
endif()
if(IMS_FUZZ)
    target_compile_options(ims_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT IMS_SANITIZE)
    target_compile_options(ims_options INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    if(NOT APPLE)
        target_link_options(ims_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
    endif()
endif()

# ims_module(<name> SOURCES <files...> [DEPS <modules or targets...>])
# A static library ims_<name>; headers are found as "<name>/x.h".
function(ims_module name)
    cmake_parse_arguments(M "" "" "SOURCES;DEPS" ${ARGN})
    add_library(ims_${name} STATIC ${M_SOURCES})
    target_link_libraries(ims_${name} PUBLIC ims_options Threads::Threads ${M_DEPS})
endfunction()

# A test that takes as long as this hangs, on a busy machine and under sanitizers too.
set(IMS_TEST_TIMEOUT 900)

# ims_test(<name> SOURCES <files...> [DEPS <targets...>] [LABELS <labels...>] [TIMEOUT <s>] [ARGS ...])
# One test program of tests/harness, registered with ctest. It runs in the source folder.
function(ims_test name)
    cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;DEPS;LABELS;ARGS;ENV" ${ARGN})
    add_executable(test_${name} ${T_SOURCES})
    target_link_libraries(test_${name} PRIVATE ims_harness ${T_DEPS})
    add_test(NAME ${name} COMMAND test_${name} ${T_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT ${IMS_TEST_TIMEOUT})
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT}
        ENVIRONMENT "IMS_BUILD_DIR=${CMAKE_BINARY_DIR};IMS_SOURCE_DIR=${CMAKE_SOURCE_DIR};${T_ENV}")
endfunction()

# The same program once more, without a route to anywhere: add_test(NAME <name>_cut_off). ARGN: its arguments.
# Not under sanitizers: they have seen the same code with a network.
function(ims_test_cut_off name)
    if(IMS_SANITIZE)
        return()
    endif()
    add_test(NAME ${name}_cut_off COMMAND cut_off $<TARGET_FILE:test_${name}> ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    foreach(property LABELS TIMEOUT ENVIRONMENT)
        get_test_property(${name} ${property} value)
        set_tests_properties(${name}_cut_off PROPERTIES ${property} "${value}")
    endforeach()
    set_tests_properties(${name}_cut_off PROPERTIES SKIP_RETURN_CODE 77)
    add_dependencies(test_${name} cut_off)
endfunction()

# The same program once more, against a PostgreSQL server that the test starts itself: add_test(NAME <name>_postgres).
# It keeps the labels and gets the label `postgres`. An ordinary test run passes over it in
# its second build (tools/run_tests), which has seen the program on SQLite; SANITIZED keeps it in.
function(ims_test_on_postgres name)
    cmake_parse_arguments(P "SANITIZED" "" "" ${ARGN})
    add_test(NAME ${name}_postgres COMMAND ${CMAKE_SOURCE_DIR}/tools/with_postgres $<TARGET_FILE:test_${name}>
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    foreach(property LABELS TIMEOUT ENVIRONMENT)
        get_test_property(${name} ${property} value)
        set_tests_properties(${name}_postgres PROPERTIES ${property} "${value}")
    endforeach()
    if(NOT P_SANITIZED)
        set_property(TEST ${name}_postgres APPEND PROPERTY LABELS postgres)
    endif()
endfunction()
