/* Suggestions: who a face might be, by person or one by one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_suggestions.h"

#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */

/* Scores under the names of the prototypes' faces, and those names as a list. */
static bool put_scores(ims_json *o, const struct ims_store_suggestion *s)
{
    ims_json *in = NULL, *scores, *names;
    bool is_good;

    if (!s->scores_json || ims__json_parse(&in, s->scores_json, strlen(s->scores_json), "scores", NULL))
        return ims__put_null(o, "matchingPrototypeIds") && ims__put_null(o, "prototypeScores");
    scores = ims__json_new_object();
    names = ims__json_new_array();
    is_good = scores && names;
    for (void *it = ims__json_iter(in); is_good && it; it = ims__json_next(in, it)) {
        char name[IMS_API_ID_BYTES];

        ims__api_id_text(IMS_ID_FACE, strtoll(ims__json_iter_key(it), NULL, 10), name);
        is_good = ims__put_num(scores, name, ims__json_num(ims__json_iter_value(it), 0)) &&
                  ims__json_add(names, ims__json_new_str(name)) == IMS_OK;
    }
    ims__json_free(in);
    is_good = ims__put(is_good ? o : NULL, "matchingPrototypeIds", names) && is_good;
    return ims__put(is_good ? o : NULL, "prototypeScores", scores);
}

static ims_json *suggestion_json(const struct ims_store_suggestion *s, const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(
        o, ims__put_int(o, "id", s->id) && ims__put_id(o, "faceInstanceId", IMS_ID_FACE, s->face_id) &&
               ims__put_id(o, "suggestedPersonId", IMS_ID_PERSON, s->person_id) &&
               ims__put_num(o, "confidence", s->confidence) &&
               ims__put_id(o, "sourceFaceId", IMS_ID_FACE, s->source_face_id) &&
               ims__put_str(o, "status", ims_store_suggestion_status_name(s->status)) &&
               ims__put_time(o, "createdAt", s->created_us) && ims__put_time(o, "reviewedAt", s->reviewed_us) &&
               ims__put_asset_url(o, "faceThumbnailUrl", f->asset_id, "thumbnail") &&
               ims__put_str(o, "personName", s->person) && ims__put_asset_url(o, "fullImageUrl", f->asset_id, "full") &&
               ims__put_str(o, "path", f->path ? f->path : "") && ims__put_box(o, f) &&
               ims__put_num(o, "detectionConfidence", f->score) && ims__put_num(o, "qualityScore", f->quality) &&
               put_scores(o, s) && ims__put_num(o, "aggregateConfidence", s->aggregate_confidence) &&
               ims__put_int(o, "prototypeMatchCount", s->n_matches) &&
               ims__put_bool(o, "isMultiPrototypeMatch", s->n_matches > 1));
}

ims_status ims__api_suggestions_json(struct ims_http_context *cx, const struct ims_store_suggestion *list, size_t n,
                                     ims_json **out, ims_err *err)
{
    ims_json *items = ims__json_new_array();
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    int64_t *ids;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    ids = ims__arena_alloc(&arena, n + 1, sizeof(*ids));
    if (!ids || !items)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
    for (size_t i = 0; !st && i < n; i++)
        ids[i] = list[i].face_id;
    if (!st && n)
        st = ims_store_faces_by_id(cx->store, ids, n, &arena, &faces, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (ims__json_add(items, suggestion_json(&list[i], &faces[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
    }
    ims__arena_release(&arena);
    if (st)
        ims__json_free(items);
    else
        *out = items;
    return st;
}

/* ---- the list ---- */

/* false: the filter names a person that cannot be there. */
static bool read_filter(const struct ims_http_request *rq, struct ims_store_suggestion_filter *out)
{
    const char *status = ims__in_str(rq->query, "status", NULL), *person = ims__in_str(rq->query, "personId", NULL);

    *out = (struct ims_store_suggestion_filter){ .person_id = ims__in_id(rq->query, "personId", IMS_ID_PERSON) };
    for (int i = 0; status && i <= IMS_SUGGESTION_EXPIRED; i++) {
        if (strcmp(status, ims_store_suggestion_status_name((ims_store_suggestion_status)i)) == 0) {
            out->has_status = true;
            out->status = (ims_store_suggestion_status)i;
        }
    }
    return !person || out->person_id;
}

static ims_status reply_flat(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                             ims_err *err)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_store_suggestion_filter filter;
    struct ims_store_suggestion *found = NULL;
    struct ims_arena arena;
    ims_json *items = NULL;
    size_t n = 0;
    int64_t total = 0;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    if (read_filter(rq, &filter))
        st = ims_store_suggestions(cx->store, &filter, page.offset, page.size, &arena, &found, &n, &total, err);
    if (!st)
        st = ims__api_suggestions_json(cx, found, n, &items, err);
    ims__arena_release(&arena);
    return st ? st : ims__reply_json(rp, 200, ims__api_plain_page_json(&page, items, total), err);
}

static ims_status group_json(struct ims_http_context *cx, const struct ims_store_suggestion_group *g,
                             struct ims_store_suggestion_filter filter, int64_t n_shown, ims_json **out, ims_err *err)
{
    struct ims_store_suggestion *found = NULL;
    struct ims_arena arena;
    ims_json *items = NULL, *o;
    size_t n = 0;
    ims_status st;

    filter.person_id = g->person_id;
    ims__arena_init(&arena, 0);
    st = ims_store_suggestions(cx->store, &filter, 0, n_shown, &arena, &found, &n, NULL, err);
    if (!st)
        st = ims__api_suggestions_json(cx, found, n, &items, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    o = ims__json_new_object();
    *out = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, g->person_id) && ims__put_str(o, "personName", g->person) &&
                             ims__put_int(o, "suggestionCount", g->n) && ims__put_num(o, "maxConfidence", g->max_confidence) &&
                             ims__put(o, "suggestions", items));
    return *out ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
}

struct grouping {
    struct ims_page page; /* of groups */
    int64_t n_shown;      /* of each */
};

/* What the request says, else the settings. */
static ims_status read_grouping(struct ims_http_context *cx, const struct ims_http_request *rq, struct grouping *out,
                                ims_err *err)
{
    double groups = 0, items = 0;
    ims_status st = ims_people_setting(cx->engine, "face_suggestion_groups_per_page", &groups, err);

    if (!st)
        st = ims_people_setting(cx->engine, "face_suggestion_items_per_group", &items, err);
    out->page = ims__api_page(rq);
    out->page.size = ims__in_int(rq->query, "groupsPerPage", (int64_t)groups);
    out->page.offset = (out->page.number - 1) * out->page.size;
    out->n_shown = ims__in_int(rq->query, "suggestionsPerGroup", (int64_t)items);
    return st;
}

static ims_status reply_groups(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                               ims_err *err)
{
    struct ims_store_suggestion_filter filter;
    struct ims_store_suggestion_group *found = NULL;
    struct ims_arena arena;
    struct grouping g;
    ims_json *groups = ims__json_new_array(), *o = ims__json_new_object();
    size_t n = 0;
    int64_t n_groups = 0, total = 0;
    ims_status st = read_grouping(cx, rq, &g, err);

    ims__arena_init(&arena, 0);
    if (!st && read_filter(rq, &filter))
        st = ims_store_suggestion_groups(cx->store, &filter, g.page.offset, g.page.size, &arena, &found, &n, &n_groups,
                                         &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        ims_json *one = NULL;

        st = group_json(cx, &found[i], filter, g.n_shown, &one, err);
        if (!st && ims__json_add(groups, one))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
    }
    ims__arena_release(&arena);
    o = ims__whole(o, ims__put(o, "groups", groups) && ims__put_int(o, "totalGroups", n_groups) &&
                          ims__put_int(o, "totalSuggestions", total) && ims__put_int(o, "page", g.page.number) &&
                          ims__put_int(o, "groupsPerPage", g.page.size) && ims__put_int(o, "suggestionsPerGroup", g.n_shown));
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}

IMS_API_HANDLER(ims__api_suggestions_list)
{
    return ims__in_bool(rq->query, "grouped", true) ? reply_groups(cx, rq, rp, err) : reply_flat(cx, rq, rp, err);
}

/* ---- figures ---- */

#define TOP_PERSONS 10

static ims_json *top_json(const struct ims_store_suggestion_group *g, size_t n)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < n; i++) {
        ims_json *o = ims__json_new_object();

        o = ims__whole(o, ims__put_id(o, "person_id", IMS_ID_PERSON, g[i].person_id) &&
                              ims__put_str(o, "name", g[i].person) && ims__put_int(o, "pending_count", g[i].n));
        is_good = o && ims__json_add(list, o) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

static int compare_counts(const void *pa, const void *pb)
{
    const struct ims_store_suggestion_group *a = pa, *b = pb;

    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return (a->person_id > b->person_id) - (a->person_id < b->person_id);
}

IMS_API_HANDLER(ims__api_suggestions_stats)
{
    const struct ims_store_suggestion_filter pending = { .has_status = true, .status = IMS_SUGGESTION_PENDING };
    struct ims_store_suggestion_counts c = { 0 };
    struct ims_store_suggestion_group *groups = NULL;
    struct ims_arena arena;
    size_t n = 0;
    int64_t reviewed;
    double rate;
    ims_json *o;
    ims_status st = ims_store_count_suggestions(cx->store, &c, err);

    (void)rq;
    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_store_suggestion_groups(cx->store, &pending, 0, 0, &arena, &groups, &n, NULL, NULL, err);
    if (!st && n)
        qsort(groups, n, sizeof(*groups), compare_counts);
    reviewed = c.accepted + c.rejected;
    rate = reviewed ? 100.0 * (double)c.accepted / (double)reviewed : 0;
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(
            rp, 200,
            ims__whole(o, ims__put_int(o, "total", c.pending + reviewed + c.expired) && ims__put_int(o, "pending", c.pending) &&
                              ims__put_int(o, "accepted", c.accepted) && ims__put_int(o, "rejected", c.rejected) &&
                              ims__put_int(o, "expired", c.expired) && ims__put_int(o, "reviewed", reviewed) &&
                              ims__put_num(o, "acceptance_rate", (double)(int64_t)(rate * 10 + 0.5) / 10) &&
                              ims__put(o, "top_persons_with_pending", top_json(groups, n < TOP_PERSONS ? n : TOP_PERSONS))),
            err);
    }
    ims__arena_release(&arena);
    return st;
}
