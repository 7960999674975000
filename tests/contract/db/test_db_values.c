/* Values, statements and series behave the same in every backend.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"
#include "harness/test.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *blob_type(struct ims_db *db)
{
    return strcmp(ims_db_dialect(db), "sqlite") == 0 ? "BLOB" : "BYTEA";
}

/* A table with a column of each type; strict in SQLite. */
static struct ims_db *open_with_table(ims_err *err)
{
    struct ims_db *db = NULL;
    char sql[256];
    bool is_sqlite;

    if (ims_db_open(&db, fixture_url(), NULL, err))
        return NULL;
    is_sqlite = strcmp(ims_db_dialect(db), "sqlite") == 0;
    snprintf(sql, sizeof(sql), "CREATE TABLE t (k %s PRIMARY KEY, i %s, d %s, s TEXT, b %s)%s",
             is_sqlite ? "INTEGER" : "BIGINT", is_sqlite ? "INTEGER" : "BIGINT",
             is_sqlite ? "REAL" : "DOUBLE PRECISION", blob_type(db), is_sqlite ? " STRICT" : "");
    if (ims_db_exec(db, sql, err)) {
        ims_db_close(db);
        return NULL;
    }
    return db;
}

#define INSERT "INSERT INTO t (k, i, d, s, b) VALUES ($1, $2, $3, $4, $5)"
#define SELECT_ALL "SELECT k, i, d, s, b FROM t ORDER BY k"

TEST(round_trip,
     "every type comes back as it went in, extremes, empty values and NUL bytes included")
{
    static const int64_t ints[] = { 0, -1, INT64_MAX, INT64_MIN, (int64_t)1 << 40 };
    static const double doubles[] = { 0.0, -2.0, 1e308, 5e-324, 0.1 };
    static const char *const texts[] = { "", "a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xb7",
                                         "it's $1 \\ \"q\"", "\n\t" };
    static const unsigned char blob[] = { 0, 1, 0, 0xff, '\\', '\'', 0 };
    struct ims_db_query *q = NULL;
    struct ims_db *db;
    ims_err err = { 0 };
    bool has_row = false;

    db = open_with_table(&err);
    CHECK(db != NULL);
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(ims_db_run(db, INSERT,
                            IMS_DB_ARGS(ims_db_int((int64_t)i), ims_db_int(ints[i]),
                                        ims_db_double(doubles[i]), ims_db_text(texts[i]),
                                        ims_db_blob(blob, i + 3)),
                            NULL, &err),
                 err);
    CHECK_OK(ims_db_query(db, &q, SELECT_ALL, IMS_DB_NO_ARGS, &err), err);
    for (size_t i = 0; i < 5; i++) {
        size_t n = 0;
        double d;

        CHECK_OK(ims_db_next(q, &has_row, &err), err);
        CHECK(has_row);
        CHECK_INT(ims_db_n_columns(q), 5);
        CHECK_INT(ims_db_column_type(q, 1), IMS_DB_INT64);
        CHECK_INT(ims_db_column_int(q, 1), ints[i]);
        d = ims_db_column_double(q, 2);
        CHECK_MEM(&d, &doubles[i], sizeof(d));
        CHECK_STR(ims_db_column_text(q, 3, &n), texts[i]);
        CHECK_INT(n, strlen(texts[i]));
        CHECK(ims_db_column_blob(q, 4, &n) != NULL);
        CHECK_INT(n, i + 3);
        CHECK_MEM(ims_db_column_blob(q, 4, &n), blob, n);
        CHECK(ims_db_column_text(q, 4, &n) == NULL);
        CHECK_INT(ims_db_column_int(q, 3), 0);
        CHECK_INT(ims_db_column_type(q, 9), IMS_DB_NULL);
    }
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    CHECK(!has_row);
    CHECK_STATUS(ims_db_next(q, &has_row, &err), IMS_E_INVALID, err);
    ims_db_done(q);
    ims_db_close(db);
}

TEST(nulls, "nulls and empty values are told apart")
{
    struct ims_db_query *q = NULL;
    struct ims_db *db;
    ims_err err = { 0 };
    bool has_row = false;
    size_t n = 7;

    db = open_with_table(&err);
    CHECK(db != NULL);
    CHECK_OK(ims_db_run(db, INSERT,
                        IMS_DB_ARGS(ims_db_int(1), ims_db_null(), ims_db_null(), ims_db_null(),
                                    ims_db_null()),
                        NULL, &err),
             err);
    CHECK_OK(ims_db_run(db, INSERT,
                        IMS_DB_ARGS(ims_db_int(2), ims_db_int(0), ims_db_double(0), ims_db_text(""),
                                    ims_db_blob(NULL, 0)),
                        NULL, &err),
             err);
    CHECK_OK(ims_db_query(db, &q, SELECT_ALL, IMS_DB_NO_ARGS, &err), err);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    for (size_t c = 1; c < 5; c++)
        CHECK(ims_db_column_is_null(q, c));
    CHECK(ims_db_column_text(q, 3, &n) == NULL);
    CHECK_INT(n, 0);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    for (size_t c = 1; c < 5; c++)
        CHECK(!ims_db_column_is_null(q, c));
    CHECK(ims_db_column_blob(q, 4, &n) != NULL);
    CHECK_INT(n, 0);
    CHECK_STR(ims_db_column_text(q, 3, NULL), "");
    ims_db_done(q);
    ims_db_close(db);
}

TEST(infinities, "infinities are stored, what is not a number is refused")
{
    struct ims_db *db;
    struct ims_db_query *q = NULL;
    ims_err err = { 0 };
    bool has_row = false;
    int64_t n = 0;

    db = open_with_table(&err);
    CHECK(db != NULL);
    CHECK_OK(ims_db_run(db, "INSERT INTO t (k, d) VALUES ($1, $2), ($3, $4)",
                        IMS_DB_ARGS(ims_db_int(1), ims_db_double(INFINITY), ims_db_int(2),
                                    ims_db_double(-INFINITY)),
                        &n, &err),
             err);
    CHECK_INT(n, 2);
    CHECK_STATUS(ims_db_run(db, "INSERT INTO t (k, d) VALUES ($1, $2)",
                            IMS_DB_ARGS(ims_db_int(3), ims_db_double(NAN)), NULL, &err),
                 IMS_E_INVALID, err);
    CHECK_OK(ims_db_query(db, &q, SELECT_ALL, IMS_DB_NO_ARGS, &err), err);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    CHECK(ims_db_column_double(q, 2) == (double)INFINITY);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    CHECK(ims_db_column_double(q, 2) == -(double)INFINITY);
    ims_db_done(q);
    ims_db_close(db);
}

TEST(bad_text, "text with a NUL or that is not UTF-8 is refused before it reaches the database")
{
    static const struct {
        const char *p;
        size_t n;
    } bad[] = { { "a\0b", 3 }, { "\xff", 1 }, { "\xc0\x80", 2 }, { "\xed\xa0\x80", 3 } };
    struct ims_db *db;
    ims_err err = { 0 };
    int64_t n = -1;

    db = open_with_table(&err);
    CHECK(db != NULL);
    for (size_t i = 0; i < 4; i++)
        CHECK_STATUS(ims_db_run(db, "INSERT INTO t (k, s) VALUES ($1, $2)",
                                IMS_DB_ARGS(ims_db_int(1), ims_db_text_n(bad[i].p, bad[i].n)), NULL,
                                &err),
                     IMS_E_INVALID, err);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 0);
    ims_db_close(db);
}

TEST(wrong_values,
     "a wrong number of values or a value of the wrong type is refused and stores nothing")
{
    struct ims_db *db;
    ims_err err = { 0 };
    int64_t n = -1;

    db = open_with_table(&err);
    CHECK(db != NULL);
    CHECK_STATUS(ims_db_run(db, "INSERT INTO t (k, i) VALUES ($1, $2)", IMS_DB_ARGS(ims_db_int(1)),
                            NULL, &err),
                 IMS_E_INVALID, err);
    CHECK_STATUS(ims_db_run(db, "INSERT INTO t (k) VALUES ($1)",
                            IMS_DB_ARGS(ims_db_int(1), ims_db_int(2)), NULL, &err),
                 IMS_E_INVALID, err);
    CHECK(ims_db_run(db, "INSERT INTO t (k, i) VALUES ($1, $2)",
                     IMS_DB_ARGS(ims_db_int(1), ims_db_text("x")), NULL, &err) != IMS_OK);
    CHECK(ims_db_run(db, "INSERT INTO t (k, i) VALUES ($1, $2)",
                     IMS_DB_ARGS(ims_db_int(1), ims_db_blob("x", 1)), NULL, &err) != IMS_OK);
    CHECK(ims_db_run(db, "INSERT INTO t (k, b) VALUES ($1, $2)",
                     IMS_DB_ARGS(ims_db_int(1), ims_db_text("x")), NULL, &err) != IMS_OK);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 0);
    /* an integer into a column of doubles is a number all the same, also after a null came first */
    CHECK_OK(ims_db_run(db, "INSERT INTO t (k, d) VALUES ($1, $2)",
                        IMS_DB_ARGS(ims_db_int(1), ims_db_null()), NULL, &err),
             err);
    CHECK_OK(ims_db_run(db, "INSERT INTO t (k, d) VALUES ($1, $2)",
                        IMS_DB_ARGS(ims_db_int(2), ims_db_int(3)), NULL, &err),
             err);
    CHECK_OK(
        ims_db_get_int(db, "SELECT count(*) FROM t WHERE d = 3.0", IMS_DB_NO_ARGS, &n, NULL, &err),
        err);
    CHECK_INT(n, 1);
    ims_db_close(db);
}

TEST(numbered, "parameters go by their number, in any order and more than once")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    int64_t n = 0;

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_OK(ims_db_get_int(
                 db,
                 "SELECT CAST($3 AS BIGINT) * 100 + CAST($1 AS BIGINT) * 10 + CAST($2 AS BIGINT) + "
                 "CAST($3 AS BIGINT)",
                 IMS_DB_ARGS(ims_db_int(1), ims_db_int(2), ims_db_int(3)), &n, NULL, &err),
             err);
    CHECK_INT(n, 315);
    CHECK(ims_db_get_int(db, "SELECT CAST($1 AS BIGINT) + CAST($3 AS BIGINT)",
                         IMS_DB_ARGS(ims_db_int(1), ims_db_int(2), ims_db_int(3)), &n, NULL,
                         &err) != IMS_OK);
    CHECK(ims_db_get_int(db, "this is no SQL", IMS_DB_NO_ARGS, &n, NULL, &err) != IMS_OK);
    CHECK_STATUS(ims_db_get_int(db, "SELECT 1 WHERE 1 = 0", IMS_DB_NO_ARGS, &n, NULL, &err),
                 IMS_E_NOT_FOUND, err);
    CHECK_INT(n, 315); /* outputs are untouched by failures */
    ims_db_close(db);
}

TEST(blob_order, "blobs compare as bytes, so a prefix is a range")
{
    static const char *const paths[] = { "/a",    "/a/b",   "/a/b/x", "/a/b/\xff",
                                         "/a/bc", "/a/b.x", "/a/c",   "/b" };
    struct ims_db *db;
    struct ims_db_query *q = NULL;
    ims_err err = { 0 };
    bool has_row = false;
    int64_t found[8];
    size_t n = 0;

    db = open_with_table(&err);
    CHECK(db != NULL);
    for (size_t i = 0; i < 8; i++)
        CHECK_OK(
            ims_db_run(db, "INSERT INTO t (k, b) VALUES ($1, $2)",
                       IMS_DB_ARGS(ims_db_int((int64_t)i), ims_db_blob(paths[i], strlen(paths[i]))),
                       NULL, &err),
            err);
    CHECK_OK(ims_db_query(db, &q, "SELECT k FROM t WHERE b >= $1 AND b < $2 ORDER BY k",
                          IMS_DB_ARGS(ims_db_blob("/a/b/", 5), ims_db_blob("/a/b0", 5)), &err),
             err);
    while (!ims_db_next(q, &has_row, &err) && has_row && n < 8)
        found[n++] = ims_db_column_int(q, 0);
    ims_db_done(q);
    CHECK_INT(n, 2);
    CHECK_INT(found[0], 2);
    CHECK_INT(found[1], 3);
    ims_db_close(db);
}

TEST(large, "a blob of 3 MiB and a text of 1 MiB come back whole")
{
    size_t n_blob = 3u << 20, n_text = 1u << 20, n = 0;
    unsigned char *blob = malloc(n_blob);
    char *text = malloc(n_text);
    struct ims_db *db;
    struct ims_db_query *q = NULL;
    ims_err err = { 0 };
    uint64_t state = 1;
    bool has_row = false;

    CHECK(blob && text);
    for (size_t i = 0; i < n_blob; i++)
        blob[i] = (unsigned char)test_random(&state);
    memset(text, 'x', n_text);
    db = open_with_table(&err);
    CHECK(db != NULL);
    CHECK_OK(ims_db_run(
                 db, "INSERT INTO t (k, s, b) VALUES ($1, $2, $3)",
                 IMS_DB_ARGS(ims_db_int(1), ims_db_text_n(text, n_text), ims_db_blob(blob, n_blob)),
                 NULL, &err),
             err);
    CHECK_OK(ims_db_query(db, &q, SELECT_ALL, IMS_DB_NO_ARGS, &err), err);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    CHECK(ims_db_column_text(q, 3, &n) != NULL);
    CHECK_INT(n, n_text);
    CHECK(ims_db_column_blob(q, 4, &n) != NULL);
    CHECK_INT(n, n_blob);
    CHECK_MEM(ims_db_column_blob(q, 4, &n), blob, n_blob);
    ims_db_done(q);
    ims_db_close(db);
    free(blob);
    free(text);
}

TEST(constraints, "a broken unique, foreign key, not-null or check rule is IMS_E_CONSTRAINT")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_OK(ims_db_exec(db,
                         "CREATE TABLE parent (id BIGINT PRIMARY KEY);"
                         "CREATE TABLE child (id BIGINT NOT NULL REFERENCES parent (id), n BIGINT "
                         "CHECK (n > 0));"
                         "INSERT INTO parent VALUES (1);",
                         &err),
             err);
    CHECK_STATUS(
        ims_db_run(db, "INSERT INTO parent VALUES ($1)", IMS_DB_ARGS(ims_db_int(1)), NULL, &err),
        IMS_E_CONSTRAINT, err);
    CHECK_STATUS(
        ims_db_run(db, "INSERT INTO child VALUES ($1, 1)", IMS_DB_ARGS(ims_db_int(2)), NULL, &err),
        IMS_E_CONSTRAINT, err);
    CHECK_STATUS(
        ims_db_run(db, "INSERT INTO child VALUES ($1, 1)", IMS_DB_ARGS(ims_db_null()), NULL, &err),
        IMS_E_CONSTRAINT, err);
    CHECK_STATUS(
        ims_db_run(db, "INSERT INTO child VALUES (1, $1)", IMS_DB_ARGS(ims_db_int(0)), NULL, &err),
        IMS_E_CONSTRAINT, err);
    CHECK_OK(
        ims_db_run(db, "INSERT INTO child VALUES (1, $1)", IMS_DB_ARGS(ims_db_int(1)), NULL, &err),
        err);
    ims_db_close(db);
}

TEST(upsert, "ON CONFLICT and RETURNING give the row that is there in the end")
{
    static const char sql[] =
        "INSERT INTO t (k, i) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET i = t.i + "
        "excluded.i RETURNING i";
    struct ims_db *db;
    ims_err err = { 0 };
    int64_t n = 0, changed = -1;

    db = open_with_table(&err);
    CHECK(db != NULL);
    CHECK_OK(ims_db_get_int(db, sql, IMS_DB_ARGS(ims_db_int(1), ims_db_int(5)), &n, NULL, &err),
             err);
    CHECK_INT(n, 5);
    CHECK_OK(ims_db_get_int(db, sql, IMS_DB_ARGS(ims_db_int(1), ims_db_int(6)), &n, NULL, &err),
             err);
    CHECK_INT(n, 11);
    CHECK_OK(ims_db_run(db, "UPDATE t SET i = 0 WHERE k >= $1", IMS_DB_ARGS(ims_db_int(0)),
                        &changed, &err),
             err);
    CHECK_INT(changed, 1);
    CHECK_OK(ims_db_run(db, "SELECT k FROM t", IMS_DB_NO_ARGS, &changed, &err), err);
    CHECK_INT(changed, 0);
    ims_db_close(db);
}

TEST(many_texts, "more statements than are kept prepared, and one text open twice, all work")
{
    struct ims_db *db = NULL;
    struct ims_db_query *a = NULL, *b = NULL;
    ims_err err = { 0 };
    bool has_row = false;
    int64_t n = 0;

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 400; i++) {
            char sql[64];

            snprintf(sql, sizeof(sql), "SELECT %d + CAST($1 AS BIGINT)", i);
            CHECK_OK(ims_db_get_int(db, sql, IMS_DB_ARGS(ims_db_int(1)), &n, NULL, &err), err);
            CHECK_INT(n, i + 1);
        }
    }
    CHECK_OK(ims_db_query(db, &a, "SELECT CAST($1 AS BIGINT)", IMS_DB_ARGS(ims_db_int(1)), &err),
             err);
    CHECK_OK(ims_db_query(db, &b, "SELECT CAST($1 AS BIGINT)", IMS_DB_ARGS(ims_db_int(2)), &err),
             err);
    CHECK_OK(ims_db_next(a, &has_row, &err), err);
    CHECK_OK(ims_db_next(b, &has_row, &err), err);
    CHECK_INT(ims_db_column_int(a, 0), 1);
    CHECK_INT(ims_db_column_int(b, 0), 2);
    ims_db_done(a);
    ims_db_done(b);
    ims_db_close(db);
}

struct seen {
    size_t n;
    bool is_wrong;
    size_t stop_at;
    struct ims_db *db;
    ims_status inner;
};

static ims_status see_row(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct seen *s = arg;

    if (s->n++ != item || ims_db_column_int(row, 0) != (int64_t)item * 2)
        s->is_wrong = true;
    if (s->db)
        s->inner = ims_db_exec(s->db, "SELECT 1", err);
    return item == s->stop_at ? ims_fail(err, IMS_E_CANCELLED, "test", 0, "enough") : IMS_OK;
}

TEST(series, "a series gives each item's rows in the order of the items")
{
    size_t n_items = 3000;
    struct ims_db_value *values = calloc(n_items, 2 * sizeof(*values));
    struct seen seen = { .stop_at = SIZE_MAX };
    struct ims_db *db;
    ims_err err = { 0 };
    int64_t n = 0;

    CHECK(values);
    db = open_with_table(&err);
    CHECK(db != NULL);
    for (size_t i = 0; i < n_items; i++) {
        values[2 * i] = ims_db_int((int64_t)i);
        values[2 * i + 1] = ims_db_blob("some bytes", 10);
    }
    CHECK_STATUS(ims_db_run_many(db, "INSERT INTO t (k, b) VALUES ($1, $2)", values, 2, n_items,
                                 NULL, NULL, NULL, &err),
                 IMS_E_INVALID, err); /* no transaction */
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_OK(ims_db_run_many(db, "INSERT INTO t (k, b) VALUES ($1, $2) RETURNING k * 2", values, 2,
                             n_items, see_row, &seen, NULL, &err),
             err);
    CHECK_INT(seen.n, n_items);
    CHECK(!seen.is_wrong);
    CHECK_OK(ims_db_run_many(db, "INSERT INTO t (k, b) VALUES ($1, $2)", values, 2, 0, NULL, NULL,
                             NULL, &err),
             err);
    CHECK_OK(ims_db_commit(db, &err), err);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, n_items);
    ims_db_close(db);
    free(values);
}

TEST(series_failure,
     "a series that fails names its item and leaves nothing behind after the rollback")
{
    struct ims_db_value values[2000];
    struct seen seen = { .stop_at = 700 };
    struct ims_db *db;
    ims_err err = { 0 };
    size_t failed = 0;
    int64_t n = -1;

    db = open_with_table(&err);
    CHECK(db != NULL);
    for (int64_t i = 0; i < 2000; i++)
        values[i] = ims_db_int(i == 1234 ? 5 : i);
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_STATUS(ims_db_run_many(db, "INSERT INTO t (k) VALUES ($1)", values, 1, 2000, NULL, NULL,
                                 &failed, &err),
                 IMS_E_CONSTRAINT, err);
    CHECK_INT(failed, 1234);
    CHECK_STATUS(ims_db_exec(db, "SELECT 1", &err), IMS_E_INVALID, err);
    ims_db_rollback(db);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 0);

    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_STATUS(ims_db_run_many(db, "INSERT INTO t (k) VALUES ($1) RETURNING k * 2", values, 1,
                                 1000, see_row, &seen, &failed, &err),
                 IMS_E_CANCELLED, err);
    CHECK_INT(failed, 700);
    CHECK_INT(seen.n, 701);
    ims_db_rollback(db);

    values[3] = ims_db_text("\xff");
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_STATUS(ims_db_run_many(db, "INSERT INTO t (k) VALUES ($1)", values, 1, 10, NULL, NULL,
                                 &failed, &err),
                 IMS_E_INVALID, err);
    CHECK_INT(failed, 3);
    ims_db_rollback(db);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 0);
    ims_db_close(db);
}

TEST(series_inside, "the handle refuses other statements while a series is running")
{
    struct ims_db_value values[2] = { ims_db_int(0), ims_db_int(1) };
    struct seen seen = { .stop_at = SIZE_MAX };
    struct ims_db *db;
    ims_err err = { 0 };

    db = open_with_table(&err);
    CHECK(db != NULL);
    seen.db = db;
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_STATUS(ims_db_run_many(db, "INSERT INTO t (k) VALUES ($1) RETURNING k * 2", values, 1, 2,
                                 see_row, &seen, NULL, &err),
                 IMS_OK, err);
    CHECK_INT(seen.inner, IMS_E_INVALID);
    ims_db_rollback(db);
    ims_db_close(db);
}

/* Everything once, from opening on. */
static ims_status go_through(const char *url, ims_err *err)
{
    struct ims_db_value values[3] = { ims_db_int(0), ims_db_int(1), ims_db_int(2) };
    struct ims_db *db = NULL;
    struct ims_db_query *q = NULL;
    bool has_row = true;
    ims_status st = ims_db_open(&db, url, NULL, err);

    if (!st)
        st = ims_db_exec(db, "DROP TABLE IF EXISTS f; CREATE TABLE f (k BIGINT)", err);
    if (!st)
        st = ims_db_begin(db, IMS_DB_WRITE, err);
    if (!st)
        st = ims_db_run_many(db, "INSERT INTO f (k) VALUES ($1) RETURNING k", values, 1, 3, NULL,
                             NULL, NULL, err);
    if (!st)
        st = ims_db_query(db, &q, "SELECT k FROM f WHERE k > $1", IMS_DB_ARGS(ims_db_int(0)), err);
    while (!st && has_row)
        st = ims_db_next(q, &has_row, err);
    ims_db_done(q);
    if (!st)
        st = ims_db_commit(db, err);
    ims_db_close(db);
    return st;
}

TEST(out_of_memory, "memory that runs out at any allocation is IMS_E_NOMEM and nothing worse")
{
    const char *url = fixture_url();
    ims_err err = { 0 };
    unsigned n = 0;
    ims_status st;

    do {
        ims__mem_fail_at(++n);
        st = go_through(url, &err);
        ims__mem_fail_at(0);
        if (st)
            CHECK_STATUS(st, IMS_E_NOMEM, err);
    } while (st && n < 1000);
    CHECK(n > 5);
    CHECK_OK(st, err);
}
