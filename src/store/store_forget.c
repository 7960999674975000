/* Deleting vectors of pictures by hand, and the log of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/deletions.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/persons.h"
#include "store/sessions.h"
#include "store/store_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [IMS_FORGET_DIRECTORY] = "DIRECTORY", [IMS_FORGET_ASSET] = "ASSET",     [IMS_FORGET_SESSION] = "SESSION",
    [IMS_FORGET_CATEGORY] = "CATEGORY",   [IMS_FORGET_ORPHANS] = "ORPHAN", [IMS_FORGET_ALL] = "FULL_RESET",
};

struct forget {
    const struct ims_store_forget *what;
    struct ims_buf target;
    int64_t n;
};

/* Adds "(SELECT the contents that are meant)"; folder: the one meant, for those that go by folders. */
static ims_status add_contents(struct ims__store_sql *q, const struct ims_store_forget *what, const char *folder,
                               ims_err *err)
{
    static const char there[] = "(SELECT a.content_id FROM assets a WHERE a.content_id IS NOT NULL AND a.deleted_us IS NULL";
    ims_status st = IMS_OK;

    switch (what->scope) {
    case IMS_FORGET_DIRECTORY:
    case IMS_FORGET_SESSION:
        ims__store_sql_add(q, there, NULL, 0);
        st = ims__store_sql_below(q, "a.path", folder, err);
        break;
    case IMS_FORGET_ASSET:
        ims__store_sql_add(q, there, NULL, 0);
        ims__store_sql_add(q, " AND a.id = ?", IMS_DB_ARGS(ims_db_int(what->id)));
        break;
    case IMS_FORGET_CATEGORY:
        ims__store_sql_add(q, there, NULL, 0);
        ims__store_sql_add(q, " AND a.category_id = ?", IMS_DB_ARGS(ims_db_int(what->id)));
        break;
    case IMS_FORGET_ORPHANS:
        ims__store_sql_add(q,
                           "(SELECT c.id FROM contents c WHERE NOT EXISTS (SELECT 1 FROM assets a "
                           "WHERE a.content_id = c.id AND a.deleted_us IS NULL)",
                           NULL, 0);
        break;
    case IMS_FORGET_ALL:
        ims__store_sql_add(q, "(SELECT c.id FROM contents c", NULL, 0);
        break;
    }
    ims__store_sql_add(q, ")", NULL, 0);
    return st ? st : ims__store_sql_status(q, err);
}

/* Notes the removal of the vectors that are meant. */
static ims_status log_gone(struct ims_store *s, const struct ims_store_forget *what, const char *folder, int64_t *out_n,
                           ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(&q, "SELECT e.model_id, e.content_id FROM embeddings e WHERE e.content_id IN ");
    st = add_contents(&q, what, folder, err);
    ims__store_sql_add(&q, " ORDER BY 1, 2", NULL, 0);
    if (!st)
        st = ims__store_log_chosen(s, q.text.data, q.values, q.n, out_n, err);
    ims__store_sql_release(&q);
    return st;
}

/* Runs a statement that ends in "IN " and the contents that are meant. */
static ims_status run_on_contents(struct ims_store *s, const char *sql, const char *tail, const struct ims_store_forget *what,
                                  const char *folder, ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(&q, sql);
    st = add_contents(&q, what, folder, err);
    ims__store_sql_add(&q, tail, NULL, 0);
    if (!st)
        st = ims_db_run(s->db, q.text.data, q.values, q.n, NULL, err);
    ims__store_sql_release(&q);
    return st;
}

static ims_status forget_in(struct ims_store *s, struct forget *x, const char *folder, ims_err *err)
{
    int64_t n = 0;
    ims_status st = log_gone(s, x->what, folder, &n, err);

    if (st || !n)
        return st;
    x->n += n;
    st = run_on_contents(s, "DELETE FROM embeddings WHERE content_id IN ", "", x->what, folder, err);
    if (!st)
        st = run_on_contents(s,
                             "UPDATE work SET state = 'queued', attempts = 0 WHERE task = '" IMS_TASK_CLIP "' AND state = 'done' "
                             "AND asset_id IN (SELECT w.id FROM assets w WHERE w.content_id IN ",
                             ")", x->what, folder, err);
    if (!st)
        st = run_on_contents(s, "UPDATE assets SET indexed_us = NULL WHERE content_id IN ", "", x->what, folder, err);
    return st;
}

/* The folders of a session: those chosen below its root, else the root. */
static ims_status forget_session(struct ims_store *s, struct forget *x, ims_err *err)
{
    struct ims_store_subdirectory *subs;
    struct ims_store_session session;
    struct ims_arena arena;
    size_t n = 0, n_chosen = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(s, x->what->id, &arena, &session, err);
    if (!st)
        st = ims_store_subdirectories(s, x->what->id, &arena, &subs, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (subs[i].is_selected) {
            n_chosen++;
            st = forget_in(s, x, subs[i].path, err);
        }
    }
    if (!st && !n_chosen)
        st = forget_in(s, x, session.root_path, err);
    ims__arena_release(&arena);
    return st;
}

static ims_status must_exist(struct ims_store *s, const struct ims_store_forget *what, ims_err *err)
{
    const char *sql = what->scope == IMS_FORGET_ASSET      ? "SELECT id FROM assets WHERE id = $1"
                      : what->scope == IMS_FORGET_CATEGORY ? "SELECT id FROM categories WHERE id = $1"
                                                           : NULL;
    bool is_found = true;
    int64_t id;
    ims_status st = sql ? ims_db_get_int(s->db, sql, IMS_DB_ARGS(ims_db_int(what->id)), &id, &is_found, err) : IMS_OK;

    if (st || is_found)
        return st;
    return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no %s %lld",
                    what->scope == IMS_FORGET_ASSET ? "asset" : "category", (long long)what->id);
}

static ims_status forget(struct ims_store *s, void *arg, ims_err *err)
{
    struct forget *x = arg;
    ims_status st;

    x->n = 0;
    st = must_exist(s, x->what, err);
    if (!st)
        st = x->what->scope == IMS_FORGET_SESSION ? forget_session(s, x, err) : forget_in(s, x, x->what->path, err);
    if (!st)
        st = ims_db_run(s->db,
                        "INSERT INTO vector_deletions (kind, target, n_vectors, reason, created_us) "
                        "VALUES ($1, $2, $3, $4, $5)",
                        IMS_DB_ARGS(ims_db_text(kind_names[x->what->scope]), ims_db_text(x->target.data), ims_db_int(x->n),
                                    ims_db_text(x->what->reason), ims_db_int(ims__now_us())),
                        NULL, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

static ims_status name_target(const struct ims_store_forget *what, struct ims_buf *out)
{
    if (what->scope == IMS_FORGET_DIRECTORY)
        return ims__display(what->path, strlen(what->path), out);
    if (what->scope == IMS_FORGET_ORPHANS || what->scope == IMS_FORGET_ALL)
        return ims__buf_add_str(out, what->scope == IMS_FORGET_ALL ? "all" : "orphans");
    return ims__buf_addf(out, "%lld", (long long)what->id);
}

ims_status ims_store_forget_vectors(struct ims_store *s, const struct ims_store_forget *what, int64_t *out_n, ims_err *err)
{
    struct forget x = { .what = what };
    ims_status st = what->scope == IMS_FORGET_DIRECTORY ? ims__store_check_path(what->path, err) : IMS_OK;

    if (st)
        return st;
    ims__buf_init(&x.target, (size_t)IMS_MAX_PATH_BYTES * 4 + 1); /* every byte as \xNN */
    st = name_target(what, &x.target);
    if (st)
        st = ims_fail(err, st, "store", 0, "naming what is deleted");
    else
        st = ims__store_write(s, forget, &x, err);
    ims__buf_release(&x.target);
    if (!st)
        *out_n = x.n;
    return st;
}

/* ---- anew ---- */

struct retrain {
    struct ims_store_forget what;
    struct ims_store_session session;
    int64_t n, session_id;
};

static ims_status retrain(struct ims_store *s, void *arg, ims_err *err)
{
    struct retrain *x = arg;
    ims_status st = ims_store_add_session(s, &x->session, NULL, 0, &x->session_id, err);

    return st ? st : ims_store_forget_vectors(s, &x->what, &x->n, err);
}

ims_status ims_store_retrain(struct ims_store *s, const char *folder, int64_t category_id, const char *reason,
                             int64_t *out_n, int64_t *out_session, ims_err *err)
{
    struct retrain x = { .what = { .scope = IMS_FORGET_DIRECTORY, .path = folder, .reason = reason },
                         .session = { .root_path = folder, .category_id = category_id } };
    char shown[IMS_SHOWN_BYTES], name[IMS_SHOWN_BYTES + 16];
    const char *slash = strrchr(folder, '/');
    ims_status st;

    snprintf(name, sizeof(name), "Retrain %s", ims__shown(shown, sizeof(shown), slash && slash[1] ? slash + 1 : folder));
    x.session.name = name;
    st = ims_store_transact(s, retrain, &x, err);
    if (st)
        return st;
    *out_n = x.n;
    *out_session = x.session_id;
    return IMS_OK;
}

/* ---- the log ---- */

static ims_status take_deletion(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_deletion *d = ims__store_list_add(l, err);
    ims_status st;

    if (!d)
        return IMS_E_NOMEM;
    d->id = ims_db_column_int(row, 0);
    d->n_vectors = ims_db_column_int(row, 3);
    d->created_us = ims_db_column_int(row, 5);
    st = ims__store_string(l->arena, row, 1, &d->kind, err);
    if (!st)
        st = ims__store_string(l->arena, row, 2, &d->target, err);
    return st ? st : ims__store_string(l->arena, row, 4, &d->reason, err);
}

ims_status ims_store_deletions(struct ims_store *s, int64_t offset, int64_t limit, struct ims_arena *arena,
                               struct ims_store_deletion **out, size_t *out_n, int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(struct ims_store_deletion) };
    ims_status st = ims__store_get_int(s, "SELECT COUNT(*) FROM vector_deletions", IMS_DB_NO_ARGS, out_total, NULL, err);

    if (!st)
        st = ims__store_select(s,
                               "SELECT id, kind, target, n_vectors, reason, created_us FROM vector_deletions "
                               "ORDER BY id DESC LIMIT $1 OFFSET $2",
                               IMS_DB_ARGS(ims_db_int(limit), ims_db_int(offset)), take_deletion, &l, err);
    return ims__store_list_end(&l, st, (void **)out, out_n, err);
}

/* ---- folders ---- */

/* Paths come in byte order, so the files of a folder lie between its first and its last one with those of its
 * subfolders in between: the folders that may still go on form a stack. */
struct folders {
    struct ims__store_list all;
    size_t open[IMS_MAX_WALK_DEPTH]; /* numbers in all */
    size_t n_open;
};

static struct ims_store_vector_folder *folder_at(struct folders *f, size_t i)
{
    return (struct ims_store_vector_folder *)f->all.items + i;
}

static bool is_below(const char *path, size_t n, const char *folder)
{
    size_t len = strlen(folder);

    return n > len && memcmp(path, folder, len) == 0 && (path[len] == '/' || len == 1);
}

static ims_status take_file(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct folders *f = arg;
    size_t n = 0, dir;
    const char *path = ims_db_column_blob(row, 0, &n);
    int64_t indexed_us = ims_db_column_int(row, 1);
    struct ims_store_vector_folder *at;

    for (dir = n; dir > 1 && path[dir - 1] != '/'; dir--)
        ;
    dir -= dir > 1; /* without its slash, except "/" */
    while (f->n_open && !is_below(path, n, folder_at(f, f->open[f->n_open - 1])->path))
        f->n_open--;
    if (!f->n_open || strlen(folder_at(f, f->open[f->n_open - 1])->path) != dir) {
        char *copy = ims__arena_strndup(f->all.arena, path, dir);

        at = f->n_open < IMS_MAX_WALK_DEPTH && copy ? ims__store_list_add(&f->all, err) : NULL;
        if (!at)
            return copy ? ims_fail(err, IMS_E_LIMIT, "store", 0, "folders nested too deep") : ims__store_nomem(err);
        at->path = copy;
        f->open[f->n_open++] = f->all.n - 1;
    }
    at = folder_at(f, f->open[f->n_open - 1]);
    at->n_vectors++;
    if (indexed_us > at->indexed_us)
        at->indexed_us = indexed_us;
    return IMS_OK;
}

ims_status ims_store_vector_folders(struct ims_store *s, struct ims_arena *arena, struct ims_store_vector_folder **out,
                                    size_t *out_n, int64_t *out_total, ims_err *err)
{
    struct folders f = { .all = { .arena = arena, .item_size = sizeof(struct ims_store_vector_folder) } };
    ims_status st = ims__store_get_int(s, "SELECT COUNT(*) FROM embeddings", IMS_DB_NO_ARGS, out_total, NULL, err);

    if (!st)
        st = ims__store_select(s,
                               "SELECT a.path, a.indexed_us FROM assets a JOIN embeddings e ON e.content_id = a.content_id "
                               "WHERE a.deleted_us IS NULL ORDER BY a.path",
                               IMS_DB_NO_ARGS, take_file, &f, err);
    return ims__store_list_end(&f.all, st, (void **)out, out_n, err);
}
