# ims_fuzz(<name> SOURCES <files...> [DEPS <targets...>] CORPUS <folders...> [MUTATE <n>] [ENV <A=b...>])
# A fuzz target: SOURCES define LLVMFuzzerTestOneInput.
#   Every build: the program replay_<name> and the test fuzz_<name> (label fuzz) run it over the files of
#   CORPUS, and over n small changes of each (always the same ones).
#   With IMS_FUZZ (clang): the program fuzz_<name> for libFuzzer besides, e.g.
#       build/fuzz/bin/fuzz_media_exif -max_total_time=60 found/ tests/fuzz/media/exif
include_guard(GLOBAL)
set(IMS_FUZZ_FOLDER ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "where replay.c is")

function(ims_fuzz name)
    cmake_parse_arguments(F "" "MUTATE" "SOURCES;DEPS;CORPUS;ENV" ${ARGN})
    if(NOT F_MUTATE)
        set(F_MUTATE 0)
    endif()
    add_executable(replay_${name} ${F_SOURCES} ${IMS_FUZZ_FOLDER}/replay.c)
    target_link_libraries(replay_${name} PRIVATE ims_options ${F_DEPS})
    add_test(NAME fuzz_${name} COMMAND replay_${name} -m ${F_MUTATE} ${F_CORPUS}
        WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 600 ENVIRONMENT "${F_ENV}")
    if(IMS_FUZZ)
        add_executable(fuzz_${name} ${F_SOURCES})
        target_link_libraries(fuzz_${name} PRIVATE ims_options ${F_DEPS})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()
