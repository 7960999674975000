/* Groups of unknown faces that may be somebody: figures, one of them, pairs that may be one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"
#include "engine/face_work.h"
#include "http/api/api_unknown.h"

/* All clusters, and of them those that were not dismissed: in the same order, so that one pass tells which. */
ims_status ims__api_groups(struct ims_http_context *cx, struct ims__groups *g, ims_err *err)
{
    struct ims_store_cluster_filter filter = { .include_assigned = true };
    struct ims_store_cluster *all = NULL, *shown = NULL;
    size_t n_all = 0, n_shown = 0, k = 0;
    ims_status st;

    *g = (struct ims__groups){ .n = 0 };
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
        g->list[g->n++] = (struct ims__group){ &all[i], !is_shown };
    }
    return st;
}

double ims__group_confidence(const struct ims_store_cluster *c)
{
    return c->confidence < 0 ? 0 : c->confidence > 1 ? 1 : c->confidence;
}

/* ---- figures ---- */

IMS_API_HANDLER(ims__api_unknown_stats)
{
    struct ims_store_face_counts c = { 0 };
    struct ims__groups g;
    double size = 0, confidence = 0, minimum;
    int64_t last_us = 0;
    ims_json *o;
    ims_status st = ims__api_groups(cx, &g, err);

    (void)rq;
    if (!st && g.model_id)
        st = ims_store_count_faces(cx->store, g.model_id, &c, err);
    if (!st)
        st = ims_face_work_discovery(cx->engine, &last_us, &minimum, err);
    for (size_t i = 0; i < g.n; i++) {
        size += (double)g.list[i].cluster->n_unassigned / (double)g.n;
        confidence += ims__group_confidence(g.list[i].cluster) / (double)g.n;
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
    ims__arena_release(&g.arena);
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
ims_json *ims__api_unknown_faces(const struct ims_store_face *faces, size_t n, size_t limit)
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
ims_status ims__put_group(ims_json *o, const struct ims_store_cluster *c, const struct ims_store_face *faces, size_t n,
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
                 ims__put_int(o, "faceCount", c->n_unassigned) && ims__put_num(o, "clusterConfidence", ims__group_confidence(c)) &&
                 ims__put_num(o, "avgQuality", c->avg_quality)))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    return st;
}

ims_status ims__api_group_faces(struct ims_http_context *cx, const struct ims_store_cluster *c, struct ims_arena *arena,
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
        st = ims__api_group_faces(cx, c, &arena, &faces, &n, err);
    if (!st)
        st = ims__put_group(o, c, faces, n, &arena, err);
    if (!st && !ims__put(o, "faces", ims__api_unknown_faces(faces, n, n)))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
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
