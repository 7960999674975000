/* Clusters of faces: lists, one with its faces, giving it a name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"

#include "engine/clusters.h"

#include <string.h>

#define N_SAMPLES 5
#define MAX_NOISE_SHOWN 1000

/* ---- reading ---- */

static ims_json *cluster_json(const struct ims_store_cluster *c)
{
    double confidence = c->confidence < 0 ? 0 : c->confidence > 1 ? 1 : c->confidence;
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_cluster(o, "clusterId", c->id) && ims__put_int(o, "faceCount", c->n_faces) &&
                             ims__put(o, "sampleFaceIds", ims__api_ids(IMS_ID_FACE, c->samples, c->n_samples)) &&
                             ims__put_num(o, "avgQuality", c->avg_quality) &&
                             ims__put_num(o, "clusterConfidence", confidence) &&
                             ims__put_id(o, "representativeFaceId", IMS_ID_FACE, c->best_face_id) &&
                             ims__put_id(o, "personId", IMS_ID_PERSON, c->person_id) &&
                             ims__put_str(o, "personName", c->person));
}

IMS_API_HANDLER(ims__api_clusters_list)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_store_cluster_filter filter = { .include_assigned = ims__in_bool(rq->query, "include_labeled", false),
                                               .min_faces = ims__in_int(rq->query, "min_cluster_size", 0),
                                               .min_confidence = ims__in_num(rq->query, "min_confidence", 0),
                                               .no_dismissed = true };
    struct ims_arena arena;
    struct ims_store_cluster *found = NULL;
    size_t n = 0;
    int64_t total = 0;
    ims_json *items = ims__json_new_array();
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_store_clusters(cx->store, &filter, page.offset, page.size, &arena, &found, &n, &total, err);
    if (!st)
        st = ims_store_sample_clusters(cx->store, found, n, N_SAMPLES, &arena, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, cluster_json(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "clusters");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_plain_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

ims_status ims__api_find_cluster(struct ims_http_context *cx, const char *name, struct ims_arena *arena,
                                 struct ims_store_cluster **out, ims_err *err)
{
    struct ims_store_cluster_filter filter = { .id = ims__api_cluster_read(name), .include_assigned = true };
    size_t n = 0;
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    if (!st && filter.id)
        st = ims_store_clusters(cx->store, &filter, 0, 1, arena, out, &n, NULL, err);
    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such cluster, or not any more");
    return st;
}

static ims_status list_faces(struct ims_http_context *cx, const struct ims_store_face_filter *filter, int64_t limit,
                             struct ims_arena *arena, ims_json **out, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st =
        ims_store_faces(cx->store, filter, IMS_STORE_FACES_BY_QUALITY, 0, limit, arena, &faces, &n, NULL, err);

    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, ims__api_face(&faces[i], 0)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "faces");
    }
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

IMS_API_HANDLER(ims__api_cluster_get)
{
    const char *name = ims__in_str(rq->path, "cluster_id", "");
    const struct ims_store_cluster none = { .id = 0 };
    struct ims_store_cluster *found = NULL;
    const struct ims_store_cluster *c = &none;
    struct ims_store_face_filter filter = { 0 };
    struct ims_arena arena;
    ims_json *o, *faces = NULL;
    bool is_noise = strcmp(name, IMS_API_NO_CLUSTER) == 0;
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    ims__arena_init(&arena, 0);
    if (!st && !is_noise)
        st = ims__api_find_cluster(cx, name, &arena, &found, err);
    if (!st && found) {
        c = found;
        filter.cluster_id = c->id;
    } else if (!st) {
        filter.is_unclustered = true;
        filter.who = IMS_STORE_FACE_UNASSIGNED;
    }
    if (!st)
        st = list_faces(cx, &filter, is_noise ? MAX_NOISE_SHOWN : 0, &arena, &faces, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put(o, "faces", faces) && ims__put_str(o, "clusterId", name) &&
                              ims__put_id(o, "personId", IMS_ID_PERSON, c->person_id) &&
                              ims__put_str(o, "personName", c->person));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- naming ---- */

static ims_status count_prototypes(struct ims_http_context *cx, int64_t person_id, struct ims_arena *arena, int64_t *out,
                                   ims_err *err)
{
    struct ims_store_person *p = NULL;
    ims_status st = ims__api_find_person(cx, person_id, arena, &p, err);

    if (!st)
        *out = p->n_prototypes;
    return st;
}

static ims_status name_cluster(struct ims_http_context *cx, struct ims_people_name_cluster *what, struct ims_arena *arena,
                               ims_json **out, ims_err *err)
{
    struct ims_store_person *p = NULL;
    int64_t n_before = 0;
    ims_json *o;
    ims_status st = IMS_OK;

    if (what->name)
        st = ims_store_find_person(cx->store, what->name, &what->person_id, err);
    if (!st && what->person_id)
        st = count_prototypes(cx, what->person_id, arena, &n_before, err);
    if (!st)
        st = ims_people_name_cluster(cx->engine, &ims__api_by, what, err);
    if (!st)
        st = ims__api_find_person(cx, what->named_person_id, arena, &p, err);
    if (!st)
        st = ims__api_push_search(cx, p->id, 0, err);
    if (st)
        return st;
    o = ims__json_new_object();
    *out = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, p->id) && ims__put_str(o, "personName", p->name) &&
                             ims__put_int(o, "facesLabeled", (int64_t)what->n_faces) &&
                             ims__put_int(o, "prototypesCreated",
                                          p->n_prototypes > n_before ? p->n_prototypes - n_before : 0) &&
                             ims__put_id(o, "eventId", IMS_ID_EVENT, what->event_id));
    return IMS_OK;
}

IMS_API_HANDLER(ims__api_cluster_label)
{
    struct ims_people_name_cluster what = { .name = ims__in_str(rq->body, "name", NULL),
                                            .person_id = ims__in_id(rq->body, "personId", IMS_ID_PERSON) };
    const char *person = ims__in_str(rq->body, "personId", NULL);
    struct ims_store_cluster *c = NULL;
    struct ims_arena arena;
    int64_t *except = NULL;
    ims_json *o = NULL;
    ims_status st;

    if (!what.name == !person)
        return ims__reply_error(rp, 400, "say either name or personId");
    if (person && !what.person_id)
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such person");
    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st)
        st = ims__api_read_ids(ims__json_get(rq->body, "exceptFaceIds"), IMS_ID_FACE, &arena, &except, &what.n_except, err);
    if (!st) {
        what.cluster_id = c->id;
        what.except = except;
        st = name_cluster(cx, &what, &arena, &o, err);
    }
    if (!st)
        st = ims__reply_json(rp, 200, o, err);
    ims__arena_release(&arena);
    return st;
}

/* ---- splitting, dismissing ---- */

static ims_json *split_json(int64_t cluster_id, const int64_t *ids, size_t n)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    bool is_good = list != NULL;
    char text[IMS_API_ID_BYTES];

    for (size_t i = 0; is_good && i < n; i++)
        is_good = ims__json_add(list, ims__json_new_str(ims__api_cluster_text(ids[i], text))) == IMS_OK;
    list = ims__whole(list, is_good);
    return ims__whole(o, ims__put(o, "newClusters", list) && ims__put_cluster(o, "originalClusterId", cluster_id) &&
                             ims__put_str(o, "status", n ? "split" : "unchanged"));
}

IMS_API_HANDLER(ims__api_cluster_split)
{
    unsigned min_size = (unsigned)ims__in_int(rq->body, "minClusterSize", IMS_CLUSTERS_MIN_SIZE);
    struct ims_store_cluster *c = NULL;
    struct ims_arena arena;
    int64_t *ids = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st && c->n_faces > IMS_API_MAX_FACES_AT_ONCE)
        st = ims_fail(err, IMS_E_CONSTRAINT, "http", 0, "the cluster has %lld faces; cluster all faces anew instead",
                      (long long)c->n_faces);
    if (!st) {
        st = ims_engine_split_cluster(cx->engine, c->id, min_size, &ids, &n, err);
        if (st == IMS_E_CONSTRAINT) {
            ims__arena_release(&arena);
            return ims__reply_error(rp, 400, err->text);
        }
    }
    if (!st)
        st = ims__reply_json(rp, 200, split_json(c->id, ids, n), err);
    ims_engine_free(ids);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_cluster_dismiss)
{
    struct ims_store_cluster *c = NULL;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st)
        st = ims_people_dismiss_cluster(cx->engine, c->id, ims__in_str(rq->body, "reason", NULL),
                                        ims__in_bool(rq->body, "asNoise", false), err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_cluster(o, "clusterId", c->id) && ims__put_int(o, "faceCount", c->n_faces) &&
                              ims__put_str(o, "status", "dismissed"));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}
