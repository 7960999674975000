# Writes a C file that holds the text of api/openapi.yaml: cmake -DIN=... -DOUT=... -P this.
# SPDX-License-Identifier: Apache-2.0
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    "
    bytes "${bytes}")
file(WRITE ${OUT} "/* The HTTP contract, made by src/http/embed_spec.cmake.
 * SPDX-License-Identifier: Apache-2.0 */
#include \"http/spec_text.h\"

const char ims__spec_text[] = {
    ${bytes}0
};
const size_t ims__spec_text_bytes = sizeof(ims__spec_text) - 1;
")
