/* Persons: names and their keys, creating, changing, finding, following merges.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"
#include "base/fold.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define MAX_MERGES 1000 /* followed; more is a circle */

static const char *const status_names[] = {
    [IMS_PERSON_ACTIVE] = "active",
    [IMS_PERSON_HIDDEN] = "hidden",
    [IMS_PERSON_MERGED] = "merged",
    [IMS_PERSON_DELETED] = "deleted",
};

const char *ims_store_person_status_name(ims_store_person_status status)
{
    return (size_t)status < IMS_ARRAY_LEN(status_names) ? status_names[status] : "deleted";
}

ims_store_person_status ims__parse_person_status(const char *name)
{
    for (size_t i = 0; name && i < IMS_ARRAY_LEN(status_names); i++) {
        if (strcmp(name, status_names[i]) == 0)
            return (ims_store_person_status)i;
    }
    return IMS_PERSON_DELETED;
}

/* --- names --- */

static ims_status check_name(const char *name, size_t n, ims_err *err)
{
    size_t n_chars = 0;

    if (!ims__utf8_is_valid(name, n))
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a name is not UTF-8");
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t cp;

        step = ims__utf8_decode(name + i, n - i, &cp);
        if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
            return ims_fail(err, IMS_E_INVALID, "store", 0, "a name has control characters");
        n_chars++;
    }
    if (n_chars > IMS_MAX_PERSON_NAME)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a name has %zu characters; at most %d",
                        n_chars, IMS_MAX_PERSON_NAME);
    return IMS_OK;
}

ims_status ims_store_name_key(const char *name, char **out_key, char **out_clean, ims_err *err)
{
    struct ims_buf key;
    const char *start = name;
    char *clean = NULL;
    size_t n = name ? ims__trim(name, strlen(name), &start) : 0;
    ims_status st = n ? check_name(start, n, err) : IMS_OK;

    if (st)
        return st;
    ims__buf_init(&key, 64 * IMS_KIB);
    st = ims__fold(start, n, &key);
    if (st) {
        st = ims_fail(err, st == IMS_E_NOMEM ? st : IMS_E_INVALID, "store", 0,
                      "a name cannot be compared");
        goto out;
    }
    if (!key.len) {
        st = ims_fail(err, IMS_E_INVALID, "store", 0, "a person needs a name");
        goto out;
    }
    clean = out_clean ? ims__strndup(start, n) : NULL;
    *out_key = out_clean && !clean ? NULL : ims__buf_take(&key, NULL);
    if (!*out_key) {
        ims__free(clean);
        st = ims__store_nomem(err);
        goto out;
    }
    if (out_clean)
        *out_clean = clean;
out:
    ims__buf_release(&key);
    return st;
}

bool ims__is_date(const char *text)
{
    int64_t from, until;

    return text && strlen(text) == 10 && ims__parse_date(text, &from, &until);
}

/* --- states --- */

ims_status ims__person_state_text(const struct ims__person_state *p, struct ims_buf *out,
                                  ims_err *err)
{
    ims_json *v = ims__json_new_object();
    ims_status st = v ? IMS_OK : ims__store_nomem(err);

    if (!st &&
        (ims__json_set(v, "name", ims__json_new_str(p->name)) ||
         ims__json_set(v, "status", ims__json_new_str(ims_store_person_status_name(p->status))) ||
         ims__json_set(v, "merged_into",
                       p->merged_into ? ims__json_new_int(p->merged_into) : ims__json_new_null()) ||
         ims__json_set(v, "birth_date", ims__json_new_str(p->birth_date))))
        st = ims__store_nomem(err);
    if (!st)
        st = ims__json_write(v, 0, out, err);
    ims__json_free(v);
    return st;
}

static ims_status dup_text(struct ims_arena *arena, const char *text, const char **out,
                           ims_err *err)
{
    *out = text ? ims__arena_strndup(arena, text, strlen(text)) : NULL;
    return text && !*out ? ims__store_nomem(err) : IMS_OK;
}

ims_status ims__person_state_parse(const char *text, struct ims_arena *arena,
                                   struct ims__person_state *out, ims_err *err)
{
    ims_json *v = NULL;
    char *key = NULL;
    ims_status st = ims__json_parse(&v, text, strlen(text), "the state of a person", err);

    if (st)
        return ims_fail_in(err, IMS_E_CORRUPT, "an event");
    memset(out, 0, sizeof(*out));
    out->status = ims__parse_person_status(ims__json_str(ims__json_get(v, "status"), NULL));
    out->merged_into = ims__json_int(ims__json_get(v, "merged_into"), 0);
    st = dup_text(arena, ims__json_str(ims__json_get(v, "name"), NULL), &out->name, err);
    if (!st)
        st = dup_text(arena, ims__json_str(ims__json_get(v, "birth_date"), NULL), &out->birth_date,
                      err);
    if (!st)
        st = ims_store_name_key(out->name, &key, NULL, err);
    if (!st)
        st = dup_text(arena, key, &out->name_key, err);
    ims__free(key);
    ims__json_free(v);
    return st;
}

struct get_state {
    struct ims_arena *arena;
    struct ims__person_state *out;
    bool is_found;
};

static ims_status take_state(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct get_state *x = arg;
    ims_status st;

    x->is_found = true;
    x->out->status = ims__parse_person_status(ims_db_column_text(row, 2, NULL));
    x->out->merged_into = ims_db_column_int(row, 3);
    st = ims__store_string(x->arena, row, 0, &x->out->name, err);
    if (!st)
        st = ims__store_string(x->arena, row, 1, &x->out->name_key, err);
    return st ? st : ims__store_string(x->arena, row, 4, &x->out->birth_date, err);
}

ims_status ims__person_state_get(struct ims_store *s, int64_t id, struct ims_arena *arena,
                                 struct ims__person_state *out, ims_err *err)
{
    struct get_state x = { arena, out, false };
    ims_status st;

    memset(out, 0, sizeof(*out));
    st = ims__store_select(s,
                           "SELECT name, name_key, status, merged_into, birth_date FROM persons "
                           "WHERE id = $1",
                           IMS_DB_ARGS(ims_db_int(id)), take_state, &x, err);
    if (!st && !x.is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no person %lld", (long long)id);
    return st;
}

static ims_status note_person(struct ims_store *s, struct ims_store_event *e, int64_t id,
                              const struct ims__person_state *before,
                              const struct ims__person_state *after, bool *out_is_same,
                              ims_err *err)
{
    struct ims__change note = { .subject = "person", .person_id = id };
    struct ims_buf was, is;
    ims_status st = IMS_OK;

    ims__buf_init(&was, 64 * IMS_KIB);
    ims__buf_init(&is, 64 * IMS_KIB);
    if (before)
        st = ims__person_state_text(before, &was, err);
    if (!st)
        st = ims__person_state_text(after, &is, err);
    *out_is_same = !st && before && strcmp(was.data, is.data) == 0;
    if (!st && !*out_is_same) {
        note.before = before ? was.data : NULL;
        note.after = is.data;
        st = ims__event_note(s, e, &note, 1, err);
    }
    ims__buf_release(&was);
    ims__buf_release(&is);
    return st;
}

ims_status ims__person_state_put(struct ims_store *s, struct ims_store_event *e, int64_t id,
                                 const struct ims__person_state *before,
                                 const struct ims__person_state *after, ims_err *err)
{
    bool is_same = false;
    ims_status st = note_person(s, e, id, before, after, &is_same, err);

    if (st || is_same)
        return st;
    return ims_db_run(s->db,
                      "UPDATE persons SET name = $2, name_key = $3, status = $4, merged_into = $5, "
                      "birth_date = $6, updated_us = $7 WHERE id = $1",
                      IMS_DB_ARGS(ims_db_int(id), ims_db_text(after->name),
                                  ims_db_text(after->name_key),
                                  ims_db_text(ims_store_person_status_name(after->status)),
                                  ims__int_or_null(after->merged_into),
                                  ims_db_text(after->birth_date), ims_db_int(ims__now_us())),
                      NULL, err);
}

ims_status ims__person_name_is_free(struct ims_store *s, int64_t id, const char *key,
                                    const char *name, ims_err *err)
{
    bool is_found = false;
    int64_t other = 0;
    ims_status st =
        ims__store_get_int(s,
                           "SELECT id FROM persons WHERE name_key = $1 AND id <> $2 AND "
                           "status IN ('active', 'hidden')",
                           IMS_DB_ARGS(ims_db_text(key), ims_db_int(id)), &other, &is_found, err);

    if (!st && is_found)
        st = ims_fail(err, IMS_E_EXISTS, "store", 0, "person %lld is named %s already",
                      (long long)other, name);
    return st;
}

ims_status ims__person_is_usable(struct ims_store *s, int64_t id, ims_err *err)
{
    struct ims_arena arena;
    struct ims__person_state p;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__person_state_get(s, id, &arena, &p, err);
    if (!st && p.status == IMS_PERSON_MERGED)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                      "person %lld (%s) was merged into person %lld", (long long)id, p.name,
                      (long long)p.merged_into);
    else if (!st && p.status == IMS_PERSON_DELETED)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "person %lld (%s) was deleted",
                      (long long)id, p.name);
    ims__arena_release(&arena);
    return st;
}

/* --- creating, changing --- */

ims_status ims_store_create_person(struct ims_store *s, struct ims_store_event *e, const char *name,
                                   const char *birth_date, int64_t *out_id, ims_err *err)
{
    struct ims__person_state p = { .status = IMS_PERSON_ACTIVE, .birth_date = birth_date };
    char *key = NULL, *clean = NULL;
    bool is_same;
    int64_t id = 0;
    ims_status st = ims__event_check(s, e, err);

    if (!st && birth_date && !ims__is_date(birth_date))
        st = ims_fail(err, IMS_E_INVALID, "store", 0, "a date of birth is written YYYY-MM-DD");
    if (!st)
        st = ims_store_name_key(name, &key, &clean, err);
    if (!st)
        st = ims__person_name_is_free(s, 0, key, clean, err);
    if (st)
        goto out;
    p.name = clean;
    st = ims_db_get_int(s->db,
                        "INSERT INTO persons (name, name_key, status, birth_date, created_us, "
                        "updated_us) VALUES ($1, $2, 'active', $3, $4, $4) RETURNING id",
                        IMS_DB_ARGS(ims_db_text(clean), ims_db_text(key), ims_db_text(birth_date),
                                    ims_db_int(ims__now_us())),
                        &id, NULL, err);
    if (!st)
        st = note_person(s, e, id, NULL, &p, &is_same, err);
    if (!st)
        *out_id = id;
out:
    ims__free(key);
    ims__free(clean);
    return st;
}

/* The state that `change` makes of p; *out_key, *out_name are to be freed. */
static ims_status change_state(struct ims__person_state *p,
                               const struct ims_store_person_change *change, char **out_key,
                               char **out_name, ims_err *err)
{
    if (change->has_birth_date && change->birth_date && !ims__is_date(change->birth_date))
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a date of birth is written YYYY-MM-DD");
    if (change->has_birth_date)
        p->birth_date = change->birth_date;
    if (change->has_status) {
        p->status = change->status;
        p->merged_into = change->status == IMS_PERSON_MERGED ? change->merged_into : 0;
    }
    if (change->name) {
        ims_status st = ims_store_name_key(change->name, out_key, out_name, err);

        if (st)
            return st;
        p->name = *out_name;
        p->name_key = *out_key;
    }
    return IMS_OK;
}

ims_status ims_store_change_person(struct ims_store *s, struct ims_store_event *e, int64_t id,
                                   const struct ims_store_person_change *change, ims_err *err)
{
    struct ims__person_state before, after;
    struct ims_arena arena;
    char *key = NULL, *name = NULL;
    ims_status st = ims__event_check(s, e, err);

    if (st)
        return st;
    ims__arena_init(&arena, 0);
    st = ims__person_state_get(s, id, &arena, &before, err);
    after = before;
    if (!st)
        st = change_state(&after, change, &key, &name, err);
    if (!st && after.status <= IMS_PERSON_HIDDEN)
        st = ims__person_name_is_free(s, id, after.name_key, after.name, err);
    if (!st && after.status == IMS_PERSON_MERGED && after.merged_into == id)
        st = ims_fail(err, IMS_E_INVALID, "store", 0, "a person cannot be merged into itself");
    if (!st)
        st = ims__person_state_put(s, e, id, &before, &after, err);
    ims__free(key);
    ims__free(name);
    ims__arena_release(&arena);
    return st;
}

/* --- reading --- */

ims_status ims_store_find_person(struct ims_store *s, const char *name, int64_t *out_id,
                                 ims_err *err)
{
    bool is_found = false;
    char *key = NULL;
    int64_t id = 0;
    ims_status st = ims_store_name_key(name, &key, NULL, err);

    if (!st)
        st = ims__store_get_int(
            s, "SELECT id FROM persons WHERE name_key = $1 AND status IN ('active', 'hidden')",
            IMS_DB_ARGS(ims_db_text(key)), &id, &is_found, err);
    ims__free(key);
    if (!st)
        *out_id = is_found ? id : 0;
    return st;
}

ims_status ims_store_merged_root(struct ims_store *s, int64_t person_id, int64_t *out_id,
                                 ims_err *err)
{
    int64_t id = person_id;

    for (int i = 0; i < MAX_MERGES; i++) {
        bool is_found = false;
        int64_t next = 0;
        ims_status st = ims__store_get_int(s, "SELECT merged_into FROM persons WHERE id = $1",
                                           IMS_DB_ARGS(ims_db_int(id)), &next, &is_found, err);

        if (st)
            return st;
        if (!is_found)
            return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no person %lld",
                            (long long)id);
        if (!next) {
            *out_id = id;
            return IMS_OK;
        }
        id = next;
    }
    return ims_fail(err, IMS_E_CORRUPT, "store", 0, "person %lld was merged in a circle",
                    (long long)person_id);
}
