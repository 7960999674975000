/* Changing and deleting categories.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/store_internal.h"

struct change {
    int64_t id;
    const struct ims_store_category_change *change;
};

static ims_status no_category(int64_t id, ims_err *err)
{
    return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no category %lld", (long long)id);
}

static ims_status change_category(struct ims_store *s, void *arg, ims_err *err)
{
    const struct change *x = arg;
    const struct ims_store_category_change *c = x->change;
    int64_t n = 0;
    ims_status st;

    st = ims_db_run(s->db,
                    "UPDATE categories SET name = COALESCE($2, name), "
                    "description = CASE WHEN $3 = 1 THEN $4 ELSE description END, "
                    "color = CASE WHEN $5 = 1 THEN $6 ELSE color END, updated_us = $7 WHERE id = $1",
                    IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(c->name), ims_db_int(c->has_description),
                                ims_db_text(c->description), ims_db_int(c->has_color), ims_db_text(c->color),
                                ims_db_int(ims__now_us())),
                    &n, err);
    if (st == IMS_E_CONSTRAINT)
        return ims_fail(err, IMS_E_EXISTS, "store", 0, "there is a category of this name already");
    return st || n ? st : no_category(x->id, err);
}

ims_status ims_store_change_category(struct ims_store *s, int64_t id, const struct ims_store_category_change *change,
                                     ims_err *err)
{
    return ims__store_write(s, change_category, &(struct change){ id, change }, err);
}

static ims_status delete_category(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t id = *(const int64_t *)arg, is_default = 0, n_sessions = 0;
    bool is_found = false;
    ims_status st;

    st = ims_db_get_int(s->db, "SELECT is_default FROM categories WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), &is_default,
                        &is_found, err);
    if (st)
        return st;
    if (!is_found)
        return no_category(id, err);
    if (is_default)
        return ims_fail(err, IMS_E_PERMISSION, "store", 0, "the default category cannot be deleted");
    st = ims_db_get_int(s->db, "SELECT COUNT(*) FROM training_sessions WHERE category_id = $1", IMS_DB_ARGS(ims_db_int(id)),
                        &n_sessions, NULL, err);
    if (!st && n_sessions)
        return ims_fail(err, IMS_E_CONSTRAINT, "store", 0, "%lld training sessions use this category",
                        (long long)n_sessions);
    if (!st)
        st = ims_db_run(s->db, "DELETE FROM categories WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), NULL, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_delete_category(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, delete_category, &id, err);
}

ims_status ims_store_count_category_sessions(struct ims_store *s, int64_t id, int64_t *out_n, ims_err *err)
{
    return ims__store_get_int(s, "SELECT COUNT(*) FROM training_sessions WHERE category_id = $1",
                              IMS_DB_ARGS(ims_db_int(id)), out_n, NULL, err);
}
