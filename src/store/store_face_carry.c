/* Carrying names over: what the user said about the faces of a file before it was changed, or about the
 * same picture's faces by another face model, holds for the new faces in the same places.
 *
 * A file changes when a program writes its metadata, turns or crops it. So a face of the former content
 * must overlap, and look alike; of another model, whose vectors cannot be compared, the picture is the
 * same, and the place is enough.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_face_commit.h"
#include "store/store_people.h"

#define MIN_COSINE 0.5 /* far below two pictures of one face, far above two persons */

/* A face that something was said about. */
struct source {
    size_t picture;
    int64_t id;
    struct ims__box box;
    int64_t person_id;
    bool is_extra;
    bool is_same_model;
};

struct carry {
    struct ims__face_batch *b;
    struct ims__store_list sources;
    struct ims_arena vectors;
    struct ims__store_list stored; /* const float * of each source; NULL = none */
    struct ims_store_event e;
};

static ims_status take_source(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct carry *x = arg;
    struct source *f = ims__store_list_add(&x->sources, err);
    const float **vector = ims__store_list_add(&x->stored, err);
    size_t n_bytes = 0;
    const void *blob = ims_db_column_blob(row, 8, &n_bytes);
    float *copy;

    if (!f || !vector)
        return IMS_E_NOMEM;
    f->picture = x->b->chosen[item];
    f->id = ims_db_column_int(row, 0);
    f->box = (struct ims__box){ (int)ims_db_column_int(row, 1), (int)ims_db_column_int(row, 2),
                                (int)ims_db_column_int(row, 3), (int)ims_db_column_int(row, 4) };
    f->person_id = ims_db_column_int(row, 5);
    f->is_extra = ims_db_column_int(row, 6) != 0;
    f->is_same_model = ims_db_column_int(row, 7) == x->b->model_id;
    if (!blob || n_bytes != (size_t)x->b->dim * sizeof(float))
        return IMS_OK;
    copy = ims__arena_alloc(&x->vectors, (size_t)x->b->dim, sizeof(float));
    if (!copy)
        return ims__store_nomem(err);
    ims__store_get_f32(copy, blob, (size_t)x->b->dim);
    *vector = copy;
    return IMS_OK;
}

static ims_status read_sources(struct carry *x, ims_err *err)
{
    struct ims__face_batch *b = x->b;
    size_t n = 0;

    for (size_t i = 0; i < b->n_rows; i++) {
        const struct ims__face_picture *p = &b->pictures[b->rows[i].picture];
        struct ims_db_value *v;

        if (!b->rows[i].is_new || (n && b->chosen[n - 1] == b->rows[i].picture))
            continue;
        v = b->values + 3 * n;
        b->chosen[n++] = b->rows[i].picture;
        v[0] = ims_db_int(p->content_id);
        v[1] = ims_db_int(p->prior_content_id == p->content_id ? 0 : p->prior_content_id);
        v[2] = ims_db_int(b->model_id);
    }
    return ims_db_run_many(b->s->db,
                           "SELECT g.id, g.x, g.y, g.w, g.h, g.person_id, g.is_extra, g.model_id, "
                           "v.vector FROM faces g "
                           "LEFT JOIN face_vectors v ON v.face_id = g.id WHERE ((g.content_id = $1 "
                           "AND g.model_id <> $3) "
                           "OR (g.content_id = $2 AND g.model_id = $3)) AND (g.person_id IS NOT "
                           "NULL OR EXISTS (SELECT 1 "
                           "FROM face_rejections r WHERE r.face_id = g.id)) ORDER BY g.id",
                           b->values, 3, n, take_source, x, NULL, err);
}

static double cosine(const float *a, const float *b, int dim)
{
    double sum = 0;

    for (int i = 0; a && b && i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* --- one picture --- */

static ims_status carry_rejections(struct carry *x, const struct source *f, int64_t face_id,
                                   ims_err *err)
{
    struct ims_store_rejection *r = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_rejections(x->b->s, f->id, 0, &arena, &r, &n, err);
    for (size_t i = 0; !st && i < n; i++)
        st = ims_store_reject(x->b->s, &x->e, &face_id, 1, r[i].person_id, true, err);
    ims__arena_release(&arena);
    return st;
}

static ims_status carry_face(struct carry *x, const struct source *f,
                             const struct ims__face_row *row, ims_err *err)
{
    struct ims_store_assign what = { .face_ids = &row->id,
                                     .n = 1,
                                     .person_id = f->person_id,
                                     .by = IMS_ASSIGNED_CARRIED,
                                     .allow_extra = f->is_extra };
    ims_status st = carry_rejections(x, f, row->id, err);

    return st || !f->person_id ? st : ims_store_assign_faces(x->b->s, &x->e, &what, err);
}

/* The new faces among rows [from, to), all of one picture, and the sources of that picture. */
static ims_status carry_picture(struct carry *x, size_t from, size_t to, const struct source *f,
                                const float *const *stored, size_t n, ims_err *err)
{
    struct ims__box *boxes = ims__zalloc(to - from + n, sizeof(*boxes));
    int *pairs = ims__zalloc(to - from, sizeof(*pairs));
    ims_status st = boxes && pairs ? IMS_OK : ims__store_nomem(err);

    for (size_t i = from; !st && i < to; i++) {
        const struct ims_store_face_in *in = x->b->rows[i].in;

        if (x->b->rows[i].is_new)
            boxes[i - from] = (struct ims__box){ in->x, in->y, in->w, in->h };
    }
    for (size_t i = 0; !st && i < n; i++)
        boxes[to - from + i] = f[i].box;
    if (!st)
        st = ims__pair_boxes(boxes, to - from, boxes + (to - from), n, pairs, err);
    for (size_t i = from; !st && i < to; i++) {
        const struct ims__face_row *row = &x->b->rows[i];
        int k = pairs[i - from];

        if (k >= 0 &&
            (!f[k].is_same_model || cosine(stored[k], row->in->vector, x->b->dim) >= MIN_COSINE))
            st = carry_face(x, &f[k], row, err);
    }
    ims__free(boxes);
    ims__free(pairs);
    return st;
}

/* --- all of them --- */

static ims_status carry_all(struct carry *x, ims_err *err)
{
    const struct ims_store_event_in in = { .operation = IMS_EVENT_CARRY };
    const struct ims__face_batch *b = x->b;
    const struct source *f = x->sources.items;
    size_t first = 0, end_f;
    ims_status st = ims_store_event_begin(b->s, &in, &x->e, err);

    for (size_t i = 0, end; !st && i < b->n_rows; i = end) {
        size_t picture = b->rows[i].picture;

        for (end = i; end < b->n_rows && b->rows[end].picture == picture; end++)
            ;
        while (first < x->sources.n && f[first].picture < picture)
            first++;
        for (end_f = first; end_f < x->sources.n && f[end_f].picture == picture; end_f++)
            ;
        if (end_f > first)
            st = carry_picture(x, i, end, f + first, (const float *const *)x->stored.items + first,
                               end_f - first, err);
        first = end_f;
    }
    return st ? st : ims_store_event_end(b->s, &x->e, err);
}

ims_status ims__face_batch_carry(struct ims__face_batch *b, ims_err *err)
{
    struct carry x = { .b = b,
                       .sources = { .item_size = sizeof(struct source) },
                       .stored = { .item_size = sizeof(const float *) } };
    bool has_persons = false;
    int64_t one = 0;
    ims_status st = ims_db_get_int(b->s->db, "SELECT id FROM persons LIMIT 1", IMS_DB_NO_ARGS, &one,
                                   &has_persons, err);

    if (st || !has_persons)
        return st;
    ims__arena_init(&x.vectors, 0);
    st = read_sources(&x, err);
    if (!st && x.sources.n)
        st = carry_all(&x, err);
    ims__free(x.sources.items);
    ims__free(x.stored.items);
    ims__arena_release(&x.vectors);
    return st;
}
