/* Dual clustering: faces of known persons first, then the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"

#include "base/clock.h"
#include "engine/clusters_internal.h"
#include "engine/people_internal.h"
#include "kernels/kernels.h"
#include "store/persons.h"

#include <stdlib.h>
#include <string.h>

/* Who is known, and where. */
struct known {
    struct ims__face_set named;
    size_t n;             /* persons */
    int64_t *persons;     /* rising */
    float *centroids;     /* n x dim */
    struct presence {
        int64_t photo, person;
    } *presences;         /* sorted */
    struct ims_arena arena;
    struct ims_store_rejection *rejections; /* by face, then person */
    size_t n_rejections;
    const struct ims__face_set *unnamed;
};

static int by_number(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

static int by_presence(const void *x, const void *y)
{
    const struct presence *a = x, *b = y;

    if (a->photo != b->photo)
        return a->photo < b->photo ? -1 : 1;
    return a->person < b->person ? -1 : a->person > b->person;
}

static int by_rejection(const void *x, const void *y)
{
    const struct ims_store_rejection *a = x, *b = y;

    if (a->face_id != b->face_id)
        return a->face_id < b->face_id ? -1 : 1;
    return a->person_id < b->person_id ? -1 : a->person_id > b->person_id;
}

static bool is_rejected(void *arg, size_t face, size_t person)
{
    const struct known *k = arg;
    struct ims_store_rejection key = { .face_id = k->unnamed->ids[face], .person_id = k->persons[person] };

    return k->n_rejections && bsearch(&key, k->rejections, k->n_rejections, sizeof(key), by_rejection);
}

static bool is_present(void *arg, int64_t photo, size_t person)
{
    const struct known *k = arg;
    struct presence key = { photo, k->persons[person] };

    return bsearch(&key, k->presences, k->named.n, sizeof(key), by_presence) != NULL;
}

static void sum_up(struct known *k)
{
    size_t dim = k->named.dim;

    for (size_t i = 0; i < k->named.n; i++) {
        const int64_t *place = bsearch(&k->named.persons[i], k->persons, k->n, sizeof(*place), by_number);
        float *sum = k->centroids + (size_t)(place - k->persons) * dim;

        for (size_t d = 0; d < dim; d++)
            sum[d] += k->named.vectors[i * dim + d];
    }
    for (size_t p = 0; p < k->n; p++)
        ims__kernels()->normalise_f32(k->centroids + p * dim, dim);
}

static ims_status known_init(struct known *k, struct ims_engine *e, int64_t model_id, ims_err *err)
{
    struct ims_store_face_filter filter = { .model_id = model_id, .who = IMS_STORE_FACE_ASSIGNED, .include_gone = true };
    ims_status st = ims__face_set_load(&k->named, e, &filter, err);

    ims__arena_init(&k->arena, 0);
    if (st)
        return st;
    k->persons = ims__alloc(k->named.n, sizeof(*k->persons));
    k->presences = ims__alloc(k->named.n, sizeof(*k->presences));
    k->centroids = ims__zalloc(k->named.n, k->named.dim * sizeof(*k->centroids));
    if (!k->persons || !k->presences || !k->centroids)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the centroids of %zu named faces", k->named.n);
    for (size_t i = 0; i < k->named.n; i++) {
        k->persons[i] = k->named.persons[i];
        k->presences[i] = (struct presence){ k->named.contents[i], k->named.persons[i] };
    }
    if (k->named.n) {
        qsort(k->persons, k->named.n, sizeof(*k->persons), by_number);
        qsort(k->presences, k->named.n, sizeof(*k->presences), by_presence);
    }
    for (size_t i = 0; i < k->named.n; i++) {
        if (k->n == 0 || k->persons[i] != k->persons[k->n - 1])
            k->persons[k->n++] = k->persons[i];
    }
    sum_up(k);
    return ims_store_rejections(e->store, 0, 0, &k->arena, &k->rejections, &k->n_rejections, err);
}

static void known_release(struct known *k)
{
    ims__face_set_release(&k->named);
    ims__free(k->persons);
    ims__free(k->presences);
    ims__free(k->centroids);
    ims__arena_release(&k->arena);
}

/* --- one event --- */

struct assignment {
    const struct known *k;
    const struct ims__face_set *f;
    const int32_t *to; /* of each face, a person's index or -1 */
    const float *scores;
    size_t n_assigned; /* filled */
};

static ims_status assign_to(struct ims_store *s, struct ims_store_event *ev, struct assignment *a, size_t person,
                            int64_t *ids, double *scores, ims_err *err)
{
    struct ims_store_assign what = { .face_ids = ids, .person_id = a->k->persons[person], .by = IMS_ASSIGNED_AUTO,
                                     .scores = scores };
    ims_status st;

    for (size_t i = 0; i < a->f->n; i++) {
        if (a->to[i] == (int32_t)person) {
            ids[what.n] = a->f->ids[i];
            scores[what.n++] = (double)a->scores[i];
        }
    }
    st = what.n ? ims_store_assign_faces(s, ev, &what, err) : IMS_OK;
    a->n_assigned += what.n_changed;
    return st;
}

static ims_status write_assignment(struct ims__people_job *j, ims_err *err)
{
    struct assignment *a = j->ctx;
    int64_t *ids = ims__alloc(a->f->n, sizeof(*ids));
    double *scores = ims__alloc(a->f->n, sizeof(*scores));
    ims_status st = ids && scores ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "assigning %zu faces", a->f->n);

    a->n_assigned = 0; /* may run more than once */
    for (size_t p = 0; p < a->k->n && !st; p++)
        st = assign_to(j->s, &j->ev, a, p, ids, scores, err);
    ims__free(ids);
    ims__free(scores);
    return st;
}

static ims_status assign_known(struct ims_engine *e, int64_t model_id, const struct ims_clusters_options *o,
                               struct ims_clusters_result *out, ims_err *err)
{
    struct ims_store_face_filter filter = { .model_id = model_id, .who = IMS_STORE_FACE_UNASSIGNED };
    struct ims__face_set f = { 0 };
    struct ims_points points;
    struct known k = { .unnamed = &f };
    int32_t *to = NULL;
    float *scores = NULL;
    ims_status st = known_init(&k, e, model_id, err);

    if (!st)
        st = ims__face_set_load(&f, e, &filter, err);
    points = ims__face_set_points(&f);
    if (!st) {
        to = ims__alloc(f.n, sizeof(*to));
        scores = ims__alloc(f.n, sizeof(*scores));
        if (!to || !scores)
            st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "matching %zu faces", f.n);
    }
    out->persons = k.n;
    if (!st && k.n && f.n) {
        struct ims_assign_rules rules = { .threshold = o->person_threshold, .photos = f.contents,
                                          .is_excluded = is_rejected, .has = is_present, .arg = &k };
        struct ims_people_by by = { .note = "faces dual" };
        struct assignment a = { .k = &k, .f = &f, .to = to, .scores = scores };
        struct ims__people_job job = {
            .e = e, .by = &by, .operation = IMS_EVENT_AUTO_ASSIGN, .run = write_assignment, .ctx = &a
        };

        st = ims__groups_assign(&points, k.centroids, k.n, &rules, to, scores, err);
        if (!st)
            st = ims__people_run(&job, err);
        out->assigned = out->faces = a.n_assigned;
    }
    ims__free(to);
    ims__free(scores);
    ims__face_set_release(&f);
    known_release(&k);
    return st;
}

ims_status ims_engine_cluster_dual(struct ims_engine *e, const struct ims_clusters_options *options,
                                   struct ims_clusters_result *out, ims_err *err)
{
    struct ims_clusters_options o = ims__clusters_defaults(options);
    struct ims_clusters_result result = { .lists = "" };
    uint64_t start = ims__mono_ns();
    int64_t model_id = 0;
    ims_status st = ims__clusters_check(&o, err);

    if (!st)
        st = ims__clusters_model(e, &model_id, err);
    if (!st && o.on_progress && !o.on_progress(o.arg, "matching", 0))
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the clustering was cancelled; nothing was changed");
    if (!st)
        st = assign_known(e, model_id, &o, &result, err);
    if (!st)
        st = ims__clusters_run(e, model_id, &o, &result, err);
    if (st)
        return st;
    result.seconds = (double)(ims__mono_ns() - start) * 1e-9;
    *out = result;
    return IMS_OK;
}
