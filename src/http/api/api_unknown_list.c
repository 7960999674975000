/* The list of groups of unknown faces: filtered, sorted, by pages.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/face_work.h"
#include "http/api/api_unknown.h"

#include <stdlib.h>
#include <string.h>

struct listing {
    struct ims_page page; /* of groups */
    size_t n_faces;       /* of each */
    double min_confidence, min_size;
    double confidence_setting, size_setting;
    bool include_dismissed;
    size_t n_by_confidence, n_by_size, n_by_dismissed, n_before; /* left out, and of how many */
};

static ims_status read_listing(struct ims_http_context *cx, const struct ims_http_request *rq, struct listing *out, ims_err *err)
{
    ims_status st = ims_people_setting(cx->engine, "unknown_person_default_threshold", &out->confidence_setting, err);

    if (!st)
        st = ims_people_setting(cx->engine, "unknown_person_min_display_count", &out->size_setting, err);
    out->page = ims__api_page(rq);
    out->page.size = ims__in_int(rq->query, "groupsPerPage", 50);
    out->page.offset = (out->page.number - 1) * out->page.size;
    out->n_faces = (size_t)ims__in_int(rq->query, "facesPerGroup", 6);
    out->min_confidence = ims__in_num(rq->query, "minConfidence", out->confidence_setting);
    out->min_size = ims__in_num(rq->query, "minGroupSize", out->size_setting);
    out->include_dismissed = ims__in_bool(rq->query, "includeDismissed", false);
    return st;
}

/* Keeps what is to be shown and counts what is not, each group for the first reason. */
static void filter_groups(struct ims__groups *g, struct listing *l)
{
    size_t n = 0;

    l->n_before = g->n;
    for (size_t i = 0; i < g->n; i++) {
        const struct ims__group *x = &g->list[i];

        if (ims__group_confidence(x->cluster) < l->min_confidence)
            l->n_by_confidence++;
        else if ((double)x->cluster->n_unassigned < l->min_size)
            l->n_by_size++;
        else if (x->is_dismissed && !l->include_dismissed)
            l->n_by_dismissed++;
        else
            g->list[n++] = *x;
    }
    g->n = n;
}

static int compare_ids(const struct ims__group *a, const struct ims__group *b)
{
    return (a->cluster->id > b->cluster->id) - (a->cluster->id < b->cluster->id);
}

static int compare(double a, double b, const struct ims__group *pa, const struct ims__group *pb)
{
    return a != b ? (a > b) - (a < b) : compare_ids(pb, pa);
}

static int by_count(const void *a, const void *b)
{
    const struct ims__group *x = a, *y = b;

    return compare((double)x->cluster->n_unassigned, (double)y->cluster->n_unassigned, x, y);
}

static int by_confidence(const void *a, const void *b)
{
    const struct ims__group *x = a, *y = b;

    return compare(ims__group_confidence(x->cluster), ims__group_confidence(y->cluster), x, y);
}

static int by_quality(const void *a, const void *b)
{
    const struct ims__group *x = a, *y = b;

    return compare(x->cluster->avg_quality, y->cluster->avg_quality, x, y);
}

static void sort_groups(struct ims__groups *g, const struct ims_http_request *rq)
{
    const char *by = ims__in_str(rq->query, "sortBy", "face_count");
    bool is_rising = strcmp(ims__in_str(rq->query, "sortOrder", "desc"), "asc") == 0;

    if (!g->n)
        return;
    qsort(g->list, g->n, sizeof(*g->list),
          strcmp(by, "confidence") == 0 ? by_confidence : strcmp(by, "quality") == 0 ? by_quality : by_count);
    for (size_t i = 0, k = g->n - 1; !is_rising && i < k; i++, k--) {
        struct ims__group t = g->list[i];

        g->list[i] = g->list[k];
        g->list[k] = t;
    }
}

static int64_t dismissed_at(const struct ims_store_dismissed *d, size_t n, const struct ims__group *g)
{
    int64_t us = 0;

    for (size_t i = 0; g->is_dismissed && i < n; i++) {
        if (d[i].cluster_id == g->cluster->id && d[i].created_us > us)
            us = d[i].created_us;
    }
    return us;
}

static ims_status group_json(struct ims_http_context *cx, const struct ims__group *g, size_t n_faces, int64_t dismissed_us,
                             ims_json **out, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_json *o = ims__json_new_object(), *sample;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_group_faces(cx, g->cluster, &arena, &faces, &n, err);
    if (!st && !n)
        st = ims_fail(err, IMS_E_DB_BUSY, "http", 0, "the groups are changing; ask again");
    if (!st)
        st = ims__put_group(o, g->cluster, faces, n, &arena, err);
    sample = st ? NULL : ims__api_unknown_faces(faces, n, n_faces);
    if (!st) {
        o = ims__whole(o, ims__put(o, "representativeFace", ims__json_dup(ims__json_at(sample, 0))) &&
                              ims__put_bool(o, "isDismissed", g->is_dismissed) &&
                              ims__put_time(o, "dismissedAt", dismissed_us));
        o = ims__whole(o, ims__put(o, "sampleFaces", sample));
        st = o ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    }
    ims__arena_release(&arena);
    if (st)
        ims__json_free(o);
    else
        *out = o;
    return st;
}

static ims_status page_json(struct ims_http_context *cx, struct ims__groups *g, const struct listing *l, ims_json **out, ims_err *err)
{
    struct ims_store_dismissed *dismissed = NULL;
    size_t n_dismissed = 0;
    ims_json *list = ims__json_new_array();
    ims_status st = ims_store_dismissed_groups(cx->store, &g->arena, &dismissed, &n_dismissed, err);

    for (int64_t i = l->page.offset; !st && i < (int64_t)g->n && i < l->page.offset + l->page.size; i++) {
        ims_json *one = NULL;

        st = group_json(cx, &g->list[i], l->n_faces, dismissed_at(dismissed, n_dismissed, &g->list[i]), &one, err);
        if (!st && ims__json_add(list, one))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "groups");
    }
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

static bool put_listing(ims_json *o, const struct ims__groups *g, const struct listing *l, int64_t last_us, double minimum)
{
    return ims__put_int(o, "totalGroups", (int64_t)g->n) && ims__put_int(o, "totalDismissedGroups", (int64_t)g->n_dismissed) &&
           ims__put_int(o, "page", l->page.number) && ims__put_int(o, "groupsPerPage", l->page.size) &&
           ims__put_int(o, "facesPerGroup", (int64_t)l->n_faces) && ims__put_time(o, "lastDiscoveryAt", last_us) &&
           ims__put_int(o, "minGroupSizeSetting", (int64_t)l->size_setting) &&
           ims__put_num(o, "minConfidenceSetting", l->confidence_setting) &&
           ims__put_num(o, "discoveryMinConfidence", minimum) &&
           ims__put_int(o, "filteredByConfidence", (int64_t)l->n_by_confidence) &&
           ims__put_int(o, "filteredBySize", (int64_t)l->n_by_size) &&
           ims__put_int(o, "filteredByDismissed", (int64_t)l->n_by_dismissed) &&
           ims__put_int(o, "totalBeforeFiltering", (int64_t)l->n_before);
}

IMS_API_HANDLER(ims__api_unknown_list)
{
    struct ims_store_face_counts c = { 0 };
    struct listing l = { .n_before = 0 };
    struct ims__groups g;
    double minimum = 0;
    int64_t last_us = 0;
    ims_json *list = NULL, *o;
    ims_status st = ims__api_groups(cx, &g, err);

    if (!st)
        st = read_listing(cx, rq, &l, err);
    if (!st && g.model_id)
        st = ims_store_count_faces(cx->store, g.model_id, &c, err);
    if (!st)
        st = ims_face_work_discovery(cx->engine, &last_us, &minimum, err);
    filter_groups(&g, &l);
    sort_groups(&g, rq);
    if (!st)
        st = page_json(cx, &g, &l, &list, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put(o, "groups", list) &&
                                               ims__put_int(o, "totalUnassignedFaces", c.unassigned) &&
                                               ims__put_int(o, "totalNoiseFaces", c.noise) &&
                                               put_listing(o, &g, &l, last_us, minimum)),
                             err);
    }
    ims__arena_release(&g.arena);
    return st;
}
