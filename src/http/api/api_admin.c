/* Emptying the library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/engine_parts.h"
#include "http/api/api.h"

#include <string.h>

static ims_json *tables_json(const struct ims_store_reset *r)
{
    ims_json *o = ims__json_new_object();
    bool is_good = o != NULL;

    for (size_t i = 0; is_good && i < r->n_tables; i++)
        is_good = ims__put_int(o, r->tables[i].table, r->tables[i].n_rows);
    return ims__whole(o, is_good);
}

/* Vectors under the names of the collections that clients know. */
static ims_json *vectors_json(const struct ims_store_reset *r)
{
    static const char *const names[][2] = { { "embeddings", "image_assets" },
                                            { "face_vectors", "faces" },
                                            { "person_centroids", "person_centroids" } };
    ims_json *o = ims__json_new_object();
    bool is_good = o != NULL;

    for (size_t k = 0; k < IMS_ARRAY_LEN(names); k++) {
        for (size_t i = 0; is_good && i < r->n_tables; i++) {
            if (strcmp(r->tables[i].table, names[k][0]) == 0)
                is_good = ims__put_int(o, names[k][1], r->tables[i].n_rows);
        }
    }
    return ims__whole(o, is_good);
}

IMS_API_HANDLER(ims__api_admin_delete_all)
{
    struct ims_store_reset r;
    ims_json *o;
    ims_status st;

    if (!ims__in_bool(rq->body, "confirm", false) ||
        strcmp(ims__in_str(rq->body, "confirmationText", ""), "DELETE ALL DATA") != 0)
        return ims__reply_error(rp, 400, "set confirm to true and confirmationText to DELETE ALL DATA");
    st = ims_engine_delete_all(cx->engine, ims__in_str(rq->body, "reason", NULL), &r, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "qdrantCollectionsDeleted", vectors_json(&r)) &&
                                             ims__put(o, "postgresTablesTruncated", tables_json(&r)) &&
                                             ims__put(o, "postgresTruncated", tables_json(&r)) &&
                                             ims__put_str(o, "alembicVersionPreserved", r.schema) &&
                                             ims__put_str(o, "message", "The library is empty; no photo was touched.") &&
                                             ims__put_time(o, "timestamp", ims__now_us())),
                           err);
}
