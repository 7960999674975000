/* Moved files: the same content under a new path keeps its asset.
 *
 * A file is taken for moved when its old path is gone and a file of the same content has appeared
 * in a later scan than the last that saw the old one. A copy made while the original was still
 * there is no move.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

struct move {
    int64_t old_id;
    int64_t fresh_id;
};

/* The parts of joining, in order; $1 = old, $2 = fresh. */
static const char *const hand_over[] = {
    /* what was done on the new path counts, and what was done on the old one besides it */
    ("DELETE FROM work WHERE asset_id = $1 AND EXISTS (SELECT 1 FROM work n WHERE n.asset_id = $2 "
     "AND n.task = work.task AND n.model_id = work.model_id)"),
    "UPDATE work SET asset_id = $1 WHERE asset_id = $2",
    "UPDATE evidence SET asset_id = $1 WHERE asset_id = $2",
};

struct file {
    struct ims_arena arena;
    int64_t root_id, content_id, size_bytes, mtime_us, seen_scan, created_scan, indexed_us;
    const char *path;
    bool is_found;
};

static ims_status take_file(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct file *f = arg;

    f->is_found = true;
    f->root_id = ims_db_column_int(row, 0);
    f->content_id = ims_db_column_int(row, 1);
    f->size_bytes = ims_db_column_int(row, 2);
    f->mtime_us = ims_db_column_int(row, 3);
    f->seen_scan = ims_db_column_int(row, 4);
    f->created_scan = ims_db_column_int(row, 5);
    f->indexed_us = ims_db_column_int(row, 6);
    return ims__store_string(&f->arena, row, 7, &f->path, err);
}

static ims_status put_file(struct ims_store *s, int64_t id, const struct file *f, ims_err *err)
{
    return ims_db_run(s->db,
                      "UPDATE assets SET root_id = $2, path = $3, content_id = $4, size_bytes = "
                      "$5, mtime_us = $6, "
                      "seen_scan = $7, created_scan = $8, indexed_us = COALESCE($9, indexed_us), "
                      "deleted_us = NULL WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(id), ims_db_int(f->root_id), ims__store_path(f->path),
                                  ims_db_int(f->content_id), ims_db_int(f->size_bytes),
                                  ims_db_int(f->mtime_us), ims_db_int(f->seen_scan),
                                  ims_db_int(f->created_scan),
                                  f->indexed_us ? ims_db_int(f->indexed_us) : ims_db_null()),
                      NULL, err);
}

ims_status ims__store_join_assets(struct ims_store *s, int64_t old_id, int64_t fresh_id,
                                  ims_err *err)
{
    struct file f = { .is_found = false };
    ims_status st;

    ims__arena_init(&f.arena, 0);
    st = ims__store_select(
        s,
        "SELECT root_id, content_id, size_bytes, mtime_us, seen_scan, created_scan, indexed_us, "
        "path FROM assets WHERE id = $1",
        IMS_DB_ARGS(ims_db_int(fresh_id)), take_file, &f, err);
    if (!st && !f.is_found)
        st = ims_fail(err, IMS_E_INTERNAL, "store", 0, "asset %lld is gone", (long long)fresh_id);
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(hand_over); i++)
        st = ims_db_run(s->db, hand_over[i], IMS_DB_ARGS(ims_db_int(old_id), ims_db_int(fresh_id)),
                        NULL, err);
    if (!st)
        st = ims_db_run(s->db, "DELETE FROM assets WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(fresh_id)), NULL, err);
    if (!st)
        st = put_file(s, old_id, &f, err);
    ims__arena_release(&f.arena);
    return st;
}

static ims_status take_move(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct move *m = ims__store_list_add(arg, err);

    if (!m)
        return IMS_E_NOMEM;
    m->old_id = ims_db_column_int(row, 0);
    m->fresh_id = ims_db_column_int(row, 1);
    return IMS_OK;
}

ims_status ims__store_join_moved(struct ims_store *s, const struct ims_store_scan *scan,
                                 int64_t marked_us, int64_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .item_size = sizeof(struct move) };
    const struct move *moves;
    int64_t n = 0, last_fresh = 0;
    ims_status st;

    st = ims__store_select(
        s,
        "SELECT o.id, MIN(n.id) AS fresh FROM assets o JOIN assets n "
        "ON n.content_id = o.content_id AND n.deleted_us IS NULL "
        "AND n.created_scan > o.seen_scan WHERE o.deleted_us = $1 AND o.seen_scan < $2 "
        "GROUP BY o.id ORDER BY fresh, o.id",
        IMS_DB_ARGS(ims_db_int(marked_us), ims_db_int(scan->id)), take_move, &l, err);
    moves = l.items;
    for (size_t i = 0; !st && i < l.n; i++) {
        /* of several gone, one has moved; the others are deleted */
        if (moves[i].fresh_id == last_fresh)
            continue;
        last_fresh = moves[i].fresh_id;
        st = ims__store_join_assets(s, moves[i].old_id, moves[i].fresh_id, err);
        n++;
    }
    ims__free(l.items);
    if (!st)
        *out_n = n;
    return st;
}
