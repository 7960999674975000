/* Opening a library, its identity and settings; roots, categories, models.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(reopen, "a library keeps its identity, and opening it again changes nothing")
{
    struct library l;
    struct ims_store *again = NULL;
    int64_t n;

    CHECK(library_open(&l));
    CHECK_INT(strlen(ims_store_library_id(l.store)), 32);
    n = sql_int(&l, "SELECT count(*) FROM schema_migrations");
    CHECK(n >= 1);
    CHECK_OK(ims_store_open(&again, l.url, NULL, &l.err), l.err);
    CHECK_STR(ims_store_library_id(again), ims_store_library_id(l.store));
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM schema_migrations"), n);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM categories"), 1);
    ims_store_close(again);
    library_close(&l);
}

TEST(two_libraries, "two libraries have different identities")
{
    struct library a, b;

    CHECK(library_open(&a) && library_open(&b));
    CHECK(strcmp(ims_store_library_id(a.store), ims_store_library_id(b.store)) != 0);
    library_close(&a);
    library_close(&b);
}

TEST(newer_library,
     "a library written by a newer program is IMS_E_DB_NEWER for readers and writers")
{
    struct ims_store_options read_only = { .is_read_only = true };
    struct ims_store *s = NULL;
    struct library l;

    CHECK(library_open(&l));
    CHECK(sql_exec(&l, "INSERT INTO schema_migrations SELECT max(version) + 1, '9999_future', 0 "
                       "FROM schema_migrations"));
    CHECK_STATUS(ims_store_open(&s, l.url, NULL, &l.err), IMS_E_DB_NEWER, l.err);
    CHECK_STATUS(ims_store_open(&s, l.url, &read_only, &l.err), IMS_E_DB_NEWER, l.err);
    CHECK(s == NULL);
    library_close(&l);
}

TEST(read_only,
     "a read-only library answers and refuses to change; one that is not there is not made")
{
    struct ims_store_options read_only = { .is_read_only = true };
    struct ims_store *s = NULL;
    struct library l;
    int64_t id = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_open(&s, l.url, &read_only, &l.err), l.err);
    CHECK_OK(ims_store_find_model(s, "tiny", "abc", &id, &l.err), l.err);
    CHECK_INT(id, l.model_id);
    CHECK_STATUS(ims_store_add_root(s, "/x", &id, &l.err), IMS_E_PERMISSION, l.err);
    ims_store_close(s);
    s = NULL;
    CHECK_STATUS(ims_store_open(&s, fixture_url(), &read_only, &l.err),
                 fixture_is_postgres() ? IMS_E_VERSION : IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

static bool has_table(const char *url, const char *name)
{
    struct ims_db *db = NULL;
    bool is_there = false;
    ims_err err = { 0 };

    if (ims_db_open(&db, url, NULL, &err) || ims_db_has_table(db, name, &is_there, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    ims_db_close(db);
    return is_there;
}

TEST(foreign_database, "a database with another program's tables is refused by name and left as it was")
{
    static const char *const tables[] = { "alembic_version", "image_assets", "persons" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(tables); i++) {
        struct library l = { .url = fixture_url() };
        struct ims_store *s = NULL;
        char sql[100];

        snprintf(sql, sizeof(sql), "CREATE TABLE %s (id INTEGER)", tables[i]);
        CHECK(sql_exec(&l, sql));
        CHECK_STATUS(ims_store_open(&s, l.url, NULL, &l.err), IMS_E_CONFIG, l.err);
        CHECK(strstr(l.err.text, tables[i]) && strstr(l.err.text, "DATABASE_URL"));
        CHECK(has_table(l.url, tables[i]) && !has_table(l.url, "schema_migrations") && !has_table(l.url, "assets"));
        snprintf(sql, sizeof(sql), "DROP TABLE %s", tables[i]);
        CHECK(sql_exec(&l, sql));
        CHECK_OK(ims_store_open(&s, l.url, NULL, &l.err), l.err);
        ims_store_close(s);
    }
}

TEST(start_together, "programs that open a new library at the same moment all succeed")
{
    struct library l = { .url = fixture_url() };
    pid_t pids[4];

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            struct ims_store *s = NULL;
            ims_status st = ims_store_open(&s, l.url, NULL, &l.err);

            if (st)
                test_note("%s: %s", ims_status_name(st), l.err.text);
            ims_store_close(s);
            _exit(st ? 1 : 0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status = -1;

        CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
        CHECK_INT(status, 0);
    }
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM categories"), 1);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM settings WHERE key = 'library_id'"), 1);
}

TEST(settings, "settings are stored, replaced and absent when never set")
{
    struct library l;
    char *value = (char *)"untouched";

    CHECK(library_open(&l));
    CHECK_OK(ims_store_get_setting(l.store, "k", &value, &l.err), l.err);
    CHECK(value == NULL);
    CHECK_OK(ims_store_set_setting(l.store, "k", "one", &l.err), l.err);
    CHECK_OK(ims_store_set_setting(l.store, "k", "two", &l.err), l.err);
    CHECK_OK(ims_store_get_setting(l.store, "k", &value, &l.err), l.err);
    CHECK_STR(value, "two");
    ims__free(value);
    library_close(&l);
}

TEST(roots, "a root is found again whatever slashes end it; paths are bytes")
{
    struct ims_store_root *roots = NULL;
    struct library l;
    int64_t id = 0, odd = 0, slash = 0;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_add_root(l.store, "/photos//", &id, &l.err), l.err);
    CHECK_INT(id, l.root_id);
    CHECK_OK(ims_store_add_root(l.store, "/odd\n\xff name", &odd, &l.err), l.err);
    CHECK_OK(ims_store_add_root(l.store, "/", &slash, &l.err), l.err);
    CHECK_STATUS(ims_store_add_root(l.store, "relative", &id, &l.err), IMS_E_INVALID, l.err);
    CHECK_OK(ims_store_roots(l.store, &l.arena, &roots, &n, &l.err), l.err);
    CHECK_INT(n, 3);
    CHECK_STR(roots[0].path, "/");
    CHECK_STR(roots[1].path, "/odd\n\xff name");
    CHECK_INT(roots[1].id, odd);
    CHECK_STR(roots[2].path, "/photos");
    CHECK(roots[2].created_us > 0);
    library_close(&l);
}

TEST(categories, "categories are made once, found by name, and assets are put into them")
{
    struct ims_store_category *list = NULL;
    struct library l;
    int64_t general = 0, cats = 0, ids[2], other = 0;
    struct ims_store_asset *a = NULL;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_find_category(l.store, NULL, &general, &l.err), l.err);
    CHECK_OK(ims_store_add_category(l.store, "Cats", "pictures of cats", "#aabbcc", &cats, &l.err),
             l.err);
    CHECK_STATUS(ims_store_add_category(l.store, "Cats", NULL, NULL, &other, &l.err), IMS_E_EXISTS,
                 l.err);
    CHECK_STATUS(ims_store_add_category(l.store, "", NULL, NULL, &other, &l.err), IMS_E_INVALID,
                 l.err);
    CHECK_STATUS(ims_store_find_category(l.store, "Dogs", &other, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_OK(ims_store_categories(l.store, &l.arena, &list, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_STR(list[0].name, "General");
    CHECK(list[0].is_default && !list[1].is_default);
    CHECK_STR(list[1].description, "pictures of cats");
    CHECK_STR(list[1].color, "#aabbcc");
    CHECK(list[0].description == NULL);

    ids[0] = commit_one(&l, "/photos/a.jpg", 1);
    ids[1] = commit_one(&l, "/photos/b.jpg", 2);
    CHECK_OK(ims_store_set_category(l.store, ids, 2, cats, &l.err), l.err);
    CHECK_OK(ims_store_assets(l.store, ids, 2, &l.arena, &a, &n, &l.err), l.err);
    CHECK_INT(a[1].category_id, cats);
    ids[1] = 999999;
    CHECK_STATUS(ims_store_set_category(l.store, ids, 2, general, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_STATUS(ims_store_set_category(l.store, ids, 1, 999999, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_OK(ims_store_assets(l.store, ids, 1, &l.arena, &a, &n, &l.err), l.err);
    CHECK_INT(a[0].category_id, cats); /* nothing changed by the failures */
    library_close(&l);
}

TEST(models, "a model is told by name and digest, and its dimension cannot change")
{
    struct ims_store_model *models = NULL;
    struct library l;
    int64_t same = 0, other = 0, none = -1;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_add_model(l.store, "tiny", "abc", "clip", DIM, &same, &l.err), l.err);
    CHECK_INT(same, l.model_id);
    CHECK_OK(ims_store_add_model(l.store, "tiny", "def", "clip", 32, &other, &l.err), l.err);
    CHECK(other != same);
    CHECK_STATUS(ims_store_add_model(l.store, "tiny", "abc", "clip", 32, &same, &l.err),
                 IMS_E_DIMENSION, l.err);
    CHECK_STATUS(ims_store_add_model(l.store, "tiny", "abc", "face", DIM, &same, &l.err),
                 IMS_E_DIMENSION, l.err);
    CHECK_STATUS(ims_store_add_model(l.store, "big", "x", "clip", 0, &same, &l.err),
                 IMS_E_DIMENSION, l.err);
    CHECK_OK(ims_store_find_model(l.store, "tiny", "xyz", &none, &l.err), l.err);
    CHECK_INT(none, 0);
    CHECK_OK(ims_store_models(l.store, &l.arena, &models, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_STR(models[1].digest, "def");
    CHECK_INT(models[1].dim, 32);
    CHECK_STR(models[0].kind, "clip");
    library_close(&l);
}
