/* Builds the variable parts of statements: numbered values, path prefixes, filters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

#define MAX_SQL_BYTES (16 * IMS_KIB)

void ims__store_sql_init(struct ims__store_sql *q, const char *text)
{
    *q = (struct ims__store_sql){ .n = 0 };
    ims__buf_init(&q->text, MAX_SQL_BYTES);
    (void)ims__buf_add_str(&q->text, text);
}

void ims__store_sql_release(struct ims__store_sql *q)
{
    ims__buf_release(&q->text);
    ims__free(q->prefix);
}

ims_status ims__store_sql_status(const struct ims__store_sql *q, ims_err *err)
{
    ims_status st = ims__buf_status(&q->text);

    return st ? ims_fail(err, st, "store", 0, "building a statement") : IMS_OK;
}

void ims__store_sql_add(struct ims__store_sql *q, const char *text,
                        const struct ims_db_value *values, size_t n)
{
    size_t used = 0;

    for (; *text; text++) {
        if (*text != '?') {
            (void)ims__buf_add_char(&q->text, *text);
        } else if (used < n && q->n < IMS_ARRAY_LEN(q->values)) {
            q->values[q->n++] = values[used++];
            (void)ims__buf_addf(&q->text, "$%zu", q->n);
        } else {
            q->text.status = IMS_E_INTERNAL;
        }
    }
}

char *ims__store_path_range(const char *path, struct ims_db_value *from, struct ims_db_value *until)
{
    size_t n = strlen(path);
    char *bytes = ims__alloc(2, n + 1);

    while (n && path[n - 1] == '/')
        n--;
    if (!bytes)
        return NULL;
    memcpy(bytes, path, n);
    bytes[n] = '/';
    memcpy(bytes + n + 1, path, n);
    bytes[2 * n + 1] = '/' + 1;
    *from = ims_db_blob(bytes, n + 1);
    *until = ims_db_blob(bytes + n + 1, n + 1);
    return bytes;
}

/* "/a/b" matches itself and "/a/b/..." : as bytes, from "/a/b/" up to but not including "/a/b0",
 * since '0' follows '/'. A range, so the index on the path serves it. */
ims_status ims__store_sql_below(struct ims__store_sql *q, const char *column, const char *prefix,
                                ims_err *err)
{
    struct ims_db_value from, until;
    size_t n = prefix ? strlen(prefix) : 0;

    while (n && prefix[n - 1] == '/')
        n--;
    if (!n)
        return IMS_OK;
    if (n > IMS_MAX_PATH_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "store", 0, "a path has more than %d bytes",
                        IMS_MAX_PATH_BYTES);
    ims__free(q->prefix);
    q->prefix = ims__store_path_range(prefix, &from, &until);
    if (!q->prefix)
        return ims_fail(err, IMS_E_NOMEM, "store", 0, "building a statement");
    (void)ims__buf_addf(&q->text, " AND (%s = ", column);
    ims__store_sql_add(q, "?", IMS_DB_ARGS(ims_db_blob(q->prefix, n)));
    (void)ims__buf_addf(&q->text, " OR (%s >= ", column);
    ims__store_sql_add(q, "?", IMS_DB_ARGS(from));
    (void)ims__buf_addf(&q->text, " AND %s < ", column);
    ims__store_sql_add(q, "?))", IMS_DB_ARGS(until));
    return IMS_OK;
}

/* Its borders are in it, as those of a bounding box are (RFC 7946, section 5.2: west may be greater than east). */
static void add_area(struct ims__store_sql *q, const struct ims_store_filter *f)
{
    ims__store_sql_add(q, " AND c.gps_lat >= ? AND c.gps_lat <= ?",
                       IMS_DB_ARGS(ims_db_double(f->south), ims_db_double(f->north)));
    ims__store_sql_add(q,
                       f->west <= f->east ? " AND c.gps_lng >= ? AND c.gps_lng <= ?"
                                          : " AND (c.gps_lng >= ? OR c.gps_lng <= ?)",
                       IMS_DB_ARGS(ims_db_double(f->west), ims_db_double(f->east)));
}

ims_status ims__store_sql_filter(struct ims__store_sql *q, const struct ims_store_filter *f,
                                 ims_err *err)
{
    if (!f)
        return ims__store_sql_status(q, err);
    if (f->has_taken_from)
        ims__store_sql_add(q, " AND c.taken_at_us >= ?", IMS_DB_ARGS(ims_db_int(f->taken_from_us)));
    if (f->has_taken_until)
        ims__store_sql_add(q, " AND c.taken_at_us < ?", IMS_DB_ARGS(ims_db_int(f->taken_until_us)));
    if (f->has_created_from)
        ims__store_sql_add(q, " AND a.created_us >= ?", IMS_DB_ARGS(ims_db_int(f->created_from_us)));
    if (f->has_created_until)
        ims__store_sql_add(q, " AND a.created_us < ?", IMS_DB_ARGS(ims_db_int(f->created_until_us)));
    if (f->category_id)
        ims__store_sql_add(q, " AND a.category_id = ?", IMS_DB_ARGS(ims_db_int(f->category_id)));
    if (f->n_person_ids > IMS_STORE_MAX_FILTER_PERSONS)
        return ims_fail(err, IMS_E_LIMIT, "store", 0, "a filter names at most %d persons",
                        IMS_STORE_MAX_FILTER_PERSONS);
    for (size_t i = 0; i < f->n_person_ids; i++)
        ims__store_sql_add(q,
                           " AND EXISTS (SELECT 1 FROM faces f WHERE f.content_id = a.content_id "
                           "AND f.person_id = ?)",
                           IMS_DB_ARGS(ims_db_int(f->person_ids[i])));
    if (f->is_indexed)
        ims__store_sql_add(q, " AND a.indexed_us IS NOT NULL", NULL, 0);
    if (f->has_area)
        add_area(q, f);
    if (f->path_prefix) {
        ims_status st = ims__store_sql_below(q, "a.path", f->path_prefix, err);

        if (st)
            return st;
    }
    return ims__store_sql_status(q, err);
}
