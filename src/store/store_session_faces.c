/* The faces in the pictures of a session: counted, and made ready for being looked for again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/face_sessions.h"
#include "store/store_internal.h"

/* By a user's word, if only that a suggestion is right or a whole group is one person. */
#define BY_HAND "f.assigned_by IN ('user', 'cluster', 'suggestion', 'import', 'carried')"

/* A statement over the faces f of a session's pictures; 0: of all. what: "SELECT ..." without FROM. */
static ims_status begin(struct ims__store_sql *q, int64_t session_id, int64_t model_id, const char *what,
                        const struct ims_db_value *values, size_t n, const char *join, ims_err *err)
{
    ims__store_sql_scope(q, session_id, ", content AS (SELECT DISTINCT a.content_id", "", NULL, 0);
    ims__store_sql_add(q, ") ", NULL, 0);
    ims__store_sql_add(q, what, values, n);
    ims__store_sql_add(q, " FROM content c JOIN faces f ON f.content_id = c.content_id AND f.model_id = ? ",
                       IMS_DB_ARGS(ims_db_int(model_id)));
    ims__store_sql_add(q, join, NULL, 0);
    return ims__store_sql_status(q, err);
}

static ims_status select_rows(struct ims_store *s, struct ims__store_sql *q, ims_status st, ims__store_row row, void *arg,
                              ims_err *err)
{
    if (!st)
        st = ims__store_sql_status(q, err);
    if (!st)
        st = ims__store_select(s, q->text.data, q->values, q->n, row, arg, err);
    ims__store_sql_release(q);
    return st;
}

/* ---- counts ---- */

static ims_status take_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_session_faces *c = arg;

    (void)err;
    c->faces = ims_db_column_int(row, 0);
    c->by_hand = ims_db_column_int(row, 1);
    c->automatic = ims_db_column_int(row, 2);
    c->grouped = ims_db_column_int(row, 3);
    c->pending = ims_db_column_int(row, 4);
    return IMS_OK;
}

ims_status ims_store_count_session_faces(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                         struct ims_store_session_faces *out, ims_err *err)
{
    struct ims_store_session_faces c = { 0 };
    struct ims__store_sql q;
    ims_status st = begin(&q, training_session_id, model_id,
                          "SELECT COUNT(DISTINCT f.id), COUNT(DISTINCT CASE WHEN " BY_HAND " THEN f.id END), "
                          "COUNT(DISTINCT CASE WHEN f.assigned_by = 'auto' THEN f.id END), "
                          "COUNT(DISTINCT CASE WHEN f.person_id IS NULL AND f.cluster_id IS NOT NULL THEN f.id END), "
                          "COUNT(u.id)",
                          NULL, 0, "LEFT JOIN face_suggestions u ON u.face_id = f.id AND u.status = 'pending'", err);

    st = select_rows(s, &q, st, take_counts, &c, err);
    if (!st)
        *out = c;
    return st;
}

static ims_status take_faces(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_face_session *x = arg;

    (void)err;
    x->faces = ims_db_column_int(row, 0);
    x->assigned = ims_db_column_int(row, 1);
    x->auto_assigned = ims_db_column_int(row, 2);
    x->clusters = ims_db_column_int(row, 3);
    x->suggestions = ims_db_column_int(row, 4);
    return IMS_OK;
}

static ims_status count_now(struct ims_store *s, int64_t model_id, struct ims_store_face_session *x, ims_err *err)
{
    struct ims_store_session_counts c;
    struct ims__store_sql q;
    struct ims_db_value since = ims_db_int(x->started_us);
    ims_status st = ims_store_count_session(s, x->training_session_id, "faces", model_id, &c, err);

    if (st)
        return st;
    x->images = c.assets;
    x->processed = c.done;
    x->failed = c.failed;
    st = begin(&q, x->training_session_id, model_id,
               "SELECT COUNT(DISTINCT f.id), COUNT(DISTINCT CASE WHEN f.person_id IS NOT NULL THEN f.id END), "
               "COUNT(DISTINCT CASE WHEN f.assigned_by = 'auto' AND f.assigned_us >= ? THEN f.id END), "
               "COUNT(DISTINCT CASE WHEN k.created_us >= ? THEN k.id END), "
               "COUNT(DISTINCT CASE WHEN u.created_us >= ? THEN u.id END)",
               IMS_DB_ARGS(since, since, since),
               "LEFT JOIN clusters k ON k.id = f.cluster_id LEFT JOIN face_suggestions u ON u.face_id = f.id", err);
    return select_rows(s, &q, st, take_faces, x, err);
}

ims_status ims__face_session_count(struct ims_store *s, int64_t model_id, bool is_exact, struct ims_store_face_session *x,
                                   ims_err *err)
{
    int64_t *const counts[IMS__COUNTED_VALUES] = { &x->images,   &x->processed,     &x->failed,   &x->faces,
                                                   &x->assigned, &x->auto_assigned, &x->clusters, &x->suggestions };
    const int64_t key[3] = { IMS__COUNTED_FACES, x->id, model_id };
    int64_t v[IMS__COUNTED_VALUES];
    uint64_t since = ims__mono_ns();
    bool is_kept = !is_exact && ims__counted_get(s, key, v);
    ims_status st = is_kept ? IMS_OK : count_now(s, model_id, x, err);

    for (size_t i = 0; !st && i < IMS__COUNTED_VALUES; i++) {
        if (is_kept)
            *counts[i] = v[i];
        else
            v[i] = *counts[i];
    }
    if (!st && !is_kept)
        ims__counted_put(s, key, v, since);
    return st;
}

/* ---- lists ---- */

static ims_status take_automatic(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_automatic_face *x = ims__store_list_add(arg, err);

    if (!x)
        return IMS_E_NOMEM;
    *x = (struct ims_store_automatic_face){ ims_db_column_int(row, 0), ims_db_column_int(row, 1) };
    return IMS_OK;
}

ims_status ims_store_automatic_faces(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                     struct ims_arena *arena, struct ims_store_automatic_face **out, size_t *out_n,
                                     ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st =
        begin(&q, training_session_id, model_id, "SELECT f.id, f.person_id", NULL, 0, " WHERE f.assigned_by = 'auto'", err);

    ims__store_sql_add(&q, " AND f.assigned_us < ? ORDER BY f.person_id, f.id", IMS_DB_ARGS(ims_db_int(before_us)));
    st = select_rows(s, &q, st, take_automatic, &l, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

static ims_status take_id(void *arg, const struct ims_db_query *row, ims_err *err)
{
    int64_t *id = ims__store_list_add(arg, err);

    if (!id)
        return IMS_E_NOMEM;
    *id = ims_db_column_int(row, 0);
    return IMS_OK;
}

ims_status ims_store_automatic_persons(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                       struct ims_arena *arena, int64_t **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(int64_t) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st = begin(&q, training_session_id, model_id, "SELECT DISTINCT f.person_id", NULL, 0,
                          " WHERE f.assigned_by = 'auto' AND NOT EXISTS (SELECT 1 FROM faces h WHERE h.person_id = "
                          "f.person_id AND h.assigned_by <> 'auto') AND EXISTS (SELECT 1 FROM persons p WHERE p.id = "
                          "f.person_id AND p.status = 'active')",
                          err);

    ims__store_sql_add(&q, " AND f.assigned_us < ? ORDER BY f.person_id", IMS_DB_ARGS(ims_db_int(before_us)));
    st = select_rows(s, &q, st, take_id, &l, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* ---- looking again ---- */

struct forget {
    int64_t session_id, model_id, before_us;
};

/* A change of what hangs on a session's pictures (id, content_id). */
static ims_status change(struct ims_store *s, const struct forget *x, const char *sql, const struct ims_db_value *values,
                         size_t n, ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_scope(&q, x->session_id, ", picture AS (SELECT a.id, a.content_id", "", NULL, 0);
    ims__store_sql_add(&q, ") ", NULL, 0);
    ims__store_sql_add(&q, sql, values, n);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims_db_run(s->db, q.text.data, q.values, q.n, NULL, err);
    ims__store_sql_release(&q);
    return st;
}

static ims_status forget_scans(struct ims_store *s, void *arg, ims_err *err)
{
    const struct forget *x = arg;
    ims_status st = change(s, x,
                           "DELETE FROM face_scans WHERE model_id = ? AND created_us < ? AND content_id IN (SELECT content_id "
                           "FROM picture)",
                           IMS_DB_ARGS(ims_db_int(x->model_id), ims_db_int(x->before_us)), err);

    if (!st)
        st = change(s, x,
                    "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = NULL, attempts = 0, "
                    "updated_us = ? WHERE task = 'faces' AND model_id = ? AND updated_us < ? AND asset_id IN (SELECT id FROM "
                    "picture)",
                    IMS_DB_ARGS(ims_db_int(ims__now_us()), ims_db_int(x->model_id), ims_db_int(x->before_us)), err);
    return st;
}

ims_status ims_store_forget_face_scans(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                       ims_err *err)
{
    struct forget x = { training_session_id, model_id, before_us };

    return ims__store_write(s, forget_scans, &x, err);
}

static ims_status expire(struct ims_store *s, void *arg, ims_err *err)
{
    const struct forget *x = arg;

    return change(s, x,
                  "UPDATE face_suggestions SET status = 'expired', reviewed_us = ? WHERE status = 'pending' AND created_us < ? "
                  "AND face_id IN (SELECT f.id FROM faces f WHERE f.model_id = ? AND f.content_id IN (SELECT content_id FROM "
                  "picture))",
                  IMS_DB_ARGS(ims_db_int(ims__now_us()), ims_db_int(x->before_us), ims_db_int(x->model_id)), err);
}

ims_status ims_store_expire_session_suggestions(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                                int64_t before_us, ims_err *err)
{
    struct forget x = { training_session_id, model_id, before_us };

    return ims__store_write(s, expire, &x, err);
}
