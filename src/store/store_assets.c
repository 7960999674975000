/* Reading assets and contents: by id, by path, by filter; candidates of a search; known contents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include <string.h>

#define ASSET_COLUMNS                                                                              \
    "a.id, a.root_id, a.content_id, a.category_id, a.path, a.size_bytes, a.mtime_us, "             \
    "a.created_us, a.indexed_us, a.deleted_us, c.sha256, c.mime, c.width, c.height, "              \
    "c.orientation, c.n_pages, c.phash, c.taken_at_us, c.camera_make, c.camera_model, c.gps_lat, " \
    "c.gps_lng, c.exif_json, c.note "
#define ASSET_TABLES "FROM assets a LEFT JOIN contents c ON c.id = a.content_id "

static ims_status take_media(struct ims_arena *arena, const struct ims_db_query *row,
                             struct ims_store_media *m, ims_err *err)
{
    ims_status st;

    m->width = (int)ims_db_column_int(row, 12);
    m->height = (int)ims_db_column_int(row, 13);
    m->orientation = (int)ims_db_column_int(row, 14);
    m->n_pages = (int)ims_db_column_int(row, 15);
    m->has_phash = !ims_db_column_is_null(row, 16);
    m->phash = (uint64_t)ims_db_column_int(row, 16);
    m->has_taken_at = !ims_db_column_is_null(row, 17);
    m->taken_at_us = ims_db_column_int(row, 17);
    m->has_gps = !ims_db_column_is_null(row, 20) && !ims_db_column_is_null(row, 21);
    m->gps_lat = ims_db_column_double(row, 20);
    m->gps_lng = ims_db_column_double(row, 21);
    st = ims__store_string(arena, row, 11, &m->mime, err);
    if (!st)
        st = ims__store_string(arena, row, 18, &m->camera_make, err);
    if (!st)
        st = ims__store_string(arena, row, 19, &m->camera_model, err);
    if (!st)
        st = ims__store_string(arena, row, 22, &m->exif_json, err);
    if (!st)
        st = ims__store_string(arena, row, 23, &m->note, err);
    return st;
}

static ims_status fill_asset(struct ims_arena *arena, const struct ims_db_query *row,
                             struct ims_store_asset *a, ims_err *err)
{
    const void *sha256;
    size_t n_bytes = 0;
    ims_status st;

    a->id = ims_db_column_int(row, 0);
    a->root_id = ims_db_column_int(row, 1);
    a->content_id = ims_db_column_int(row, 2);
    a->category_id = ims_db_column_int(row, 3);
    a->size_bytes = ims_db_column_int(row, 5);
    a->mtime_us = ims_db_column_int(row, 6);
    a->created_us = ims_db_column_int(row, 7);
    a->indexed_us = ims_db_column_int(row, 8);
    a->deleted_us = ims_db_column_int(row, 9);
    sha256 = ims_db_column_blob(row, 10, &n_bytes);
    a->has_sha256 = sha256 && n_bytes == sizeof(a->sha256);
    if (a->has_sha256)
        memcpy(a->sha256, sha256, sizeof(a->sha256));
    st = ims__store_string(arena, row, 4, &a->path, err);
    return st ? st : take_media(arena, row, &a->media, err);
}

static ims_status take_asset(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_asset *a = ims__store_list_add(l, err);

    return a ? fill_asset(l->arena, row, a, err) : IMS_E_NOMEM;
}

static ims_status take_asset_of_series(void *arg, size_t item, const struct ims_db_query *row,
                                       ims_err *err)
{
    (void)item;
    return take_asset(arg, row, err);
}

struct by_ids {
    struct ims_db_value *values;
    size_t n;
    struct ims__store_list *list;
};

static ims_status read_by_ids(struct ims_store *s, void *arg, ims_err *err)
{
    struct by_ids *x = arg;

    x->list->n = 0;
    return ims_db_run_many(s->db, "SELECT " ASSET_COLUMNS ASSET_TABLES "WHERE a.id = $1", x->values,
                           1, x->n, take_asset_of_series, x->list, NULL, err);
}

ims_status ims_store_assets(struct ims_store *s, const int64_t *ids, size_t n,
                            struct ims_arena *arena, struct ims_store_asset **out, size_t *out_n,
                            ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct by_ids x = { .n = n, .list = &l };
    void *items = NULL;
    ims_status st;

    x.values = ims__zalloc(n, sizeof(*x.values));
    for (size_t i = 0; x.values && i < n; i++)
        x.values[i] = ims_db_int(ids[i]);
    st = x.values ? ims__store_read(s, read_by_ids, &x, err) : ims__store_nomem(err);
    ims__free(x.values);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

ims_status ims_store_asset_by_path(struct ims_store *s, const char *path, struct ims_arena *arena,
                                   struct ims_store_asset **out, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    size_t n = 0;
    ims_status st = ims__store_select(s, "SELECT " ASSET_COLUMNS ASSET_TABLES "WHERE a.path = $1",
                                      IMS_DB_ARGS(ims__store_path(path)), take_asset, &l, err);

    st = ims__store_list_end(&l, st, &items, &n, err);
    if (st)
        return st;
    if (!n)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "no file of this path is known");
    *out = items;
    return IMS_OK;
}

struct list_assets {
    const struct ims_store_filter *filter;
    int64_t offset;
    int64_t limit;
    int64_t total;
    struct ims__store_list *list;
};

/* The page is chosen among ids alone, and only its rows are read in full: a sort of all rows with their EXIF is
 * several times slower. */
static ims_status read_list(struct ims_store *s, void *arg, ims_err *err)
{
    struct list_assets *x = arg;
    const char *order = x->filter && x->filter->newest_taken ? " ORDER BY coalesce(c.taken_at_us, a.mtime_us) DESC, a.id DESC"
                                                             : " ORDER BY a.id DESC";
    struct ims__store_sql count, page;
    ims_status st;

    x->list->n = 0;
    ims__store_sql_init(&count, "SELECT count(*) " ASSET_TABLES "WHERE a.deleted_us IS NULL");
    ims__store_sql_init(&page, "SELECT " ASSET_COLUMNS ASSET_TABLES "WHERE a.id IN (SELECT a.id " ASSET_TABLES
                               "WHERE a.deleted_us IS NULL");
    st = ims__store_sql_filter(&count, x->filter, err);
    if (!st)
        st = ims__store_sql_filter(&page, x->filter, err);
    if (st)
        goto out;
    ims__store_sql_add(&page, order, NULL, 0);
    ims__store_sql_add(&page, " LIMIT ? OFFSET ?)", IMS_DB_ARGS(ims_db_int(x->limit), ims_db_int(x->offset)));
    ims__store_sql_add(&page, order, NULL, 0);
    st = ims__store_sql_status(&page, err);
    if (!st)
        st = ims_db_get_int(s->db, count.text.data, count.values, count.n, &x->total, NULL, err);
    if (!st)
        st = ims__store_select(s, page.text.data, page.values, page.n, take_asset, x->list, err);
out:
    ims__store_sql_release(&count);
    ims__store_sql_release(&page);
    return st;
}

ims_status ims_store_list_assets(struct ims_store *s, const struct ims_store_filter *filter,
                                 int64_t offset, int64_t limit, struct ims_arena *arena,
                                 struct ims_store_asset **out, size_t *out_n, int64_t *out_total,
                                 ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct list_assets x = { .filter = filter, .offset = offset, .limit = limit, .list = &l };
    void *items = NULL;
    ims_status st;

    if (offset < 0 || limit < 0)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "offset and limit are not negative");
    st = ims__store_read(s, read_list, &x, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (st)
        return st;
    *out = items;
    if (out_total)
        *out_total = x.total;
    return IMS_OK;
}

/* --- places --- */

static ims_status take_spot(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_spot *p = ims__store_list_add(arg, err);

    if (!p)
        return IMS_E_NOMEM;
    p->asset_id = ims_db_column_int(row, 0);
    p->lat = ims_db_column_double(row, 1);
    p->lng = ims_db_column_double(row, 2);
    return IMS_OK;
}

ims_status ims_store_spots(struct ims_store *s, struct ims_arena *arena, struct ims_store_spot **out, size_t *out_n,
                           ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT a.id, c.gps_lat, c.gps_lng FROM assets a JOIN contents c ON c.id = a.content_id "
                                      "WHERE a.deleted_us IS NULL AND c.gps_lat IS NOT NULL AND c.gps_lng IS NOT NULL "
                                      "ORDER BY a.id",
                                      NULL, 0, take_spot, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* --- search candidates --- */

static ims_status take_pair(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_pair *p = ims__store_list_add(arg, err);

    if (!p)
        return IMS_E_NOMEM;
    p->content_id = ims_db_column_int(row, 0);
    p->asset_id = ims_db_column_int(row, 1);
    return IMS_OK;
}

static ims_status candidates_sql(struct ims__store_sql *q, int64_t model_id,
                                 const struct ims_store_filter *filter, ims_err *err)
{
    bool needs_content = filter && (filter->has_taken_from || filter->has_taken_until || filter->has_area);
    ims_status st;

    ims__store_sql_init(q, "SELECT a.content_id, a.id FROM assets a ");
    if (needs_content)
        ims__store_sql_add(q, "JOIN contents c ON c.id = a.content_id ", NULL, 0);
    ims__store_sql_add(q,
                       "WHERE a.deleted_us IS NULL AND EXISTS (SELECT 1 FROM embeddings e "
                       "WHERE e.content_id = a.content_id AND e.model_id = ?)",
                       IMS_DB_ARGS(ims_db_int(model_id)));
    st = ims__store_sql_filter(q, filter, err);
    if (st)
        return st;
    ims__store_sql_add(q, " ORDER BY a.content_id, a.id", NULL, 0);
    return ims__store_sql_status(q, err);
}

/* What decides the answer is the statement with its values. */
ims_status ims_store_candidates_key(int64_t model_id, const struct ims_store_filter *filter, struct ims_buf *out,
                                    ims_err *err)
{
    struct ims__store_sql q;
    ims_status st = candidates_sql(&q, model_id, filter, err);

    if (!st)
        (void)ims__buf_add_str(out, q.text.data);
    for (size_t i = 0; !st && i < q.n; i++) {
        const struct ims_db_value *v = &q.values[i];

        (void)ims__buf_addf(out, "|%d %lld %a %zu ", (int)v->type, (long long)v->i, v->d, v->n_bytes);
        if (v->p)
            (void)ims__buf_add(out, v->p, v->n_bytes);
    }
    if (!st && ims__buf_status(out))
        st = ims__store_nomem(err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_candidates(struct ims_store *s, int64_t model_id,
                                const struct ims_store_filter *filter, struct ims_store_pair **out,
                                size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .item_size = sizeof(**out) };
    struct ims__store_sql q;
    ims_status st = candidates_sql(&q, model_id, filter, err);

    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_pair, &l, err);
    if (!st && !l.items) {
        l.items = ims__zalloc(1, l.item_size); /* no candidate is not NULL */
        st = l.items ? IMS_OK : ims__store_nomem(err);
    }
    if (st)
        goto out;
    *out = l.items;
    *out_n = l.n;
    l.items = NULL;
out:
    ims__free(l.items);
    ims__store_sql_release(&q);
    return st;
}

/* --- known contents --- */

struct find_contents {
    struct ims_db_value *values;
    struct ims_store_known *out;
    size_t n;
};

static ims_status take_known(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct find_contents *x = arg;

    (void)err;
    x->out[item].content_id = ims_db_column_int(row, 0);
    x->out[item].has_vector = !ims_db_column_is_null(row, 1) || !ims_db_column_is_null(row, 2);
    return IMS_OK;
}

static ims_status find_contents(struct ims_store *s, void *arg, ims_err *err)
{
    struct find_contents *x = arg;

    memset(x->out, 0, x->n * sizeof(*x->out));
    return ims_db_run_many(
        s->db,
        "SELECT c.id, (SELECT 1 FROM embeddings e WHERE e.content_id = c.id AND e.model_id = $2), "
        "(SELECT 1 FROM face_scans f WHERE f.content_id = c.id AND f.model_id = $2) "
        "FROM contents c WHERE c.sha256 = $1",
        x->values, 2, x->n, take_known, x, NULL, err);
}

ims_status ims_store_find_contents(struct ims_store *s, const uint8_t (*sha256)[IMS_SHA256_BYTES],
                                   size_t n, int64_t model_id, struct ims_store_known *out,
                                   ims_err *err)
{
    struct find_contents x = { .n = n };
    ims_status st;

    if (!n)
        return IMS_OK;
    x.values = ims__zalloc(n, 2 * sizeof(*x.values));
    x.out = ims__zalloc(n, sizeof(*x.out));
    for (size_t i = 0; x.values && i < n; i++) {
        x.values[2 * i] = ims_db_blob(sha256[i], IMS_SHA256_BYTES);
        x.values[2 * i + 1] = ims_db_int(model_id);
    }
    st = x.values && x.out ? ims__store_read(s, find_contents, &x, err) : ims__store_nomem(err);
    if (!st)
        memcpy(out, x.out, n * sizeof(*out));
    ims__free(x.values);
    ims__free(x.out);
    return st;
}
