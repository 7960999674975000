/* Emptying a library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/deletions.h"

#include "base/clock.h"
#include "store/store_internal.h"
#include "store/store_migrations.h"

#include <assert.h>
#include <stdio.h>

/* Whoever refers to a row goes before it. A test knows every table of the database: it is here, or it stays. */
static const struct {
    const char *table, *which; /* NULL = all rows */
} emptied[] = {
    { "training_subdirectories", NULL },
    { "face_sessions", NULL },
    { "training_sessions", NULL },
    { "ignored_directories", NULL },
    { "vector_deletions", NULL },
    { "face_suggestions", NULL },
    { "person_prototypes", NULL },
    { "face_rejections", NULL },
    { "person_event_changes", NULL },
    { "person_events", NULL },
    { "person_centroids", NULL },
    { "dismissed_groups", NULL },
    { "face_projections", NULL },
    { "face_vectors", NULL },
    { "faces", NULL },
    { "face_scans", NULL },
    { "clusters", NULL },
    { "persons", NULL },
    { "evidence", NULL },
    { "work", NULL },
    { "assets", NULL },
    { "scans", NULL },
    { "embeddings", NULL },
    { "contents", NULL },
    { "jobs", "state <> 'started'" },
    { "categories", "is_default = 0" },
};
static_assert(IMS_ARRAY_LEN(emptied) <= IMS_STORE_MAX_EMPTIED, "struct ims_store_reset has too little room");

struct reset {
    const char *reason;
    struct ims_store_reset out;
};

static ims_status empty_tables(struct ims_store *s, struct ims_store_reset *out, ims_err *err)
{
    ims_status st = IMS_OK;

    out->n_tables = 0;
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(emptied); i++) {
        struct ims_store_emptied *t = &out->tables[out->n_tables++];
        char sql[120];

        snprintf(sql, sizeof(sql), "DELETE FROM %s%s%s", emptied[i].table, emptied[i].which ? " WHERE " : "",
                 emptied[i].which ? emptied[i].which : "");
        t->table = emptied[i].table;
        st = ims_db_run(s->db, sql, IMS_DB_NO_ARGS, &t->n_rows, err);
    }
    return st;
}

static ims_status reset(struct ims_store *s, void *arg, ims_err *err)
{
    struct reset *x = arg;
    int64_t n_vectors = 0;
    ims_status st;

    st = ims__store_log_chosen(s,
                               "SELECT model_id, content_id FROM embeddings UNION ALL "
                               "SELECT model_id, face_id FROM face_vectors ORDER BY 1, 2",
                               IMS_DB_NO_ARGS, &n_vectors, err);
    if (!st)
        st = empty_tables(s, &x->out, err);
    if (!st)
        st = ims_db_run(s->db, "UPDATE jobs SET wish = 'cancel' WHERE state = 'started'", IMS_DB_NO_ARGS, NULL, err);
    if (!st)
        st = ims_db_run(s->db,
                        "INSERT INTO vector_deletions (kind, target, n_vectors, reason, created_us) "
                        "VALUES ('FULL_RESET', 'the library', $1, $2, $3)",
                        IMS_DB_ARGS(ims_db_int(n_vectors), ims_db_text(x->reason), ims_db_int(ims__now_us())), NULL, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_reset(struct ims_store *s, const char *reason, struct ims_store_reset *out, ims_err *err)
{
    struct reset x = { .reason = reason };
    ims_status st = ims__store_write(s, reset, &x, err);

    if (st)
        return st;
    x.out.schema = ims__store_migrations[ims__store_n_migrations - 1].name;
    *out = x.out;
    return IMS_OK;
}
