/* Suggestions: who a face might be, until the user says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"

#include <string.h>

static const char *const status_names[] = {
    [IMS_SUGGESTION_PENDING] = "pending",
    [IMS_SUGGESTION_ACCEPTED] = "accepted",
    [IMS_SUGGESTION_REJECTED] = "rejected",
    [IMS_SUGGESTION_EXPIRED] = "expired",
};

const char *ims_store_suggestion_status_name(ims_store_suggestion_status status)
{
    return (size_t)status < IMS_ARRAY_LEN(status_names) ? status_names[status] : "expired";
}

static ims_store_suggestion_status parse_status(const char *name)
{
    for (size_t i = 0; name && i < IMS_ARRAY_LEN(status_names); i++) {
        if (strcmp(name, status_names[i]) == 0)
            return (ims_store_suggestion_status)i;
    }
    return IMS_SUGGESTION_EXPIRED;
}

/* --- new ones --- */

struct put_suggestions {
    struct ims_store_suggestion *items;
    size_t n;
    size_t n_new;
};

/* May the user be asked about the pair at all? */
static ims_status is_open(struct ims_store *s, const struct ims_store_suggestion *x, bool *out,
                          ims_err *err)
{
    int64_t one;

    return ims_db_get_int(
        s->db,
        "SELECT 1 FROM faces f JOIN persons p ON p.id = $2 WHERE f.id = $1 AND f.person_id IS NULL "
        "AND p.status = 'active' AND NOT EXISTS (SELECT 1 FROM face_rejections r WHERE "
        "r.face_id = f.id AND r.person_id = p.id) AND NOT EXISTS (SELECT 1 FROM faces g WHERE "
        "g.content_id = f.content_id AND g.model_id = f.model_id AND g.person_id = p.id)",
        IMS_DB_ARGS(ims_db_int(x->face_id), ims_db_int(x->person_id)), &one, out, err);
}

static ims_status put_one(struct ims_store *s, struct put_suggestions *p,
                          struct ims_store_suggestion *x, ims_err *err)
{
    bool is_allowed = false, is_there = false;
    int64_t now_us = ims__now_us(), id = 0;
    ims_status st = is_open(s, x, &is_allowed, err);

    x->id = 0;
    if (st || !is_allowed)
        return st;
    st = ims_db_get_int(
        s->db,
        "UPDATE face_suggestions SET source_face_id = $3, confidence = $4, "
        "aggregate_confidence = $5, n_matches = $6, scores_json = $7 WHERE face_id = $1 "
        "AND person_id = $2 AND status = 'pending' RETURNING id",
        IMS_DB_ARGS(ims_db_int(x->face_id), ims_db_int(x->person_id),
                    ims__int_or_null(x->source_face_id), ims_db_double(x->confidence),
                    ims_db_double(x->aggregate_confidence), ims_db_int(x->n_matches),
                    ims_db_text(x->scores_json)),
        &id, &is_there, err);
    if (!st && !is_there)
        st = ims_db_get_int(
            s->db,
            "INSERT INTO face_suggestions (face_id, person_id, source_face_id, "
            "confidence, aggregate_confidence, n_matches, scores_json, status, "
            "created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8) RETURNING id",
            IMS_DB_ARGS(ims_db_int(x->face_id), ims_db_int(x->person_id),
                        ims__int_or_null(x->source_face_id), ims_db_double(x->confidence),
                        ims_db_double(x->aggregate_confidence), ims_db_int(x->n_matches),
                        ims_db_text(x->scores_json), ims_db_int(now_us)),
            &id, NULL, err);
    if (st)
        return st;
    x->id = id;
    x->status = IMS_SUGGESTION_PENDING;
    x->created_us = now_us;
    p->n_new += !is_there;
    return IMS_OK;
}

static ims_status put_suggestions(struct ims_store *s, void *arg, ims_err *err)
{
    struct put_suggestions *x = arg;
    ims_status st = IMS_OK;

    x->n_new = 0;
    for (size_t i = 0; !st && i < x->n; i++)
        st = put_one(s, x, &x->items[i], err);
    return st;
}

ims_status ims_store_put_suggestions(struct ims_store *s, struct ims_store_suggestion *items,
                                     size_t n, size_t *out_n_new, ims_err *err)
{
    struct put_suggestions x = { items, n, 0 };
    ims_status st = ims__store_write(s, put_suggestions, &x, err);

    if (!st && out_n_new)
        *out_n_new = x.n_new;
    return st;
}

/* --- reading --- */

static ims_status take_suggestion(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_suggestion *x = ims__store_list_add(l, err);
    ims_status st;

    if (!x)
        return IMS_E_NOMEM;
    x->id = ims_db_column_int(row, 0);
    x->face_id = ims_db_column_int(row, 1);
    x->person_id = ims_db_column_int(row, 2);
    x->source_face_id = ims_db_column_int(row, 4);
    x->confidence = ims_db_column_double(row, 5);
    x->aggregate_confidence = ims_db_column_double(row, 6);
    x->n_matches = ims_db_column_int(row, 7);
    x->status = parse_status(ims_db_column_text(row, 9, NULL));
    x->created_us = ims_db_column_int(row, 10);
    x->reviewed_us = ims_db_column_int(row, 11);
    st = ims__store_string(l->arena, row, 3, &x->person, err);
    return st ? st : ims__store_string(l->arena, row, 8, &x->scores_json, err);
}

void ims__suggestion_filter(struct ims__store_sql *q,
                            const struct ims_store_suggestion_filter *f)
{
    if (f->id)
        ims__store_sql_add(q, " AND x.id = ?", IMS_DB_ARGS(ims_db_int(f->id)));
    if (f->person_id)
        ims__store_sql_add(q, " AND x.person_id = ?", IMS_DB_ARGS(ims_db_int(f->person_id)));
    if (f->face_id)
        ims__store_sql_add(q, " AND x.face_id = ?", IMS_DB_ARGS(ims_db_int(f->face_id)));
    if (f->has_status)
        ims__store_sql_add(q, " AND x.status = ?",
                           IMS_DB_ARGS(ims_db_text(ims_store_suggestion_status_name(f->status))));
}

ims_status ims_store_suggestions(struct ims_store *s,
                                 const struct ims_store_suggestion_filter *filter, int64_t offset,
                                 int64_t limit, struct ims_arena *arena,
                                 struct ims_store_suggestion **out, size_t *out_n,
                                 int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql count, page;
    struct ims__page p = { .count = &count, .page = &page, .on_row = take_suggestion, .list = &l };
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&count, "SELECT count(*) FROM face_suggestions x WHERE 1 = 1");
    ims__store_sql_init(&page, "SELECT x.id, x.face_id, x.person_id, p.name, x.source_face_id, "
                               "x.confidence, x.aggregate_confidence, x.n_matches, x.scores_json, "
                               "x.status, x.created_us, x.reviewed_us FROM face_suggestions x "
                               "JOIN persons p ON p.id = x.person_id WHERE 1 = 1");
    ims__suggestion_filter(&count, filter);
    ims__suggestion_filter(&page, filter);
    ims__store_sql_add(&page, " ORDER BY x.aggregate_confidence DESC, x.id", NULL, 0);
    st = ims__read_page(s, &p, ims__add_limit(&page, offset, limit, err), &items, out_n, out_total, err);
    if (!st)
        *out = items;
    return st;
}

/* --- ending --- */

struct close_suggestion {
    int64_t id;
    ims_store_suggestion_status status;
};

static ims_status take_status(void *arg, const struct ims_db_query *row, ims_err *err)
{
    const char **status = arg;

    (void)err;
    *status = ims_store_suggestion_status_name(parse_status(ims_db_column_text(row, 0, NULL)));
    return IMS_OK;
}

static ims_status close_suggestion(struct ims_store *s, void *arg, ims_err *err)
{
    const struct close_suggestion *x = arg;
    const char *status = NULL;
    int64_t n = 0;
    ims_status st = ims_db_run(s->db,
                               "UPDATE face_suggestions SET status = $2, reviewed_us = $3 WHERE id "
                               "= $1 AND status = 'pending'",
                               IMS_DB_ARGS(ims_db_int(x->id),
                                           ims_db_text(ims_store_suggestion_status_name(x->status)),
                                           ims_db_int(ims__now_us())),
                               &n, err);

    if (st || n)
        return st;
    st = ims__store_select(s, "SELECT status FROM face_suggestions WHERE id = $1",
                           IMS_DB_ARGS(ims_db_int(x->id)), take_status, &status, err);
    if (st)
        return st;
    if (!status)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no suggestion %lld",
                        (long long)x->id);
    return ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "suggestion %lld is %s already",
                    (long long)x->id, status);
}

ims_status ims_store_close_suggestion(struct ims_store *s, int64_t id,
                                      ims_store_suggestion_status status, ims_err *err)
{
    struct close_suggestion x = { id, status };

    if (status == IMS_SUGGESTION_PENDING)
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "a suggestion does not become pending again");
    return ims__store_write(s, close_suggestion, &x, err);
}

struct expire {
    int64_t person_id;
    int64_t before_us;
    int64_t n;
};

static ims_status expire(struct ims_store *s, void *arg, ims_err *err)
{
    struct expire *x = arg;

    return ims_db_run(
        s->db,
        "UPDATE face_suggestions SET status = 'expired', reviewed_us = $3 WHERE "
        "status = 'pending' AND (person_id = $1 OR $1 = 0) AND (created_us < $2 OR $2 = 0)",
        IMS_DB_ARGS(ims_db_int(x->person_id), ims_db_int(x->before_us), ims_db_int(ims__now_us())),
        &x->n, err);
}

ims_status ims_store_expire_suggestions(struct ims_store *s, int64_t person_id, int64_t before_us,
                                        int64_t *out_n, ims_err *err)
{
    struct expire x = { person_id, before_us, 0 };
    ims_status st = ims__store_write(s, expire, &x, err);

    if (!st && out_n)
        *out_n = x.n;
    return st;
}
