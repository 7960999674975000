# Writes a C file that holds every migrations/NNNN_name.sql: cmake -DDIR=... -DOUT=... -P this.
# SPDX-License-Identifier: Apache-2.0

file(GLOB files ${DIR}/*.sql)
list(SORT files)
set(texts "")
set(rows "")
set(expected 1)
foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
        message(FATAL_ERROR "${file}: a migration is named NNNN_name.sql")
    endif()
    math(EXPR version "1${CMAKE_MATCH_1} - 10000")
    if(NOT version EQUAL expected)
        message(FATAL_ERROR "${file}: the next migration has number ${expected}")
    endif()
    math(EXPR expected "${expected} + 1")
    # Bytes, not a string literal: compilers need only take 4095 characters of one.
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)"
        "\\1\n    " bytes "${bytes}")
    string(APPEND texts "static const unsigned char sql_${version}[] = {\n    ${bytes}0\n};\n\n")
    string(APPEND rows "    { ${version}, \"${name}\", (const char *)sql_${version} },\n")
endforeach()

set(content "/* The migrations of migrations/, made by src/store/embed_migrations.cmake.
 * SPDX-License-Identifier: Apache-2.0 */
#include \"store/store_migrations.h\"

${texts}const struct ims_db_migration ims__store_migrations[] = {
${rows}};

const size_t ims__store_n_migrations = sizeof(ims__store_migrations) / sizeof(ims__store_migrations[0]);
")
file(WRITE ${OUT} "${content}")
