/* The files of the web page as parts of the program, made by embed_web.cmake from web/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_WEB_FILES_H
#define IMS_HTTP_WEB_FILES_H

#include <stddef.h>

struct ims_web_file {
    const char *name, *content_type;
    const char *etag; /* quoted; of the content */
    const unsigned char *data;
    size_t n_bytes;
};
extern const struct ims_web_file ims__web_files[];
extern const size_t ims__web_n_files;

#endif
