/* Lists of persons, with what is counted of their faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#define LIVE                                                                                       \
    "EXISTS (SELECT 1 FROM assets t WHERE t.content_id = f.content_id AND t.deleted_us IS NULL)"

static ims_status take_person(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_person *p = ims__store_list_add(l, err);
    ims_status st;

    if (!p)
        return IMS_E_NOMEM;
    p->id = ims_db_column_int(row, 0);
    p->status = ims__parse_person_status(ims_db_column_text(row, 2, NULL));
    p->merged_into = ims_db_column_int(row, 3);
    p->created_us = ims_db_column_int(row, 5);
    p->updated_us = ims_db_column_int(row, 6);
    p->n_faces = ims_db_column_int(row, 8);
    p->n_photos = ims_db_column_int(row, 9);
    p->n_prototypes = ims_db_column_int(row, 10);
    p->best_face_id = ims_db_column_int(row, 11);
    p->best_asset_id = ims_db_column_int(row, 12);
    st = ims__store_string(l->arena, row, 1, &p->name, err);
    return st ? st : ims__store_string(l->arena, row, 4, &p->birth_date, err);
}

static void add_person_filter(struct ims__store_sql *q, const struct ims_store_person_filter *f)
{
    if (f->id)
        ims__store_sql_add(q, " AND p.id = ?", IMS_DB_ARGS(ims_db_int(f->id)));
    if (f->has_status)
        ims__store_sql_add(q, " AND p.status = ?",
                           IMS_DB_ARGS(ims_db_text(ims_store_person_status_name(f->status))));
    else if (!f->include_all)
        ims__store_sql_add(q, " AND p.status IN ('active', 'hidden')", NULL, 0);
}

/* The persons that are shown come first, then what is counted over the faces of just those: for all persons at once, not
 * for each. In the order of faces all of them are counted. */
static ims_status write_person_page(struct ims__store_sql *q, const struct ims_store_person_filter *f,
                                    ims_store_person_order order, int64_t offset, int64_t limit, ims_err *err)
{
    const struct ims_db_value model = ims_db_int(f->model_id);
    const char *of_model = f->model_id ? " AND f.model_id = ?" : "";
    const char *shown = limit || f->id ? "IN (SELECT id FROM page)" : "IS NOT NULL";
    size_t n_model = f->model_id != 0;
    ims_status st = IMS_OK;

    ims__store_sql_init(q, "WITH page AS (SELECT p.id, p.name, p.status, p.merged_into, p.birth_date, p.created_us, "
                           "p.updated_us, p.name_key FROM persons p WHERE 1 = 1");
    add_person_filter(q, f);
    if (order == IMS_PERSONS_BY_NAME) {
        ims__store_sql_add(q, " ORDER BY p.name_key, p.id", NULL, 0);
        st = ims__add_limit(q, offset, limit, err);
    }
    ims__store_sql_add(q,
                       ") SELECT z.*, (SELECT MIN(a.id) FROM faces b JOIN assets a ON a.content_id = b.content_id AND "
                       "a.deleted_us IS NULL WHERE b.id = z.best) FROM (SELECT p.*, COALESCE(g.n, 0) AS n_faces, "
                       "COALESCE(g.n_photos, 0) AS n_photos, COALESCE(r.n, 0) AS n_prototypes, (SELECT f.id FROM faces f "
                       "WHERE f.person_id = p.id AND " LIVE,
                       NULL, 0);
    ims__store_sql_add(q, of_model, &model, n_model);
    ims__store_sql_add(q,
                       " ORDER BY f.quality DESC, f.id LIMIT 1) AS best FROM page p LEFT JOIN (SELECT f.person_id AS id, "
                       "count(*) AS n, count(DISTINCT f.content_id) AS n_photos FROM faces f WHERE f.person_id ",
                       NULL, 0);
    ims__store_sql_add(q, shown, NULL, 0);
    ims__store_sql_add(q, " AND " LIVE, NULL, 0);
    ims__store_sql_add(q, of_model, &model, n_model);
    ims__store_sql_add(q,
                       " GROUP BY f.person_id) g ON g.id = p.id LEFT JOIN (SELECT y.person_id AS id, count(*) AS n FROM "
                       "person_prototypes y JOIN faces f ON f.id = y.face_id WHERE y.role <> 'excluded' AND y.person_id ",
                       NULL, 0);
    ims__store_sql_add(q, shown, NULL, 0);
    ims__store_sql_add(q, of_model, &model, n_model);
    ims__store_sql_add(q, " GROUP BY y.person_id) r ON r.id = p.id", NULL, 0);
    if (order == IMS_PERSONS_BY_FACES) {
        ims__store_sql_add(q, " ORDER BY n_faces DESC, p.name_key, p.id", NULL, 0);
        st = st ? st : ims__add_limit(q, offset, limit, err);
    }
    ims__store_sql_add(q,
                       order == IMS_PERSONS_BY_FACES ? ") z ORDER BY z.n_faces DESC, z.name_key, z.id"
                                                     : ") z ORDER BY z.name_key, z.id",
                       NULL, 0);
    return st ? st : ims__store_sql_status(q, err);
}

ims_status ims_store_persons(struct ims_store *s, const struct ims_store_person_filter *filter,
                             ims_store_person_order order, int64_t offset, int64_t limit,
                             struct ims_arena *arena, struct ims_store_person **out, size_t *out_n,
                             int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql count, page;
    struct ims__page p = { .count = &count, .page = &page, .on_row = take_person, .list = &l };
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&count, "SELECT count(*) FROM persons p WHERE 1 = 1");
    add_person_filter(&count, filter);
    st = write_person_page(&page, filter, order, offset, limit, err);
    st = ims__read_page(s, &p, st, &items, out_n, out_total, err);
    if (!st)
        *out = items;
    return st;
}
