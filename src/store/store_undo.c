/* Undoing an event: its changes backwards, each only if what it left is still there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include <string.h>

struct undo {
    const struct ims_store_event_in *in;
    struct ims_store_undo *what;
    struct ims_arena arena;
    struct ims_store_event e;
    int64_t n_kept;
};

/* A change that cannot be put back: passed over in a partial undo. */
static ims_status keep(struct undo *x, ims_status st, ims_err *err)
{
    (void)err;
    if (!x->what->is_partial)
        return st;
    x->n_kept++;
    return IMS_OK;
}

static ims_status changed_since(struct ims_store *s, const struct undo *x,
                                const struct ims_store_change *c, const char *what, int64_t id,
                                ims_err *err)
{
#define SINCE "SELECT COALESCE(MAX(event_id), 0) FROM person_event_changes WHERE subject = $1 AND event_id > $2 AND "
    /* each by the index of its own: there may be a million changes since */
    const char *sql = c->face_id ? SINCE "COALESCE(person_id, 0) = $3 AND face_id = $4" : SINCE "person_id = $3";
    const struct ims_db_value values[] = { ims_db_text(c->subject), ims_db_int(x->what->event_id), ims_db_int(c->person_id),
                                           ims_db_int(c->face_id) };
    int64_t by = 0;
    ims_status st = ims_db_get_int(s->db, sql, values, c->face_id ? 4 : 3, &by, NULL, err);

    if (st)
        return st;
    if (by)
        return ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                        "%s %lld was changed since by event %lld; undo that first", what,
                        (long long)id, (long long)by);
    return ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "%s %lld is not as event %lld left it", what,
                    (long long)id, (long long)x->what->event_id);
}

static bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* --- a face --- */

struct face_now {
    struct ims__face_state state;
    bool is_found;
};

static ims_status take_face_now(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct face_now *x = arg;

    (void)err;
    ims__face_state_read(row, 0, &x->state);
    x->is_found = true;
    return IMS_OK;
}

/* Is the face as the change left it? In a partial undo it may also have come along with a person that was
 * merged since. */
static ims_status face_is_as_left(struct ims_store *s, const struct undo *x,
                                  const struct ims__face_state *now, const char *after_json,
                                  bool *out, ims_err *err)
{
    char text[IMS_STATE_BYTES];
    struct ims__face_state left;
    ims_status st;

    *out = texts_equal(ims__face_state_text(now, text) ? text : NULL, after_json);
    if (*out || !x->what->is_partial || !after_json || !now->person_id)
        return IMS_OK;
    st = ims__face_state_parse(after_json, &left, err);
    if (!st)
        st = ims_store_merged_root(s, left.person_id, &left.person_id, err);
    if (!st)
        *out = left.person_id == now->person_id;
    return st;
}

/* Would the face be the second one of its photo that is that person? */
static ims_status check_photo(struct ims_store *s, int64_t face_id,
                              const struct ims__face_state *back, ims_err *err)
{
    int64_t other = 0;
    bool is_found = false;
    ims_status st;

    if (!back->person_id || back->is_extra)
        return IMS_OK;
    st = ims_db_get_int(s->db,
                        "SELECT g.id FROM faces f JOIN faces g ON g.content_id = f.content_id AND "
                        "g.model_id = f.model_id AND g.person_id = $2 AND g.id <> f.id AND "
                        "g.is_extra = 0 WHERE f.id = $1",
                        IMS_DB_ARGS(ims_db_int(face_id), ims_db_int(back->person_id)), &other,
                        &is_found, err);
    if (!st && is_found)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                      "face %lld of the photo of face %lld is person %lld by now", (long long)other,
                      (long long)face_id, (long long)back->person_id);
    return st;
}

static ims_status undo_face(struct ims_store *s, struct undo *x, const struct ims_store_change *c,
                            ims_err *err)
{
    struct face_now now = { .is_found = false };
    struct ims__face_change change = { .face_id = c->face_id };
    bool is_as_left = false;
    ims_status st =
        ims__store_select(s, "SELECT " IMS_FACE_STATE_COLUMNS "FROM faces f WHERE f.id = $1",
                          IMS_DB_ARGS(ims_db_int(c->face_id)), take_face_now, &now, err);

    if (!st && !now.is_found)
        return keep(x,
                    ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "face %lld has gone",
                             (long long)c->face_id),
                    err);
    if (!st)
        st = face_is_as_left(s, x, &now.state, c->after_json, &is_as_left, err);
    if (st)
        return st;
    if (!is_as_left) {
        st = changed_since(s, x, c, "face", c->face_id, err);
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    }
    change.before = now.state;
    st = ims__face_state_parse(c->before_json, &change.after, err);
    if (st)
        return st;
    st = check_photo(s, c->face_id, &change.after, err);
    if (!st && change.after.person_id)
        st = ims__person_is_usable(s, change.after.person_id, err);
    if (st)
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    return ims__face_states_put(s, &x->e, &change, 1, err);
}

/* --- rejections, pins --- */

/* Of {"us":N}; 0 for none. */
static int64_t us_of(const char *json)
{
    const char *colon = json ? strrchr(json, ':') : NULL;
    int64_t us = 0;

    for (const char *p = colon ? colon + 1 : ""; *p >= '0' && *p <= '9'; p++)
        us = us * 10 + (*p - '0');
    return us;
}

static ims_status undo_rejection(struct ims_store *s, struct undo *x,
                                 const struct ims_store_change *c, ims_err *err)
{
    int64_t now_us = 0, left_us = us_of(c->after_json), back_us = us_of(c->before_json);
    int64_t person_id = 0;
    bool is_found = false;
    ims_status st = ims__rejection_get(s, c->face_id, c->person_id, &now_us, err);

    if (!st)
        st = ims_db_get_int(s->db, "SELECT person_id FROM faces WHERE id = $1",
                            IMS_DB_ARGS(ims_db_int(c->face_id)), &person_id, &is_found, err);
    if (st)
        return st;
    if (!is_found)
        return keep(x,
                    ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "face %lld has gone",
                             (long long)c->face_id),
                    err);
    if (now_us != left_us || (back_us && person_id == c->person_id)) {
        st = changed_since(s, x, c, "a rejection of face", c->face_id, err);
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    }
    return ims__rejection_put(s, &x->e, c->face_id, c->person_id, now_us, back_us, err);
}

static ims_status undo_pin(struct ims_store *s, struct undo *x, const struct ims_store_change *c,
                           ims_err *err)
{
    struct ims__pin_state now, back;
    char text[IMS_STATE_BYTES];
    int64_t person_id = 0;
    bool is_found = false;
    ims_status st = ims__pin_state_get(s, c->face_id, &now, err);

    if (!st)
        st = ims__pin_state_parse(c->before_json, &back, err);
    if (!st)
        st = ims_db_get_int(s->db, "SELECT person_id FROM faces WHERE id = $1",
                            IMS_DB_ARGS(ims_db_int(c->face_id)), &person_id, &is_found, err);
    if (st)
        return st;
    if (!is_found || !texts_equal(ims__pin_state_text(&now, text) ? text : NULL, c->after_json) ||
        (back.is_on && back.person_id != person_id)) {
        st = changed_since(s, x, c, "the pin of face", c->face_id, err);
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    }
    return ims__pin_state_put(s, &x->e, c->face_id, &now, &back, err);
}

/* --- a person --- */

/* Deleting a person whom events made since would leave faces with nobody. */
static ims_status check_no_faces(struct ims_store *s, int64_t id, ims_err *err)
{
    int64_t n = 0;
    ims_status st = ims_db_get_int(s->db, "SELECT count(*) FROM faces WHERE person_id = $1",
                                   IMS_DB_ARGS(ims_db_int(id)), &n, NULL, err);

    if (!st && n)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "person %lld has %lld faces by now",
                      (long long)id, (long long)n);
    return st;
}

static ims_status undo_person(struct ims_store *s, struct undo *x, const struct ims_store_change *c,
                              ims_err *err)
{
    struct ims__person_state now, back;
    struct ims_buf text;
    bool is_as_left;
    ims_status st = ims__person_state_get(s, c->person_id, &x->arena, &now, err);

    if (st)
        return st;
    ims__buf_init(&text, 64 * 1024);
    st = ims__person_state_text(&now, &text, err);
    is_as_left = !st && texts_equal(text.data, c->after_json);
    ims__buf_release(&text);
    if (st)
        return st;
    if (!is_as_left) {
        st = changed_since(s, x, c, "person", c->person_id, err);
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    }
    if (c->before_json) {
        st = ims__person_state_parse(c->before_json, &x->arena, &back, err);
    } else { /* was made by the event */
        back = now;
        back.status = IMS_PERSON_DELETED;
    }
    if (!st && back.status <= IMS_PERSON_HIDDEN)
        st = ims__person_name_is_free(s, c->person_id, back.name_key, back.name, err);
    else if (!st)
        st = check_no_faces(s, c->person_id, err);
    if (st)
        return st == IMS_E_CONSTRAINT ? keep(x, st, err) : st;
    return ims__person_state_put(s, &x->e, c->person_id, &now, &back, err);
}

/* --- the whole --- */

static ims_status undo_change(struct ims_store *s, struct undo *x, const struct ims_store_change *c,
                              ims_err *err)
{
    if (strcmp(c->subject, "face") == 0)
        return undo_face(s, x, c, err);
    if (strcmp(c->subject, "rejection") == 0)
        return undo_rejection(s, x, c, err);
    if (strcmp(c->subject, "pin") == 0)
        return undo_pin(s, x, c, err);
    return undo_person(s, x, c, err);
}

static ims_status check_event(struct ims_store *s, int64_t id, int64_t *out_from, int64_t *out_to,
                              struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_event_filter filter = { .id = id };
    struct ims_store_event_row *rows = NULL;
    size_t n = 0;
    ims_status st = id ? ims_store_events(s, &filter, 0, 0, arena, &rows, &n, NULL, err) : IMS_OK;

    if (st)
        return st;
    if (!n)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no event %lld", (long long)id);
    if (rows[0].undone_by)
        return ims_fail(err, IMS_E_EXISTS, "store", 0, "event %lld was undone by event %lld",
                        (long long)id, (long long)rows[0].undone_by);
    *out_from = rows[0].to_person_id;
    *out_to = rows[0].from_person_id;
    return IMS_OK;
}

/* `by` took `event` back. If that was an undo itself, what it had taken back stands again, and so on down
 * the chain. */
static ims_status link_events(struct ims_store *s, int64_t by, int64_t event, ims_err *err)
{
    bool is_undone = true;
    ims_status st = ims_db_run(s->db, "UPDATE person_events SET undoes = $2 WHERE id = $1",
                               IMS_DB_ARGS(ims_db_int(by), ims_db_int(event)), NULL, err);

    while (!st && event) {
        st = ims_db_run(s->db, "UPDATE person_events SET undone_by = $2 WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(event), is_undone ? ims_db_int(by) : ims_db_null()),
                        NULL, err);
        by = event;
        is_undone = !is_undone;
        if (!st)
            st =
                ims_db_get_int(s->db, "SELECT COALESCE(undoes, 0) FROM person_events WHERE id = $1",
                               IMS_DB_ARGS(ims_db_int(by)), &event, NULL, err);
    }
    return st;
}

static ims_status undo(struct ims_store *s, void *arg, ims_err *err)
{
    struct undo *x = arg;
    struct ims_store_event_in in = *x->in;
    struct ims_store_change *changes = NULL;
    size_t n = 0;
    ims_status st;

    x->n_kept = 0;
    st = check_event(s, x->what->event_id, &in.from_person_id, &in.to_person_id, &x->arena, err);
    if (!st)
        st = ims_store_event_changes(s, x->what->event_id, &x->arena, &changes, &n, err);
    if (!st)
        st = ims_store_event_begin(s, &in, &x->e, err);
    for (size_t i = n; !st && i-- > 0;)
        st = undo_change(s, x, &changes[i], err);
    if (!st)
        st = ims_store_event_end(s, &x->e, err);
    return st || !x->e.id ? st : link_events(s, x->e.id, x->what->event_id, err);
}

ims_status ims_store_undo(struct ims_store *s, const struct ims_store_event_in *in,
                          struct ims_store_undo *what, ims_err *err)
{
    struct undo x = { .in = in, .what = what };
    ims_status st;

    ims__arena_init(&x.arena, 0);
    st = ims__store_write(s, undo, &x, err);
    ims__arena_release(&x.arena);
    if (st)
        return st;
    what->n_kept = x.n_kept;
    what->by = x.e;
    return IMS_OK;
}
