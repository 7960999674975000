/* Groups of unknown faces that may be somebody: figures, the list, one of them, pairs that may be one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"
#include "engine/face_work.h"
#include "http/api/api_faces.h"

#include <stdlib.h>
#include <string.h>

/* A group: a cluster with faces that nobody named. */
struct group {
    const struct ims_store_cluster *cluster;
    bool is_dismissed;
};
struct groups {
    struct ims_arena arena;
    int64_t model_id;
    struct group *list;
    size_t n;
    size_t n_dismissed;
};

static void release_groups(struct groups *g)
{
    ims__arena_release(&g->arena);
}

/* All clusters, and of them those that were not dismissed: in the same order, so that one pass tells which. */
static ims_status read_groups(struct ims_http_context *cx, struct groups *g, ims_err *err)
{
    struct ims_store_cluster_filter filter = { .include_assigned = true };
    struct ims_store_cluster *all = NULL, *shown = NULL;
    size_t n_all = 0, n_shown = 0, k = 0;
    ims_status st;

    *g = (struct groups){ .n = 0 };
    ims__arena_init(&g->arena, 0);
    st = ims_people_model(cx->engine, &g->model_id, err);
    if (st || !g->model_id)
        return st;
    filter.model_id = g->model_id;
    st = ims_store_clusters(cx->store, &filter, 0, 0, &g->arena, &all, &n_all, NULL, err);
    filter.no_dismissed = true;
    if (!st)
        st = ims_store_clusters(cx->store, &filter, 0, 0, &g->arena, &shown, &n_shown, NULL, err);
    g->list = st ? NULL : ims__arena_alloc(&g->arena, n_all + 1, sizeof(*g->list));
    if (!st && !g->list)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "groups");
    for (size_t i = 0; !st && i < n_all; i++) {
        bool is_shown = k < n_shown && shown[k].id == all[i].id;

        k += is_shown;
        if (all[i].n_unassigned == 0)
            continue;
        g->n_dismissed += !is_shown;
        g->list[g->n++] = (struct group){ &all[i], !is_shown };
    }
    return st;
}

static double confidence_of(const struct ims_store_cluster *c)
{
    return c->confidence < 0 ? 0 : c->confidence > 1 ? 1 : c->confidence;
}

/* ---- figures ---- */

IMS_API_HANDLER(ims__api_unknown_stats)
{
    struct ims_store_face_counts c = { 0 };
    struct groups g;
    double size = 0, confidence = 0, minimum;
    int64_t last_us = 0;
    ims_json *o;
    ims_status st = read_groups(cx, &g, err);

    (void)rq;
    if (!st && g.model_id)
        st = ims_store_count_faces(cx->store, g.model_id, &c, err);
    if (!st)
        st = ims_face_work_discovery(cx->engine, &last_us, &minimum, err);
    for (size_t i = 0; i < g.n; i++) {
        size += (double)g.list[i].cluster->n_unassigned / (double)g.n;
        confidence += confidence_of(g.list[i].cluster) / (double)g.n;
    }
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "totalUnassignedFaces", c.unassigned) &&
                                               ims__put_int(o, "totalClusteredFaces", c.clustered) &&
                                               ims__put_int(o, "totalNoiseFaces", c.noise) &&
                                               ims__put_int(o, "totalUnclusteredFaces", c.unclustered) &&
                                               ims__put_int(o, "candidateGroups", (int64_t)(g.n - g.n_dismissed)) &&
                                               ims__put_num(o, "avgGroupSize", size) &&
                                               ims__put_num(o, "avgGroupConfidence", confidence) &&
                                               ims__put_int(o, "totalDismissedGroups", (int64_t)g.n_dismissed) &&
                                               ims__put_time(o, "lastDiscoveryAt", last_us)),
                             err);
    }
    release_groups(&g);
    return st;
}

/* ---- shapes ---- */

static ims_json *face_json(const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "faceInstanceId", IMS_ID_FACE, f->id) && ims__put_int(o, "assetId", f->asset_id) &&
                             ims__put_num(o, "qualityScore", f->quality) && ims__put_num(o, "detectionConfidence", f->score) &&
                             ims__put_box(o, f) && ims__put_asset_url(o, "thumbnailUrl", f->asset_id, "thumbnail"));
}

/* The first `limit` faces without a person. */
static ims_json *faces_json(const struct ims_store_face *faces, size_t n, size_t limit)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < n && ims__json_len(list) < limit; i++) {
        if (!faces[i].person_id)
            is_good = ims__json_add(list, face_json(&faces[i])) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

/* What all replies about a group have, of its faces, best first. hash: of all of them, so that a client can tell a group
 * that changed. */
static ims_status put_group(ims_json *o, const struct ims_store_cluster *c, const struct ims_store_face *faces, size_t n,
                            struct ims_arena *arena, ims_err *err)
{
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));
    char hash[IMS_SHA256_HEX];
    ims_status st = ids ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");

    for (size_t i = 0; !st && i < n; i++)
        ids[i] = faces[i].id;
    if (!st)
        st = ims_store_membership_hash(ids, n, hash, err);
    if (!st && !(ims__put_cluster(o, "groupId", c->id) && ims__put_str(o, "membershipHash", hash) &&
                 ims__put_int(o, "faceCount", c->n_unassigned) && ims__put_num(o, "clusterConfidence", confidence_of(c)) &&
                 ims__put_num(o, "avgQuality", c->avg_quality)))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    return st;
}

static ims_status read_faces(struct ims_http_context *cx, const struct ims_store_cluster *c, struct ims_arena *arena,
                             struct ims_store_face **out, size_t *out_n, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = c->model_id, .cluster_id = c->id };

    return ims_store_faces(cx->store, &filter, IMS_STORE_FACES_BY_QUALITY, 0, 0, arena, out, out_n, NULL, err);
}

IMS_API_HANDLER(ims__api_unknown_group)
{
    struct ims_store_cluster *c = NULL;
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_json *o = ims__json_new_object();
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st)
        st = read_faces(cx, c, &arena, &faces, &n, err);
    if (!st)
        st = put_group(o, c, faces, n, &arena, err);
    if (!st && !ims__put(o, "faces", faces_json(faces, n, n)))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}

/* ---- the list ---- */

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
static void filter_groups(struct groups *g, struct listing *l)
{
    size_t n = 0;

    l->n_before = g->n;
    for (size_t i = 0; i < g->n; i++) {
        const struct group *x = &g->list[i];

        if (confidence_of(x->cluster) < l->min_confidence)
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

static int compare_ids(const struct group *a, const struct group *b)
{
    return (a->cluster->id > b->cluster->id) - (a->cluster->id < b->cluster->id);
}

static int compare(double a, double b, const struct group *pa, const struct group *pb)
{
    return a != b ? (a > b) - (a < b) : compare_ids(pb, pa);
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return compare((double)x->cluster->n_unassigned, (double)y->cluster->n_unassigned, x, y);
}

static int by_confidence(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return compare(confidence_of(x->cluster), confidence_of(y->cluster), x, y);
}

static int by_quality(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return compare(x->cluster->avg_quality, y->cluster->avg_quality, x, y);
}

static void sort_groups(struct groups *g, const struct ims_http_request *rq)
{
    const char *by = ims__in_str(rq->query, "sortBy", "face_count");
    bool is_rising = strcmp(ims__in_str(rq->query, "sortOrder", "desc"), "asc") == 0;

    if (!g->n)
        return;
    qsort(g->list, g->n, sizeof(*g->list),
          strcmp(by, "confidence") == 0 ? by_confidence : strcmp(by, "quality") == 0 ? by_quality : by_count);
    for (size_t i = 0, k = g->n - 1; !is_rising && i < k; i++, k--) {
        struct group t = g->list[i];

        g->list[i] = g->list[k];
        g->list[k] = t;
    }
}

static int64_t dismissed_at(const struct ims_store_dismissed *d, size_t n, const struct group *g)
{
    int64_t us = 0;

    for (size_t i = 0; g->is_dismissed && i < n; i++) {
        if (d[i].cluster_id == g->cluster->id && d[i].created_us > us)
            us = d[i].created_us;
    }
    return us;
}

static ims_status group_json(struct ims_http_context *cx, const struct group *g, size_t n_faces, int64_t dismissed_us,
                             ims_json **out, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_json *o = ims__json_new_object(), *sample;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = read_faces(cx, g->cluster, &arena, &faces, &n, err);
    if (!st && !n)
        st = ims_fail(err, IMS_E_DB_BUSY, "http", 0, "the groups are changing; ask again");
    if (!st)
        st = put_group(o, g->cluster, faces, n, &arena, err);
    sample = st ? NULL : faces_json(faces, n, n_faces);
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

static ims_status page_json(struct ims_http_context *cx, struct groups *g, const struct listing *l, ims_json **out, ims_err *err)
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

static bool put_listing(ims_json *o, const struct groups *g, const struct listing *l, int64_t last_us, double minimum)
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
    struct groups g;
    double minimum = 0;
    int64_t last_us = 0;
    ims_json *list = NULL, *o;
    ims_status st = read_groups(cx, &g, err);

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
    release_groups(&g);
    return st;
}

/* ---- pairs ---- */

#define MAX_PAIRS 50

static ims_json *pairs_json(const struct ims_clusters_pair *pairs, size_t n)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < n; i++) {
        ims_json *o = ims__json_new_object();

        o = ims__whole(o, ims__put_cluster(o, "groupAId", pairs[i].a) && ims__put_cluster(o, "groupBId", pairs[i].b) &&
                              ims__put_num(o, "similarity", pairs[i].similarity) &&
                              ims__put_int(o, "groupAFaceCount", (int64_t)pairs[i].n_a) &&
                              ims__put_int(o, "groupBFaceCount", (int64_t)pairs[i].n_b));
        is_good = o && ims__json_add(list, o) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

IMS_API_HANDLER(ims__api_unknown_pairs)
{
    struct ims_clusters_pair pairs[MAX_PAIRS];
    size_t max = (size_t)ims__in_int(rq->query, "max_suggestions", 10), n = 0, n_compared = 0;
    int64_t model_id = 0;
    ims_json *o;
    ims_status st = ims_people_model(cx->engine, &model_id, err);

    if (!st && model_id)
        st = ims_engine_alike_clusters(cx->engine, ims__in_num(rq->query, "min_similarity", 0.6),
                                       max < MAX_PAIRS ? max : MAX_PAIRS, pairs, &n, &n_compared, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "suggestions", pairs_json(pairs, n)) &&
                                             ims__put_int(o, "totalGroupsCompared", (int64_t)n_compared)),
                           err);
}
