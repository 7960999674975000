/* The text of api/openapi.yaml, put into the program by embed_spec.cmake.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_SPEC_TEXT_H
#define IMS_HTTP_SPEC_TEXT_H

#include <stddef.h>

extern const char ims__spec_text[];
extern const size_t ims__spec_text_bytes;

#endif
