# Writes a C file that holds the files of web/ with their types: cmake -DDIR=... -DOUT=... -P this.
# SPDX-License-Identifier: Apache-2.0
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
file(GLOB files ${DIR}/*)
list(SORT files)
set(texts "")
set(rows "")
set(n 0)
foreach(file ${files})
    get_filename_component(name ${file} NAME)
    get_filename_component(ext ${file} LAST_EXT)
    string(SUBSTRING ${ext} 1 -1 ext)
    if(NOT DEFINED type_${ext})
        message(FATAL_ERROR "${file}: no type is known for .${ext}")
    endif()
    file(READ ${file} hex HEX)
    file(SHA256 ${file} sum)
    string(SUBSTRING ${sum} 0 16 sum)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)"
        "\\1\n    " bytes "${bytes}")
    string(APPEND texts "static const unsigned char file_${n}[] = {\n    ${bytes}0\n};\n\n")
    string(APPEND rows
        "    { \"${name}\", \"${type_${ext}}\", \"\\\"${sum}\\\"\", file_${n}, sizeof(file_${n}) - 1 },\n")
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT} "/* The files of the web page, made by src/http/embed_web.cmake.
 * SPDX-License-Identifier: Apache-2.0 */
#include \"http/web_files.h\"

${texts}const struct ims_web_file ims__web_files[] = {
${rows}};

const size_t ims__web_n_files = sizeof(ims__web_files) / sizeof(ims__web_files[0]);
")
