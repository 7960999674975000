/* sqlite-vec, a loadable extension, behind the functions of rivals.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rivals.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct sqlite_vec {
    sqlite3 *db;
    sqlite3_stmt *find;
    uint32_t dim;
    size_t n;
};

static bool run(struct sqlite_vec *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool vec_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads, const char *path)
{
    struct sqlite_vec *s = ctx;
    sqlite3_stmt *insert = NULL;
    char sql[160];
    bool is_fine;

    (void)n_threads;
    (void)path;
    s->dim = dim;
    s->n = n;
    snprintf(sql, sizeof(sql), "CREATE VIRTUAL TABLE v USING vec0(e float[%u] distance_metric=cosine)", dim);
    is_fine = run(s, sql) && run(s, "BEGIN") &&
              sqlite3_prepare_v2(s->db, "INSERT INTO v(rowid, e) VALUES (?, ?)", -1, &insert, NULL) == SQLITE_OK;
    for (size_t i = 0; is_fine && i < n; i++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
        sqlite3_bind_blob(insert, 2, rows + i * dim, (int)(dim * sizeof(float)), SQLITE_STATIC);
        is_fine = sqlite3_step(insert) == SQLITE_DONE;
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return is_fine && run(s, "COMMIT") &&
           sqlite3_prepare_v2(s->db, "SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance", -1,
                              &s->find, NULL) == SQLITE_OK;
}

static size_t vec_search(void *ctx, const float *query, size_t k, int effort, const uint8_t *allowed,
                         unsigned n_threads, int64_t *out)
{
    struct sqlite_vec *s = ctx;
    size_t n = 0;

    (void)effort;
    (void)allowed;
    (void)n_threads;
    sqlite3_bind_blob(s->find, 1, query, (int)(s->dim * sizeof(float)), SQLITE_STATIC);
    sqlite3_bind_int64(s->find, 2, (sqlite3_int64)k);
    while (n < k && sqlite3_step(s->find) == SQLITE_ROW)
        out[n++] = sqlite3_column_int64(s->find, 0);
    sqlite3_reset(s->find);
    return n;
}

static size_t vec_bytes(void *ctx)
{
    struct sqlite_vec *s = ctx;

    return s->n * s->dim * sizeof(float);
}

static void vec_close(void *ctx)
{
    struct sqlite_vec *s = ctx;

    sqlite3_finalize(s->find);
    sqlite3_close(s->db);
    free(s);
}

bool rival_sqlite_vec(struct rival *out, const char *extension)
{
    struct sqlite_vec *s = calloc(1, sizeof(*s));
    char *why = NULL;

    if (!s || sqlite3_open(":memory:", &s->db) != SQLITE_OK ||
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL) != SQLITE_OK ||
        sqlite3_load_extension(s->db, extension, "sqlite3_vec_init", &why) != SQLITE_OK) {
        fprintf(stderr, "sqlite-vec: %s\n", why ? why : "cannot be loaded");
        sqlite3_free(why);
        if (s)
            sqlite3_close(s->db);
        free(s);
        return false;
    }
    *out = (struct rival){ .name = "sqlite-vec",
                           .ctx = s,
                           .build = vec_build,
                           .search = vec_search,
                           .bytes = vec_bytes,
                           .close = vec_close };
    return true;
}
