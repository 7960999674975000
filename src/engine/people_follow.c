/* What follows from matching: for each person one change, with the faces that became it and the suggestions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_match.h"

#include <stdlib.h>

/* By person, assigned first, then the better score: of two faces of a photo the better one becomes the
 * person. */
static int compare_hits(const void *pa, const void *pb)
{
    const struct ims__match_hit *a = pa, *b = pb;

    if (a->person != b->person)
        return a->person < b->person ? -1 : 1;
    if (a->is_assigned != b->is_assigned)
        return a->is_assigned ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->face_id > b->face_id) - (a->face_id < b->face_id);
}

struct follow {
    struct ims__match_run *x;
    const struct ims__match_hit *hits; /* of one person */
    size_t n, n_auto;
    size_t n_assigned, n_suggested;
};

/* The first `max` of them that may be suggested: those that may not leave their place to the next ones. */
static ims_status put_up_to(struct ims_store *s, struct ims_store_suggestion *items, size_t n, size_t max,
                            size_t *out_n_new, ims_err *err)
{
    size_t n_put = 0;
    ims_status st = IMS_OK;

    *out_n_new = 0;
    for (size_t i = 0; !st && i < n && n_put < max;) {
        size_t n_new = 0, len = max - n_put < n - i ? max - n_put : n - i;

        st = ims_store_put_suggestions(s, items + i, len, &n_new, err);
        *out_n_new += n_new;
        for (size_t end = i + len; i < end; i++)
            n_put += items[i].id != 0;
    }
    return st;
}

static ims_status suggest(struct ims__people_job *j, struct follow *f, struct ims_arena *arena,
                          ims_err *err)
{
    const struct ims__match_run *x = f->x;
    struct ims_store_suggestion *s = ims__arena_alloc(arena, f->n + 1, sizeof(*s));
    size_t n = 0;

    if (!s)
        return ims__people_nomem(err);
    /* those that were to be assigned and could not be are passed over by the store, if that still holds */
    for (size_t i = f->n_auto; i < f->n; i++) {
        if (f->hits[i].is_pending && x->what->only_new)
            continue;
        s[n++] = (struct ims_store_suggestion){ .face_id = f->hits[i].face_id,
                                                .person_id = j->to,
                                                .source_face_id = f->hits[i].source_face_id,
                                                .confidence = f->hits[i].confidence,
                                                .aggregate_confidence = f->hits[i].score,
                                                .n_matches = (int64_t)f->hits[i].n_matches,
                                                .scores_json = f->hits[i].scores_json };
    }
    return put_up_to(j->s, s, n, x->max_suggestions, &f->n_suggested, err);
}

static ims_status run_follow(struct ims__people_job *j, ims_err *err)
{
    struct follow *f = j->ctx;
    struct ims_store_assign what = { .n = f->n_auto, .person_id = j->to, .by = IMS_ASSIGNED_AUTO };
    struct ims_arena arena;
    int64_t *ids;
    double *scores;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    ids = ims__arena_alloc(&arena, f->n_auto + 1, sizeof(*ids));
    scores = ims__arena_alloc(&arena, f->n_auto + 1, sizeof(*scores));
    if (!ids || !scores)
        st = ims__people_nomem(err);
    for (size_t i = 0; !st && i < f->n_auto; i++) {
        ids[i] = f->hits[i].face_id;
        scores[i] = f->hits[i].score;
    }
    what.face_ids = ids;
    what.scores = scores;
    if (!st)
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (!st)
        st = suggest(j, f, &arena, err);
    f->n_assigned = what.n_changed;
    ims__arena_release(&arena);
    return st;
}

/* Is the person among those with the most faces that are suggested? */
static bool is_suggested(const struct ims__match_run *x, size_t person)
{
    const struct ims__gallery_person *p = &x->g.persons[person];
    size_t n_before = 0;

    for (size_t i = 0; x->n_top && i < x->g.n_persons; i++) {
        const struct ims__gallery_person *q = &x->g.persons[i];

        n_before += q->n_faces > p->n_faces || (q->n_faces == p->n_faces && q->id < p->id);
    }
    return !x->n_top || n_before < x->n_top;
}

static ims_status follow_person(struct ims__match_run *x, const struct ims_people_by *by, size_t first,
                                size_t end, ims_err *err)
{
    struct follow f = { .x = x, .hits = x->hits + first, .n = end - first };
    struct ims__people_job j = { .e = x->e,
                                 .by = by,
                                 .operation = IMS_EVENT_AUTO_ASSIGN,
                                 .to = x->g.persons[x->hits[first].person].id,
                                 .run = run_follow,
                                 .ctx = &f };
    ims_status st = IMS_OK;

    while (f.n_auto < f.n && f.hits[f.n_auto].is_assigned)
        f.n_auto++;
    if (!is_suggested(x, x->hits[first].person))
        f.n = f.n_auto;
    if (!f.n)
        return IMS_OK;
    if (!x->what->is_dry_run)
        st = ims__people_run(&j, err);
    if (st == IMS_E_CONSTRAINT || st == IMS_E_NOT_FOUND)
        return IMS_OK; /* the person was merged or deleted, or a face went, since: the next run sees */
    if (st)
        return st;
    x->what->n_assigned += x->what->is_dry_run ? f.n_auto : f.n_assigned;
    x->what->n_suggested += x->what->is_dry_run ? f.n - f.n_auto : f.n_suggested;
    return IMS_OK;
}

ims_status ims__match_follow(struct ims__match_run *x, const struct ims_people_by *by, ims_err *err)
{
    ims_status st = IMS_OK;

    qsort(x->hits, x->n_hits, sizeof(*x->hits), compare_hits);
    for (size_t i = 0, end; !st && i < x->n_hits; i = end) {
        for (end = i + 1; end < x->n_hits && x->hits[end].person == x->hits[i].person; end++)
            ;
        st = follow_person(x, by, i, end, err);
    }
    return st;
}
