/* Training sessions: rows, events, counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "store/sessions.h"
#include "store/store_internal.h"

#include <string.h>

/* ---- reading ---- */

#define SESSION_COLUMNS                                                                                               \
    "SELECT id, name, status, root_path, category_id, config_json, generation, reset_reason, error, created_us, "    \
    "started_us, completed_us, paused_us, reset_us, n_assets, n_done, n_failed, n_unique, n_skipped "                  \
    "FROM training_sessions "

static ims_status read_session(struct ims_arena *arena, const struct ims_db_query *row, struct ims_store_session *x,
                               ims_err *err)
{
    const char **const texts[] = { &x->name, &x->root_path, &x->config_json, &x->reset_reason, &x->error };
    static const size_t columns[] = { 1, 3, 5, 7, 8 };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(texts); i++)
        st = ims__store_string(arena, row, columns[i], texts[i], err);
    x->id = ims_db_column_int(row, 0);
    if (!ims_session_status_read(ims_db_column_text(row, 2, NULL), &x->status))
        return ims_fail(err, IMS_E_CORRUPT, "store", 0, "training session %lld has an unknown status", (long long)x->id);
    x->category_id = ims_db_column_int(row, 4);
    x->generation = ims_db_column_int(row, 6);
    x->created_us = ims_db_column_int(row, 9);
    x->started_us = ims_db_column_int(row, 10);
    x->completed_us = ims_db_column_int(row, 11);
    x->paused_us = ims_db_column_int(row, 12);
    x->reset_us = ims_db_column_int(row, 13);
    x->has_counts = !ims_db_column_is_null(row, 14);
    x->counts = (struct ims_store_session_counts){ .assets = ims_db_column_int(row, 14),
                                                   .done = ims_db_column_int(row, 15),
                                                   .failed = ims_db_column_int(row, 16),
                                                   .unique = ims_db_column_int(row, 17),
                                                   .skipped = ims_db_column_int(row, 18) };
    return st;
}

static ims_status take_session(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_session *x = ims__store_list_add(l, err);

    return x ? read_session(l->arena, row, x, err) : IMS_E_NOMEM;
}

static ims_status no_session(int64_t id, ims_err *err)
{
    return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no training session %lld", (long long)id);
}

ims_status ims_store_session(struct ims_store *s, int64_t id, struct ims_arena *arena, struct ims_store_session *out,
                             ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(*out) };
    void *items = NULL;
    size_t n;
    ims_status st =
        ims__store_select(s, SESSION_COLUMNS "WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), take_session, &l, err);

    st = ims__store_list_end(&l, st, &items, &n, err);
    if (!st && n == 0)
        st = no_session(id, err);
    if (!st)
        *out = *(struct ims_store_session *)items;
    return st;
}

ims_status ims_store_list_sessions(struct ims_store *s, int status, int64_t offset, int64_t limit,
                                   struct ims_arena *arena, struct ims_store_session **out, size_t *out_n,
                                   int64_t *out_total, ims_err *err)
{
    const char *name = status < 0 ? NULL : ims_session_status_name((ims_session_status)status);
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_get_int(s, "SELECT COUNT(*) FROM training_sessions WHERE status = COALESCE($1, status)",
                                       IMS_DB_ARGS(ims_db_text(name)), out_total, NULL, err);

    if (st)
        return st;
    st = ims__store_select(s,
                           SESSION_COLUMNS "WHERE status = COALESCE($1, status) ORDER BY created_us DESC, id DESC "
                                           "LIMIT $2 OFFSET $3",
                           IMS_DB_ARGS(ims_db_text(name), ims_db_int(limit), ims_db_int(offset)), take_session, &l, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

static ims_status take_subdirectory(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_subdirectory *d = ims__store_list_add(l, err);
    ims_status st;

    if (!d)
        return IMS_E_NOMEM;
    d->id = ims_db_column_int(row, 0);
    d->session_id = ims_db_column_int(row, 1);
    d->is_selected = ims_db_column_int(row, 4) != 0;
    d->created_us = ims_db_column_int(row, 5);
    st = ims__store_string(l->arena, row, 2, &d->path, err);
    return st ? st : ims__store_string(l->arena, row, 3, &d->name, err);
}

ims_status ims_store_subdirectories(struct ims_store *s, int64_t session_id, struct ims_arena *arena,
                                    struct ims_store_subdirectory **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT id, session_id, path, name, is_selected, created_us FROM "
                                      "training_subdirectories WHERE session_id = $1 ORDER BY path",
                                      IMS_DB_ARGS(ims_db_int(session_id)), take_subdirectory, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* ---- writing ---- */

struct add {
    const struct ims_store_session *session;
    const char *const *subdirectories;
    size_t n;
    int64_t id;
};

static ims_status add_subdirectory(struct ims_store *s, const struct add *x, const char *path, int64_t now, ims_err *err)
{
    struct ims_db_value from, until;
    char *range = ims__store_path_range(path, &from, &until);
    ims_status st = range ? IMS_OK : ims__store_nomem(err);

    if (!st)
        st = ims_db_run(s->db,
                        "INSERT INTO training_subdirectories (session_id, path, name, created_us, path_from, path_until) "
                        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (session_id, path) DO NOTHING",
                        IMS_DB_ARGS(ims_db_int(x->id), ims__store_path(path), ims_db_text(ims__path_base(path)),
                                    ims_db_int(now), from, until),
                        NULL, err);
    ims__free(range);
    return st;
}

static ims_status add_session(struct ims_store *s, void *arg, ims_err *err)
{
    struct add *x = arg;
    const struct ims_store_session *n = x->session;
    int64_t now = ims__now_us();
    struct ims_db_value from, until;
    char *range = ims__store_path_range(n->root_path, &from, &until);
    ims_status st = range ? IMS_OK : ims__store_nomem(err);

    if (!st)
        st = ims_db_get_int(s->db,
                            "INSERT INTO training_sessions (name, status, root_path, category_id, config_json, created_us, "
                            "path_from, path_until) VALUES ($1, 'pending', $2, $3, $4, $5, $6, $7) RETURNING id",
                            IMS_DB_ARGS(ims_db_text(n->name), ims__store_path(n->root_path),
                                        n->category_id ? ims_db_int(n->category_id) : ims_db_null(),
                                        ims_db_text(n->config_json), ims_db_int(now), from, until),
                            &x->id, NULL, err);
    ims__free(range);
    if (st == IMS_E_CONSTRAINT)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no category %lld", (long long)n->category_id);
    for (size_t i = 0; !st && i < x->n; i++)
        st = add_subdirectory(s, x, x->subdirectories[i], now, err);
    return st;
}

ims_status ims_store_add_session(struct ims_store *s, const struct ims_store_session *session,
                                 const char *const *subdirectories, size_t n, int64_t *out_id, ims_err *err)
{
    struct add x = { .session = session, .subdirectories = subdirectories, .n = n };
    ims_status st = ims__store_check_path(session->root_path, err);

    if (!st)
        st = ims__store_write(s, add_session, &x, err);
    if (!st)
        *out_id = x.id;
    return st;
}

struct change {
    int64_t id, session_id;
    const char *name, *config;
    bool is_selected;
};

static ims_status change_session(struct ims_store *s, void *arg, ims_err *err)
{
    const struct change *x = arg;
    int64_t n = 0;
    ims_status st = ims_db_run(s->db,
                               "UPDATE training_sessions SET name = COALESCE($2, name), "
                               "config_json = COALESCE($3, config_json) WHERE id = $1",
                               IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->name), ims_db_text(x->config)), &n, err);

    return st || n ? st : no_session(x->id, err);
}

ims_status ims_store_change_session(struct ims_store *s, int64_t id, const char *name, const char *config_json,
                                    ims_err *err)
{
    return ims__store_write(s, change_session, &(struct change){ .id = id, .name = name, .config = config_json }, err);
}

static ims_status delete_session(struct ims_store *s, void *arg, ims_err *err)
{
    const struct change *x = arg;
    int64_t n = 0;
    ims_status st = ims_db_run(s->db, "DELETE FROM training_sessions WHERE id = $1", IMS_DB_ARGS(ims_db_int(x->id)), &n, err);

    return st || n ? st : no_session(x->id, err);
}

ims_status ims_store_delete_session(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, delete_session, &(struct change){ .id = id }, err);
}

static ims_status select_subdirectory(struct ims_store *s, void *arg, ims_err *err)
{
    const struct change *x = arg;
    int64_t n = 0;
    ims_status st = ims_db_run(s->db,
                               "UPDATE training_subdirectories SET is_selected = $3 WHERE id = $1 AND session_id = $2",
                               IMS_DB_ARGS(ims_db_int(x->id), ims_db_int(x->session_id), ims_db_int(x->is_selected)), &n, err);

    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "the session has no subdirectory %lld", (long long)x->id);
    return st;
}

ims_status ims_store_select_subdirectory(struct ims_store *s, int64_t session_id, int64_t id, bool is_selected,
                                         ims_err *err)
{
    struct change x = { .id = id, .session_id = session_id, .is_selected = is_selected };

    return ims__store_write(s, select_subdirectory, &x, err);
}

/* ---- events ---- */

struct event {
    int64_t id, generation;
    ims_session_event event;
    const char *text;
    /* as found */
    bool is_found;
    ims_session_status status;
    int64_t found_generation;
};

static ims_status take_state(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct event *x = arg;

    (void)err;
    x->is_found = ims_session_status_read(ims_db_column_text(row, 0, NULL), &x->status);
    x->found_generation = ims_db_column_int(row, 1);
    return IMS_OK;
}

/* The times that the new state sets or clears. */
static ims_status write_state(struct ims_store *s, const struct event *x, ims_session_status next, int64_t generation,
                              ims_err *err)
{
    int64_t now = ims__now_us();
    bool is_over = next == IMS_SESSION_COMPLETED || next == IMS_SESSION_CANCELLED || next == IMS_SESSION_FAILED;
    bool is_reset = x->event == IMS_SESSION_RESTART;

    return ims_db_run(
        s->db,
        "UPDATE training_sessions SET status = $2, generation = $3, "
        "started_us = CASE WHEN $4 = 1 THEN NULL WHEN $5 = 1 THEN COALESCE(started_us, $9) ELSE started_us END, "
        "paused_us = CASE WHEN $6 = 1 THEN $9 ELSE NULL END, "
        "completed_us = CASE WHEN $7 = 1 THEN $9 ELSE NULL END, "
        "reset_us = CASE WHEN $4 = 1 THEN $9 ELSE reset_us END, n_assets = NULL, "
        "reset_reason = CASE WHEN $4 = 1 THEN $8 ELSE reset_reason END, "
        "error = CASE WHEN $10 = 1 THEN $8 ELSE NULL END WHERE id = $1",
        IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(ims_session_status_name(next)), ims_db_int(generation),
                    ims_db_int(is_reset), ims_db_int(next == IMS_SESSION_RUNNING || next == IMS_SESSION_DISCOVERING),
                    ims_db_int(next == IMS_SESSION_PAUSED), ims_db_int(is_over), ims_db_text(x->text), ims_db_int(now),
                    ims_db_int(x->event == IMS_SESSION_BROKEN)),
        NULL, err);
}

static ims_status apply_event(struct ims_store *s, void *arg, ims_err *err)
{
    struct event *x = arg;
    ims_session_status next;
    int64_t generation;
    ims_status st;

    x->is_found = false;
    st = ims__store_select(s, "SELECT status, generation FROM training_sessions WHERE id = $1", IMS_DB_ARGS(ims_db_int(x->id)),
                           take_state, x, err);
    if (st)
        return st;
    if (!x->is_found)
        return no_session(x->id, err);
    if (ims_session_is_report(x->event) && x->generation != x->found_generation)
        return ims_fail(err, IMS_E_CANCELLED, "store", 0, "session %lld has another run now", (long long)x->id);
    if (!ims_session_next(x->status, x->event, &next))
        return ims_fail(err, ims_session_is_report(x->event) ? IMS_E_CANCELLED : IMS_E_INVALID, "store", 0,
                        "a session that is %s cannot %s", ims_session_status_name(x->status),
                        ims_session_event_name(x->event));
    generation = x->found_generation + (x->event == IMS_SESSION_START || x->event == IMS_SESSION_RESTART);
    x->found_generation = generation;
    return write_state(s, x, next, generation, err);
}

ims_status ims_store_session_event(struct ims_store *s, int64_t id, ims_session_event event, int64_t generation,
                                   const char *text, int64_t *out_generation, ims_err *err)
{
    struct event x = { .id = id, .generation = generation, .event = event, .text = text };
    ims_status st = ims__store_write(s, apply_event, &x, err);

    if (!st && out_generation)
        *out_generation = x.found_generation;
    return st;
}

struct keep {
    int64_t id;
    const struct ims_store_session_counts *c;
};

static ims_status keep_counts(struct ims_store *s, void *arg, ims_err *err)
{
    const struct keep *x = arg;

    return ims_db_run(s->db,
                      "UPDATE training_sessions SET n_assets = $2, n_done = $3, n_failed = $4, n_unique = $5, n_skipped = $6 "
                      "WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(x->id), ims_db_int(x->c->assets), ims_db_int(x->c->done), ims_db_int(x->c->failed),
                                  ims_db_int(x->c->unique), ims_db_int(x->c->skipped)),
                      NULL, err);
}

ims_status ims_store_keep_session_counts(struct ims_store *s, int64_t id, const struct ims_store_session_counts *counts,
                                         ims_err *err)
{
    return ims__store_write(s, keep_counts, &(struct keep){ id, counts }, err);
}

/* ---- runs whose job ended without a word ---- */

static ims_status settle(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t *n = arg;

    return ims_db_run(s->db,
                      "UPDATE training_sessions SET status = 'failed', completed_us = $1, "
                      "error = 'its job ended without finishing; start it again' "
                      "WHERE status IN ('discovering', 'running') AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = "
                      "'session:' || CAST(training_sessions.id AS TEXT) || ':' || CAST(training_sessions.generation AS TEXT) "
                      "AND j.state IN ('queued', 'started'))",
                      IMS_DB_ARGS(ims_db_int(ims__now_us())), n, err);
}

ims_status ims_store_settle_sessions(struct ims_store *s, int64_t *out_n, ims_err *err)
{
    return ims__store_write(s, settle, out_n, err);
}
