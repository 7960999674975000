/* The only door to files of the users' photo folders: what lies below a root of the library, links resolved.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_FILES_H
#define IMS_HTTP_API_API_FILES_H

#include "base/json.h"
#include "ims/status.h"
#include "store/store.h"

#include <stdint.h>

/* IMS_E_PERMISSION when the path, links resolved, is below no root; IMS_E_NOT_FOUND when it is not there.
 * out_real (may be NULL): the resolved path, a new string. */
ims_status ims__api_check_path(struct ims_store *s, const char *path, char **out_real, ims_err *err) IMS_MUST_CHECK;
/* The same for a path as a client shows it (base/text.h); what is no folder is IMS_E_INVALID. */
ims_status ims__api_find_folder(struct ims_store *s, const char *shown, char **out_real, ims_err *err) IMS_MUST_CHECK;
/* The same, and a descriptor of the regular file that is there. */
ims_status ims__api_open_file(struct ims_store *s, const char *path, int *out_fd, uint64_t *out_bytes, ims_err *err)
    IMS_MUST_CHECK;

struct ims_http_context;
/* A job that indexes the folder; body: {"recursive", "extensions"} or NULL. One that is queued already is enough. */
ims_status ims__api_push_ingest(struct ims_http_context *cx, const char *real, const ims_json *body, ims_err *err)
    IMS_MUST_CHECK;

#endif
