/* Finding more faces of a person: a draw of its faces, each compared with those that are nobody's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weight of a face in the draw, by the HTTP contract: quality, and less for each face of its photo before it. */
#define QUALITY_SHARE 0.7
#define PHOTO_SHARE 0.3
#define PHOTO_STEP 0.1
#define MIN_WEIGHT 1e-6

struct ticket {
    int64_t face_id, content_id;
    double quality;
    bool is_prototype;
    double key;
};

static int compare_photos(const void *pa, const void *pb)
{
    const struct ticket *a = pa, *b = pb;

    if (a->content_id != b->content_id)
        return a->content_id < b->content_id ? -1 : 1;
    if (a->quality != b->quality)
        return a->quality > b->quality ? -1 : 1;
    return (a->face_id > b->face_id) - (a->face_id < b->face_id);
}

/* Prototypes last, then the drawn key. */
static int compare_keys(const void *pa, const void *pb)
{
    const struct ticket *a = pa, *b = pb;

    if (a->is_prototype != b->is_prototype)
        return a->is_prototype ? 1 : -1;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    return (a->face_id > b->face_id) - (a->face_id < b->face_id);
}

/* A number in (0, 1) that belongs to the pair. */
static double uniform(int64_t person_id, int64_t face_id)
{
    const int64_t pair[2] = { person_id, face_id };

    return ((double)(ims__hash64(pair, sizeof(pair)) >> 11) + 0.5) / 9007199254740992.0;
}

/* Weighted sampling without replacement: the n largest u^(1/w) (Efraimidis and Spirakis, 2006), here as log(u) / w. */
static void draw(struct ticket *t, size_t n, int64_t person_id)
{
    size_t n_before = 0; /* of the same photo */

    qsort(t, n, sizeof(*t), compare_photos);
    for (size_t i = 0; i < n; i++) {
        double weight, photo;

        n_before = i && t[i].content_id == t[i - 1].content_id ? n_before + 1 : 0;
        photo = PHOTO_SHARE - PHOTO_STEP * (double)n_before;
        weight = QUALITY_SHARE * t[i].quality + (photo > 0 ? photo : 0);
        t[i].key = log(uniform(person_id, t[i].face_id)) / (weight > MIN_WEIGHT ? weight : MIN_WEIGHT);
    }
    qsort(t, n, sizeof(*t), compare_keys);
}

static ims_status make_tickets(struct ims_engine *e, int64_t person_id, struct ims_arena *arena, struct ticket **out,
                               size_t *out_n, ims_err *err)
{
    struct ims_store_face_filter filter = { .person_id = person_id };
    struct ims_store_face *faces = NULL;
    struct ims_store_prototype *prototypes = NULL;
    size_t n_prototypes = 0, n = 0;
    struct ticket *t;
    ims_status st = ims_people_model(e, &filter.model_id, err);

    if (!st && filter.model_id)
        st = ims__people_faces(e->store, &filter, IMS_STORE_FACES_BY_ID, arena, &faces, &n, err);
    if (!st && filter.model_id)
        st = ims_store_prototypes(e->store, filter.model_id, person_id, false, arena, &prototypes, &n_prototypes, err);
    if (st)
        return st;
    t = ims__arena_alloc(arena, n + 1, sizeof(*t));
    if (!t)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n; i++) {
        t[i] = (struct ticket){ .face_id = faces[i].id, .content_id = faces[i].content_id, .quality = faces[i].quality };
        for (size_t k = 0; k < n_prototypes; k++)
            t[i].is_prototype = t[i].is_prototype || prototypes[k].face_id == faces[i].id;
    }
    draw(t, n, person_id);
    *out = t;
    *out_n = n;
    return IMS_OK;
}

static ims_status check_person(struct ims_engine *e, int64_t id, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_person_filter filter = { .id = id };
    struct ims_store_person *p = NULL;
    size_t n = 0;
    ims_status st = id ? ims_store_persons(e->store, &filter, IMS_PERSONS_BY_NAME, 0, 1, arena, &p, &n, NULL, err)
                       : IMS_OK;

    return st || n ? st
                   : ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no person %lld", (long long)id);
}

static ims_status select_queries(struct ims_engine *e, struct ims_people_more *what, struct ims_arena *arena,
                                 int64_t **out, ims_err *err)
{
    struct ticket *t = NULL;
    size_t wanted = what->n_queries ? what->n_queries : IMS_PEOPLE_MORE_QUERIES;
    ims_status st = check_person(e, what->person_id, arena, err);

    if (!st)
        st = make_tickets(e, what->person_id, arena, &t, &what->n_faces, err);
    if (st)
        return st;
    if (what->n_faces < IMS_PEOPLE_MORE_MIN_FACES)
        return ims_fail(err, IMS_E_CONSTRAINT, "people", 0, "the person has %zu named faces; %d are needed",
                        what->n_faces, IMS_PEOPLE_MORE_MIN_FACES);
    what->n_used = what->n_faces < wanted ? what->n_faces : wanted;
    *out = ims__arena_alloc(arena, what->n_used, sizeof(**out));
    for (size_t i = 0; *out && i < what->n_used; i++)
        (*out)[i] = t[i].face_id;
    return *out ? IMS_OK : ims__people_nomem(err);
}

ims_status ims_people_find_more(struct ims_engine *e, const struct ims_people_by *by, struct ims_people_more *what,
                                ims_err *err)
{
    struct ims_people_match m = { .person_id = what->person_id,
                                  .auto_threshold = 2, /* the user asked for suggestions */
                                  .threshold = what->threshold,
                                  .only_new = true,
                                  .max_suggestions = what->max_suggestions ? what->max_suggestions
                                                                           : IMS_PEOPLE_MORE_SUGGESTIONS,
                                  .on_progress = what->on_progress,
                                  .arg = what->arg };
    struct ims_arena arena;
    int64_t *queries = NULL;
    ims_status st;

    what->n_faces = what->n_used = what->n_candidates = what->n_known = what->n_suggested = 0;
    ims__arena_init(&arena, 0);
    st = select_queries(e, what, &arena, &queries, err);
    m.queries = queries;
    m.n_queries = what->n_used;
    if (!st)
        st = ims_people_match(e, by, &m, err);
    ims__arena_release(&arena);
    what->n_candidates = m.n_candidates;
    what->n_known = m.n_known;
    what->n_suggested = m.n_suggested;
    return st;
}
