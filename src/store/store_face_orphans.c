/* Faces that are left over: of pictures that are gone, without a vector, or not found any more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/faces.h"
#include "store/store_internal.h"

#define GONE                                                                                       \
    "NOT EXISTS (SELECT 1 FROM assets a WHERE a.content_id = f.content_id AND a.deleted_us IS "    \
    "NULL)"
#define HELD                                                                                       \
    "(f.person_id IS NOT NULL OR EXISTS (SELECT 1 FROM face_rejections r WHERE r.face_id = f.id))"
/* A face that is found gets the time of that look. */
#define UNSEEN                                                                                     \
    "EXISTS (SELECT 1 FROM face_scans c WHERE c.content_id = f.content_id AND c.model_id = "       \
    "f.model_id AND c.created_us > f.updated_us)"
#define BARE "NOT EXISTS (SELECT 1 FROM face_vectors v WHERE v.face_id = f.id)"

struct orphans {
    bool is_fixed;
    struct ims_store_face_orphans counts;
    struct ims__store_list models, ids; /* of the faces to be forgotten */
};

static ims_status take_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_face_orphans *c = arg;

    (void)err;
    c->gone = ims_db_column_int(row, 0);
    c->gone_held = ims_db_column_int(row, 1);
    c->without_vector = ims_db_column_int(row, 2);
    c->unseen = ims_db_column_int(row, 3);
    return IMS_OK;
}

static ims_status take_unseen(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_face_orphans *c = arg;

    (void)err;
    c->listed[c->n_listed++] = ims_db_column_int(row, 0);
    return IMS_OK;
}

static ims_status take_face(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct orphans *o = arg;
    int64_t *model = ims__store_list_add(&o->models, err);
    int64_t *id = model ? ims__store_list_add(&o->ids, err) : NULL;

    if (!id)
        return IMS_E_NOMEM;
    *model = ims_db_column_int(row, 0);
    *id = ims_db_column_int(row, 1);
    return IMS_OK;
}

static ims_status log_removals(struct ims_store *s, struct orphans *o, ims_err *err)
{
    const int64_t *models, *ids;
    ims_status st;

    o->models.n = o->ids.n = 0;
    st = ims__store_select(s,
                           "SELECT f.model_id, f.id FROM faces f WHERE " GONE " AND NOT " HELD
                           " ORDER BY f.model_id, f.id",
                           IMS_DB_NO_ARGS, take_face, o, err);
    models = o->models.items;
    ids = o->ids.items;
    for (size_t i = 0, end; !st && i < o->ids.n; i = end) {
        for (end = i + 1; end < o->ids.n && models[end] == models[i]; end++)
            ;
        st = ims__store_log_removals(s, models[i], ids + i, end - i, err);
    }
    return st;
}

/* The pictures of what is wrong are to be looked at again, when they are there. */
static ims_status fix(struct ims_store *s, struct orphans *o, ims_err *err)
{
    ims_status st = log_removals(s, o, err);

    if (!st)
        st = ims_db_run(s->db,
                        "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = "
                        "NULL, attempts = 0, updated_us = $1 WHERE task = '" IMS_TASK_FACES
                        "' AND EXISTS (SELECT 1 FROM assets b JOIN faces f ON f.content_id = "
                        "b.content_id WHERE b.id = work.asset_id AND f.model_id = work.model_id "
                        "AND (" BARE " OR (" GONE " AND NOT " HELD ")))",
                        IMS_DB_ARGS(ims_db_int(ims__now_us())), NULL, err);
    if (!st)
        st = ims_db_run(s->db,
                        "DELETE FROM face_scans WHERE EXISTS (SELECT 1 FROM faces f WHERE "
                        "f.content_id = face_scans.content_id AND f.model_id = "
                        "face_scans.model_id AND (" BARE " OR (" GONE " AND NOT " HELD ")))",
                        IMS_DB_NO_ARGS, NULL, err);
    if (!st)
        st = ims_db_run(s->db,
                        "DELETE FROM faces WHERE id IN (SELECT f.id FROM faces f WHERE " GONE
                        " AND NOT " HELD ")",
                        IMS_DB_NO_ARGS, NULL, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

static ims_status look(struct ims_store *s, void *arg, ims_err *err)
{
    struct orphans *o = arg;
    ims_status st;

    o->counts = (struct ims_store_face_orphans){ 0 };
    st = ims__store_select(s,
                           "SELECT count(CASE WHEN " GONE " AND NOT " HELD " THEN 1 END), "
                           "count(CASE WHEN " GONE " AND " HELD " THEN 1 END), "
                           "count(CASE WHEN " BARE " AND NOT " GONE " THEN 1 END), "
                           "count(CASE WHEN " UNSEEN " AND NOT " GONE " THEN 1 END) FROM faces f",
                           IMS_DB_NO_ARGS, take_counts, &o->counts, err);
    if (!st && o->counts.unseen)
        st = ims__store_select(s,
                               "SELECT f.id FROM faces f WHERE " UNSEEN " AND NOT " GONE
                               " ORDER BY f.id LIMIT $1",
                               IMS_DB_ARGS(ims_db_int(IMS_STORE_LISTED_ORPHANS)), take_unseen,
                               &o->counts, err);
    return st || !o->is_fixed ? st : fix(s, o, err);
}

ims_status ims_store_face_orphans(struct ims_store *s, bool is_fixed,
                                  struct ims_store_face_orphans *out, ims_err *err)
{
    struct orphans o = { .is_fixed = is_fixed,
                         .models = { .item_size = sizeof(int64_t) },
                         .ids = { .item_size = sizeof(int64_t) } };
    ims_status st = is_fixed ? ims__store_write(s, look, &o, err) : ims__store_read(s, look, &o, err);

    ims__free(o.models.items);
    ims__free(o.ids.items);
    if (!st)
        *out = o.counts;
    return st;
}

struct boxes {
    ims_store_face_box_fn fn;
    void *arg;
};

static ims_status take_box(void *arg, const struct ims_db_query *row, ims_err *err)
{
    const struct boxes *b = arg;
    size_t n = 0;
    const void *sha256 = ims_db_column_blob(row, 0, &n);

    return n == IMS_SHA256_BYTES
               ? b->fn(b->arg, sha256, (int)ims_db_column_int(row, 1), (int)ims_db_column_int(row, 2),
                       (int)ims_db_column_int(row, 3), (int)ims_db_column_int(row, 4), err)
               : IMS_OK;
}

ims_status ims_store_face_boxes(struct ims_store *s, ims_store_face_box_fn fn, void *arg,
                                ims_err *err)
{
    struct boxes b = { fn, arg };

    return ims__store_select(s,
                             "SELECT c.sha256, f.x, f.y, f.w, f.h FROM faces f "
                             "JOIN contents c ON c.id = f.content_id",
                             IMS_DB_NO_ARGS, take_box, &b, err);
}
