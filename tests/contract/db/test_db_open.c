/* Opening: addresses, what is wrong with a file or folder, full disks. Mostly about SQLite files,
 * which need no server; secrets in PostgreSQL addresses are tested without one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"
#include "harness/test.h"

#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static ims_status open_close(const char *url, const struct ims_db_options *opts, ims_err *err)
{
    struct ims_db *db = NULL;
    ims_status st = ims_db_open(&db, url, opts, err);

    ims_db_close(db);
    return st;
}

static const char *path_in(const char *dir, const char *name)
{
    static char paths[4][600];
    static unsigned turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
    return p;
}

/* A database with rows of 1000 bytes each. */
static ims_status fill(const char *path, int n_rows, ims_err *err)
{
    char text[1001];
    struct ims_db *db = NULL;
    ims_status st = ims_db_open(&db, path, NULL, err);

    memset(text, 'x', 1000);
    text[1000] = '\0';
    if (!st)
        st = ims_db_exec(db, "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, s TEXT)", err);
    if (!st)
        st = ims_db_begin(db, IMS_DB_WRITE, err);
    for (int i = 0; !st && i < n_rows; i++)
        st = ims_db_run(db, "INSERT INTO t (s) VALUES ($1)", IMS_DB_ARGS(ims_db_text(text)), NULL,
                        err);
    if (!st)
        st = ims_db_commit(db, err);
    ims_db_close(db);
    return st;
}

TEST(schemes, "the scheme of an address decides between server and file")
{
    static const struct {
        const char *url;
        bool is_server;
    } urls[] = {
        { "postgresql://h/d", true },         { "postgres://h/d", true },
        { "postgresql+asyncpg://h/d", true }, { "postgresql+psycopg2://h", true },
        { "postgres+x://h", true },           { "/data/library.db", false },
        { "sqlite:////data/l.db", false },    { "postgresql.db", false },
        { "postgresqlx://h/d", false },       { "mysql://h/d", false },
        { "postgresql:/h/d", false },
    };

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        CHECK_INT(ims_db_url_is_server(urls[i].url), urls[i].is_server);
}

TEST(sqlite_urls, "a SQLite file is named by its path or by an address in SQLAlchemy's form")
{
    const char *dir = test_tmp_dir();
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char url[700];

    snprintf(url, sizeof(url), "sqlite:///%s/a.db", dir);
    CHECK_OK(ims_db_open(&db, url, NULL, &err), err);
    CHECK_STR(ims_db_location(db), path_in(dir, "a.db"));
    CHECK_STR(ims_db_dialect(db), "sqlite");
    CHECK(strncmp(ims_db_version(db), "SQLite 3.", 9) == 0);
    ims_db_close(db);
    CHECK_INT(access(path_in(dir, "a.db"), F_OK), 0);
    snprintf(url, sizeof(url), "sqlite+aiosqlite:///%s/b.db", dir);
    CHECK_OK(open_close(url, NULL, &err), err);
    CHECK_INT(access(path_in(dir, "b.db"), F_OK), 0);
    CHECK_OK(open_close(":memory:", NULL, &err), err);
    CHECK_STATUS(open_close("", NULL, &err), IMS_E_CONFIG, err);
}

TEST(no_folder, "a missing folder, a missing file and a folder in a file's place are named")
{
    const char *dir = test_tmp_dir();
    struct ims_db_options must_exist = { .must_exist = true };
    ims_err err = { 0 };

    CHECK_STATUS(open_close(path_in(dir, "no/such/a.db"), NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, path_in(dir, "no/such")) != NULL);
    CHECK_STATUS(open_close(path_in(dir, "a.db"), &must_exist, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, path_in(dir, "a.db")) != NULL);
    CHECK_INT(access(path_in(dir, "a.db"), F_OK), -1);
    CHECK_STATUS(open_close(dir, NULL, &err), IMS_E_CONFIG, err);
}

TEST(foreign_file, "a file that is no database is IMS_E_CORRUPT and is not changed")
{
    const char *path = path_in(test_tmp_dir(), "notes.txt");
    struct stat before, after;
    ims_err err = { 0 };
    FILE *f = fopen(path, "w");

    CHECK(f != NULL);
    for (int i = 0; i < 1000; i++)
        fputs("These are my notes, not a database.\n", f);
    fclose(f);
    CHECK_INT(stat(path, &before), 0);
    CHECK_STATUS(open_close(path, NULL, &err), IMS_E_CORRUPT, err);
    CHECK(strstr(err.text, path) != NULL);
    CHECK_INT(stat(path, &after), 0);
    CHECK_INT(after.st_size, before.st_size);
    CHECK_INT(after.st_mtime, before.st_mtime);
}

TEST(damaged, "a database with overwritten pages is IMS_E_CORRUPT when they are read")
{
    const char *path = path_in(test_tmp_dir(), "a.db");
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char junk[4096];
    int64_t n = 0;
    ims_status st;
    int fd;

    CHECK_OK(fill(path, 500, &err), err);
    memset(junk, 0xa5, sizeof(junk));
    fd = open(path, O_WRONLY);
    CHECK(fd >= 0);
    for (int page = 1; page < 20; page++)
        CHECK_INT(pwrite(fd, junk, sizeof(junk), (off_t)page * 4096), sizeof(junk));
    close(fd);
    st = ims_db_open(&db, path, NULL, &err);
    if (!st)
        st = ims_db_get_int(db, "SELECT sum(length(s)) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err);
    CHECK_STATUS(st, IMS_E_CORRUPT, err);
    ims_db_close(db);
}

TEST(truncated, "a database file cut in half is IMS_E_CORRUPT when it is read")
{
    const char *path = path_in(test_tmp_dir(), "a.db");
    struct ims_db *db = NULL;
    struct stat info;
    ims_err err = { 0 };
    int64_t n = 0;
    ims_status st;

    CHECK_OK(fill(path, 500, &err), err);
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(truncate(path, info.st_size / 2), 0);
    st = ims_db_open(&db, path, NULL, &err);
    if (!st)
        st = ims_db_get_int(db, "SELECT sum(length(s)) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err);
    CHECK_STATUS(st, IMS_E_CORRUPT, err);
    ims_db_close(db);
}

TEST(log_waits, "turning the log on waits for who has the file, then says that it is busy")
{
    const char *path = path_in(test_tmp_dir(), "a.db");
    struct ims_db_options hasty = { .busy_timeout_ms = 40 };
    struct ims_db *db = NULL;
    uint64_t start;
    ims_err err = { 0 };

    CHECK_OK(ims_db_open(&db, path, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, "PRAGMA journal_mode = DELETE; CREATE TABLE t (k INTEGER)", &err),
             err);
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    CHECK_OK(ims_db_exec(db, "INSERT INTO t VALUES (1)", &err), err);
    start = ims__mono_ns();
    CHECK_STATUS(open_close(path, &hasty, &err), IMS_E_DB_BUSY, err);
    CHECK(ims__mono_ns() - start >= 40u * 1000000u);
    CHECK_OK(ims_db_commit(db, &err), err);
    CHECK_OK(open_close(path, &hasty, &err), err);
    ims_db_close(db);
}

/* --- as a user without rights --- */

struct attempt {
    const char *path;
    struct ims_db_options opts;
    bool does_write;
};

/* Exit status: minus the ims_status. */
static int try_as_nobody(void *arg)
{
    struct attempt *a = arg;
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    ims_status st;

    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return 90;
    st = ims_db_open(&db, a->path, &a->opts, &err);
    if (!st && a->does_write)
        st = ims_db_exec(db, "INSERT INTO t (s) VALUES ('x')", &err);
    ims_db_close(db);
    return -(int)st;
}

/* A folder that others may enter: the harness's own is private. */
static const char *open_dir(void)
{
    static char dir[64];

    snprintf(dir, sizeof(dir), "/tmp/ims-db-XXXXXX");
    if (!mkdtemp(dir) || chmod(dir, 0777) != 0)
        return NULL;
    return dir;
}

TEST(permissions, "a folder or file that may not be written is IMS_E_PERMISSION")
{
    const char *dir = open_dir();
    char path[100], side[120];
    struct attempt a = { .path = path, .does_write = true };
    ims_err err = { 0 };
    int in_folder, of_file, of_unreadable;

    CHECK(dir != NULL);
    snprintf(path, sizeof(path), "%s/a.db", dir);
    CHECK_INT(chmod(dir, 0555), 0);
    in_folder = fixture_fork(try_as_nobody, &a); /* a new database in a read-only folder */
    CHECK_INT(chmod(dir, 0777), 0);
    CHECK_OK(fill(path, 1, &err), err);
    CHECK_INT(chmod(path, 0444), 0);
    of_file = fixture_fork(try_as_nobody, &a);
    CHECK_INT(chmod(path, 0000), 0);
    of_unreadable = fixture_fork(try_as_nobody, &a);
    for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s; s++) {
        snprintf(side, sizeof(side), "%s%s", path, *s);
        unlink(side);
    }
    rmdir(dir);
    CHECK_INT(in_folder, -IMS_E_PERMISSION);
    CHECK_INT(of_file, -IMS_E_PERMISSION);
    CHECK_INT(of_unreadable, -IMS_E_PERMISSION);
}

/* --- a full disk --- */

/* 20 rows before, then as many as fit; the data of before must be there. */
static void check_kept(const char *path)
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    int64_t n = -1;

    CHECK_OK(ims_db_open(&db, path, NULL, &err), err);
    CHECK_OK(ims_db_get_int(db, "SELECT count(*) FROM t", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 20);
    ims_db_close(db);
}

TEST(page_limit,
     "a database that may not grow fails as IMS_E_NO_SPACE and takes the next transaction")
{
    const char *path = path_in(test_tmp_dir(), "a.db");
    struct ims_db *db = NULL;
    char text[4001];
    ims_err err = { 0 };
    ims_status st;

    memset(text, 'x', 4000);
    text[4000] = '\0';
    CHECK_OK(fill(path, 20, &err), err);
    CHECK_OK(ims_db_open(&db, path, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, "PRAGMA max_page_count = 40", &err), err);
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &err), err);
    do {
        st = ims_db_run(db, "INSERT INTO t (s) VALUES ($1)", IMS_DB_ARGS(ims_db_text(text)), NULL,
                        &err);
    } while (!st);
    CHECK_STATUS(st, IMS_E_NO_SPACE, err);
    CHECK_STATUS(ims_db_commit(db, &err), IMS_E_INVALID, err);
    check_kept(path);
    CHECK_OK(ims_db_exec(db, "PRAGMA max_page_count = 4000", &err), err);
    CHECK_OK(
        ims_db_run(db, "INSERT INTO t (s) VALUES ($1)", IMS_DB_ARGS(ims_db_text(text)), NULL, &err),
        err);
    ims_db_close(db);
}

TEST(full_disk,
     "on a full disk the transaction fails as IMS_E_NO_SPACE and the data before it stays")
{
    const char *dir = test_tmp_dir(), *path;
    ims_err err = { 0 };
    char command[700];
    ims_status st;

    snprintf(command, sizeof(command), "mount -t tmpfs -o size=300k tmpfs '%s' 2>/dev/null", dir);
    if (geteuid() != 0 || system(command) != 0)
        SKIP("a small file system cannot be mounted here (needs root)");
    path = path_in(dir, "a.db");
    st = fill(path, 20, &err);
    if (!st) {
        st = fill(path, 1000, &err);
        check_kept(path);
    }
    snprintf(command, sizeof(command), "umount '%s'", dir);
    CHECK_INT(system(command), 0);
    CHECK_STATUS(st, IMS_E_NO_SPACE, err);
}

static int fill_up(void *arg)
{
    struct rlimit limit = { 200 * 1024, 200 * 1024 };
    ims_err err = { 0 };

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 90;
    return -(int)fill(arg, 1000, &err);
}

TEST(file_limit, "when a file may not grow beyond the process's limit the data before it stays")
{
    const char *path = path_in(test_tmp_dir(), "a.db");
    ims_err err = { 0 };
    int got;

    CHECK_OK(fill(path, 20, &err), err);
    got = fixture_fork(fill_up, (void *)path);
    CHECK(got == -IMS_E_NO_SPACE ||
          got == -IMS_E_IO); /* SQLite keeps the cause of some write errors to itself */
    check_kept(path);
    CHECK_OK(fill(path, 20, &err), err); /* without the limit it goes on */
}

TEST(durable, "a SQLite database syncs every commit, logs ahead and enforces foreign keys")
{
    struct ims_db *db = NULL;
    struct ims_db_query *q = NULL;
    ims_err err = { 0 };
    bool has_row = false;
    int64_t n = 0;

    CHECK_OK(ims_db_open(&db, path_in(test_tmp_dir(), "a.db"), NULL, &err), err);
    CHECK_OK(ims_db_get_int(db, "PRAGMA synchronous", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 2); /* FULL */
    CHECK_OK(ims_db_get_int(db, "PRAGMA foreign_keys", IMS_DB_NO_ARGS, &n, NULL, &err), err);
    CHECK_INT(n, 1);
    CHECK_OK(ims_db_query(db, &q, "PRAGMA journal_mode", IMS_DB_NO_ARGS, &err), err);
    CHECK_OK(ims_db_next(q, &has_row, &err), err);
    CHECK_STR(ims_db_column_text(q, 0, NULL), "wal");
    ims_db_done(q);
    ims_db_close(db);
}

/* --- secrets --- */

TEST(secrets, "no message about a PostgreSQL address ever shows its password or a piece of it")
{
    static const char *const urls[] = {
        "postgresql://user:hunter2@/db?host=/nonexistent",
        "postgresql+asyncpg://user:hunter2@127.0.0.1:1/db",
        "postgresql://user:hun/hunter2@127.0.0.1/db",
        "postgresql://user:hun?hunter2@127.0.0.1/db",
        "postgresql://user:hun@hunter2@127.0.0.1/db",
        "postgresql://user:hun:hunter2@127.0.0.1/db",
        "postgresql://user:hun#hunter2@127.0.0.1/db",
        "postgresql://user:hunter2%@127.0.0.1/db",
        "postgresql://user:hunter2%zz@127.0.0.1/db",
        "postgresql://user@127.0.0.1:hunter2/db",
        "postgresql://user@127.0.0.1:1/db?password=hunter2",
        "postgresql://user@127.0.0.1:1/db?passwort=hunter2",
        "postgresql://user@127.0.0.1:1/db?sslmode=hunter2&password=hunter2",
        "postgresql://[hunter2/db",
        "postgresql://user:hunter2",
        "postgresql://user:hunter2@127.0.0.1:99999/db",
    };

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        ims_err err = { 0 };
        ims_status st = open_close(urls[i], NULL, &err);

        if (!st || strstr(err.text, "hunter2") || !err.text[0])
            test_fail(__FILE__, __LINE__, "%s gave %s: %s", urls[i], ims_status_name(st), err.text);
    }
}
