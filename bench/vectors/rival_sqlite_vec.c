/* sqlite-vec, a loadable extension, behind the functions of rivals.h: a database in memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rivals.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct sqlite_vec {
    const char *extension;
    sqlite3 *db, *file; /* file: for durable inserts, opened by the first */
    sqlite3_stmt *find, *insert;
    bool is_filtered;
    uint32_t dim;
    size_t n_allowed, n;
};

static bool run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3 *open_with_extension(const char *path, const char *extension)
{
    sqlite3 *db = NULL;
    char *why = NULL;

    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL) == SQLITE_OK &&
        sqlite3_load_extension(db, extension, "sqlite3_vec_init", &why) == SQLITE_OK)
        return db;
    fprintf(stderr, "sqlite-vec: %s\n", why ? why : "cannot be loaded");
    sqlite3_free(why);
    sqlite3_close(db);
    return NULL;
}

static bool create_table(sqlite3 *db, uint32_t dim)
{
    char sql[160];

    snprintf(sql, sizeof(sql), "CREATE VIRTUAL TABLE v USING vec0(e float[%u] distance_metric=cosine)", dim);
    return run(db, sql);
}

/* In one transaction. */
static bool insert_rows(sqlite3 *db, sqlite3_stmt **insert, const float *rows, uint32_t dim, size_t from, size_t n)
{
    bool is_fine = (*insert || sqlite3_prepare_v2(db, "INSERT INTO v(rowid, e) VALUES (?, ?)", -1, insert, NULL) ==
                                   SQLITE_OK) &&
                   run(db, "BEGIN");

    for (size_t i = 0; is_fine && i < n; i++) {
        sqlite3_bind_int64(*insert, 1, (sqlite3_int64)(from + i));
        sqlite3_bind_blob(*insert, 2, rows + i * dim, (int)(dim * sizeof(float)), SQLITE_STATIC);
        is_fine = sqlite3_step(*insert) == SQLITE_DONE;
        sqlite3_reset(*insert);
    }
    return is_fine && run(db, "COMMIT");
}

static bool vec_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads)
{
    struct sqlite_vec *s = ctx;
    sqlite3_stmt *insert = NULL;
    bool is_fine;

    (void)n_threads;
    s->dim = dim;
    s->n = n;
    is_fine = create_table(s->db, dim) && insert_rows(s->db, &insert, rows, dim, 0, n);
    sqlite3_finalize(insert);
    return is_fine;
}

static bool vec_save(void *ctx, const char *path)
{
    struct sqlite_vec *s = ctx;
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);
    bool is_fine = sql && run(s->db, sql);

    sqlite3_free(sql);
    return is_fine;
}

static bool count_rows(struct sqlite_vec *s)
{
    sqlite3_stmt *count = NULL;
    bool is_fine = sqlite3_prepare_v2(s->db, "SELECT count(*) FROM v_rowids", -1, &count, NULL) == SQLITE_OK &&
                   sqlite3_step(count) == SQLITE_ROW;

    s->n = is_fine ? (size_t)sqlite3_column_int64(count, 0) : 0;
    sqlite3_finalize(count);
    return is_fine;
}

static bool vec_load(void *ctx, uint32_t dim, const char *path)
{
    struct sqlite_vec *s = ctx;
    sqlite3 *from = NULL;
    sqlite3_backup *copy = NULL;
    bool is_fine;

    sqlite3_finalize(s->find);
    s->find = NULL;
    sqlite3_close(s->db);
    s->db = open_with_extension(":memory:", s->extension);
    is_fine = s->db && sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
              (copy = sqlite3_backup_init(s->db, "main", from, "main")) != NULL &&
              sqlite3_backup_step(copy, -1) == SQLITE_DONE;
    sqlite3_backup_finish(copy);
    sqlite3_close(from);
    s->dim = dim;
    return is_fine && count_rows(s);
}

/* What a filter of its users is: ids in another table. */
static bool fill_allowed(struct sqlite_vec *s, const uint8_t *allowed, size_t n)
{
    sqlite3_stmt *insert = NULL;
    bool is_fine = run(s->db, "CREATE TEMP TABLE IF NOT EXISTS allowed(id INTEGER PRIMARY KEY)") &&
                   run(s->db, "BEGIN; DELETE FROM allowed") &&
                   sqlite3_prepare_v2(s->db, "INSERT INTO allowed VALUES (?)", -1, &insert, NULL) == SQLITE_OK;

    s->n_allowed = 0;
    for (size_t i = 0; is_fine && i < n; i++) {
        if (!allowed[i])
            continue;
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
        is_fine = sqlite3_step(insert) == SQLITE_DONE;
        sqlite3_reset(insert);
        s->n_allowed++;
    }
    sqlite3_finalize(insert);
    return is_fine && run(s->db, "COMMIT");
}

static bool vec_allow(void *ctx, const uint8_t *allowed, size_t n)
{
    static const char all[] = "SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance";
    static const char some[] = "SELECT rowid FROM v WHERE e MATCH ? AND k = ? AND rowid IN (SELECT id FROM allowed) "
                               "ORDER BY distance";
    struct sqlite_vec *s = ctx;

    sqlite3_finalize(s->find);
    s->find = NULL;
    s->is_filtered = allowed != NULL;
    return (!allowed || fill_allowed(s, allowed, n)) &&
           sqlite3_prepare_v2(s->db, allowed ? some : all, -1, &s->find, NULL) == SQLITE_OK;
}

static size_t vec_search(void *ctx, const float *query, size_t k, int effort, unsigned n_threads, int64_t *out)
{
    struct sqlite_vec *s = ctx;
    size_t n = 0;

    (void)effort;
    (void)n_threads;
    sqlite3_bind_blob(s->find, 1, query, (int)(s->dim * sizeof(float)), SQLITE_STATIC);
    sqlite3_bind_int64(s->find, 2, (sqlite3_int64)k);
    while (n < k && sqlite3_step(s->find) == SQLITE_ROW)
        out[n++] = sqlite3_column_int64(s->find, 0);
    sqlite3_reset(s->find);
    return n;
}

static size_t vec_read_bytes(void *ctx, const float *query, int effort)
{
    struct sqlite_vec *s = ctx;

    (void)query;
    (void)effort;
    return (s->is_filtered ? s->n_allowed : s->n) * s->dim * sizeof(float);
}

static bool vec_remove(void *ctx, const int64_t *ids, size_t n)
{
    struct sqlite_vec *s = ctx;
    sqlite3_stmt *drop = NULL;
    bool is_fine = run(s->db, "BEGIN") &&
                   sqlite3_prepare_v2(s->db, "DELETE FROM v WHERE rowid = ?", -1, &drop, NULL) == SQLITE_OK;

    for (size_t i = 0; is_fine && i < n; i++) {
        sqlite3_bind_int64(drop, 1, ids[i]);
        is_fine = sqlite3_step(drop) == SQLITE_DONE;
        sqlite3_reset(drop);
    }
    sqlite3_finalize(drop);
    return is_fine && run(s->db, "COMMIT");
}

static bool vec_insert(void *ctx, const char *path, const float *rows, size_t from, size_t n)
{
    struct sqlite_vec *s = ctx;

    if (!s->file) {
        s->file = open_with_extension(path, s->extension);
        if (!s->file || !run(s->file, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL") ||
            !create_table(s->file, s->dim))
            return false;
    }
    return insert_rows(s->file, &s->insert, rows, s->dim, from, n);
}

static size_t vec_bytes(void *ctx)
{
    struct sqlite_vec *s = ctx;
    sqlite3_stmt *size = NULL;
    size_t n = 0;

    if (sqlite3_prepare_v2(s->db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", -1, &size,
                           NULL) == SQLITE_OK &&
        sqlite3_step(size) == SQLITE_ROW)
        n = (size_t)sqlite3_column_int64(size, 0);
    sqlite3_finalize(size);
    return n;
}

static void vec_close(void *ctx)
{
    struct sqlite_vec *s = ctx;

    sqlite3_finalize(s->find);
    sqlite3_finalize(s->insert);
    sqlite3_close(s->db);
    sqlite3_close(s->file);
    free(s);
}

bool rival_sqlite_vec(struct rival *out, const char *extension)
{
    struct sqlite_vec *s = calloc(1, sizeof(*s));

    if (s)
        *s = (struct sqlite_vec){ .extension = extension, .db = open_with_extension(":memory:", extension) };
    if (!s || !s->db) {
        free(s);
        return false;
    }
    *out = (struct rival){ .name = "sqlite-vec",
                           .ctx = s,
                           .max_threads = 1,
                           .build = vec_build,
                           .save = vec_save,
                           .load = vec_load,
                           .allow = vec_allow,
                           .search = vec_search,
                           .read_bytes = vec_read_bytes,
                           .remove = vec_remove,
                           .insert = vec_insert,
                           .bytes = vec_bytes,
                           .close = vec_close };
    return true;
}
