/* The store's handle: opening and migrating, transactions that repeat, lists from rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/persons.h"
#include "store/store_migrations.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_BUSY_MS 10000u
#define MAX_LIST_ITEMS ((size_t)1 << 31)
#define FIRST_ANALYZE 500

static const char *const analyze[] = {
    "ANALYZE assets",   "ANALYZE contents", "ANALYZE work",       "ANALYZE embeddings",
    "ANALYZE evidence", "ANALYZE faces",    "ANALYZE face_scans", "ANALYZE face_vectors",
};

ims_status ims__store_nomem(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "store", 0, "not enough memory for rows");
}

/* Names that say whose a database is: image-search-service, whose DATABASE_URL ours may be by mistake, and what any other
 * program would share with ours. */
static const char *const foreign_tables[] = { "alembic_version", "image_assets", "categories", "persons",
                                              "training_sessions", "jobs", "settings" };

/* A library never moves in with another program's tables. Ours come in one transaction together with schema_migrations:
 * whoever finds some without it looks again, for they may have come meanwhile. */
static ims_status refuse_foreign(struct ims_store *s, ims_err *err)
{
    bool is_ours = false, is_there = false;
    ims_status st = ims_db_has_table(s->db, "schema_migrations", &is_ours, err);

    for (size_t i = 0; !st && !is_ours && i < IMS_ARRAY_LEN(foreign_tables); i++) {
        st = ims_db_has_table(s->db, foreign_tables[i], &is_there, err);
        if (!st && is_there)
            st = ims_db_has_table(s->db, "schema_migrations", &is_ours, err);
        if (!st && is_there && !is_ours)
            st = ims_fail(err, IMS_E_CONFIG, "store", 0,
                          "%s is the database of another program: it has the table %s and none of a library; make one for "
                          "imgsearch alone (createdb imgsearch) and name it in DATABASE_URL",
                          ims_db_location(s->db), foreign_tables[i]);
    }
    return st;
}

static ims_status migrate(struct ims_store *s, bool is_read_only, ims_err *err)
{
    int version = 0;
    ims_status st = refuse_foreign(s, err);

    if (st)
        return st;
    if (!is_read_only)
        return ims_db_migrate(s->db, ims__store_migrations, ims__store_n_migrations, NULL, err);
    st = ims_db_migrations_check(s->db, ims__store_migrations, ims__store_n_migrations, &version,
                                 err);
    if (!st && (size_t)version < ims__store_n_migrations)
        st = ims_fail(err, IMS_E_VERSION, "store", version,
                      "%s is at step %d of %zu; open it once for writing to bring it up to date",
                      ims_db_location(s->db), version, ims__store_n_migrations);
    return st;
}

ims_status ims_store_open(struct ims_store **out, const char *url,
                          const struct ims_store_options *opts, ims_err *err)
{
    struct ims_store_options o = { 0 };
    struct ims_store *s;
    char *id = NULL;
    ims_status st;

    if (opts)
        o = *opts;
    if (!o.busy_timeout_ms)
        o.busy_timeout_ms = DEFAULT_BUSY_MS;
    s = ims__zalloc(1, sizeof(*s));
    if (!s)
        return ims_fail(err, IMS_E_NOMEM, "store", 0, "allocating the handle");
    s->busy_timeout_ms = o.busy_timeout_ms;
    s->analyze_at = FIRST_ANALYZE;
    st = ims__lock_init(&s->own_counts.lock);
    if (st) {
        ims__free(s);
        return ims_fail(err, st, "store", 0, "making a lock");
    }
    s->counts = o.beside ? o.beside->counts : &s->own_counts;
    st = ims_db_open(&s->db, url,
                     &(struct ims_db_options){ .is_read_only = o.is_read_only,
                                               .must_exist = o.must_exist || o.is_read_only,
                                               .busy_timeout_ms = o.busy_timeout_ms },
                     err);
    if (!st)
        st = migrate(s, o.is_read_only, err);
    if (!st)
        st = ims_store_get_setting(s, "library_id", &id, err);
    if (st)
        goto out;
    if (!id) {
        st = ims_fail(err, IMS_E_CORRUPT, "store", 0, "%s has lost its library_id",
                      ims_db_location(s->db));
        goto out;
    }
    snprintf(s->library_id, sizeof(s->library_id), "%s", id);

    *out = s;
    s = NULL;
out:
    ims__free(id);
    ims_store_close(s);
    return st;
}

void ims_store_close(struct ims_store *s)
{
    if (!s)
        return;
    ims_db_close(s->db);
    ims__lock_release(&s->own_counts.lock);
    ims__free(s);
}

const char *ims_store_location(const struct ims_store *s)
{
    return ims_db_location(s->db);
}

const char *ims_store_db_version(const struct ims_store *s)
{
    return ims_db_version(s->db);
}

const char *ims_store_library_id(const struct ims_store *s)
{
    return s->library_id;
}

/* One try of a writing transaction. Every writer takes the same row first: so writers take turns in
 * PostgreSQL as they do in SQLite, deadlocks between them cannot arise, and numbers handed out
 * inside become visible in their order. */
static ims_status try_write(struct ims_store *s, ims__store_body body, void *arg, ims_err *err)
{
    ims_status st = ims_db_begin(s->db, IMS_DB_WRITE, err);

    if (st)
        return st;
    st = ims_db_run(s->db, "UPDATE counters SET value = value + 1 WHERE name = 'writer'",
                    IMS_DB_NO_ARGS, NULL, err);
    if (!st)
        st = body(s, arg, err);
    return st ? st : ims_db_commit(s->db, err);
}

ims_status ims__store_write(struct ims_store *s, ims__store_body body, void *arg, ims_err *err)
{
    uint64_t until = ims__mono_ns() + (uint64_t)s->busy_timeout_ms * 1000000u;
    struct timespec pause = { 0, 2 * 1000 * 1000 };
    bool is_second_connection = false;

    if (ims_db_is_in_transaction(s->db)) /* a part of it; whoever began repeats */
        return body(s, arg, err);
    for (;;) {
        ims_status st = try_write(s, body, arg, err);
        bool is_lost = st && ims_db_is_lost(s->db);

        if (!st)
            return IMS_OK;
        ims_db_rollback(s->db);
        if (is_lost && !is_second_connection) {
            is_second_connection = true; /* begin connects again */
            continue;
        }
        if (st != IMS_E_DB_BUSY || ims__mono_ns() >= until)
            return st;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 200 * 1000 * 1000)
            pause.tv_nsec *= 2;
    }
}

ims_status ims_store_transact(struct ims_store *s, ims_store_body body, void *arg, ims_err *err)
{
    return ims__store_write(s, body, arg, err);
}

ims_status ims__store_read(struct ims_store *s, ims__store_body body, void *arg, ims_err *err)
{
    if (ims_db_is_in_transaction(s->db))
        return body(s, arg, err);
    for (int attempt = 0;; attempt++) {
        ims_status st = ims_db_begin(s->db, IMS_DB_READ, err);
        bool is_lost;

        if (!st)
            st = body(s, arg, err);
        if (!st)
            st = ims_db_commit(s->db, err);
        if (!st)
            return IMS_OK;
        is_lost = ims_db_is_lost(s->db);
        ims_db_rollback(s->db);
        if (!is_lost || attempt > 0)
            return st;
    }
}

/* A plan made for an empty table reads all of it for each row: right at the start of a library,
 * wrong soon after. So once this handle has written a good part of the library, the planner is told
 * the new sizes. Failing (busy, not the owner) costs speed alone. */
void ims__store_grew(struct ims_store *s, size_t n)
{
    int64_t last_id = 0;

    s->n_written += n;
    if (s->n_written < s->analyze_at || ims_db_is_in_transaction(s->db))
        return;
    s->analyze_at = s->n_written * 8;
    if (ims_db_get_int(s->db, "SELECT COALESCE(MAX(id), 0) FROM assets", IMS_DB_NO_ARGS, &last_id,
                       NULL, NULL) ||
        (int64_t)s->n_written < last_id / 4)
        return;
    for (size_t i = 0; i < IMS_ARRAY_LEN(analyze); i++) {
        if (ims_db_exec(s->db, analyze[i], NULL))
            return;
    }
}

ims_status ims__store_bump_epoch(struct ims_store *s, ims_err *err)
{
    return ims_db_run(s->db, "UPDATE counters SET value = value + 1 WHERE name = 'epoch'",
                      IMS_DB_NO_ARGS, NULL, err);
}

ims_status ims_store_epoch(struct ims_store *s, int64_t *out, ims_err *err)
{
    return ims__store_get_int(s, "SELECT value FROM counters WHERE name = 'epoch'", IMS_DB_NO_ARGS,
                              out, NULL, err);
}

ims_status ims__store_select(struct ims_store *s, const char *sql,
                             const struct ims_db_value *values, size_t n_values,
                             ims__store_row on_row, void *arg, ims_err *err)
{
    for (int attempt = 0;; attempt++) {
        struct ims_db_query *q = NULL;
        bool has_row = false, is_first = true;
        ims_status st = ims_db_query(s->db, &q, sql, values, n_values, err);

        while (!st && !(st = ims_db_next(q, &has_row, err)) && has_row) {
            is_first = false;
            st = on_row(arg, q, err);
        }
        ims_db_done(q);
        if (!st || attempt > 0 || !is_first || !ims_db_is_lost(s->db) ||
            ims_db_is_in_transaction(s->db))
            return st;
    }
}

ims_status ims__store_get_int(struct ims_store *s, const char *sql,
                              const struct ims_db_value *values, size_t n_values, int64_t *out,
                              bool *out_found, ims_err *err)
{
    ims_status st = ims_db_get_int(s->db, sql, values, n_values, out, out_found, err);

    if (st && ims_db_is_lost(s->db) && !ims_db_is_in_transaction(s->db))
        st = ims_db_get_int(s->db, sql, values, n_values, out, out_found, err);
    return st;
}

void *ims__store_list_add(struct ims__store_list *l, ims_err *err)
{
    char *item;

    if (!ims__grow(&l->items, &l->cap, l->n, l->item_size, MAX_LIST_ITEMS)) {
        (void)ims__store_nomem(err);
        return NULL;
    }
    item = (char *)l->items + l->n++ * l->item_size;
    memset(item, 0, l->item_size);
    return item;
}

ims_status ims__store_list_end(struct ims__store_list *l, ims_status st, void **out, size_t *out_n,
                               ims_err *err)
{
    void *items = NULL;

    if (!st) {
        items = ims__arena_alloc(l->arena, l->n ? l->n : 1, l->item_size);
        if (!items)
            st = ims__store_nomem(err);
    }
    if (!st) {
        if (l->n)
            memcpy(items, l->items, l->n * l->item_size);
        *out = items;
        *out_n = l->n;
    }
    ims__free(l->items);
    l->items = NULL;
    return st;
}

ims_status ims__store_string(struct ims_arena *arena, const struct ims_db_query *row, size_t column,
                             const char **out, ims_err *err)
{
    ims_db_type type = ims_db_column_type(row, column);
    const char *p = NULL;
    char *copy;
    size_t n = 0;

    *out = NULL;
    if (type == IMS_DB_TEXT)
        p = ims_db_column_text(row, column, &n);
    else if (type == IMS_DB_BLOB)
        p = ims_db_column_blob(row, column, &n);
    if (!p)
        return IMS_OK;
    copy = ims__arena_strndup(arena, p, n);
    if (!copy)
        return ims__store_nomem(err);
    *out = copy;
    return IMS_OK;
}

struct ims_db_value ims__store_path(const char *path)
{
    return ims_db_blob(path, strlen(path));
}

ims_status ims__store_check_path(const char *path, ims_err *err)
{
    if (!path || path[0] != '/')
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a path is not absolute");
    if (strlen(path) > IMS_MAX_PATH_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "store", 0, "a path has more than %d bytes",
                        IMS_MAX_PATH_BYTES);
    return IMS_OK;
}

static ims_status take_string(void *arg, const struct ims_db_query *row, ims_err *err)
{
    const char *text = ims_db_column_text(row, 0, NULL);
    char **out = arg;

    *out = ims__strdup(text ? text : "");
    return *out ? IMS_OK : ims__store_nomem(err);
}

ims_status ims_store_get_setting(struct ims_store *s, const char *key, char **out, ims_err *err)
{
    char *value = NULL;
    ims_status st = ims__store_select(s, "SELECT value FROM settings WHERE key = $1",
                                      IMS_DB_ARGS(ims_db_text(key)), take_string, &value, err);

    if (st)
        ims__free(value);
    else
        *out = value;
    return st;
}

struct setting {
    const char *key;
    const char *value;
};

static ims_status put_setting(struct ims_store *s, void *arg, ims_err *err)
{
    const struct setting *x = arg;

    return ims_db_run(s->db,
                      "INSERT INTO settings (key, value) VALUES ($1, $2) "
                      "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                      IMS_DB_ARGS(ims_db_text(x->key), ims_db_text(x->value)), NULL, err);
}

ims_status ims_store_set_setting(struct ims_store *s, const char *key, const char *value,
                                 ims_err *err)
{
    struct setting x = { key, value };

    return ims__store_write(s, put_setting, &x, err);
}
