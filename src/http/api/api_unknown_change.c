/* Groups of unknown faces: looked for, joined, named, dismissed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"
#include "engine/face_work.h"
#include "http/api/api_progress.h"
#include "http/api/api_suggestions.h"

#include <string.h>

#define DISCOVER "discover"

/* ---- looking for them ---- */

struct discovery {
    const char *method;
    int64_t min_size, max_faces;
    double min_quality, eps, min_confidence;
};

/* body NULL: all as usual. */
static struct discovery read_discovery(const ims_json *body)
{
    return (struct discovery){ .method = ims__in_str(body, "clusteringMethod", "hdbscan"),
                               .min_size = ims__in_int(body, "minClusterSize", 5),
                               .max_faces = ims__in_int(body, "maxFaces", 50000),
                               .min_quality = ims__in_num(body, "minQuality", IMS_CLUSTERS_MIN_QUALITY),
                               .eps = ims__in_num(body, "eps", IMS_CLUSTERS_EPS),
                               .min_confidence = ims__in_num(body, "minClusterConfidence", IMS_FACE_WORK_MIN_CONFIDENCE) };
}

static ims_json *params_json(const struct discovery *d)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "clusteringMethod", d->method) && ims__put_int(o, "minClusterSize", d->min_size) &&
                             ims__put_num(o, "minQuality", d->min_quality) && ims__put_int(o, "maxFaces", d->max_faces) &&
                             ims__put_num(o, "minClusterConfidence", d->min_confidence) && ims__put_num(o, "eps", d->eps));
}

static ims_status push_discovery(struct ims_http_context *cx, const struct discovery *d, int64_t *out_job, ims_err *err)
{
    ims_json *args = ims__json_new_object();

    args = ims__whole(args, ims__put_str(args, "method", d->method) && ims__put_int(args, "min_size", d->min_size) &&
                                ims__put_num(args, "min_quality", d->min_quality) && ims__put_num(args, "eps", d->eps) &&
                                ims__put_int(args, "max_faces", d->max_faces) &&
                                ims__put_num(args, "min_confidence", d->min_confidence));
    return ims__api_push_work(cx, DISCOVER, DISCOVER, args, out_job, err);
}

IMS_API_HANDLER(ims__api_unknown_discover)
{
    const struct discovery d = read_discovery(rq->body);
    char key[IMS_API_PROGRESS_KEY_BYTES];
    int64_t job_id = 0;
    ims_json *o;
    ims_status st = push_discovery(cx, &d, &job_id, err);

    if (st)
        return st;
    ims__api_progress_key(DISCOVER, 0, job_id, key);
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_id(o, "jobId", IMS_ID_JOB, job_id) && ims__put_str(o, "status", "queued") &&
                                             ims__put_str(o, "progressKey", key) && ims__put(o, "params", params_json(&d))),
                           err);
}

/* ---- joining ---- */

IMS_API_HANDLER(ims__api_unknown_merge)
{
    int64_t into = ims__api_cluster_read(ims__in_str(rq->body, "groupAId", NULL));
    int64_t from = ims__api_cluster_read(ims__in_str(rq->body, "groupBId", NULL));
    size_t n_faces = 0, n_moved = 0;
    ims_json *o;
    ims_status st;

    if (!into || !from)
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such group, or not any more");
    st = ims_engine_merge_clusters(cx->engine, into, from, &n_faces, &n_moved, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_cluster(o, "mergedGroupId", into) &&
                                             ims__put_int(o, "totalFaces", (int64_t)n_faces) &&
                                             ims__put_int(o, "facesMoved", (int64_t)n_moved)),
                           err);
}

/* ---- naming ---- */

struct accepted {
    struct ims_people_name_cluster what;
    struct ims_store_person *person; /* afterwards */
    int64_t n_prototypes_before;
    int64_t find_more_job, discovery_job; /* 0 = none */
};

/* Looks for more faces of the person: by a draw of its faces, or by its prototypes as long as there are few. */
static ims_status push_more(struct ims_http_context *cx, struct accepted *a, ims_err *err)
{
    const struct ims_api_find_more more = { .person_id = a->person->id, .n_queries = IMS_PEOPLE_MORE_QUERIES };
    ims_json *args;

    if (a->person->n_faces >= IMS_PEOPLE_MORE_MIN_FACES)
        return ims__api_push_find_more(cx, &more, &a->find_more_job, err);
    args = ims__json_new_object();
    args = ims__whole(args, ims__put_int(args, "person", a->person->id));
    return ims__api_push_work(cx, "match", NULL, args, &a->find_more_job, err);
}

static ims_status name_group(struct ims_http_context *cx, const struct ims_http_request *rq, struct accepted *a,
                             struct ims_arena *arena, ims_err *err)
{
    const struct discovery as_usual = read_discovery(NULL);
    struct ims_store_person *before = NULL;
    ims_status st = IMS_OK;

    if (a->what.name)
        st = ims_store_find_person(cx->store, a->what.name, &a->what.person_id, err);
    if (!st && a->what.person_id) {
        st = ims__api_find_person(cx, a->what.person_id, arena, &before, err);
        a->n_prototypes_before = st ? 0 : before->n_prototypes;
    }
    if (!st)
        st = ims_people_name_cluster(cx->engine, &ims__api_by, &a->what, err);
    if (!st)
        st = ims__api_find_person(cx, a->what.named_person_id, arena, &a->person, err);
    if (!st)
        st = push_more(cx, a, err);
    if (!st && ims__in_bool(rq->body, "triggerReclustering", true))
        st = push_discovery(cx, &as_usual, &a->discovery_job, err);
    return st;
}

static ims_json *accepted_json(const struct accepted *a)
{
    ims_json *o = ims__json_new_object();
    int64_t n = a->person->n_prototypes - a->n_prototypes_before;

    return ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, a->person->id) &&
                             ims__put_str(o, "personName", a->person->name) &&
                             ims__put_int(o, "facesAssigned", (int64_t)a->what.n_faces) &&
                             ims__put_int(o, "facesExcluded", (int64_t)a->what.n_except) &&
                             ims__put_int(o, "prototypesCreated", n > 0 ? n : 0) &&
                             ims__put_id(o, "findMoreJobId", IMS_ID_JOB, a->find_more_job) &&
                             ims__put_id(o, "reclusteringJobId", IMS_ID_JOB, a->discovery_job) &&
                             ims__put_id(o, "assignmentEventId", IMS_ID_EVENT, a->what.event_id));
}

IMS_API_HANDLER(ims__api_unknown_accept)
{
    struct accepted a = { .what = { .name = ims__in_str(rq->body, "name", NULL),
                                    .person_id = ims__in_id(rq->body, "personId", IMS_ID_PERSON),
                                    .expected_hash = ims__in_str(rq->body, "membershipHash", NULL) } };
    const char *person = ims__in_str(rq->body, "personId", NULL);
    struct ims_store_cluster *c = NULL;
    struct ims_arena arena;
    int64_t *except = NULL;
    ims_status st;

    if (!a.what.name == !person)
        return ims__reply_error(rp, 400, "say either name or personId");
    if (person && !a.what.person_id)
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such person");
    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st)
        st = ims__api_read_ids(ims__json_get(rq->body, "faceIdsToExclude"), IMS_ID_FACE, &arena, &except, &a.what.n_except,
                               err);
    if (!st) {
        a.what.cluster_id = c->id;
        a.what.except = except;
        st = name_group(cx, rq, &a, &arena, err);
    }
    if (!st)
        st = ims__reply_json(rp, 200, accepted_json(&a), err);
    ims__arena_release(&arena);
    return st;
}

/* ---- dismissing ---- */

static ims_status hash_of(struct ims_http_context *cx, const struct ims_store_cluster *c, struct ims_arena *arena,
                          char hash[IMS_SHA256_HEX], size_t *out_n, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = c->model_id, .cluster_id = c->id };
    struct ims_store_face *faces = NULL;
    int64_t *ids;
    ims_status st = ims_store_faces(cx->store, &filter, IMS_STORE_FACES_BY_ID, 0, 0, arena, &faces, out_n, NULL, err);

    if (st)
        return st;
    ids = ims__arena_alloc(arena, *out_n + 1, sizeof(*ids));
    if (!ids)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "a group");
    for (size_t i = 0; i < *out_n; i++)
        ids[i] = faces[i].id;
    return ims_store_membership_hash(ids, *out_n, hash, err);
}

IMS_API_HANDLER(ims__api_unknown_dismiss)
{
    bool is_noise = ims__in_bool(rq->body, "markAsNoise", false);
    struct ims_store_cluster *c = NULL;
    struct ims_arena arena;
    char hash[IMS_SHA256_HEX] = "";
    size_t n = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_cluster(cx, ims__in_str(rq->path, "cluster_id", ""), &arena, &c, err);
    if (!st)
        st = hash_of(cx, c, &arena, hash, &n, err);
    if (!st)
        st = ims_people_dismiss_cluster(cx->engine, c->id, ims__in_str(rq->body, "reason", NULL), is_noise, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_cluster(o, "groupId", c->id) && ims__put_str(o, "membershipHash", hash) &&
                                               ims__put_int(o, "facesAffected", (int64_t)n) &&
                                               ims__put_bool(o, "markedAsNoise", is_noise)),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}
