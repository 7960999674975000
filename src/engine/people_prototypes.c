/* Prototypes and centroids: chosen, pinned, made anew when what they come from changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "kernels/kernels.h"
#include "people/identity/centroid.h"

#include <string.h>

ims_status ims__people_rules(struct ims_engine *e, struct ims_prototype_rules *out, ims_err *err)
{
    double n = 0;
    ims_status st;

    ims_prototype_rules_default(out);
    st = ims_people_setting(e, "face_prototype_min_quality", &out->min_quality, err);
    if (!st)
        st = ims_people_setting(e, "face_prototype_max_exemplars", &n, err);
    if (!st)
        out->max_prototypes = (unsigned)n;
    return st;
}

/* --- choosing --- */

static const struct ims_store_prototype *said_of(const struct ims_store_prototype *list, size_t n,
                                                 int64_t face_id)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].face_id == face_id && (list[i].is_pinned || list[i].role == IMS_ROLE_EXCLUDED))
            return &list[i];
    }
    return NULL;
}

static void describe(const struct ims_store_face *f, const struct ims_store_prototype *said,
                     struct ims_prototype_face *out)
{
    *out = (struct ims_prototype_face){ .id = f->id,
                                        .photo = f->content_id,
                                        .quality = f->quality,
                                        .area_px = (double)f->w * f->h,
                                        .has_age = f->has_age,
                                        .age = f->age,
                                        .has_pose = f->has_pose,
                                        .yaw = f->yaw,
                                        .pitch = f->pitch,
                                        .pinned_era = IMS_ERA_NONE };
    out->is_excluded = said && said->role == IMS_ROLE_EXCLUDED;
    out->is_pinned = said && !out->is_excluded;
    if (out->is_pinned && !ims_era_parse(said->era, &out->pinned_era))
        out->pinned_era = IMS_ERA_NONE;
}

static ims_store_role role_of(ims_prototype_kind kind)
{
    return kind == IMS_PROTOTYPE_TEMPORAL   ? IMS_ROLE_TEMPORAL
           : kind == IMS_PROTOTYPE_EXEMPLAR ? IMS_ROLE_EXEMPLAR
                                            : IMS_ROLE_FALLBACK;
}

static ims_status choose(struct ims_store *s, const struct ims_prototype_rules *rules,
                         int64_t model_id, int64_t person_id, struct ims_arena *arena,
                         struct ims_store_prototype_in **out, size_t *out_n, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id, .person_id = person_id };
    struct ims_store_face *faces = NULL;
    struct ims_store_prototype *now = NULL;
    struct ims_prototype_face *described;
    struct ims_prototype_choice *choices;
    size_t n = 0, n_now = 0, *scratch;
    ims_status st = ims__people_faces(s, &filter, IMS_STORE_FACES_BY_ID, arena, &faces, &n, err);

    if (!st)
        st = ims_store_prototypes(s, model_id, person_id, true, arena, &now, &n_now, err);
    if (st)
        return st;
    described = ims__arena_alloc(arena, n + 1, sizeof(*described));
    scratch = ims__arena_alloc(arena, n + 1, sizeof(*scratch));
    choices = ims__arena_alloc(arena, rules->max_prototypes + 1, sizeof(*choices));
    *out = ims__arena_alloc(arena, rules->max_prototypes + 1, sizeof(**out));
    if (!described || !scratch || !choices || !*out)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n; i++)
        describe(&faces[i], said_of(now, n_now, faces[i].id), &described[i]);
    *out_n = ims_prototypes_choose(rules, described, n, scratch, choices);
    for (size_t i = 0; i < *out_n; i++)
        (*out)[i] =
            (struct ims_store_prototype_in){ faces[choices[i].face].id, role_of(choices[i].kind),
                                             ims_era_name(choices[i].era) };
    return IMS_OK;
}

ims_status ims__people_refresh(struct ims_store *s, const struct ims_prototype_rules *rules,
                               int64_t model_id, int64_t person_id, size_t *out_n_created,
                               size_t *out_n_removed, ims_err *err)
{
    struct ims_store_prototype_in *in = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = choose(s, rules, model_id, person_id, &arena, &in, &n, err);
    if (!st)
        st = ims_store_put_prototypes(s, model_id, person_id, in, n, out_n_created, out_n_removed,
                                      err);
    ims__arena_release(&arena);
    return st;
}

/* --- pins --- */

static ims_status check_quota(struct ims__people_job *j, const struct ims_store_pin *pin,
                              ims_err *err)
{
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    size_t n = 0, n_primary = 0;
    bool is_taken = false;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_prototypes(j->s, j->model_id, pin->person_id, false, &arena, &list, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list[i].is_pinned || list[i].face_id == pin->face_id)
            continue;
        n_primary += list[i].role == IMS_ROLE_PRIMARY;
        is_taken = is_taken || (list[i].role == IMS_ROLE_TEMPORAL && list[i].era &&
                                strcmp(list[i].era, pin->era ? pin->era : "") == 0);
    }
    ims__arena_release(&arena);
    if (!st && pin->role == IMS_ROLE_TEMPORAL && is_taken)
        st = ims_fail(err, IMS_E_LIMIT, "people", 0,
                      "another face is pinned for the era %s; unpin it first", pin->era);
    if (!st && pin->role == IMS_ROLE_PRIMARY && n_primary >= (j->rules.max_prototypes + 1) / 2)
        st = ims_fail(err, IMS_E_LIMIT, "people", 0,
                      "%zu faces are pinned already; unpin one first", n_primary);
    return st;
}

static ims_status run_pin(struct ims__people_job *j, ims_err *err)
{
    struct ims_store_pin *pin = j->ctx;
    struct ims_store_face *face = NULL;
    struct ims_arena arena;
    ims_era era = IMS_ERA_NONE;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(j->s, &pin->face_id, 1, &arena, &face, err);
    if (!st && pin->is_on && pin->role == IMS_ROLE_TEMPORAL) {
        if (pin->era && !ims_era_parse(pin->era, &era))
            st = ims_fail(err, IMS_E_INVALID, "people", 0,
                          "an era is infant, child, teen, young_adult, adult or senior");
        if (!st && !pin->era)
            pin->era = ims_era_name(ims_era_of(&j->rules, face->has_age, face->age));
        if (!st && !pin->era)
            st = ims_fail(err, IMS_E_INVALID, "people", 0,
                          "the age of face %lld is not known; name the era",
                          (long long)pin->face_id);
    }
    if (!st && pin->is_on)
        st = check_quota(j, pin, err);
    if (!st)
        st = ims_store_pin(j->s, &j->ev, pin, err);
    if (!st) /* no face changed hands, so that the event refreshes nobody */
        st = ims__people_refresh(j->s, &j->rules, j->model_id, pin->person_id, NULL, NULL, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_pin(struct ims_engine *e, const struct ims_people_by *by,
                          struct ims_store_pin *pin, ims_err *err)
{
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = pin->is_on ? IMS_EVENT_PIN : IMS_EVENT_UNPIN,
                                 .to = pin->person_id,
                                 .run = run_pin,
                                 .ctx = pin };

    if (pin->is_on && pin->role != IMS_ROLE_PRIMARY && pin->role != IMS_ROLE_TEMPORAL &&
        pin->role != IMS_ROLE_EXCLUDED)
        return ims_fail(err, IMS_E_INVALID, "people", 0,
                        "a face is pinned as primary or temporal, or excluded");
    if (!pin->by && by)
        pin->by = by->actor;
    return ims__people_run(&j, err);
}

struct choose_anew {
    bool keep_pins;
    size_t n_created, n_removed;
};

static ims_status run_choose(struct ims__people_job *j, ims_err *err)
{
    struct choose_anew *x = j->ctx;
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_prototypes(j->s, j->model_id, j->to, false, &arena, &list, &n, err);
    for (size_t i = 0; !st && !x->keep_pins && i < n; i++) {
        struct ims_store_pin pin = { .person_id = j->to, .face_id = list[i].face_id };

        if (list[i].is_pinned)
            st = ims_store_pin(j->s, &j->ev, &pin, err);
    }
    if (!st)
        st = ims__people_refresh(j->s, &j->rules, j->model_id, j->to, &x->n_created, &x->n_removed,
                                 err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_choose_prototypes(struct ims_engine *e, const struct ims_people_by *by,
                                        int64_t person_id, bool keep_pins, size_t *out_n_created,
                                        size_t *out_n_removed, ims_err *err)
{
    struct choose_anew x = { keep_pins, 0, 0 };
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_UNPIN,
                                 .to = person_id,
                                 .run = run_choose,
                                 .ctx = &x };
    ims_status st = ims__people_run(&j, err);

    if (st)
        return st;
    if (out_n_created)
        *out_n_created = x.n_created;
    if (out_n_removed)
        *out_n_removed = x.n_removed;
    return IMS_OK;
}

/* --- centroids --- */

ims_status ims__people_projection(struct ims_engine *e, int64_t model_id, int64_t *out_id,
                                  float **out, ims_err *err)
{
    int dim = 0;
    ims_status st = ims_store_active_projection(e->store, model_id, out_id, err);

    *out = NULL;
    if (!st && *out_id)
        st = ims_store_read_projection(e->store, *out_id, out, &dim, NULL, NULL, err);
    return st;
}

void ims__people_project(const float *projection, int dim, const float *in, float *out)
{
    const struct ims_kernels *k = ims__kernels();

    k->dot_f32_rows(in, projection, (size_t)dim, (size_t)dim, (size_t)dim, out);
    (void)k->normalise_f32(out, (size_t)dim);
}

struct collect {
    const float *projection;
    int dim;
    float *vectors;
    int64_t *ids;
    size_t n, cap_vectors, cap_ids;
};

static ims_status collect_vector(void *arg, const struct ims_store_face_key *face,
                                 const float *vector, ims_err *err)
{
    struct collect *c = arg;
    void *vectors = c->vectors, *ids = c->ids;
    size_t row = (size_t)c->dim * sizeof(float);
    bool ok = ims__grow(&vectors, &c->cap_vectors, c->n, row, SIZE_MAX / row) &&
              ims__grow(&ids, &c->cap_ids, c->n, sizeof(int64_t), SIZE_MAX / 8);

    c->vectors = vectors;
    c->ids = ids;
    if (!ok)
        return ims__people_nomem(err);
    if (c->projection)
        ims__people_project(c->projection, c->dim, vector, c->vectors + c->n * (size_t)c->dim);
    else
        memcpy(c->vectors + c->n * (size_t)c->dim, vector, row);
    c->ids[c->n++] = face->id;
    return IMS_OK;
}

struct centroid_run {
    struct ims_engine *e;
    struct ims_people_centroids *what;
    int64_t model_id, projection_id;
    float *projection;
    int dim;
};

/* What there is and is as it should be? */
static ims_status is_fresh(struct centroid_run *x, int64_t person_id, const char *hash, bool *out,
                           ims_err *err)
{
    struct ims_store_centroid *c = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_centroids(x->e->store, x->model_id, x->projection_id, person_id, &arena, &c, &n,
                             err);
    *out = !st && n == 1 && c[0].algorithm == IMS_CENTROID_ALGORITHM &&
           strcmp(c[0].source_hash, hash) == 0;
    ims__arena_release(&arena);
    return st;
}

static ims_status make_centroid(struct centroid_run *x, int64_t person_id, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = x->model_id, .person_id = person_id };
    struct collect faces = { .projection = x->projection, .dim = x->dim };
    struct ims_store_centroid c = { .person_id = person_id,
                                    .model_id = x->model_id,
                                    .projection_id = x->projection_id,
                                    .algorithm = IMS_CENTROID_ALGORITHM };
    char hash[IMS_CENTROID_HASH_BYTES];
    float *mean = ims__alloc((size_t)x->dim, sizeof(*mean));
    size_t n_trimmed = 0;
    bool fresh = false;
    ims_status st = mean ? ims_store_face_vectors(x->e->store, &filter, collect_vector, &faces, err)
                         : ims__people_nomem(err);

    if (!st && faces.n < (x->what->min_faces ? x->what->min_faces : 2)) {
        x->what->n_too_few++;
        goto out;
    }
    if (!st)
        st = ims_centroid_hash(faces.ids, faces.n, hash, err);
    if (!st && !x->what->is_forced)
        st = is_fresh(x, person_id, hash, &fresh, err);
    x->what->n_fresh += fresh;
    if (st || fresh)
        goto out;
    st =
        ims_centroid(ims__kernels(), faces.vectors, faces.n, (size_t)x->dim, mean, &n_trimmed, err);
    c.n_faces = (int64_t)faces.n;
    c.n_trimmed = (int64_t)n_trimmed;
    c.source_hash = hash;
    c.vector = mean;
    if (!st)
        st = ims_store_put_centroid(x->e->store, &c, err);
    x->what->n_made += !st;
out:
    ims__free(faces.vectors);
    ims__free(faces.ids);
    ims__free(mean);
    return st;
}

static ims_status make_all(struct centroid_run *x, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_person_filter filter = { .model_id = x->model_id,
                                                    .id = x->what->person_id };
    struct ims_store_person *persons = NULL;
    size_t n = 0;
    ims_status st = ims_store_persons(x->e->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, arena,
                                      &persons, &n, NULL, err);

    if (!st && !n && x->what->person_id)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no person %lld",
                      (long long)x->what->person_id);
    x->what->n_persons = n;
    for (size_t i = 0; !st && i < n; i++)
        st = make_centroid(x, persons[i].id, err);
    return st;
}

/* The length of the model's vectors. */
static ims_status model_dim(struct ims_engine *e, int64_t model_id, int *out, ims_err *err)
{
    struct ims_store_model *models = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (models[i].id == model_id)
            *out = models[i].dim;
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_centroids(struct ims_engine *e, struct ims_people_centroids *what,
                                ims_err *err)
{
    struct centroid_run x = { .e = e, .what = what };
    struct ims_arena arena;
    ims_status st;

    what->n_persons = what->n_made = what->n_fresh = what->n_too_few = 0;
    ims__arena_init(&arena, 0);
    st = ims_people_model(e, &x.model_id, err);
    if (!st && x.model_id) {
        st = model_dim(e, x.model_id, &x.dim, err);
        if (!st)
            st = ims__people_projection(e, x.model_id, &x.projection_id, &x.projection, err);
        if (!st)
            st = make_all(&x, &arena, err);
    }
    ims__free(x.projection);
    ims__arena_release(&arena);
    return st;
}
