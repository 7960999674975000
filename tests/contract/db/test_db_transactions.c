/* Transactions: all or nothing, no nesting, one writer, one unchanging view for readers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"
#include "harness/test.h"

#include <string.h>

struct two {
    struct ims_db *a;
    struct ims_db *b;
    ims_err err;
};

/* Two handles on a database with the table t (k unique); b waits 50 ms for locks. */
static bool open_two(struct two *x)
{
    const char *url = fixture_url();
    struct ims_db_options hasty = { .busy_timeout_ms = 50 };

    *x = (struct two){ .a = NULL };
    return !ims_db_open(&x->a, url, NULL, &x->err) &&
           !ims_db_exec(x->a, "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT)", &x->err) &&
           !ims_db_open(&x->b, url, &hasty, &x->err);
}

static void close_two(struct two *x)
{
    ims_db_close(x->a);
    ims_db_close(x->b);
}

static int64_t count(struct ims_db *db)
{
    ims_err err = { 0 };
    int64_t n = -1;

    if (ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err))
        test_fail(__FILE__, __LINE__, "counting: %s", err.text);
    return n;
}

static ims_status insert(struct ims_db *db, int64_t k, ims_err *err)
{
    return ims_db_run(db, "INSERT INTO t (k, n) VALUES ($1, 0)", IMS_DB_ARGS(ims_db_int(k)), NULL,
                      err);
}

TEST(commit, "others see a transaction's changes after its commit and not before")
{
    struct two x;

    CHECK(open_two(&x));
    CHECK_OK(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), x.err);
    CHECK(ims_db_is_in_transaction(x.a));
    CHECK_OK(insert(x.a, 1, &x.err), x.err);
    CHECK_INT(count(x.a), 1);
    CHECK_INT(count(x.b), 0);
    CHECK_OK(ims_db_commit(x.a, &x.err), x.err);
    CHECK(!ims_db_is_in_transaction(x.a));
    CHECK_INT(count(x.b), 1);
    close_two(&x);
}

TEST(rollback, "a rollback undoes everything, and so does closing the handle")
{
    struct two x;

    CHECK(open_two(&x));
    CHECK_OK(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), x.err);
    CHECK_OK(insert(x.a, 1, &x.err), x.err);
    ims_db_rollback(x.a);
    ims_db_rollback(x.a); /* a second one does nothing */
    CHECK_INT(count(x.b), 0);
    CHECK_OK(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), x.err);
    CHECK_OK(insert(x.a, 2, &x.err), x.err);
    ims_db_close(x.a);
    x.a = NULL;
    CHECK_INT(count(x.b), 0);
    close_two(&x);
}

TEST(misuse, "nested begins, commits without a begin and work after a failure are refused")
{
    struct two x;

    CHECK(open_two(&x));
    CHECK_STATUS(ims_db_commit(x.a, &x.err), IMS_E_INVALID, x.err);
    CHECK_OK(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), x.err);
    CHECK_STATUS(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), IMS_E_INVALID, x.err);
    CHECK_OK(insert(x.a, 1, &x.err), x.err);
    CHECK_STATUS(insert(x.a, 1, &x.err), IMS_E_CONSTRAINT, x.err);
    CHECK_STATUS(insert(x.a, 2, &x.err), IMS_E_INVALID, x.err);
    CHECK_STATUS(ims_db_commit(x.a, &x.err), IMS_E_INVALID, x.err);
    CHECK(!ims_db_is_in_transaction(x.a));
    CHECK_INT(count(x.a), 0);
    CHECK_OK(insert(x.a, 2, &x.err), x.err); /* the handle is as good as new */
    CHECK_INT(count(x.b), 1);
    close_two(&x);
}

TEST(ended_query, "a query that is open when its transaction ends gives no more rows")
{
    struct ims_db_query *q = NULL;
    bool has_row = false;
    struct two x;

    CHECK(open_two(&x));
    for (int64_t k = 0; k < 3; k++)
        CHECK_OK(insert(x.a, k, &x.err), x.err);
    CHECK_OK(ims_db_begin(x.a, IMS_DB_READ, &x.err), x.err);
    CHECK_OK(ims_db_query(x.a, &q, "SELECT k FROM t ORDER BY k", IMS_DB_NO_ARGS, &x.err), x.err);
    CHECK_OK(ims_db_next(q, &has_row, &x.err), x.err);
    CHECK(has_row);
    ims_db_rollback(x.a);
    CHECK_STATUS(ims_db_next(q, &has_row, &x.err), IMS_E_INVALID, x.err);
    CHECK_INT(ims_db_n_columns(q), 0);
    ims_db_done(q);
    ims_db_done(NULL);
    close_two(&x);
}

TEST(two_writers, "a second writer waits, then is told that the database is busy")
{
    struct two x;
    ims_status st;

    CHECK(open_two(&x));
    CHECK_OK(insert(x.a, 1, &x.err), x.err);
    CHECK_OK(ims_db_begin(x.a, IMS_DB_WRITE, &x.err), x.err);
    CHECK_OK(ims_db_run(x.a, "UPDATE t SET n = 1 WHERE k = 1", IMS_DB_NO_ARGS, NULL, &x.err),
             x.err);
    st = ims_db_begin(x.b, IMS_DB_WRITE, &x.err);
    if (!st)
        st = ims_db_run(x.b, "UPDATE t SET n = 2 WHERE k = 1", IMS_DB_NO_ARGS, NULL, &x.err);
    CHECK_STATUS(st, IMS_E_DB_BUSY, x.err);
    CHECK(ims_status_is_retryable(st));
    ims_db_rollback(x.b);
    CHECK_OK(ims_db_commit(x.a, &x.err), x.err);
    CHECK_OK(ims_db_begin(x.b, IMS_DB_WRITE, &x.err), x.err);
    CHECK_OK(ims_db_run(x.b, "UPDATE t SET n = 2 WHERE k = 1", IMS_DB_NO_ARGS, NULL, &x.err),
             x.err);
    CHECK_OK(ims_db_commit(x.b, &x.err), x.err);
    close_two(&x);
}

TEST(one_view, "a reading transaction sees one state of the data however much others write")
{
    struct two x;

    CHECK(open_two(&x));
    CHECK_OK(insert(x.a, 1, &x.err), x.err);
    CHECK_OK(ims_db_begin(x.b, IMS_DB_READ, &x.err), x.err);
    CHECK_INT(count(x.b), 1);
    CHECK_OK(insert(x.a, 2, &x.err), x.err);
    CHECK_INT(count(x.a), 2);
    CHECK_INT(count(x.b), 1);
    CHECK_OK(ims_db_commit(x.b, &x.err), x.err);
    CHECK_INT(count(x.b), 2);
    close_two(&x);
}

TEST(no_writing, "a reading transaction and a read-only handle refuse to write")
{
    const char *url = fixture_url();
    struct ims_db_options opts = { .is_read_only = true };
    struct ims_db *db = NULL, *ro = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_db_open(&db, url, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT)", &err), err);
    CHECK_OK(ims_db_begin(db, IMS_DB_READ, &err), err);
    CHECK_STATUS(insert(db, 1, &err), IMS_E_PERMISSION, err);
    ims_db_rollback(db);
    CHECK_OK(insert(db, 1, &err), err);

    CHECK_OK(ims_db_open(&ro, url, &opts, &err), err);
    CHECK_INT(count(ro), 1);
    CHECK_STATUS(ims_db_begin(ro, IMS_DB_WRITE, &err), IMS_E_PERMISSION, err);
    CHECK_STATUS(insert(ro, 2, &err), IMS_E_PERMISSION, err);
    CHECK_OK(ims_db_begin(ro, IMS_DB_READ, &err), err);
    CHECK_INT(count(ro), 1);
    CHECK_OK(ims_db_commit(ro, &err), err);
    ims_db_close(ro);
    ims_db_close(db);
}
