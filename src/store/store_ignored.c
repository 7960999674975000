/* Folders that are passed over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/sessions.h"
#include "store/store_internal.h"

struct ignore {
    const char *path, *reason;
    int64_t us;
    bool is_found;
};

static ims_status add_ignored(struct ims_store *s, void *arg, ims_err *err)
{
    struct ignore *x = arg;
    struct ims_db_value from, until;
    int64_t n = 0;
    char *range;
    ims_status st = ims_db_get_int(s->db, "SELECT COUNT(*) FROM ignored_directories", IMS_DB_NO_ARGS, &n, NULL, err);

    if (!st && n >= IMS_MAX_IGNORED)
        st = ims_fail(err, IMS_E_LIMIT, "store", 0, "%d folders are ignored already; ignore one that holds several",
                      IMS_MAX_IGNORED);
    if (st)
        return st;
    range = ims__store_path_range(x->path, &from, &until);
    if (!range)
        return ims__store_nomem(err);
    x->us = ims__now_us();
    st = ims_db_run(s->db,
                    "INSERT INTO ignored_directories (path, path_from, path_until, reason, created_us) "
                    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (path) DO NOTHING",
                    IMS_DB_ARGS(ims__store_path(x->path), from, until, ims_db_text(x->reason), ims_db_int(x->us)), &n, err);
    ims__free(range);
    return st || n ? st : ims_fail(err, IMS_E_EXISTS, "store", 0, "the folder is ignored already");
}

ims_status ims_store_ignore(struct ims_store *s, const char *path, const char *reason, int64_t *out_created_us,
                            ims_err *err)
{
    struct ignore x = { .path = path, .reason = reason };
    ims_status st = ims__store_check_path(path, err);

    if (!st)
        st = ims__store_write(s, add_ignored, &x, err);
    if (!st)
        *out_created_us = x.us;
    return st;
}

static ims_status drop_ignored(struct ims_store *s, void *arg, ims_err *err)
{
    struct ignore *x = arg;

    return ims_db_get_int(s->db, "DELETE FROM ignored_directories WHERE path = $1 RETURNING created_us",
                          IMS_DB_ARGS(ims__store_path(x->path)), &x->us, &x->is_found, err);
}

ims_status ims_store_unignore(struct ims_store *s, const char *path, int64_t *out_created_us, ims_err *err)
{
    struct ignore x = { .path = path };
    ims_status st = ims__store_check_path(path, err);

    if (!st)
        st = ims__store_write(s, drop_ignored, &x, err);
    if (!st && !x.is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "the folder is not ignored");
    if (!st)
        *out_created_us = x.us;
    return st;
}

static ims_status take_ignored(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_ignored *x = ims__store_list_add(l, err);
    ims_status st;

    if (!x)
        return IMS_E_NOMEM;
    x->created_us = ims_db_column_int(row, 2);
    st = ims__store_string(l->arena, row, 0, &x->path, err);
    return st ? st : ims__store_string(l->arena, row, 1, &x->reason, err);
}

ims_status ims_store_ignored(struct ims_store *s, struct ims_arena *arena, struct ims_store_ignored **out, size_t *out_n,
                             ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s, "SELECT path, reason, created_us FROM ignored_directories ORDER BY path",
                                      IMS_DB_NO_ARGS, take_ignored, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
