/* Matching: unassigned faces against the gallery.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_match.h"

#include "kernels/kernels.h"
#include "people/identity/centroid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCORES_SHOWN 20
#define BATCH ((size_t)256)

/* --- one face --- */

static double score_of(const struct ims__match_run *x, const struct ims__gallery_person *p,
                       struct ims_match *m)
{
    double centroid = p->centroid == (size_t)-1 ? -2 : (double)x->scores[p->centroid];

    ims_match_person(x->scores + p->first, x->g.qualities + p->first, p->n, centroid, x->threshold,
                     m);
    return p->n || centroid > -2 ? m->aggregate : -2;
}

static void score_all(struct ims__match_run *x, const float *vector)
{
    size_t dim = (size_t)x->g.dim;

    ims__gallery_view(&x->g, vector, x->view);
    ims__kernels()->dot_f32_rows(x->view, x->g.vectors, dim, x->g.n_rows, dim, x->scores);
}

/* {"face id of a prototype": score, ...} of those that match. */
static ims_status scores_text(struct ims__match_run *x, const struct ims__gallery_person *p, char **out,
                              ims_err *err)
{
    char text[MAX_SCORES_SHOWN * 40 + 3];
    size_t len = 0, n = 0;

    for (size_t i = 0; i < p->n && n < MAX_SCORES_SHOWN; i++) {
        double score = (double)x->scores[p->first + i];

        if (score < x->threshold)
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"%lld\":%.6f", n++ ? "," : "{",
                                (long long)x->g.face_ids[p->first + i], score);
    }
    if (!n)
        return IMS_OK;
    text[len++] = '}';
    *out = ims__arena_strndup(&x->arena, text, len);
    return *out ? IMS_OK : ims__people_nomem(err);
}

/* Was the pair suggested, and is not answered yet? */
static ims_status is_pending(struct ims__match_run *x, int64_t face_id, int64_t person_id, bool *out, ims_err *err)
{
    const struct ims_store_suggestion_filter filter = {
        .face_id = face_id, .person_id = person_id, .has_status = true, .status = IMS_SUGGESTION_PENDING
    };
    struct ims_store_suggestion *s = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_suggestions(x->e->store, &filter, 0, 1, &arena, &s, &n, NULL, err);
    ims__arena_release(&arena);
    *out = n > 0;
    return st;
}

static ims_status add_hit(struct ims__match_run *x, int64_t face_id, size_t person, bool is_ambiguous,
                          ims_err *err)
{
    const struct ims__gallery_person *p = &x->g.persons[person];
    void *hits = x->hits;
    struct ims_match m;
    struct ims__match_hit *h;
    ims_status st;

    if (!ims__grow(&hits, &x->cap_hits, x->n_hits, sizeof(*x->hits), SIZE_MAX / sizeof(*x->hits)))
        return ims__people_nomem(err);
    x->hits = hits;
    (void)score_of(x, p, &m);
    h = &x->hits[x->n_hits++];
    *h = (struct ims__match_hit){ .face_id = face_id,
                       .person = person,
                       .score = m.aggregate,
                       .confidence = m.confidence,
                       .n_matches = m.n_matches,
                       .is_assigned = m.aggregate >= x->auto_threshold && !is_ambiguous };
    if (m.n_matches)
        h->source_face_id = x->g.face_ids[p->first + m.best];
    st = scores_text(x, p, &h->scores_json, err);
    if (!st && x->what->only_new)
        st = is_pending(x, face_id, p->id, &h->is_pending, err);
    x->what->n_candidates++;
    x->what->n_known += !st && h->is_pending;
    return st;
}

static ims_status is_rejected(struct ims__match_run *x, int64_t face_id, int64_t person_id, bool *out,
                              ims_err *err)
{
    struct ims_store_rejection *r = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_rejections(x->e->store, face_id, person_id, &arena, &r, &n, err);
    ims__arena_release(&arena);
    *out = n > 0;
    return st;
}

/* The best person that the user has not ruled out; is another one good enough to be meant? */
static ims_status compare_face(struct ims__match_run *x, int64_t face_id, const float *vector, ims_err *err)
{
    size_t best = x->g.n_persons;
    double best_score = -2;
    bool is_rival = false;
    ims_status st = IMS_OK;

    score_all(x, vector);
    for (size_t i = 0; !st && i < x->g.n_persons; i++) {
        struct ims_match m;
        double score = score_of(x, &x->g.persons[i], &m);
        bool is_out = false;

        if (score < x->threshold)
            continue;
        st = is_rejected(x, face_id, x->g.persons[i].id, &is_out, err);
        if (st || is_out)
            continue;
        is_rival = is_rival || (best < x->g.n_persons && best_score >= x->auto_threshold &&
                                score >= x->auto_threshold);
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    if (st || best == x->g.n_persons)
        return st;
    x->what->n_ambiguous += is_rival;
    return add_hit(x, face_id, best, is_rival, err);
}

/* --- all faces --- */

static ims_status read_faces(struct ims__match_run *x, struct ims_store_face **out, size_t *out_n,
                             ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = x->g.model_id,
                                                  .who = IMS_STORE_FACE_UNASSIGNED,
                                                  .created_from_us = x->what->created_from_us };

    return ims_store_faces(x->e->store, &filter, IMS_STORE_FACES_BY_ID, 0,
                           (int64_t)x->what->max_faces, &x->arena, out, out_n, NULL, err);
}

/* At most BATCH faces from the n_done-th on. */
static ims_status compare_batch(struct ims__match_run *x, const struct ims_store_face *faces, float *vectors, ims_err *err)
{
    size_t dim = (size_t)x->g.dim, n = x->n_total - x->n_done < BATCH ? x->n_total - x->n_done : BATCH;
    int64_t ids[BATCH];
    ims_status st;

    if (x->what->on_progress && !x->what->on_progress(x->what->arg, x->n_done, x->n_total))
        return ims_fail(err, IMS_E_CANCELLED, "people", 0, "cancelled; nothing was changed");
    for (size_t i = 0; i < n; i++)
        ids[i] = faces[x->n_done + i].id;
    st = ims_store_face_vectors_by_id(x->e->store, ids, n, x->g.dim, vectors, err);
    for (size_t i = 0; !st && i < n; i++)
        st = compare_face(x, ids[i], vectors + i * dim, err);
    x->n_done += n;
    return st;
}

static ims_status compare_all(struct ims__match_run *x, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    float *vectors = ims__aligned_alloc(64, BATCH * (size_t)x->g.dim, sizeof(*vectors));
    ims_status st = IMS_OK;

    x->view = ims__aligned_alloc(64, (size_t)x->g.dim, sizeof(*x->view));
    x->scores = ims__alloc(x->g.n_rows + 1, sizeof(*x->scores));
    if (!vectors || !x->view || !x->scores)
        st = ims__people_nomem(err);
    if (!st)
        st = read_faces(x, &faces, &x->n_total, err);
    while (!st && x->n_done < x->n_total)
        st = compare_batch(x, faces, vectors, err);
    if (!st && x->what->on_progress && !x->what->on_progress(x->what->arg, x->n_total, x->n_total))
        st = ims_fail(err, IMS_E_CANCELLED, "people", 0, "cancelled; nothing was changed"); /* the last moment for it */
    ims__free(vectors);
    return st;
}

/* --- the whole --- */

static ims_status read_mode(struct ims__match_run *x, ims_err *err)
{
    double is_top = 0, n = 0;
    ims_status st = ims_people_setting(x->e, "post_training_suggestions_mode", &is_top, err);

    if (!st)
        st = ims_people_setting(x->e, "post_training_suggestions_top_n_count", &n, err);
    x->n_top = is_top > 0 ? (size_t)n : 0;
    return st;
}

static ims_status read_settings(struct ims__match_run *x, ims_err *err)
{
    double n = 0;
    ims_status st = ims_people_setting(x->e, "face_auto_assign_threshold", &x->auto_threshold, err);

    if (!st)
        st = ims_people_setting(x->e, "face_suggestion_threshold", &x->threshold, err);
    if (!st)
        st = ims_people_setting(x->e, "face_suggestion_max_results", &n, err);
    x->max_suggestions = (size_t)n;
    if (x->what->auto_threshold > 0)
        x->auto_threshold = x->what->auto_threshold;
    if (x->what->threshold > 0)
        x->threshold = x->what->threshold;
    if (x->what->max_suggestions > 0)
        x->max_suggestions = x->what->max_suggestions;
    if (!st && x->what->is_after_indexing)
        st = read_mode(x, err);
    if (x->threshold > x->auto_threshold)
        x->threshold = x->auto_threshold;
    return st;
}

ims_status ims_people_match(struct ims_engine *e, const struct ims_people_by *by,
                            struct ims_people_match *what, ims_err *err)
{
    const struct ims__gallery_of of = { .person_id = what->person_id,
                                        .queries = what->queries,
                                        .n_queries = what->n_queries,
                                        .by_centroid = what->by_centroid };
    struct ims__match_run x = { .e = e, .what = what };
    ims_status st;

    what->n_faces = what->n_persons = what->n_assigned = what->n_suggested = what->n_ambiguous = 0;
    what->n_candidates = what->n_known = 0;
    ims__arena_init(&x.arena, 0);
    st = ims__gallery_open(e, &of, &x.g, err);
    if (!st)
        st = read_settings(&x, err);
    if (!st && x.g.n_rows)
        st = compare_all(&x, err);
    if (!st && x.n_hits)
        st = ims__match_follow(&x, by, err);
    what->n_faces = x.n_total;
    what->n_persons = x.g.n_persons;
    what->has_projection = x.g.projection != NULL;
    ims__free(x.view);
    ims__free(x.scores);
    ims__free(x.hits);
    ims__arena_release(&x.arena);
    ims__gallery_release(&x.g);
    return st;
}

/* --- one face, for looking --- */

static int compare_candidates(const void *pa, const void *pb)
{
    const struct ims_people_candidate *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->person_id > b->person_id) - (a->person_id < b->person_id);
}

static ims_status fill_candidates(struct ims__match_run *x, int64_t face_id, size_t limit,
                                  struct ims_arena *arena, struct ims_people_candidate **out,
                                  size_t *out_n, ims_err *err)
{
    struct ims_people_candidate *list = ims__arena_alloc(arena, x->g.n_persons + 1, sizeof(*list));
    float *vector = ims__aligned_alloc(64, (size_t)x->g.dim + 1, sizeof(*vector));
    size_t n = 0;
    ims_status st = IMS_OK;

    x->view = ims__aligned_alloc(64, (size_t)x->g.dim + 1, sizeof(*x->view));
    x->scores = ims__alloc(x->g.n_rows + 1, sizeof(*x->scores));
    if (!list || !vector || !x->view || !x->scores)
        st = ims__people_nomem(err);
    if (!st)
        st = ims_store_face_vectors_by_id(x->e->store, &face_id, 1, x->g.dim, vector, err);
    if (!st)
        score_all(x, vector);
    for (size_t i = 0; !st && i < x->g.n_persons; i++) {
        const struct ims__gallery_person *p = &x->g.persons[i];
        struct ims_match m;
        double score = score_of(x, p, &m);
        bool is_out = false;

        if (score >= x->threshold)
            st = is_rejected(x, face_id, p->id, &is_out, err);
        if (st || is_out || score < x->threshold)
            continue;
        list[n].person_id = p->id;
        list[n].score = score;
        list[n].name = ims__arena_strndup(arena, p->name, strlen(p->name));
        if (!list[n++].name)
            st = ims__people_nomem(err);
    }
    ims__free(vector);
    if (st)
        return st;
    qsort(list, n, sizeof(*list), compare_candidates);
    *out = list;
    *out_n = n < limit ? n : limit;
    return IMS_OK;
}

ims_status ims_people_candidates(struct ims_engine *e, int64_t face_id, double threshold,
                                 size_t limit, struct ims_arena *arena,
                                 struct ims_people_candidate **out, size_t *out_n, ims_err *err)
{
    struct ims__match_run x = { .e = e, .threshold = threshold };
    ims_status st = ims__gallery_open(e, &(struct ims__gallery_of){ .person_id = 0 }, &x.g, err);

    if (!st)
        st = fill_candidates(&x, face_id, limit, arena, out, out_n, err);
    ims__free(x.view);
    ims__free(x.scores);
    ims__gallery_release(&x.g);
    return st;
}
