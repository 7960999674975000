/* Face sessions: rows and events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/face_sessions.h"
#include "store/store_internal.h"

/* ---- reading ---- */

#define COLUMNS                                                                                                         \
    "SELECT id, training_session_id, status, generation, min_confidence, min_face_size, batch_size, is_anew, n_images, " \
    "n_processed, n_failed, n_faces, n_assigned, n_auto_assigned, n_clusters, n_suggestions, created_us, started_us, "  \
    "completed_us, last_error, takes_back FROM face_sessions "

static ims_status read_row(struct ims_arena *arena, const struct ims_db_query *row, struct ims_store_face_session *x,
                           ims_err *err)
{
    int64_t *const counts[] = { &x->images,      &x->processed,  &x->failed,     &x->faces,      &x->assigned,  &x->auto_assigned,
                                &x->clusters, &x->suggestions, &x->created_us, &x->started_us, &x->completed_us };

    x->id = ims_db_column_int(row, 0);
    x->training_session_id = ims_db_column_int(row, 1);
    if (!ims_face_session_status_read(ims_db_column_text(row, 2, NULL), &x->status))
        return ims_fail(err, IMS_E_CORRUPT, "store", 0, "face session %lld has an unknown status", (long long)x->id);
    x->generation = ims_db_column_int(row, 3);
    x->min_confidence = ims_db_column_double(row, 4);
    x->min_face_size = ims_db_column_int(row, 5);
    x->batch_size = ims_db_column_int(row, 6);
    x->is_anew = ims_db_column_int(row, 7) != 0;
    x->takes_back = (ims_face_session_takes)ims_db_column_int(row, 20);
    for (size_t i = 0; i < IMS_ARRAY_LEN(counts); i++)
        *counts[i] = ims_db_column_int(row, 8 + i);
    return ims__store_string(arena, row, 19, &x->last_error, err);
}

static ims_status take_row(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_face_session *x = ims__store_list_add(l, err);

    return x ? read_row(l->arena, row, x, err) : IMS_E_NOMEM;
}

static bool is_at_work(const struct ims_store_face_session *x)
{
    return x->status == IMS_FACE_SESSION_PROCESSING || x->status == IMS_FACE_SESSION_PAUSED;
}

struct list {
    const char *sql;
    const struct ims_db_value *values;
    size_t n_values;
    int64_t model_id;
    struct ims_arena *arena;
    struct ims_store_face_session *items;
    size_t n;
};

/* Rows, and the counters of those at work, in one view. */
static ims_status read_list(struct ims_store *s, void *arg, ims_err *err)
{
    struct list *x = arg;
    struct ims__store_list l = { .arena = x->arena, .item_size = sizeof(*x->items) };
    void *items = NULL;
    ims_status st = ims__store_select(s, x->sql, x->values, x->n_values, take_row, &l, err);

    st = ims__store_list_end(&l, st, &items, &x->n, err);
    x->items = items;
    for (size_t i = 0; !st && i < x->n; i++) {
        if (is_at_work(&x->items[i]))
            st = ims__face_session_count(s, x->model_id, false, &x->items[i], err);
    }
    return st;
}

static ims_status no_session(int64_t id, ims_err *err)
{
    return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no face session %lld", (long long)id);
}

ims_status ims_store_face_session(struct ims_store *s, int64_t id, int64_t model_id, struct ims_arena *arena,
                                  struct ims_store_face_session *out, ims_err *err)
{
    const struct ims_db_value value = ims_db_int(id);
    struct list x = { COLUMNS "WHERE id = $1", &value, 1, model_id, arena, NULL, 0 };
    ims_status st = ims__store_read(s, read_list, &x, err);

    if (!st && x.n == 0)
        st = no_session(id, err);
    if (!st)
        *out = x.items[0];
    return st;
}

ims_status ims_store_face_session_of(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                     struct ims_arena *arena, struct ims_store_face_session *out, ims_err *err)
{
    const struct ims_db_value value = ims_db_int(training_session_id);
    struct list x = { COLUMNS "WHERE training_session_id = $1 ORDER BY id DESC LIMIT 1", &value, 1, model_id, arena, NULL, 0 };
    ims_status st = ims__store_read(s, read_list, &x, err);

    if (!st)
        *out = x.n ? x.items[0] : (struct ims_store_face_session){ .id = 0 };
    return st;
}

ims_status ims_store_list_face_sessions(struct ims_store *s, int status, int64_t model_id, int64_t offset, int64_t limit,
                                        struct ims_arena *arena, struct ims_store_face_session **out, size_t *out_n,
                                        int64_t *out_total, ims_err *err)
{
    const char *name = status < 0 ? NULL : ims_face_session_status_name((ims_face_session_status)status);
    const struct ims_db_value values[] = { ims_db_text(name), ims_db_int(limit), ims_db_int(offset) };
    struct list x = { COLUMNS "WHERE status = COALESCE($1, status) ORDER BY id DESC LIMIT $2 OFFSET $3", values, 3, model_id, arena,
                      NULL, 0 };
    ims_status st = ims__store_get_int(s, "SELECT COUNT(*) FROM face_sessions WHERE status = COALESCE($1, status)", values, 1,
                                       out_total, NULL, err);

    if (!st)
        st = ims__store_read(s, read_list, &x, err);
    if (!st) {
        *out = x.items;
        *out_n = x.n;
    }
    return st;
}

/* ---- adding and forgetting ---- */

struct add {
    const struct ims_store_face_session *session;
    int64_t id;
};

static ims_status add_session(struct ims_store *s, void *arg, ims_err *err)
{
    struct add *x = arg;
    const struct ims_store_face_session *n = x->session;
    ims_status st = ims_db_get_int(s->db,
                                   "INSERT INTO face_sessions (training_session_id, status, min_confidence, min_face_size, "
                                   "batch_size, is_anew, takes_back, created_us) VALUES ($1, 'pending', $2, $3, $4, $5, $6, $7) "
                                   "RETURNING id",
                                   IMS_DB_ARGS(n->training_session_id ? ims_db_int(n->training_session_id) : ims_db_null(),
                                               ims_db_double(n->min_confidence), ims_db_int(n->min_face_size),
                                               ims_db_int(n->batch_size), ims_db_int(n->is_anew), ims_db_int(n->takes_back),
                                               ims_db_int(ims__now_us())),
                                   &x->id, NULL, err);

    if (st == IMS_E_CONSTRAINT)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no training session %lld",
                        (long long)n->training_session_id);
    return st;
}

ims_status ims_store_add_face_session(struct ims_store *s, const struct ims_store_face_session *session, int64_t *out_id,
                                      ims_err *err)
{
    struct add x = { .session = session };
    ims_status st = ims__store_write(s, add_session, &x, err);

    if (!st)
        *out_id = x.id;
    return st;
}

static ims_status delete_session(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t id = *(const int64_t *)arg, n = 0, one;
    bool is_there = false;
    ims_status st = ims_db_run(s->db, "DELETE FROM face_sessions WHERE id = $1 AND status IN ('completed', 'failed', 'cancelled')",
                               IMS_DB_ARGS(ims_db_int(id)), &n, err);

    if (st || n)
        return st;
    st = ims_db_get_int(s->db, "SELECT 1 FROM face_sessions WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), &one, &is_there, err);
    if (st)
        return st;
    return is_there ? ims_fail(err, IMS_E_INVALID, "store", 0, "face session %lld is not over", (long long)id)
                    : no_session(id, err);
}

ims_status ims_store_delete_face_session(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, delete_session, &id, err);
}

/* ---- events ---- */

struct event {
    const struct ims_store_face_session_step *step;
    int64_t generation;
};

static ims_status write_counts(struct ims_store *s, const struct ims_store_face_session *x, ims_err *err)
{
    return ims_db_run(s->db,
                      "UPDATE face_sessions SET n_images = $2, n_processed = $3, n_failed = $4, n_faces = $5, n_assigned = $6, "
                      "n_auto_assigned = $7, n_clusters = $8, n_suggestions = $9 WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(x->id), ims_db_int(x->images), ims_db_int(x->processed), ims_db_int(x->failed),
                                  ims_db_int(x->faces), ims_db_int(x->assigned), ims_db_int(x->auto_assigned),
                                  ims_db_int(x->clusters), ims_db_int(x->suggestions)),
                      NULL, err);
}

static ims_status write_state(struct ims_store *s, const struct event *x, const struct ims_store_face_session *was,
                              ims_face_session_status next, ims_err *err)
{
    return ims_db_run(s->db,
                      "UPDATE face_sessions SET status = $2, generation = $3, "
                      "started_us = CASE WHEN $4 = 1 THEN COALESCE(started_us, $6) ELSE started_us END, "
                      "completed_us = CASE WHEN $5 = 1 THEN $6 ELSE NULL END, last_error = COALESCE($7, last_error) WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(was->id), ims_db_text(ims_face_session_status_name(next)), ims_db_int(x->generation),
                                  ims_db_int(next == IMS_FACE_SESSION_PROCESSING), ims_db_int(ims_face_session_is_over(next)),
                                  ims_db_int(ims__now_us()),
                                  ims_db_text(x->step->event == IMS_FACE_SESSION_BROKEN ? x->step->text : NULL)),
                      NULL, err);
}

static ims_status apply(struct ims_store *s, struct event *x, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_face_session_step *step = x->step;
    bool is_report = ims_face_session_is_report(step->event);
    struct ims_store_face_session was;
    ims_face_session_status next;
    ims_status st = ims_store_face_session(s, step->id, step->model_id, arena, &was, err);

    if (st)
        return st;
    if (is_report && step->generation != was.generation)
        return ims_fail(err, IMS_E_CANCELLED, "store", 0, "face session %lld has another job now", (long long)step->id);
    if (!ims_face_session_next(was.status, step->event, &next))
        return ims_fail(err, is_report ? IMS_E_CANCELLED : IMS_E_INVALID, "store", 0, "a face session that is %s cannot %s",
                        ims_face_session_status_name(was.status), ims_face_session_event_name(step->event));
    x->generation = was.generation + (step->event == IMS_FACE_SESSION_RESUME);
    if (is_at_work(&was) && ims_face_session_is_over(next)) {
        st = ims__face_session_count(s, step->model_id, true, &was, err);
        if (!st)
            st = write_counts(s, &was, err);
    }
    return st ? st : write_state(s, x, &was, next, err);
}

static ims_status apply_event(struct ims_store *s, void *arg, ims_err *err)
{
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = apply(s, arg, &arena, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_store_face_session_event(struct ims_store *s, const struct ims_store_face_session_step *step,
                                        int64_t *out_generation, ims_err *err)
{
    struct event x = { .step = step };
    ims_status st = ims__store_write(s, apply_event, &x, err);

    if (!st && out_generation)
        *out_generation = x.generation;
    return st;
}

static ims_status settle(struct ims_store *s, void *arg, ims_err *err)
{
    return ims_db_run(s->db,
                      "UPDATE face_sessions SET status = 'failed', completed_us = $1, "
                      "last_error = 'its job ended without finishing; start a new session' "
                      "WHERE status IN ('pending', 'processing') AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = "
                      "'face-session:' || CAST(face_sessions.id AS TEXT) || ':' || CAST(face_sessions.generation AS TEXT) "
                      "AND j.state IN ('queued', 'started'))",
                      IMS_DB_ARGS(ims_db_int(ims__now_us())), arg, err);
}

ims_status ims_store_settle_face_sessions(struct ims_store *s, int64_t *out_n, ims_err *err)
{
    return ims__store_write(s, settle, out_n, err);
}
