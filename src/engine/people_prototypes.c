/* Prototypes: chosen, pinned, chosen anew when what they come from changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

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
                               int64_t model_id, int64_t person_id, ims_err *err)
{
    struct ims_store_prototype_in *in = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = choose(s, rules, model_id, person_id, &arena, &in, &n, err);
    if (!st)
        st = ims_store_put_prototypes(s, model_id, person_id, in, n, NULL, NULL, err);
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
        st = ims__people_refresh(j->s, &j->rules, j->model_id, pin->person_id, err);
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

/* Faces of a that are not in b. */
static size_t count_others(const struct ims_store_prototype *a, size_t n_a, const struct ims_store_prototype *b, size_t n_b)
{
    size_t n = 0;

    for (size_t i = 0; i < n_a; i++) {
        size_t k = 0;

        while (k < n_b && b[k].face_id != a[i].face_id)
            k++;
        n += k == n_b;
    }
    return n;
}

static ims_status run_choose(struct ims__people_job *j, ims_err *err)
{
    struct choose_anew *x = j->ctx;
    struct ims_store_prototype *before = NULL, *after = NULL;
    struct ims_arena arena;
    size_t n_before = 0, n_after = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_prototypes(j->s, j->model_id, j->to, false, &arena, &before, &n_before, err);
    for (size_t i = 0; !st && !x->keep_pins && i < n_before; i++) {
        struct ims_store_pin pin = { .person_id = j->to, .face_id = before[i].face_id };

        if (before[i].is_pinned)
            st = ims_store_pin(j->s, &j->ev, &pin, err);
    }
    if (!st)
        st = ims__people_refresh(j->s, &j->rules, j->model_id, j->to, err);
    if (!st)
        st = ims_store_prototypes(j->s, j->model_id, j->to, false, &arena, &after, &n_after, err);
    x->n_created = count_others(after, n_after, before, n_before);
    x->n_removed = count_others(before, n_before, after, n_after);
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
