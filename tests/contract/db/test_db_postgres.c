/* What only a server does: lost connections, deadlocks, locks that time out, refused log-ins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"
#include "harness/test.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDS_SERVER                                                                               \
    do {                                                                                           \
        if (!fixture_is_postgres())                                                                \
            SKIP("about servers; runs as contract_db_postgres");                                   \
    } while (0)

static bool open_pair(struct ims_db **a, struct ims_db **b, ims_err *err)
{
    const char *url = fixture_url();

    return !ims_db_open(a, url, NULL, err) && !ims_db_open(b, url, NULL, err) &&
           !ims_db_exec(*a,
                        "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT); INSERT INTO t VALUES (1, "
                        "0), (2, 0)",
                        err);
}

static ims_status cut(struct ims_db *victim, struct ims_db *by, ims_err *err)
{
    int64_t pid = 0;
    ims_status st =
        ims_db_get_int(victim, "SELECT pg_backend_pid()", IMS_DB_NO_ARGS, &pid, NULL, err);

    return st ? st
              : ims_db_run(by, "SELECT pg_terminate_backend(CAST($1 AS BIGINT)::integer)",
                           IMS_DB_ARGS(ims_db_int(pid)), NULL, err);
}

TEST(location, "a server's location shows user, host and name")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };

    NEEDS_SERVER;
    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_STR(ims_db_dialect(db), "postgres");
    CHECK(strncmp(ims_db_location(db), "postgresql://ims@/", 18) == 0);
    CHECK(strncmp(ims_db_version(db), "PostgreSQL ", 11) == 0);
    ims_db_close(db);
}

TEST(lost, "a lost connection fails the statement that meets it, and the next one connects again")
{
    struct ims_db *a = NULL, *b = NULL;
    ims_err err = { 0 };
    int64_t n = 0;

    NEEDS_SERVER;
    CHECK(open_pair(&a, &b, &err));
    CHECK_OK(ims_db_get_int(a, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_OK(cut(a, b, &err), err);
    CHECK(!ims_db_is_lost(a)); /* nobody has tried it yet */
    CHECK_STATUS(ims_db_get_int(a, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err),
                 IMS_E_DB, err);
    CHECK(ims_db_is_lost(a));
    CHECK_OK(ims_db_get_int(a, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 2);
    CHECK(!ims_db_is_lost(a));
    ims_db_close(a);
    ims_db_close(b);
}

TEST(lost_in_transaction,
     "a connection lost inside a transaction loses the transaction and never half of it")
{
    struct ims_db_value values[2] = { ims_db_int(5), ims_db_int(6) };
    struct ims_db *a = NULL, *b = NULL;
    ims_err err = { 0 };
    int64_t n = 0;

    NEEDS_SERVER;
    CHECK(open_pair(&a, &b, &err));
    for (int series = 0; series < 2; series++) {
        CHECK_OK(ims_db_begin(a, IMS_DB_WRITE, &err), err);
        CHECK_OK(ims_db_run(a, "INSERT INTO t VALUES (3, 0)", IMS_DB_NO_ARGS, NULL, &err), err);
        CHECK_OK(cut(a, b, &err), err);
        if (series)
            CHECK_STATUS(ims_db_run_many(a, "INSERT INTO t VALUES ($1, 0)", values, 1, 2, NULL,
                                         NULL, NULL, &err),
                         IMS_E_DB, err);
        else
            CHECK_STATUS(ims_db_run(a, "INSERT INTO t VALUES (4, 0)", IMS_DB_NO_ARGS, NULL, &err),
                         IMS_E_DB, err);
        CHECK_STATUS(ims_db_exec(a, "SELECT 1", &err), IMS_E_INVALID,
                     err); /* no silent new start inside */
        ims_db_rollback(a);
        CHECK_OK(ims_db_begin(a, IMS_DB_WRITE, &err), err);
        CHECK_OK(ims_db_get_int(a, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
        CHECK_INT(n, 2);
        ims_db_rollback(a);
    }
    CHECK_OK(ims_db_begin(a, IMS_DB_WRITE, &err), err);
    CHECK_OK(ims_db_run(a, "INSERT INTO t VALUES (3, 0)", IMS_DB_NO_ARGS, NULL, &err), err);
    CHECK_OK(cut(a, b, &err), err);
    CHECK_STATUS(ims_db_commit(a, &err), IMS_E_DB, err);
    CHECK_OK(ims_db_get_int(a, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 2);
    ims_db_close(a);
    ims_db_close(b);
}

struct rival {
    struct ims_db *db;
    ims_status st;
    ims_err err;
};

static void take_first_row(void *arg)
{
    struct rival *r = arg;

    r->st = ims_db_run(r->db, "UPDATE t SET n = 2 WHERE k = 1", IMS_DB_NO_ARGS, NULL, &r->err);
}

TEST(deadlock, "of two writers in a deadlock one goes on and one is told IMS_E_DB_BUSY")
{
    struct ims_db *a = NULL, *b = NULL;
    struct ims_thread thread = { .is_running = false };
    struct rival r = { .st = IMS_OK };
    ims_err err = { 0 };
    ims_status st;

    NEEDS_SERVER;
    CHECK(open_pair(&a, &b, &err));
    CHECK_OK(ims_db_exec(a, "SET deadlock_timeout = '20ms'", &err), err);
    CHECK_OK(ims_db_exec(b, "SET deadlock_timeout = '20ms'", &err), err);
    CHECK_OK(ims_db_begin(a, IMS_DB_WRITE, &err), err);
    CHECK_OK(ims_db_begin(b, IMS_DB_WRITE, &err), err);
    CHECK_OK(ims_db_run(a, "UPDATE t SET n = 1 WHERE k = 1", IMS_DB_NO_ARGS, NULL, &err), err);
    CHECK_OK(ims_db_run(b, "UPDATE t SET n = 1 WHERE k = 2", IMS_DB_NO_ARGS, NULL, &err), err);
    r.db = b;
    CHECK_OK(ims__thread_start(&thread, "rival", take_first_row, &r, &err), err);
    st = ims_db_run(a, "UPDATE t SET n = 2 WHERE k = 2", IMS_DB_NO_ARGS, NULL, &err);
    if (st)
        ims_db_rollback(a);
    ims__thread_join(&thread);
    CHECK((st == IMS_OK && r.st == IMS_E_DB_BUSY) || (st == IMS_E_DB_BUSY && r.st == IMS_OK));
    ims_db_close(a);
    ims_db_close(b);
}

TEST(refused, "an unknown database is IMS_E_NOT_FOUND, an unreachable server IMS_E_DB")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char url[640];

    NEEDS_SERVER;
    snprintf(url, sizeof(url), "postgresql://ims@/nosuchdatabase?host=%s",
             getenv("IMS_TEST_POSTGRES_DIR"));
    CHECK_STATUS(ims_db_open(&db, url, NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "nosuchdatabase") != NULL);
    CHECK_STATUS(ims_db_open(&db, "postgresql://ims@/postgres?host=/nonexistent", NULL, &err),
                 IMS_E_DB, err);
    CHECK(db == NULL);
}

TEST(privileges, "a user who may not write is told IMS_E_PERMISSION")
{
    const char *url = fixture_url();
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    int64_t n = 0;

    NEEDS_SERVER;
    CHECK_OK(ims_db_open(&db, url, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, "CREATE TABLE t (k BIGINT)", &err), err);
    CHECK_OK(ims_db_exec(db,
                         "DO $$ DECLARE s text := current_schema(); BEGIN CREATE ROLE reader; "
                         "EXECUTE 'GRANT USAGE ON SCHEMA ' || s || ' TO reader'; "
                         "GRANT SELECT ON t TO reader; END $$; SET ROLE reader;",
                         &err),
             err);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_STATUS(ims_db_run(db, "INSERT INTO t VALUES (1)", IMS_DB_NO_ARGS, NULL, &err),
                 IMS_E_PERMISSION, err);
    ims_db_close(db);
}

TEST(encoding, "a database that is not encoded in UTF-8 is refused with the remedy")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char url[640];

    NEEDS_SERVER;
    CHECK_OK(ims_db_open(&db, getenv("IMS_TEST_POSTGRES_URL"), NULL, &err), err);
    CHECK_OK(
        ims_db_exec(
            db, "CREATE DATABASE ims_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", &err),
        err);
    snprintf(url, sizeof(url), "postgresql://ims@/ims_latin1?host=%s",
             getenv("IMS_TEST_POSTGRES_DIR"));
    {
        struct ims_db *latin = NULL;

        CHECK_STATUS(ims_db_open(&latin, url, NULL, &err), IMS_E_CONFIG, err);
        CHECK(strstr(err.text, "UTF8") != NULL);
    }
    CHECK_OK(ims_db_exec(db, "DROP DATABASE ims_latin1", &err), err);
    ims_db_close(db);
}

TEST(cast, "a column of a type we do not read is refused by name, not misread")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    int64_t n = 0;

    NEEDS_SERVER;
    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_STATUS(
        ims_db_get_int(db, "SELECT CAST(1 AS numeric) AS total", IMS_DB_NO_ARGS, &n, NULL, &err),
        IMS_E_UNSUPPORTED, err);
    CHECK(strstr(err.text, "total") != NULL);
    CHECK_OK(ims_db_get_int(db, "SELECT CAST(-5 AS smallint)", IMS_DB_NO_ARGS, &n, NULL, &err),
             err);
    CHECK_INT(n, -5);
    CHECK_OK(ims_db_get_int(db, "SELECT CAST(-70000 AS integer)", IMS_DB_NO_ARGS, &n, NULL, &err),
             err);
    CHECK_INT(n, -70000);
    CHECK_STATUS(ims_db_get_int(db, "SELECT CAST($1 AS integer)",
                                IMS_DB_ARGS(ims_db_int((int64_t)1 << 40)), &n, NULL, &err),
                 IMS_E_INVALID, err);
    ims_db_close(db);
}
