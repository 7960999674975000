/* A library for an integration test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/fs.h"
#include "base/text.h"
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A database named after this process and a counter, on the server that the test run started. */
static void make_database(struct library *l, const char *server)
{
    static unsigned counter;
    struct ims_db *db = NULL;
    char sql[100], name[60];
    const char *query = strchr(server, '?'), *slash = query ? query : server + strlen(server);
    ims_err err;

    while (slash > server && *slash != '/')
        slash--;
    snprintf(name, sizeof(name), "it_%ld_%u", (long)getpid(), counter++);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    CHECK_OK(ims_db_open(&db, server, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, sql, &err), err);
    ims_db_close(db);
    snprintf(l->database_env, sizeof(l->database_env), "DATABASE_URL=%.*s/%s%s", (int)(slash - server), server, name,
             query ? query : "");
    library_add_env(l, l->database_env);
}

void library_init(struct library *l)
{
    const char *dir = test_tmp_dir(), *server = getenv("IMS_TEST_POSTGRES_URL");

    *l = (struct library){ 0 };
    snprintf(l->data, sizeof(l->data), "%s/data", dir);
    snprintf(l->photos, sizeof(l->photos), "%s/photos", dir);
    CHECK(mkdir(l->photos, 0755) == 0);
    if (server)
        make_database(l, server);
}

static ims_status open_database(struct ims_db **out, const struct library *l, ims_err *err)
{
    char path[700];

    snprintf(path, sizeof(path), "%s/library.db", l->data);
    return ims_db_open(out, l->database_env[0] ? strchr(l->database_env, '=') + 1 : path, NULL, err);
}

long long library_sql_number(struct library *l, const char *sql)
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    bool is_any = false;
    int64_t n = -1;
    ims_status st = open_database(&db, l, &err);

    if (!st)
        st = ims_db_get_int(db, sql, NULL, 0, &n, &is_any, &err);
    if (st || !is_any)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, st ? err.text : "no row");
    ims_db_close(db);
    return n;
}

struct library_lock *library_lock(struct library *l)
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    ims_status st = open_database(&db, l, &err);

    if (!st)
        st = ims_db_exec(db, "BEGIN IMMEDIATE", &err);
    if (!st)
        return (struct library_lock *)db;
    test_fail(__FILE__, __LINE__, "%s", err.text);
    ims_db_close(db);
    return NULL;
}

void library_unlock(struct library_lock *lock)
{
    ims_db_close((struct ims_db *)lock); /* and so ends its transaction */
}

bool library_sql(struct library *l, const char *sql)
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    ims_status st = open_database(&db, l, &err);

    if (!st)
        st = ims_db_exec(db, sql, &err);
    if (st)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    ims_db_close(db);
    return !st;
}

void library_add_env(struct library *l, const char *name_value)
{
    size_t n = 0;

    while (l->env[n])
        n++;
    l->env[n] = name_value;
}

void library_run_with(struct library *l, struct run_options *o, struct run_result *r, const char *words)
{
    o->env = l->env;
    run_imgsearch(r, o, l->data, words);
}

ims_json *library_run(struct library *l, int want, const char *words)
{
    struct run_options o = { 0 };
    struct run_result r;
    ims_json *v = NULL;
    ims_err err;

    library_run_with(l, &o, &r, words);
    if (r.exit_code != want)
        test_fail(__FILE__, __LINE__, "exit code %d (signal %d), expected %d, of: %s\n# %s", r.exit_code, r.signal, want,
                  words, r.err);
    if (strstr(words, "--json") && r.exit_code == want && ims__json_parse(&v, r.out, r.out_len, "stdout", &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    run_release(&r);
    return v;
}

long long library_index(struct library *l, const char *key)
{
    char words[800];
    ims_json *v;
    long long n;

    snprintf(words, sizeof(words), "index\n--json\n--quiet\n%s", l->photos);
    v = library_run(l, 0, words);
    n = ims__json_int(ims__json_get(v, key), -1);
    ims__json_free(v);
    return n;
}

long long library_status(struct library *l, const char *key)
{
    ims_json *v = library_run(l, 0, "status\n--json");
    long long n = ims__json_int(ims__json_get(v, key), -1);

    ims__json_free(v);
    return n;
}

const char *library_failure(struct library *l, const char *name)
{
    static char reason[100];
    ims_json *v = library_run(l, 0, "status\n--json\n--failures");
    const ims_json *list = ims__json_get(v, "failures");

    reason[0] = '\0';
    for (size_t i = 0; i < ims__json_len(list); i++) {
        const ims_json *f = ims__json_at(list, i);
        const char *path = ims__json_str(ims__json_get(f, "path"), NULL);

        if (path && ims__ends_with(path, name))
            snprintf(reason, sizeof(reason), "%s", ims__json_str(ims__json_get(f, "reason"), NULL));
    }
    ims__json_free(v);
    return reason;
}

void library_write(struct library *l, const char *name, const void *p, size_t n)
{
    char path[1300];
    ims_err err;

    snprintf(path, sizeof(path), "%s/%s", l->photos, name);
    CHECK_OK(ims__write_derived(path, p, n, &err), err);
}

const char *library_copy(struct library *l, const char *source, const char *name)
{
    static char paths[4][1300];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    size_t n;
    char *data = test_read_file(test_source_path(source), &n);

    library_write(l, name, data, n);
    free(data);
    snprintf(path, sizeof(paths[0]), "%s/%s", l->photos, name);
    return path;
}

const char *library_demo_jpeg(size_t i)
{
    static ims_json *truth;
    static char path[600];
    const ims_json *scenes;
    char *text;
    size_t n;
    ims_err err;

    if (!truth) {
        text = test_read_file(test_source_path("demo/truth.json"), &n);
        if (ims__json_parse(&truth, text, n, "demo/truth.json", &err))
            test_fail(__FILE__, __LINE__, "%s", err.text);
        free(text);
    }
    scenes = ims__json_get(truth, "scenes");
    for (size_t k = 0; k < ims__json_len(scenes); k++) {
        const ims_json *scene = ims__json_at(scenes, k);
        const char *file = ims__json_str(ims__json_get(scene, "file"), NULL);

        if (!file || !ims__ends_with(file, ".jpg") || ims__json_bool(ims__json_get(scene, "corrupt"), false) ||
            ims__json_str(ims__json_get(scene, "duplicate_of"), NULL) || i-- > 0)
            continue;
        snprintf(path, sizeof(path), "demo/%s", file);
        return path;
    }
    return NULL;
}
