/* The pictures of training sessions: counted, listed, gone through. Nothing of this is stored: it follows from the
 * work states and the evidence.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/sessions.h"
#include "store/store_internal.h"

#define WORK "LEFT JOIN work w ON w.asset_id = a.id AND w.task = ? AND w.model_id = ?"

/* ---- counts ---- */

static ims_status take_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_session_counts *c = arg;

    (void)err;
    c->assets = ims_db_column_int(row, 0);
    c->done = ims_db_column_int(row, 1);
    c->failed = ims_db_column_int(row, 2);
    c->unique = ims_db_column_int(row, 3);
    c->skipped = c->done - ims_db_column_int(row, 4);
    return IMS_OK;
}

static ims_status count_now(struct ims_store *s, int64_t session_id, const char *task, int64_t model_id,
                            struct ims_store_session_counts *out, ims_err *err)
{
    struct ims_store_session_counts c = { 0 };
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_scope(&q, session_id,
                         "SELECT COUNT(*), COUNT(CASE WHEN w.state = 'done' THEN 1 END), "
                         "COUNT(CASE WHEN w.state = 'failed' THEN 1 END), COUNT(DISTINCT COALESCE(a.content_id, -a.id)), "
                         "COUNT(DISTINCT CASE WHEN w.state = 'done' THEN COALESCE(a.content_id, -a.id) END)",
                         WORK, IMS_DB_ARGS(ims_db_text(task), ims_db_int(model_id)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_counts, &c, err);
    ims__store_sql_release(&q);
    if (!st)
        *out = c;
    return st;
}

/* Within a transaction the numbers are for keeping. */
ims_status ims_store_count_session(struct ims_store *s, int64_t session_id, const char *task, int64_t model_id,
                                   struct ims_store_session_counts *out, ims_err *err)
{
    const int64_t key[3] = { IMS__COUNTED_PICTURES, session_id, model_id };
    bool is_exact = ims_db_is_in_transaction(s->db);
    int64_t v[IMS__COUNTED_VALUES] = { 0 };
    uint64_t since = ims__mono_ns();
    ims_status st;

    if (!is_exact && ims__counted_get(s, key, v)) {
        *out = (struct ims_store_session_counts){ v[0], v[1], v[2], v[3], v[4] };
        return IMS_OK;
    }
    st = count_now(s, session_id, task, model_id, out, err);
    if (!st && !is_exact)
        ims__counted_put(s, key,
                         (const int64_t[IMS__COUNTED_VALUES]){ out->assets, out->done, out->failed, out->unique, out->skipped },
                         since);
    return st;
}

/* ---- items ---- */

/* The picture that was done first of those of the same content; NULL: this one. */
#define DUPLICATE_OF                                                                                        \
    "CASE WHEN w.state = 'done' THEN (SELECT MIN(b.id) FROM assets b JOIN work v ON v.asset_id = b.id AND "   \
    "v.task = w.task AND v.model_id = w.model_id AND v.state = 'done' WHERE b.content_id = a.content_id "    \
    "AND b.id < a.id AND b.deleted_us IS NULL AND EXISTS (SELECT 1 FROM folder o WHERE b.path >= "           \
    "o.path_from AND b.path < o.path_until) AND " IMS__NOT_IGNORED("b.path") ") END"
#define TOOK                                                                                                \
    "(SELECT e.total_ms FROM evidence e WHERE e.asset_id = a.id AND e.task = w.task AND e.model_id = "       \
    "w.model_id ORDER BY e.id DESC LIMIT 1)"

static const char *const which_sql[] = {
    [IMS_ITEMS_ALL] = "",
    [IMS_ITEMS_QUEUED] = " AND i.state = 'queued'",
    [IMS_ITEMS_DONE] = " AND i.state = 'done' AND i.first_id IS NULL",
    [IMS_ITEMS_FAILED] = " AND i.state = 'failed'",
    [IMS_ITEMS_SKIPPED] = " AND i.state = 'done' AND i.first_id IS NOT NULL",
};

static void begin_items(struct ims__store_sql *q, int64_t session_id, const char *what,
                        const struct ims_store_session_item_filter *f)
{
    ims__store_sql_scope(q, session_id,
                         ", item AS (SELECT a.id, a.path, COALESCE(w.state, 'queued') AS state, w.reason, w.detail, " DUPLICATE_OF
                         " AS first_id, " TOOK " AS took, a.created_us, w.updated_us",
                         WORK, IMS_DB_ARGS(ims_db_text(f->task), ims_db_int(f->model_id)));
    if (f->asset_id)
        ims__store_sql_add(q, " AND a.id = ?", IMS_DB_ARGS(ims_db_int(f->asset_id)));
    (void)ims__buf_addf(&q->text, ") %s FROM item i WHERE 1 = 1%s", what, which_sql[f->which]);
}

static ims_status take_item(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_session_item *x = ims__store_list_add(l, err);
    ims_status st;

    if (!x)
        return IMS_E_NOMEM;
    x->asset_id = ims_db_column_int(row, 0);
    x->state = ims__store_parse_state(ims_db_column_text(row, 2, NULL));
    x->duplicate_of = ims_db_column_int(row, 5);
    x->total_ms = ims_db_column_is_null(row, 6) ? -1 : ims_db_column_double(row, 6);
    x->created_us = ims_db_column_int(row, 7);
    x->updated_us = ims_db_column_int(row, 8);
    st = ims__store_string(l->arena, row, 1, &x->path, err);
    if (!st)
        st = ims__store_string(l->arena, row, 3, &x->reason, err);
    return st ? st : ims__store_string(l->arena, row, 4, &x->detail, err);
}

/* All of them are counted without a look at what became of each. */
static ims_status count_items(struct ims_store *s, int64_t session_id, const struct ims_store_session_item_filter *f,
                              int64_t *out, ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    if (f->which == IMS_ITEMS_ALL)
        ims__store_sql_scope(&q, session_id, "SELECT COUNT(*)", "", NULL, 0);
    else
        begin_items(&q, session_id, "SELECT COUNT(*)", f);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_get_int(s, q.text.data, q.values, q.n, out, NULL, err);
    ims__store_sql_release(&q);
    return st;
}

static ims_status take_id(void *arg, const struct ims_db_query *row, ims_err *err)
{
    int64_t *id = ims__store_list_add(arg, err);

    if (!id)
        return IMS_E_NOMEM;
    *id = ims_db_column_int(row, 0);
    return IMS_OK;
}

/* The id before which a page of all pictures ends and the one at which it begins: what is looked up for each picture is
 * looked up for those of the page alone then. False: there is no such page. */
static ims_status find_page(struct ims_store *s, int64_t session_id, int64_t offset, int64_t limit, int64_t *out_least,
                            int64_t *out_most, bool *out_is_there, ims_err *err)
{
    struct ims_arena arena;
    struct ims__store_list l = { .arena = &arena, .item_size = sizeof(int64_t) };
    struct ims__store_sql q;
    void *items = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    ims__store_sql_scope(&q, session_id, "SELECT a.id", "", NULL, 0);
    ims__store_sql_add(&q, " ORDER BY a.id DESC LIMIT ? OFFSET ?", IMS_DB_ARGS(ims_db_int(limit), ims_db_int(offset)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_id, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, &n, err);
    *out_is_there = !st && n > 0;
    if (*out_is_there) {
        *out_most = ((int64_t *)items)[0];
        *out_least = ((int64_t *)items)[n - 1];
    }
    ims__arena_release(&arena);
    return st;
}

static ims_status select_items(struct ims_store *s, int64_t session_id, const struct ims_store_session_item_filter *filter,
                               int64_t offset, int64_t limit, struct ims__store_list *l, ims_err *err)
{
    bool is_all = filter->which == IMS_ITEMS_ALL && !filter->asset_id, is_there = true;
    int64_t least = 0, most = INT64_MAX;
    struct ims__store_sql q;
    ims_status st = is_all ? find_page(s, session_id, offset, limit, &least, &most, &is_there, err) : IMS_OK;

    if (st || !is_there)
        return st;
    begin_items(&q, session_id, "SELECT *", filter);
    if (is_all)
        ims__store_sql_add(&q, " AND i.id >= ? AND i.id <= ?", IMS_DB_ARGS(ims_db_int(least), ims_db_int(most)));
    ims__store_sql_add(&q, " ORDER BY i.id DESC LIMIT ? OFFSET ?",
                       IMS_DB_ARGS(ims_db_int(limit), ims_db_int(is_all ? 0 : offset)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_item, l, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_session_items(struct ims_store *s, int64_t session_id,
                                   const struct ims_store_session_item_filter *filter, int64_t offset, int64_t limit,
                                   struct ims_arena *arena, struct ims_store_session_item **out, size_t *out_n,
                                   int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    int64_t total = 0;
    void *items = NULL;
    ims_status st = filter->asset_id ? IMS_OK : count_items(s, session_id, filter, &total, err);

    if (!st)
        st = select_items(s, session_id, filter, offset, limit, &l, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (st)
        return st;
    *out = items;
    *out_total = filter->asset_id ? (int64_t)*out_n : total;
    return IMS_OK;
}

ims_status ims_store_session_assets(struct ims_store *s, int64_t session_id, int64_t after_id, size_t limit,
                                    struct ims_arena *arena, int64_t **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(int64_t) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st;

    ims__store_sql_scope(&q, session_id, "SELECT a.id", "", NULL, 0);
    ims__store_sql_add(&q, " AND a.id > ? ORDER BY a.id LIMIT ?", IMS_DB_ARGS(ims_db_int(after_id), ims_db_int((int64_t)limit)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_id, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* ---- folders ---- */

static ims_status take_training(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_folder_training *t = arg;

    (void)err;
    t->done = ims_db_column_int(row, 0);
    t->last_us = ims_db_column_int(row, 1);
    return IMS_OK;
}

ims_status ims_store_folder_training(struct ims_store *s, const char *folder, const char *task, int64_t model_id,
                                     struct ims_store_folder_training *out, ims_err *err)
{
    struct ims_store_folder_training t = { 0 };
    struct ims_db_value from, until;
    char *range = ims__store_path_range(folder, &from, &until);
    ims_status st = range ? IMS_OK : ims__store_nomem(err);

    if (!st)
        st = ims__store_select(s,
                               "SELECT COUNT(*), MAX(a.indexed_us) FROM assets a JOIN work w ON w.asset_id = a.id AND "
                               "w.task = $3 AND w.model_id = $4 AND w.state = 'done' WHERE a.path >= $1 AND a.path < $2 "
                               "AND a.deleted_us IS NULL",
                               IMS_DB_ARGS(from, until, ims_db_text(task), ims_db_int(model_id)), take_training, &t, err);
    ims__free(range);
    if (!st)
        *out = t;
    return st;
}

ims_status ims_store_is_in_training(struct ims_store *s, const char *folder, bool *out, ims_err *err)
{
    struct ims_db_value from, until;
    char *range = ims__store_path_range(folder, &from, &until);
    int64_t one;
    ims_status st = range ? IMS_OK : ims__store_nomem(err);

    /* two ranges of folders meet when one's beginning is in the other */
    if (!st)
        st = ims__store_get_int(s,
                                "SELECT 1 FROM training_sessions t LEFT JOIN training_subdirectories d ON d.session_id = t.id "
                                "AND d.is_selected = 1 WHERE t.status IN ('discovering', 'running') AND "
                                "COALESCE(d.path_from, t.path_from) < $2 AND COALESCE(d.path_until, t.path_until) > $1 LIMIT 1",
                                IMS_DB_ARGS(from, until), &one, out, err);
    ims__free(range);
    return st;
}
