/* The faces that events changed, for showing many events at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

struct event_faces {
    struct ims_store_event_row *rows;
    size_t n;
    struct ims__store_list *list; /* of struct ims_store_event_face */
    size_t *starts;               /* of each row's faces, and the end */
    size_t at;
};

/* Rows come in the order of events, newest first, as the events do. */
static ims_status take_face(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct event_faces *x = arg;
    int64_t event_id = ims_db_column_int(row, 0);
    struct ims_store_event_face *f;

    while (x->at < x->n && x->rows[x->at].id != event_id)
        x->starts[++x->at] = x->list->n;
    f = ims__store_list_add(x->list, err);
    if (!f)
        return IMS_E_NOMEM;
    f->face_id = ims_db_column_int(row, 1);
    f->asset_id = ims_db_column_int(row, 2);
    return IMS_OK;
}

static ims_status read_faces(struct ims_store *s, void *arg, ims_err *err)
{
    struct event_faces *x = arg;
    struct ims__store_sql q;
    ims_status st;

    x->list->n = 0;
    x->at = 0;
    ims__store_sql_init(&q, "SELECT DISTINCT c.event_id, c.face_id, (SELECT MIN(a.id) FROM faces f JOIN assets a ON "
                            "a.content_id = f.content_id AND a.deleted_us IS NULL WHERE f.id = c.face_id) AS asset_id "
                            "FROM person_event_changes c WHERE c.subject = 'face' AND c.event_id IN (");
    for (size_t i = 0; i < x->n; i++)
        (void)ims__buf_addf(&q.text, "%s%lld", i ? "," : "", (long long)x->rows[i].id);
    ims__store_sql_add(&q, ") ORDER BY 1 DESC, 3, 2", NULL, 0);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, NULL, 0, take_face, x, err);
    while (!st && x->at < x->n)
        x->starts[++x->at] = x->list->n;
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_event_faces(struct ims_store *s, struct ims_store_event_row *rows, size_t n, struct ims_arena *arena,
                                 ims_err *err)
{
    struct ims__store_list list = { .arena = arena, .item_size = sizeof(struct ims_store_event_face) };
    struct event_faces x = { .rows = rows, .n = n, .list = &list };
    void *items = NULL;
    size_t n_items;
    ims_status st;

    if (!n)
        return IMS_OK;
    x.starts = ims__arena_alloc(arena, n + 1, sizeof(*x.starts));
    if (!x.starts)
        return ims__store_nomem(err);
    x.starts[0] = 0;
    st = ims__store_read(s, read_faces, &x, err);
    st = ims__store_list_end(&list, st, &items, &n_items, err);
    for (size_t i = 0; !st && i < n; i++) {
        rows[i].faces = (struct ims_store_event_face *)items + x.starts[i];
        rows[i].n_listed = x.starts[i + 1] - x.starts[i];
    }
    return st;
}
