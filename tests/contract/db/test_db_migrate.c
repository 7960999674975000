/* Migrations: each step whole or not at all, once, and never backwards.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"
#include "harness/test.h"

#include "base/mem.h"
#include "db/migrate.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ims_db_migration steps[] = {
    { 1, "0001_one",
      "CREATE TABLE one (id {id}, n {int} NOT NULL, x {real}, b {blob}) {strict};\n" },
    { 2, "0002_two",
      "-- sqlite\n"
      "CREATE TABLE only_sqlite (n INTEGER);\n"
      "-- postgres\n"
      "CREATE TABLE only_postgres (n BIGINT);\n"
      "-- all\n"
      "INSERT INTO one (n) VALUES (1); -- {not a word}\n" },
    { 3, "0003_three", "CREATE TABLE three (n {int}); INSERT INTO one (n) VALUES (2);" },
};

static bool has_table(struct ims_db *db, const char *name)
{
    ims_err err = { 0 };
    bool is_there = false;

    if (ims_db_has_table(db, name, &is_there, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return is_there;
}

static int64_t get(struct ims_db *db, const char *sql)
{
    ims_err err = { 0 };
    int64_t n = -1;

    if (ims_db_get_int(db, sql, IMS_DB_NO_ARGS, &n, NULL, &err))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, err.text);
    return n;
}

TEST(from_empty, "an empty database is brought up step by step, and a second run changes nothing")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    size_t n = 0;
    int version = -1;

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_OK(ims_db_migrations_check(db, steps, 3, &version, &err), err);
    CHECK_INT(version, 0);
    CHECK(!has_table(db, "schema_migrations")); /* checking changes nothing */
    CHECK_OK(ims_db_migrate(db, steps, 1, &n, &err), err);
    CHECK_INT(n, 1);
    CHECK_OK(ims_db_migrate(db, steps, 3, &n, &err), err);
    CHECK_INT(n, 2);
    CHECK_OK(ims_db_migrate(db, steps, 3, &n, &err), err);
    CHECK_INT(n, 0);
    CHECK_OK(ims_db_migrations_check(db, steps, 3, &version, &err), err);
    CHECK_INT(version, 3);
    CHECK_INT(get(db, "SELECT count(*) FROM one"), 2);
    CHECK_INT(has_table(db, "only_sqlite"), !fixture_is_postgres());
    CHECK_INT(has_table(db, "only_postgres"), fixture_is_postgres());
    CHECK_INT(get(db, "SELECT count(*) FROM schema_migrations WHERE applied_us > 1000000"), 3);
    ims_db_close(db);
}

TEST(half_step, "a step that fails in its middle leaves nothing, and the steps before it stay")
{
    const struct ims_db_migration broken[] = {
        steps[0],
        { 2, "0002_broken",
          "CREATE TABLE two (n {int}); INSERT INTO one (n) VALUES (7); INSERT INTO nowhere VALUES "
          "(1);" },
    };
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    size_t n = 99;

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK(ims_db_migrate(db, broken, 2, &n, &err) != IMS_OK);
    CHECK(strstr(err.text, "0002_broken") != NULL);
    CHECK_INT(n, 99);
    CHECK(!has_table(db, "two"));
    CHECK_INT(get(db, "SELECT count(*) FROM one"), 0);
    CHECK_INT(get(db, "SELECT max(version) FROM schema_migrations"), 1);
    CHECK_OK(ims_db_migrate(db, steps, 3, &n, &err),
             err); /* the repaired program goes on from there */
    CHECK_INT(n, 2);
    ims_db_close(db);
}

TEST(newer, "a database ahead of the program is IMS_E_DB_NEWER and stays as it is")
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    int version = -1;

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_OK(ims_db_migrate(db, steps, 3, NULL, &err), err);
    CHECK_STATUS(ims_db_migrate(db, steps, 2, NULL, &err), IMS_E_DB_NEWER, err);
    CHECK(strstr(err.text, "0003_three") != NULL);
    CHECK_STATUS(ims_db_migrations_check(db, steps, 2, &version, &err), IMS_E_DB_NEWER, err);
    CHECK_INT(version, -1);
    CHECK_INT(get(db, "SELECT max(version) FROM schema_migrations"), 3);
    ims_db_close(db);
}

TEST(other_line,
     "a step of the same number and another name is IMS_E_VERSION, a gap is IMS_E_CORRUPT")
{
    const struct ims_db_migration other[] = { steps[0],
                                              { 2, "0002_other", "SELECT 1;" },
                                              steps[2] };
    struct ims_db *db = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_db_open(&db, fixture_url(), NULL, &err), err);
    CHECK_OK(ims_db_migrate(db, steps, 3, NULL, &err), err);
    CHECK_STATUS(ims_db_migrate(db, other, 3, NULL, &err), IMS_E_VERSION, err);
    CHECK_OK(ims_db_exec(db, "DELETE FROM schema_migrations WHERE version = 2", &err), err);
    CHECK_STATUS(ims_db_migrate(db, steps, 3, NULL, &err), IMS_E_CORRUPT, err);
    CHECK_STATUS(ims_db_migrate(db, steps + 1, 2, NULL, &err), IMS_E_INVALID, err);
    ims_db_close(db);
}

struct racer {
    const char *url;
    int gate; /* reading end: returns when the parent closes it */
};

static int race(void *arg)
{
    struct racer *r = arg;
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char byte;
    ims_status st;

    if (read(r->gate, &byte, 1) != 0)
        return 2;
    st = ims_db_open(&db, r->url, NULL, &err);
    if (!st)
        st = ims_db_migrate(db, steps, 3, NULL, &err);
    ims_db_close(db);
    if (st)
        test_note("racer: %s: %s", ims_status_name(st), err.text);
    return st ? 1 : 0;
}

TEST(race, "programs that start at the same moment on an empty database all succeed, each step "
           "applied once")
{
    enum { N_RACERS = 6 };

    for (int round = 0; round < 5; round++) {
        struct racer r = { .url = fixture_url() };
        struct ims_db *db = NULL;
        ims_err err = { 0 };
        pid_t pids[N_RACERS];
        int gate[2];

        CHECK_INT(pipe(gate), 0);
        r.gate = gate[0];
        for (int i = 0; i < N_RACERS; i++) {
            pids[i] = fork();
            CHECK(pids[i] >= 0);
            if (pids[i] == 0) {
                close(gate[1]);
                _exit(race(&r));
            }
        }
        close(gate[0]);
        close(gate[1]);
        for (int i = 0; i < N_RACERS; i++) {
            int status = -1;

            CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
            CHECK_INT(status, 0);
        }
        CHECK_OK(ims_db_open(&db, r.url, NULL, &err), err);
        CHECK_INT(get(db, "SELECT count(*) FROM schema_migrations"), 3);
        CHECK_INT(get(db, "SELECT count(*) FROM one"), 2);
        ims_db_close(db);
    }
}

TEST(migrate_out_of_memory, "memory that runs out while migrating leaves whole steps only")
{
    const char *url = fixture_url();
    ims_err err = { 0 };
    unsigned n = 0;
    ims_status st;

    do {
        struct ims_db *db = NULL;

        CHECK_OK(ims_db_open(&db, url, NULL, &err), err);
        ims__mem_fail_at(++n);
        st = ims_db_migrate(db, steps, 3, NULL, &err);
        ims__mem_fail_at(0);
        if (st)
            CHECK_STATUS(st, IMS_E_NOMEM, err);
        if (has_table(db, "schema_migrations"))
            CHECK_INT(has_table(db, "three"),
                      get(db, "SELECT count(*) FROM schema_migrations") == 3);
        ims_db_close(db);
    } while (st && n < 1000);
    CHECK_OK(st, err);
    CHECK(n > 3);
}
