/* The photos of a person, each with all faces in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/persons.h"
#include "store/store_people.h"

struct list_photos {
    int64_t model_id, person_id, offset, limit, total;
    struct ims__store_list *ids, *faces;
};

/* Contents with a face of the person ($1, found by model $2), by the first file that is there, newest first. */
#define PHOTOS                                                                                     \
    "SELECT MIN(a.id) AS id, a.content_id AS content_id FROM assets a WHERE a.deleted_us IS NULL " \
    "AND a.content_id IN (SELECT f.content_id FROM faces f WHERE f.person_id = $1 AND "            \
    "f.model_id = $2) GROUP BY a.content_id ORDER BY 1 DESC LIMIT $3 OFFSET $4"

static ims_status take_id(void *arg, const struct ims_db_query *row, ims_err *err)
{
    int64_t *id = ims__store_list_add(arg, err);

    if (!id)
        return IMS_E_NOMEM;
    *id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static ims_status read_photos(struct ims_store *s, void *arg, ims_err *err)
{
    struct list_photos *x = arg;
    const struct ims_db_value values[] = { ims_db_int(x->person_id), ims_db_int(x->model_id),
                                           ims_db_int(x->limit ? x->limit : INT64_MAX),
                                           ims_db_int(x->offset) };
    ims_status st;

    x->ids->n = x->faces->n = 0;
    st = ims_db_get_int(s->db,
                        "SELECT count(DISTINCT f.content_id) FROM faces f WHERE f.person_id = $1 AND "
                        "f.model_id = $2 AND EXISTS (SELECT 1 FROM assets t WHERE "
                        "t.content_id = f.content_id AND t.deleted_us IS NULL)",
                        values, 2, &x->total, NULL, err);
    if (!st)
        st = ims__store_select(s, PHOTOS, values, 4, take_id, x->ids, err);
    if (!st)
        st = ims__store_select(s,
                               "SELECT " IMS_STORE_FACE_COLUMNS "FROM (" PHOTOS ") g "
                               "JOIN faces f ON f.content_id = g.content_id AND f.model_id = $2 "
                               "JOIN contents c ON c.id = g.content_id JOIN assets a ON a.id = g.id "
                               "LEFT JOIN persons p ON p.id = f.person_id "
                               "ORDER BY a.id DESC, f.x, f.id",
                               values, 4, ims__store_take_face, x->faces, err);
    return st;
}

/* Both are in the order of assets, newest first. */
static void join(struct ims_store_photo *photos, size_t n_photos, const struct ims_store_face *faces,
                 size_t n_faces)
{
    size_t at = 0;

    for (size_t i = 0; i < n_photos; i++) {
        photos[i].faces = faces + at;
        while (at < n_faces && faces[at].asset_id == photos[i].asset_id)
            at++;
        photos[i].n_faces = (size_t)(faces + at - photos[i].faces);
    }
}

ims_status ims_store_person_photos(struct ims_store *s, int64_t model_id, int64_t person_id, int64_t offset,
                                   int64_t limit, struct ims_arena *arena, struct ims_store_photo **out,
                                   size_t *out_n, int64_t *out_total, ims_err *err)
{
    struct ims__store_list ids = { .arena = arena, .item_size = sizeof(int64_t) };
    struct ims__store_list faces = { .arena = arena, .item_size = sizeof(struct ims_store_face) };
    struct list_photos x = { model_id, person_id, offset, limit, 0, &ids, &faces };
    struct ims_store_photo *photos;
    void *id_items = NULL, *face_items = NULL;
    size_t n_ids = 0, n_faces = 0;
    ims_status st, st2;

    if (offset < 0 || limit < 0)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "offset and limit are not negative");
    st = ims__store_read(s, read_photos, &x, err);
    st2 = ims__store_list_end(&ids, st, &id_items, &n_ids, err);
    st = ims__store_list_end(&faces, st ? st : st2, &face_items, &n_faces, err);
    if (st)
        return st;
    photos = ims__arena_alloc(arena, n_ids + 1, sizeof(*photos));
    if (!photos)
        return ims__store_nomem(err);
    for (size_t i = 0; i < n_ids; i++)
        photos[i].asset_id = ((const int64_t *)id_items)[i];
    join(photos, n_ids, face_items, n_faces);
    *out = photos;
    *out_n = n_ids;
    *out_total = x.total;
    return IMS_OK;
}
