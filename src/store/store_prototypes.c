/* Prototypes: the faces by which a person is recognised, chosen or pinned.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static ims_status take_prototype(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_prototype *p = ims__store_list_add(l, err);
    ims_status st;

    if (!p)
        return IMS_E_NOMEM;
    p->id = ims_db_column_int(row, 0);
    p->person_id = ims_db_column_int(row, 1);
    p->face_id = ims_db_column_int(row, 2);
    p->role = ims__parse_role(ims_db_column_text(row, 3, NULL));
    p->is_pinned = ims_db_column_int(row, 5) != 0 && p->role != IMS_ROLE_EXCLUDED;
    p->pinned_us = ims_db_column_int(row, 7);
    p->quality = ims_db_column_double(row, 8);
    p->created_us = ims_db_column_int(row, 9);
    st = ims__store_string(l->arena, row, 4, &p->era, err);
    return st ? st : ims__store_string(l->arena, row, 6, &p->pinned_by, err);
}

ims_status ims_store_prototypes(struct ims_store *s, int64_t model_id, int64_t person_id,
                                bool include_excluded, struct ims_arena *arena,
                                struct ims_store_prototype **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(
        &q, "SELECT y.id, y.person_id, y.face_id, y.role, y.era, y.is_pinned, "
            "y.pinned_by, y.pinned_us, f.quality, y.created_us FROM person_prototypes y "
            "JOIN faces f ON f.id = y.face_id JOIN persons p ON p.id = y.person_id WHERE ");
    ims__store_sql_add(&q, "f.model_id = ?", IMS_DB_ARGS(ims_db_int(model_id)));
    if (person_id)
        ims__store_sql_add(&q, " AND y.person_id = ?", IMS_DB_ARGS(ims_db_int(person_id)));
    else
        ims__store_sql_add(&q, " AND p.status IN ('active', 'hidden')", NULL, 0);
    if (!include_excluded)
        ims__store_sql_add(&q, " AND y.role <> 'excluded'", NULL, 0);
    ims__store_sql_add(&q, " ORDER BY y.person_id, y.is_pinned DESC, y.role DESC, y.era, y.id DESC",
                       NULL, 0);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_prototype, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* --- chosen ones --- */

struct put_prototypes {
    int64_t model_id;
    int64_t person_id;
    const struct ims_store_prototype_in *in;
    size_t n;
    int64_t n_created, n_removed;
};

static ims_status check_face(struct ims_store *s, int64_t face_id, int64_t person_id, ims_err *err)
{
    bool is_found = false;
    int64_t now_is = 0;
    ims_status st = ims_db_get_int(s->db, "SELECT person_id FROM faces WHERE id = $1",
                                   IMS_DB_ARGS(ims_db_int(face_id)), &now_is, &is_found, err);

    if (!st && !is_found)
        st =
            ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no face %lld", (long long)face_id);
    if (!st && now_is != person_id)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "face %lld is not person %lld",
                      (long long)face_id, (long long)person_id);
    return st;
}

static ims_status put_prototype(struct ims_store *s, struct put_prototypes *x,
                                const struct ims_store_prototype_in *p, ims_err *err)
{
    int64_t n_inserted = 0;
    ims_status st = check_face(s, p->face_id, x->person_id, err);

    if (!st)
        st = ims_db_run(s->db,
                        "INSERT INTO person_prototypes (person_id, face_id, role, era, created_us) "
                        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (face_id) DO NOTHING",
                        IMS_DB_ARGS(ims_db_int(x->person_id), ims_db_int(p->face_id),
                                    ims_db_text(ims_store_role_name(p->role)), ims_db_text(p->era),
                                    ims_db_int(ims__now_us())),
                        &n_inserted, err);
    x->n_created += n_inserted;
    if (st || n_inserted)
        return st;
    return ims_db_run(s->db,
                      "UPDATE person_prototypes SET role = $2, era = $3 WHERE face_id = $1 AND "
                      "is_pinned = 0",
                      IMS_DB_ARGS(ims_db_int(p->face_id), ims_db_text(ims_store_role_name(p->role)),
                                  ims_db_text(p->era)),
                      NULL, err);
}

static bool is_chosen(const struct put_prototypes *x, int64_t face_id)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->in[i].face_id == face_id)
            return true;
    }
    return false;
}

static ims_status put_prototypes(struct ims_store *s, void *arg, ims_err *err)
{
    struct put_prototypes *x = arg;
    struct ims_store_prototype *now = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    x->n_created = x->n_removed = 0;
    ims__arena_init(&arena, 0);
    st = ims_store_prototypes(s, x->model_id, x->person_id, true, &arena, &now, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (now[i].is_pinned || now[i].role == IMS_ROLE_EXCLUDED || is_chosen(x, now[i].face_id))
            continue;
        st = ims_db_run(s->db, "DELETE FROM person_prototypes WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(now[i].id)), NULL, err);
        x->n_removed++;
    }
    for (size_t i = 0; !st && i < x->n; i++)
        st = put_prototype(s, x, &x->in[i], err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_store_put_prototypes(struct ims_store *s, int64_t model_id, int64_t person_id,
                                    const struct ims_store_prototype_in *in, size_t n,
                                    size_t *out_n_created, size_t *out_n_removed, ims_err *err)
{
    struct put_prototypes x = { model_id, person_id, in, n, 0, 0 };
    ims_status st = ims__store_write(s, put_prototypes, &x, err);

    if (st)
        return st;
    if (out_n_created)
        *out_n_created = (size_t)x.n_created;
    if (out_n_removed)
        *out_n_removed = (size_t)x.n_removed;
    return IMS_OK;
}

/* --- pins --- */

/* Who it was, as far as it fits, without what JSON would escape. */
static void copy_by(char *out, size_t size, const char *by)
{
    size_t n = 0, step;

    for (size_t len = by ? strlen(by) : 0; len && *by; by += step, len -= step) {
        uint32_t cp;

        step = ims__utf8_decode(by, len, &cp);
        if (n + step >= size)
            break;
        if (cp < 0x20 || cp == '"' || cp == '\\' || cp == 0xffffffff)
            continue;
        memcpy(out + n, by, step);
        n += step;
    }
    out[n] = '\0';
}

ims_status ims_store_pin(struct ims_store *s, struct ims_store_event *e, struct ims_store_pin *pin,
                         ims_err *err)
{
    struct ims__pin_state before, after = { .is_on = pin->is_on };
    ims_status st = ims__event_check(s, e, err);

    if (!st)
        st = check_face(s, pin->face_id, pin->person_id, err);
    if (!st)
        st = ims__pin_state_get(s, pin->face_id, &before, err);
    if (st)
        return st;
    if (pin->is_on) {
        after.person_id = pin->person_id;
        after.role = pin->role;
        after.us = e->created_us;
        snprintf(after.era, sizeof(after.era), "%s", pin->era ? pin->era : "");
        copy_by(after.by, sizeof(after.by), pin->by);
    }
    if (pin->is_on || before.is_on)
        st = ims__pin_state_put(s, e, pin->face_id, &before, &after, err);
    if (!st && pin->is_on)
        st = ims_db_get_int(s->db, "SELECT id FROM person_prototypes WHERE face_id = $1",
                            IMS_DB_ARGS(ims_db_int(pin->face_id)), &pin->id, NULL, err);
    return st;
}
