/* Work on faces that takes long: handed over to the background.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "http/api/api_faces.h"
#include "http/api/api_progress.h"

#include <stdio.h>

ims_status ims__api_push_work(struct ims_http_context *cx, const char *func, const char *key, ims_json *take_args,
                              int64_t *out_id, ims_err *err)
{
    struct ims_store_job job = { .queue = "default", .func = func, .key = key };
    struct ims_buf text;
    int64_t id = 0;
    ims_status st;

    ims__buf_init(&text, IMS_MIB);
    st = take_args ? ims__json_write(take_args, 0, &text, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "a job");
    job.args_json = text.data;
    if (!st)
        st = ims__api_push(cx, &job, &id, err);
    ims__buf_release(&text);
    ims__json_free(take_args);
    if (!st && out_id)
        *out_id = id;
    return st;
}

ims_status ims__api_push_search(struct ims_http_context *cx, int64_t person_id, int64_t face_id, ims_err *err)
{
    ims_json *args = ims__json_new_object();

    args = ims__whole(args, ims__put_int(args, "person", person_id) && (!face_id || ims__put_int(args, "face", face_id)));
    return ims__api_push_work(cx, face_id ? "propagate" : "match", NULL, args, NULL, err);
}
