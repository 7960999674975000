/* Emptying a library: every table is either emptied or kept on purpose, and who follows the vectors hears of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/people_fixture.h"

#include "store/deletions.h"
#include "store/store_internal.h"

#include <string.h>

static const char *const kept[] = { "settings", "counters", "roots", "models", "workers", "vector_removals" };

struct tables {
    const struct ims_store_reset *reset;
    size_t n;
};

static ims_status check_table(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct tables *t = arg;
    const char *name = ims_db_column_text(row, 0, NULL);
    bool is_known = strstr(name, "migration") != NULL || strncmp(name, "sqlite_", 7) == 0;

    (void)err;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        is_known |= strcmp(name, kept[i]) == 0;
    for (size_t i = 0; i < t->reset->n_tables; i++)
        is_known |= strcmp(name, t->reset->tables[i].table) == 0;
    if (!is_known)
        test_fail(__FILE__, __LINE__, "the table %s is neither emptied (store_reset.c) nor kept (here)", name);
    t->n++;
    return IMS_OK;
}

static ims_status skip_vector(void *arg, int64_t id, const float *vector, int64_t seq, ims_err *err)
{
    (void)id;
    (void)vector;
    (void)seq;
    (void)err;
    ++*(size_t *)arg;
    return IMS_OK;
}

static ims_status count_removed(void *arg, int64_t id, ims_err *err)
{
    (void)id;
    (void)err;
    ++*(size_t *)arg;
    return IMS_OK;
}

TEST(reset_all, "emptying a library takes every table that is not kept on purpose, and followers of faces hear of each")
{
    struct ims_store_reset reset;
    struct tables t = { .reset = &reset };
    struct people p;
    size_t n_seen = 0;
    struct ims_store_vector_sink sink = { &n_seen, count_removed, skip_vector };
    int64_t seq = 0, person = 0, n = 0;
    const char *sql;

    CHECK(people_open(&p, 3, 2));
    CHECK_OK(people_create(&p, "Ada", &person, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], person, false, false), p.l.err);
    CHECK_OK(ims_store_vectors(p.l.store, p.face_model, 0, &sink, &seq, &p.l.err), p.l.err);
    CHECK_INT(n_seen, 6);
    CHECK_OK(ims_store_reset(p.l.store, "a test", &reset, &p.l.err), p.l.err);
    CHECK(strncmp(reset.schema, "00", 2) == 0);
    sql = strstr(p.l.url, "postgres") ? "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                                      : "SELECT name FROM sqlite_master WHERE type = 'table'";
    CHECK_OK(ims__store_select(p.l.store, sql, IMS_DB_NO_ARGS, check_table, &t, &p.l.err), p.l.err);
    CHECK(t.n > 20);
    n_seen = 0;
    CHECK_OK(ims_store_vectors(p.l.store, p.face_model, seq, &sink, &seq, &p.l.err), p.l.err);
    CHECK_INT(n_seen, 6);
    CHECK_OK(ims__store_get_int(p.l.store, "SELECT COUNT(*) FROM persons", IMS_DB_NO_ARGS, &n, NULL, &p.l.err), p.l.err);
    CHECK_INT(n, 0);
    CHECK_OK(ims_store_reset(p.l.store, NULL, &reset, &p.l.err), p.l.err); /* an empty one too */
    library_close(&p.l);
}
