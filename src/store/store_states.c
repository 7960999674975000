/* States of faces, pins and rejections: as text for events, read, written with all that follows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

/* --- words --- */

static const char *const by_names[] = {
    [IMS_ASSIGNED_USER] = "user",
    [IMS_ASSIGNED_CLUSTER] = "cluster",
    [IMS_ASSIGNED_SUGGESTION] = "suggestion",
    [IMS_ASSIGNED_AUTO] = "auto",
    [IMS_ASSIGNED_IMPORT] = "import",
    [IMS_ASSIGNED_CARRIED] = "carried",
};

const char *ims_store_assigned_by_name(ims_store_assigned_by by)
{
    return (size_t)by < IMS_ARRAY_LEN(by_names) ? by_names[by] : "user";
}

static ims_store_assigned_by parse_by(const char *name)
{
    for (size_t i = 0; name && i < IMS_ARRAY_LEN(by_names); i++) {
        if (strcmp(name, by_names[i]) == 0)
            return (ims_store_assigned_by)i;
    }
    return IMS_ASSIGNED_USER;
}

static const char *const role_names[] = {
    [IMS_ROLE_PRIMARY] = "primary",   [IMS_ROLE_TEMPORAL] = "temporal",
    [IMS_ROLE_EXEMPLAR] = "exemplar", [IMS_ROLE_FALLBACK] = "fallback",
    [IMS_ROLE_EXCLUDED] = "excluded",
};

const char *ims_store_role_name(ims_store_role role)
{
    return (size_t)role < IMS_ARRAY_LEN(role_names) ? role_names[role] : "excluded";
}

ims_store_role ims__parse_role(const char *name)
{
    for (size_t i = 0; name && i < IMS_ARRAY_LEN(role_names); i++) {
        if (strcmp(name, role_names[i]) == 0)
            return (ims_store_role)i;
    }
    return IMS_ROLE_EXCLUDED;
}

struct ims_db_value ims__int_or_null(int64_t v)
{
    return v ? ims_db_int(v) : ims_db_null();
}

/* --- as text --- */

bool ims__face_state_text(const struct ims__face_state *state, char *out)
{
    char score[40] = "null";

    out[0] = '\0';
    if (!state->person_id)
        return false;
    if (state->has_score)
        snprintf(score, sizeof(score), "%.17g", state->score);
    snprintf(out, IMS_STATE_BYTES,
             "{\"person\":%lld,\"by\":\"%s\",\"score\":%s,\"us\":%lld,\"extra\":%s}",
             (long long)state->person_id, ims_store_assigned_by_name(state->by), score,
             (long long)state->us, state->is_extra ? "true" : "false");
    return true;
}

ims_status ims__face_state_parse(const char *text, struct ims__face_state *out, ims_err *err)
{
    ims_json *v = NULL;
    ims_status st;

    memset(out, 0, sizeof(*out));
    if (!text)
        return IMS_OK;
    st = ims__json_parse(&v, text, strlen(text), "the state of a face", err);
    if (st)
        return ims_fail_in(err, IMS_E_CORRUPT, "an event");
    out->person_id = ims__json_int(ims__json_get(v, "person"), 0);
    out->by = parse_by(ims__json_str(ims__json_get(v, "by"), NULL));
    out->has_score = ims__json_type(ims__json_get(v, "score")) != IMS_JSON_NULL;
    out->score = ims__json_num(ims__json_get(v, "score"), 0);
    out->us = ims__json_int(ims__json_get(v, "us"), 0);
    out->is_extra = ims__json_bool(ims__json_get(v, "extra"), false);
    ims__json_free(v);
    return IMS_OK;
}

/* `by` has no character that JSON would escape: pin sees to it. */
bool ims__pin_state_text(const struct ims__pin_state *state, char *out)
{
    out[0] = '\0';
    if (!state->is_on)
        return false;
    snprintf(out, IMS_STATE_BYTES,
             "{\"person\":%lld,\"role\":\"%s\",\"era\":\"%s\",\"by\":\"%s\",\"us\":%lld}",
             (long long)state->person_id, ims_store_role_name(state->role), state->era, state->by,
             (long long)state->us);
    return true;
}

static void copy_member(const ims_json *v, const char *key, char *out, size_t size)
{
    const char *text = ims__json_str(ims__json_get(v, key), NULL);

    snprintf(out, size, "%s", text ? text : "");
}

ims_status ims__pin_state_parse(const char *text, struct ims__pin_state *out, ims_err *err)
{
    ims_json *v = NULL;
    ims_status st;

    memset(out, 0, sizeof(*out));
    if (!text)
        return IMS_OK;
    st = ims__json_parse(&v, text, strlen(text), "the state of a pin", err);
    if (st)
        return ims_fail_in(err, IMS_E_CORRUPT, "an event");
    out->is_on = true;
    out->person_id = ims__json_int(ims__json_get(v, "person"), 0);
    out->role = ims__parse_role(ims__json_str(ims__json_get(v, "role"), NULL));
    copy_member(v, "era", out->era, sizeof(out->era));
    copy_member(v, "by", out->by, sizeof(out->by));
    out->us = ims__json_int(ims__json_get(v, "us"), 0);
    ims__json_free(v);
    return IMS_OK;
}

/* --- faces --- */

void ims__face_state_read(const struct ims_db_query *row, size_t column,
                          struct ims__face_state *out)
{
    out->person_id = ims_db_column_int(row, column);
    out->by = parse_by(ims_db_column_text(row, column + 1, NULL));
    out->has_score = !ims_db_column_is_null(row, column + 2);
    out->score = ims_db_column_double(row, column + 2);
    out->us = ims_db_column_int(row, column + 3);
    out->is_extra = ims_db_column_int(row, column + 4) != 0;
}

static ims_status note_faces(struct ims_store *s, struct ims_store_event *e,
                             const struct ims__face_change *changes, size_t n, ims_err *err)
{
    struct ims__change *notes = ims__zalloc(n, sizeof(*notes));
    char(*texts)[2][IMS_STATE_BYTES] = ims__alloc(n, sizeof(*texts));
    ims_status st = notes && texts ? IMS_OK : ims__store_nomem(err);

    for (size_t i = 0; !st && i < n; i++) {
        bool was = ims__face_state_text(&changes[i].before, texts[i][0]);
        bool is = ims__face_state_text(&changes[i].after, texts[i][1]);

        notes[i] = (struct ims__change){ .subject = "face",
                                         .face_id = changes[i].face_id,
                                         .before = was ? texts[i][0] : NULL,
                                         .after = is ? texts[i][1] : NULL };
    }
    if (!st)
        st = ims__event_note(s, e, notes, n, err);
    ims__free(notes);
    ims__free(texts);
    return st;
}

static ims_status write_faces(struct ims_store *s, const struct ims__face_change *changes, size_t n,
                              struct ims_db_value *values, ims_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct ims__face_state *a = &changes[i].after;
        struct ims_db_value *v = values + 6 * i;

        v[0] = ims_db_int(changes[i].face_id);
        v[1] = ims__int_or_null(a->person_id);
        v[2] = ims_db_text(a->person_id ? ims_store_assigned_by_name(a->by) : NULL);
        v[3] = a->person_id && a->has_score ? ims_db_double(a->score) : ims_db_null();
        v[4] = a->person_id ? ims_db_int(a->us) : ims_db_null();
        v[5] = ims_db_int(a->person_id && a->is_extra);
    }
    return ims_db_run_many(
        s->db,
        "UPDATE faces SET person_id = $2, assigned_by = $3, assigned_score = $4, "
        "assigned_us = $5, is_extra = $6 WHERE id = $1",
        values, 6, n, NULL, NULL, NULL, err);
}

/* The prototypes of faces that change hands: pins as changes of the event, the rest without. */
static ims_status drop_prototypes(struct ims_store *s, struct ims_store_event *e,
                                  const struct ims__face_change *changes, size_t n,
                                  struct ims_db_value *values, ims_err *err)
{
    size_t n_moved = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n; i++) {
        struct ims__pin_state pin, none = { 0 };

        if (!changes[i].before.person_id ||
            changes[i].before.person_id == changes[i].after.person_id)
            continue;
        values[n_moved++] = ims_db_int(changes[i].face_id);
        st = ims__pin_state_get(s, changes[i].face_id, &pin, err);
        if (!st && pin.is_on)
            st = ims__pin_state_put(s, e, changes[i].face_id, &pin, &none, err);
    }
    if (!st)
        st = ims_db_run_many(s->db, "DELETE FROM person_prototypes WHERE face_id = $1", values, 1,
                             n_moved, NULL, NULL, NULL, err);
    return st;
}

/* Nobody needs to be asked any more about faces that are somebody now; what a face that changed hands gave
 * rise to is void. */
static ims_status expire_suggestions(struct ims_store *s, const struct ims__face_change *changes,
                                     size_t n, struct ims_db_value *values, ims_err *err)
{
    int64_t now_us = ims__now_us();
    ims_status st;

    for (size_t i = 0; i < n; i++) {
        values[2 * i] = ims_db_int(changes[i].face_id);
        values[2 * i + 1] = ims_db_int(now_us);
    }
    st = ims_db_run_many(s->db,
                         "UPDATE face_suggestions SET status = 'expired', reviewed_us = $2 WHERE "
                         "face_id = $1 AND status = 'pending' AND EXISTS (SELECT 1 FROM faces f "
                         "WHERE f.id = $1 AND f.person_id IS NOT NULL)",
                         values, 2, n, NULL, NULL, NULL, err);
    if (st)
        return st;
    return ims_db_run_many(s->db,
                           "UPDATE face_suggestions SET status = 'expired', reviewed_us = $2 WHERE "
                           "source_face_id = $1 AND status = 'pending' AND NOT EXISTS (SELECT 1 "
                           "FROM faces f WHERE f.id = $1 AND f.person_id = "
                           "face_suggestions.person_id)",
                           values, 2, n, NULL, NULL, NULL, err);
}

ims_status ims__face_states_put(struct ims_store *s, struct ims_store_event *e,
                                const struct ims__face_change *changes, size_t n, ims_err *err)
{
    struct ims_db_value *values;
    ims_status st;

    if (!n)
        return IMS_OK;
    values = ims__zalloc(n, 6 * sizeof(*values));
    if (!values)
        return ims__store_nomem(err);
    /* pins first: undone in reverse, the face is that person again when its pin comes back */
    st = drop_prototypes(s, e, changes, n, values, err);
    if (!st)
        st = note_faces(s, e, changes, n, err);
    if (!st)
        st = write_faces(s, changes, n, values, err);
    if (!st)
        st = expire_suggestions(s, changes, n, values, err);
    ims__free(values);
    return st ? st : ims__store_bump_epoch(s, err);
}

/* --- pins --- */

static ims_status take_pin(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__pin_state *p = arg;
    const char *era = ims_db_column_text(row, 2, NULL), *by = ims_db_column_text(row, 3, NULL);

    (void)err;
    p->is_on = true;
    p->person_id = ims_db_column_int(row, 0);
    p->role = ims__parse_role(ims_db_column_text(row, 1, NULL));
    snprintf(p->era, sizeof(p->era), "%s", era ? era : "");
    snprintf(p->by, sizeof(p->by), "%s", by ? by : "");
    p->us = ims_db_column_int(row, 4);
    return IMS_OK;
}

ims_status ims__pin_state_get(struct ims_store *s, int64_t face_id, struct ims__pin_state *out,
                              ims_err *err)
{
    memset(out, 0, sizeof(*out));
    return ims__store_select(s,
                             "SELECT person_id, role, era, pinned_by, pinned_us FROM "
                             "person_prototypes WHERE face_id = $1 AND is_pinned = 1",
                             IMS_DB_ARGS(ims_db_int(face_id)), take_pin, out, err);
}

ims_status ims__pin_state_put(struct ims_store *s, struct ims_store_event *e, int64_t face_id,
                              const struct ims__pin_state *before,
                              const struct ims__pin_state *after, ims_err *err)
{
    char was[IMS_STATE_BYTES], is[IMS_STATE_BYTES];
    struct ims__change note = { .subject = "pin", .face_id = face_id };
    ims_status st;

    note.before = ims__pin_state_text(before, was) ? was : NULL;
    note.after = ims__pin_state_text(after, is) ? is : NULL;
    note.person_id = after->is_on ? after->person_id : before->person_id;
    st = ims__event_note(s, e, &note, 1, err);
    if (st)
        return st;
    if (!after->is_on) /* what is no pin may come back as what is chosen without one */
        return ims_db_run(s->db, "DELETE FROM person_prototypes WHERE face_id = $1",
                          IMS_DB_ARGS(ims_db_int(face_id)), NULL, err);
    return ims_db_run(s->db,
                      "INSERT INTO person_prototypes (person_id, face_id, role, era, is_pinned, "
                      "pinned_by, pinned_us, created_us) VALUES ($1, $2, $3, $4, 1, $5, $6, $6) "
                      "ON CONFLICT (face_id) DO UPDATE SET person_id = excluded.person_id, "
                      "role = excluded.role, era = excluded.era, is_pinned = 1, "
                      "pinned_by = excluded.pinned_by, pinned_us = excluded.pinned_us",
                      IMS_DB_ARGS(ims_db_int(after->person_id), ims_db_int(face_id),
                                  ims_db_text(ims_store_role_name(after->role)),
                                  ims_db_text(after->era[0] ? after->era : NULL),
                                  ims_db_text(after->by[0] ? after->by : NULL),
                                  ims_db_int(after->us)),
                      NULL, err);
}

/* --- rejections --- */

ims_status ims__rejection_get(struct ims_store *s, int64_t face_id, int64_t person_id,
                              int64_t *out_created_us, ims_err *err)
{
    bool is_found = false;
    int64_t us = 0;
    ims_status st = ims__store_get_int(
        s, "SELECT created_us FROM face_rejections WHERE face_id = $1 AND person_id = $2",
        IMS_DB_ARGS(ims_db_int(face_id), ims_db_int(person_id)), &us, &is_found, err);

    if (!st)
        *out_created_us = is_found ? us : 0;
    return st;
}

ims_status ims__rejection_put(struct ims_store *s, struct ims_store_event *e, int64_t face_id,
                              int64_t person_id, int64_t before_us, int64_t after_us, ims_err *err)
{
    char was[40], is[40];
    struct ims__change note = { .subject = "rejection",
                                .face_id = face_id,
                                .person_id = person_id };
    ims_status st;

    snprintf(was, sizeof(was), "{\"us\":%lld}", (long long)before_us);
    snprintf(is, sizeof(is), "{\"us\":%lld}", (long long)after_us);
    note.before = before_us ? was : NULL;
    note.after = after_us ? is : NULL;
    st = ims__event_note(s, e, &note, 1, err);
    if (st)
        return st;
    if (!after_us)
        return ims_db_run(s->db,
                          "DELETE FROM face_rejections WHERE face_id = $1 AND person_id = $2",
                          IMS_DB_ARGS(ims_db_int(face_id), ims_db_int(person_id)), NULL, err);
    st = ims_db_run(
        s->db, "INSERT INTO face_rejections (face_id, person_id, created_us) VALUES ($1, $2, $3)",
        IMS_DB_ARGS(ims_db_int(face_id), ims_db_int(person_id), ims_db_int(after_us)), NULL, err);
    if (st)
        return st;
    return ims_db_run(
        s->db,
        "UPDATE face_suggestions SET status = 'rejected', reviewed_us = $3 "
        "WHERE face_id = $1 AND person_id = $2 AND status = 'pending'",
        IMS_DB_ARGS(ims_db_int(face_id), ims_db_int(person_id), ims_db_int(ims__now_us())), NULL,
        err);
}
