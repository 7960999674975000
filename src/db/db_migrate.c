/* Applies migrations: one transaction a step, one program at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/migrate.h"

#include "db/db_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

#include <string.h>

#define CREATE_TABLE                                                                               \
    "CREATE TABLE schema_migrations ("                                                             \
    "version {int} NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_us {int} NOT NULL) {strict};"

static size_t line_length(const char *p)
{
    const char *end = strchr(p, '\n');

    return end ? (size_t)(end - p) + 1 : strlen(p);
}

/* Is the line, without the white space around it, exactly this? */
static bool line_is(const char *line, size_t n, const char *text)
{
    size_t n_text = strlen(text);

    while (n && (line[n - 1] == '\n' || line[n - 1] == ' ' || line[n - 1] == '\r'))
        n--;
    return n == n_text && memcmp(line, text, n) == 0;
}

/* Adds a line with the dialect's words in place of {…}. */
static void add_line(struct ims_buf *out, const char *line, size_t n,
                     const struct ims_db_word *words)
{
    size_t i = 0;

    while (i < n) {
        const struct ims_db_word *w = line[i] == '{' ? words : NULL;

        while (w && w->word && strncmp(line + i, w->word, strlen(w->word)) != 0)
            w++;
        if (w && w->word) {
            (void)ims__buf_add_str(out, w->text);
            i += strlen(w->word);
        } else {
            (void)ims__buf_add_char(out, line[i++]);
        }
    }
}

/* The step in the dialect of ops. */
static ims_status translate(const struct ims_db_ops *ops, const char *sql, struct ims_buf *out,
                            ims_err *err)
{
    bool is_ours = true;
    ims_status st;

    while (*sql) {
        size_t n = line_length(sql);

        if (line_is(sql, n, "-- all"))
            is_ours = true;
        else if (line_is(sql, n, "-- sqlite"))
            is_ours = strcmp(ops->name, "sqlite") == 0;
        else if (line_is(sql, n, "-- postgres"))
            is_ours = strcmp(ops->name, "postgres") == 0;
        else if (is_ours)
            add_line(out, sql, n, ops->words);
        sql += n;
    }
    st = ims__buf_status(out);
    return st ? ims_fail(err, st, "db", 0, "preparing a migration") : IMS_OK;
}

static ims_status run_step(struct ims_db *db, const char *sql, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    ims__buf_init(&text, IMS_MIB);
    st = translate(db->ops, sql, &text, err);
    if (!st && text.len)
        st = ims_db_exec(db, text.data, err);
    ims__buf_release(&text);
    return st;
}

/* Compares the steps recorded in the database with ours. */
static ims_status compare_steps(struct ims_db *db, const struct ims_db_migration *steps,
                                size_t n_steps, int *out_version, ims_err *err)
{
    struct ims_db_query *q = NULL;
    bool has_row = false;
    int64_t last = 0;
    ims_status st;

    st = ims_db_query(db, &q, "SELECT version, name FROM schema_migrations ORDER BY version",
                      IMS_DB_NO_ARGS, err);
    while (!st && !(st = ims_db_next(q, &has_row, err)) && has_row) {
        int64_t version = ims_db_column_int(q, 0);
        const char *name = ims_db_column_text(q, 1, NULL);

        if (version > (int64_t)n_steps)
            st = ims_fail(err, IMS_E_DB_NEWER, "db", 0,
                          "%s holds step %lld (%s); this program knows %zu: use a newer one",
                          ims_db_location(db), (long long)version, name ? name : "?", n_steps);
        else if (version != last + 1)
            st = ims_fail(err, IMS_E_CORRUPT, "db", 0, "%s lacks step %lld", ims_db_location(db),
                          (long long)last + 1);
        else if (!name || strcmp(name, steps[version - 1].name) != 0)
            st = ims_fail(err, IMS_E_VERSION, "db", 0,
                          "step %lld of %s is \"%s\"; this program's is \"%s\"", (long long)version,
                          ims_db_location(db), name ? name : "?", steps[version - 1].name);
        last = version;
    }
    ims_db_done(q);
    if (!st)
        *out_version = (int)last;
    return st;
}

ims_status ims_db_migrations_check(struct ims_db *db, const struct ims_db_migration *steps,
                                   size_t n_steps, int *out_version, ims_err *err)
{
    bool is_there = false;
    ims_status st;

    for (size_t i = 0; i < n_steps; i++) {
        if (steps[i].version != (int)i + 1)
            return ims_fail(err, IMS_E_INVALID, "db", 0, "migration %s has number %d, expected %zu",
                            steps[i].name, steps[i].version, i + 1);
    }
    st = ims_db_has_table(db, "schema_migrations", &is_there, err);
    if (st)
        return st;
    if (!is_there) {
        *out_version = 0;
        return IMS_OK;
    }
    return compare_steps(db, steps, n_steps, out_version, err);
}

/* In one transaction: takes the turn, looks again, applies the next step if there is one. */
static ims_status apply_next(struct ims_db *db, const struct ims_db_migration *steps,
                             size_t n_steps, bool *out_applied, ims_err *err)
{
    const struct ims_db_migration *next;
    bool is_there = false;
    int version = 0;
    ims_status st;

    st = ims_db_begin(db, IMS_DB_WRITE, err);
    if (st)
        return st;
    if (db->ops->migration_lock_sql)
        st = ims_db_exec(db, db->ops->migration_lock_sql, err);
    if (!st)
        st = ims_db_has_table(db, "schema_migrations", &is_there, err);
    if (!st && !is_there)
        st = run_step(db, CREATE_TABLE, err);
    if (!st)
        st = ims_db_migrations_check(db, steps, n_steps, &version, err);
    if (st || (size_t)version >= n_steps)
        goto out;

    next = &steps[version];
    st = run_step(db, next->sql, err);
    if (!st)
        st = ims_db_run(
            db, "INSERT INTO schema_migrations (version, name, applied_us) VALUES ($1, $2, $3)",
            IMS_DB_ARGS(ims_db_int(next->version), ims_db_text(next->name),
                        ims_db_int(ims__now_us())),
            NULL, err);
    if (st) {
        st = ims_fail_in(err, st, "migration %s", next->name);
        goto out;
    }
    st = ims_db_commit(db, err);
    if (!st)
        *out_applied = true;
out:
    ims_db_rollback(db);
    return st;
}

ims_status ims_db_migrate(struct ims_db *db, const struct ims_db_migration *steps, size_t n_steps,
                          size_t *out_n_applied, ims_err *err)
{
    size_t n_applied = 0;
    int version = 0;
    ims_status st;

    /* Up to date is the usual case: seen without a lock. */
    st = ims_db_migrations_check(db, steps, n_steps, &version, err);
    while (!st && (size_t)version < n_steps) {
        bool is_applied = false;

        st = apply_next(db, steps, n_steps, &is_applied, err);
        if (st)
            break;
        n_applied += is_applied;
        st = ims_db_migrations_check(db, steps, n_steps, &version, err);
    }
    if (!st && out_n_applied)
        *out_n_applied = n_applied;
    return st;
}
