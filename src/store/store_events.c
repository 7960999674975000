/* Events: beginning, noting changes, ending, listing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

/* --- pages --- */

ims_status ims__add_limit(struct ims__store_sql *q, int64_t offset, int64_t limit, ims_err *err)
{
    if (offset < 0 || limit < 0)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "offset and limit are not negative");
    if (limit || offset)
        ims__store_sql_add(q, " LIMIT ? OFFSET ?",
                           IMS_DB_ARGS(ims_db_int(limit ? limit : INT64_MAX), ims_db_int(offset)));
    return ims__store_sql_status(q, err);
}

static ims_status read_page(struct ims_store *s, void *arg, ims_err *err)
{
    struct ims__page *p = arg;
    ims_status st;

    p->list->n = 0;
    st = ims__store_sql_status(p->count, err);
    if (!st)
        st = ims__store_sql_status(p->page, err);
    if (!st)
        st = ims_db_get_int(s->db, p->count->text.data, p->count->values, p->count->n, &p->total,
                            NULL, err);
    if (!st)
        st = ims__store_select(s, p->page->text.data, p->page->values, p->page->n, p->on_row,
                               p->list, err);
    return st;
}

ims_status ims__read_page(struct ims_store *s, struct ims__page *p, ims_status st, void **out, size_t *out_n,
                          int64_t *out_total, ims_err *err)
{
    if (!st)
        st = ims__store_read(s, read_page, p, err);
    ims__store_sql_release(p->count);
    ims__store_sql_release(p->page);
    st = ims__store_list_end(p->list, st, out, out_n, err);
    if (!st && out_total)
        *out_total = p->total;
    return st;
}

/* --- writing --- */

ims_status ims__event_check(struct ims_store *s, const struct ims_store_event *e, ims_err *err)
{
    if (!e || !e->id || !ims_db_is_in_transaction(s->db))
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "a change of persons needs an event, inside a transaction");
    return IMS_OK;
}

static ims_status check_person(struct ims_store *s, int64_t id, ims_err *err)
{
    bool is_found = true;
    int64_t one = 0;
    ims_status st = id ? ims_db_get_int(s->db, "SELECT 1 FROM persons WHERE id = $1",
                                        IMS_DB_ARGS(ims_db_int(id)), &one, &is_found, err)
                       : IMS_OK;

    if (!st && !is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no person %lld", (long long)id);
    return st;
}

ims_status ims_store_event_begin(struct ims_store *s, const struct ims_store_event_in *in,
                                 struct ims_store_event *out, ims_err *err)
{
    struct ims_store_event e = { .created_us = ims__now_us() };
    ims_status st;

    if (!ims_db_is_in_transaction(s->db))
        return ims_fail(err, IMS_E_INVALID, "store", 0, "an event is written inside a transaction");
    st = check_person(s, in->from_person_id, err);
    if (!st)
        st = check_person(s, in->to_person_id, err);
    if (st)
        return st;
    st = ims_db_get_int(
        s->db,
        "INSERT INTO person_events (created_us, actor, operation, from_person_id, "
        "to_person_id, n_faces, n_photos, note) VALUES ($1, $2, $3, $4, $5, 0, 0, $6) "
        "RETURNING id",
        IMS_DB_ARGS(ims_db_int(e.created_us), ims_db_text(in->actor), ims_db_text(in->operation),
                    ims__int_or_null(in->from_person_id), ims__int_or_null(in->to_person_id),
                    ims_db_text(in->note)),
        &e.id, NULL, err);
    if (!st)
        *out = e;
    return st;
}

ims_status ims_store_event_set_persons(struct ims_store *s, const struct ims_store_event *e,
                                       int64_t from_person_id, int64_t to_person_id, ims_err *err)
{
    ims_status st = ims__event_check(s, e, err);

    if (st)
        return st;
    return ims_db_run(s->db,
                      "UPDATE person_events SET from_person_id = COALESCE($2, from_person_id), "
                      "to_person_id = COALESCE($3, to_person_id) WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(e->id), ims__int_or_null(from_person_id),
                                  ims__int_or_null(to_person_id)),
                      NULL, err);
}

ims_status ims__event_note(struct ims_store *s, struct ims_store_event *e,
                           const struct ims__change *changes, size_t n, ims_err *err)
{
    struct ims_db_value *values;
    ims_status st = ims__event_check(s, e, err);

    if (st || !n)
        return st;
    values = ims__zalloc(n, 7 * sizeof(*values));
    if (!values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < n; i++) {
        struct ims_db_value *v = values + 7 * i;

        v[0] = ims_db_int(e->id);
        v[1] = ims_db_int(++e->n_changes);
        v[2] = ims_db_text(changes[i].subject);
        v[3] = ims__int_or_null(changes[i].face_id);
        v[4] = ims__int_or_null(changes[i].person_id);
        v[5] = ims_db_text(changes[i].before);
        v[6] = ims_db_text(changes[i].after);
    }
    st = ims_db_run_many(
        s->db,
        "INSERT INTO person_event_changes (event_id, n, subject, face_id, person_id, "
        "before_json, after_json) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        values, 7, n, NULL, NULL, NULL, err);
    ims__free(values);
    return st;
}

ims_status ims_store_event_end(struct ims_store *s, struct ims_store_event *e, ims_err *err)
{
    ims_status st = ims__event_check(s, e, err);

    if (st)
        return st;
    if (!e->n_changes) {
        st = ims_db_run(s->db, "DELETE FROM person_events WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(e->id)), NULL, err);
        if (!st)
            e->id = 0;
        return st;
    }
    return ims_db_run(s->db,
                      "UPDATE person_events SET n_faces = (SELECT count(DISTINCT c.face_id) FROM "
                      "person_event_changes c WHERE c.event_id = $1), n_photos = (SELECT "
                      "count(DISTINCT f.content_id) FROM person_event_changes c JOIN faces f "
                      "ON f.id = c.face_id WHERE c.event_id = $1) WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(e->id)), NULL, err);
}

/* --- reading --- */

static ims_status take_event(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_event_row *e = ims__store_list_add(l, err);
    ims_status st;

    if (!e)
        return IMS_E_NOMEM;
    e->id = ims_db_column_int(row, 0);
    e->created_us = ims_db_column_int(row, 1);
    e->from_person_id = ims_db_column_int(row, 4);
    e->to_person_id = ims_db_column_int(row, 5);
    e->n_faces = ims_db_column_int(row, 8);
    e->n_photos = ims_db_column_int(row, 9);
    e->undoes = ims_db_column_int(row, 10);
    e->undone_by = ims_db_column_int(row, 11);
    st = ims__store_string(l->arena, row, 2, &e->operation, err);
    if (!st)
        st = ims__store_string(l->arena, row, 3, &e->actor, err);
    if (!st)
        st = ims__store_string(l->arena, row, 6, &e->from_person, err);
    if (!st)
        st = ims__store_string(l->arena, row, 7, &e->to_person, err);
    return st ? st : ims__store_string(l->arena, row, 12, &e->note, err);
}

#define STATE_OF "'{\"person\":' || CAST(CAST(? AS BIGINT) AS TEXT) || ',%'" /* as ims__face_state_text writes it */

/* What concerns a person: said of the event, of the person, or, where the event is about several, of a face. */
static void add_person_of_event(struct ims__store_sql *q, int64_t id)
{
    struct ims_db_value person = ims_db_int(id);

    ims__store_sql_add(q,
                       " AND (e.from_person_id = ? OR e.to_person_id = ? OR e.id IN (SELECT c.event_id FROM "
                       "person_event_changes c WHERE c.person_id = ?) OR (e.from_person_id IS NULL AND e.to_person_id IS NULL "
                       "AND EXISTS (SELECT 1 FROM person_event_changes c WHERE c.event_id = e.id AND c.subject = 'face' AND "
                       "(c.before_json LIKE " STATE_OF " OR c.after_json LIKE " STATE_OF "))))",
                       IMS_DB_ARGS(person, person, person, person, person));
}

static void add_event_filter(struct ims__store_sql *q, const struct ims_store_event_filter *f)
{
    if (f->id)
        ims__store_sql_add(q, " AND e.id = ?", IMS_DB_ARGS(ims_db_int(f->id)));
    if (f->person_id)
        add_person_of_event(q, f->person_id);
    if (f->operation)
        ims__store_sql_add(q, " AND e.operation = ?", IMS_DB_ARGS(ims_db_text(f->operation)));
    if (f->since_us)
        ims__store_sql_add(q, " AND e.created_us >= ?", IMS_DB_ARGS(ims_db_int(f->since_us)));
}

ims_status ims_store_events(struct ims_store *s, const struct ims_store_event_filter *filter,
                            int64_t offset, int64_t limit, struct ims_arena *arena,
                            struct ims_store_event_row **out, size_t *out_n, int64_t *out_total,
                            ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql count, page;
    struct ims__page p = { .count = &count, .page = &page, .on_row = take_event, .list = &l };
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&count, "SELECT count(*) FROM person_events e WHERE 1 = 1");
    ims__store_sql_init(
        &page,
        "SELECT e.id, e.created_us, e.operation, e.actor, e.from_person_id, e.to_person_id, "
        "a.name, b.name, e.n_faces, e.n_photos, e.undoes, e.undone_by, e.note FROM person_events e "
        "LEFT JOIN persons a ON a.id = e.from_person_id LEFT JOIN persons b ON "
        "b.id = e.to_person_id WHERE 1 = 1");
    add_event_filter(&count, filter);
    add_event_filter(&page, filter);
    ims__store_sql_add(&page, " ORDER BY e.id DESC", NULL, 0);
    st = ims__read_page(s, &p, ims__add_limit(&page, offset, limit, err), &items, out_n, out_total, err);
    if (!st)
        *out = items;
    return st;
}

static ims_status take_change(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_change *c = ims__store_list_add(l, err);
    ims_status st;

    if (!c)
        return IMS_E_NOMEM;
    c->face_id = ims_db_column_int(row, 1);
    c->person_id = ims_db_column_int(row, 2);
    st = ims__store_string(l->arena, row, 0, &c->subject, err);
    if (!st)
        st = ims__store_string(l->arena, row, 3, &c->before_json, err);
    return st ? st : ims__store_string(l->arena, row, 4, &c->after_json, err);
}

ims_status ims_store_event_changes(struct ims_store *s, int64_t event_id, struct ims_arena *arena,
                                   struct ims_store_change **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT subject, face_id, person_id, before_json, after_json "
                                      "FROM person_event_changes WHERE event_id = $1 ORDER BY n",
                                      IMS_DB_ARGS(ims_db_int(event_id)), take_change, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* --- who was touched --- */

static int compare_ids(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

    return (a > b) - (a < b);
}

static ims_status add_person_of(const char *json, struct ims__store_list *l, ims_err *err)
{
    struct ims__face_state state;
    int64_t *id;
    ims_status st = ims__face_state_parse(json, &state, err);

    if (st || !state.person_id)
        return st;
    id = ims__store_list_add(l, err);
    if (!id)
        return IMS_E_NOMEM;
    *id = state.person_id;
    return IMS_OK;
}

static ims_status take_face_change(void *arg, const struct ims_db_query *row, ims_err *err)
{
    ims_status st = add_person_of(ims_db_column_text(row, 0, NULL), arg, err);

    return st ? st : add_person_of(ims_db_column_text(row, 1, NULL), arg, err);
}

ims_status ims_store_event_persons(struct ims_store *s, int64_t event_id, struct ims_arena *arena,
                                   int64_t **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT before_json, after_json FROM person_event_changes "
                                      "WHERE event_id = $1 AND subject = "
                                      "'face' ORDER BY n",
                                      IMS_DB_ARGS(ims_db_int(event_id)), take_face_change, &l, err);
    int64_t *ids = l.items;
    size_t n = 0;

    if (!st && l.n)
        qsort(ids, l.n, sizeof(*ids), compare_ids);
    for (size_t i = 0; !st && i < l.n; i++) {
        if (!i || ids[i] != ids[i - 1])
            ids[n++] = ids[i];
    }
    l.n = n;
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
