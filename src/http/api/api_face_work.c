/* Work on faces that takes long: handed over to the background.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "engine/face_work.h"
#include "http/api/api_faces.h"
#include "http/api/api_files.h"
#include "http/api/api_progress.h"

#define MIN_SCORE 0.05 /* below it everything is a face */

ims_status ims__api_push_work(struct ims_http_context *cx, const char *func, const char *key, ims_json *take_args,
                              int64_t *out_id, ims_err *err)
{
    struct ims_store_job job = { .queue = "default", .func = func, .key = key };
    struct ims_buf text;
    int64_t id = 0;
    ims_status st;

    ims__buf_init(&text, IMS_MIB);
    st = take_args ? ims__json_write(take_args, 0, &text, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "a job");
    job.args_json = text.data;
    if (!st)
        st = ims__api_push(cx, &job, &id, err);
    ims__buf_release(&text);
    ims__json_free(take_args);
    if (!st && out_id)
        *out_id = id;
    return st;
}

/* The same, where an unfinished job with the same arguments is as good. */
static ims_status push_once(struct ims_http_context *cx, const char *func, ims_json *take_args, int64_t *out_id,
                            ims_err *err)
{
    struct ims_buf key;
    ims_status st;

    ims__buf_init(&key, IMS_MIB);
    st = ims__buf_addf(&key, "%s ", func) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "a job") : IMS_OK;
    if (!st && take_args)
        st = ims__json_write(take_args, 0, &key, err);
    if (st)
        ims__json_free(take_args);
    else
        st = ims__api_push_work(cx, func, key.data, take_args, out_id, err);
    ims__buf_release(&key);
    return st;
}

/* Not once: what is at work may have begun before the face was named. */
ims_status ims__api_push_search(struct ims_http_context *cx, int64_t person_id, int64_t face_id, ims_err *err)
{
    ims_json *args = ims__json_new_object();

    args = ims__whole(args, ims__put_int(args, "person", person_id) && (!face_id || ims__put_int(args, "face", face_id)));
    return ims__api_push_work(cx, face_id ? "propagate" : "match", NULL, args, NULL, err);
}

/* ---- grouping ---- */

/* jobId and progressKey of a job, or nulls. */
static bool put_job(ims_json *o, const char *func, int64_t job_id)
{
    char key[IMS_API_PROGRESS_KEY_BYTES];

    return ims__put_id(o, "jobId", IMS_ID_JOB, job_id) && ims__put_str(o, "status", job_id ? "queued" : "completed") &&
           ims__put_str(o, "progressKey", job_id ? ims__api_progress_key(func, 0, job_id, key) : NULL);
}

typedef ims_status (*group_fn)(struct ims_engine *e, const ims_json *args, ims_clusters_progress_fn on_progress, void *arg,
                               ims_json **out, ims_err *err);

/* Does it at once where faces are few, else hands it over: *out_result or *out_job. */
static ims_status group(struct ims_http_context *cx, const char *func, group_fn run, bool may_wait, ims_json *take_args,
                        ims_json **out_result, int64_t *out_job, ims_err *err)
{
    int64_t n = 0, max = ims__json_int(ims__json_get(take_args, "max_faces"), 0);
    ims_status st = ims_face_work_waiting(cx->engine, &n, err);

    *out_result = NULL;
    *out_job = 0;
    if (!st && !take_args)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "grouping faces");
    if (!st && !(max && n > max) && (!may_wait || n > IMS_API_MAX_FACES_AT_ONCE)) /* too many are refused at once */
        return push_once(cx, func, take_args, out_job, err);
    if (!st)
        st = run(cx->engine, take_args, NULL, NULL, out_result, err);
    ims__json_free(take_args);
    return st;
}

IMS_API_HANDLER(ims__api_faces_cluster)
{
    ims_json *args = ims__json_new_object(), *result = NULL, *o;
    int64_t job = 0;
    ims_status st;

    args = ims__whole(args, ims__put_num(args, "min_quality", ims__in_num(rq->body, "qualityThreshold", 0.5)) &&
                                ims__put_int(args, "min_size", ims__in_int(rq->body, "minClusterSize", 5)) &&
                                ims__put_int(args, "max_faces", ims__in_int(rq->body, "maxFaces", 0)));
    st = group(cx, "cluster_faces", ims_face_work_cluster, true, args, &result, &job, err);
    if (st)
        return st;
    o = result ? result : ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, (result || (ims__put_int(o, "totalFaces", 0) && ims__put_int(o, "clustersFound", 0) &&
                                                     ims__put_int(o, "noiseCount", 0))) &&
                                             put_job(o, "cluster_faces", job)),
                           err);
}

IMS_API_HANDLER(ims__api_faces_cluster_dual)
{
    ims_json *args = ims__json_new_object(), *result = NULL, *o;
    int64_t job = 0;
    ims_status st;

    args = ims__whole(args, ims__put_num(args, "threshold", ims__in_num(rq->body, "personThreshold", IMS_CLUSTERS_PERSON)) &&
                                ims__put_str(args, "method", ims__in_str(rq->body, "unknownMethod", "hdbscan")) &&
                                ims__put_int(args, "min_size", ims__in_int(rq->body, "unknownMinSize", 3)) &&
                                ims__put_num(args, "eps", ims__in_num(rq->body, "unknownEps", IMS_CLUSTERS_EPS)) &&
                                ims__put_int(args, "max_faces", ims__in_int(rq->body, "maxFaces", 0)));
    st = group(cx, "cluster_dual", ims_face_work_dual, !ims__in_bool(rq->body, "queue", true), args, &result, &job, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "result", result ? result : ims__json_new_null()) &&
                                             put_job(o, "cluster_dual", job)),
                           err);
}

/* ---- learning ---- */

IMS_API_HANDLER(ims__api_faces_train)
{
    ims_json *args = ims__json_new_object(), *o;
    int64_t job = 0;
    ims_status st;

    if (ims__in_str(rq->body, "checkpointPath", NULL)) {
        ims__json_free(args);
        return ims__reply_error(rp, 403, "a request cannot name a file to write; set FACE_MODEL_CHECKPOINT");
    }
    args = ims__whole(args, ims__put_int(args, "epochs", ims__in_int(rq->body, "epochs", 20)) &&
                                ims__put_num(args, "margin", ims__in_num(rq->body, "margin", 0.2)) &&
                                ims__put_int(args, "batch", ims__in_int(rq->body, "batchSize", 32)) &&
                                ims__put_num(args, "learning_rate", ims__in_num(rq->body, "learningRate", 0.0001)) &&
                                ims__put_int(args, "min_faces", ims__in_int(rq->body, "minFaces", 5)));
    st = push_once(cx, "train_faces", args, &job, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200, ims__whole(o, ims__put_null(o, "result") && put_job(o, "train_faces", job)), err);
}

/* ---- looking at one picture ---- */

/* Looks at the file of an asset; a run that failed on it is that failure. */
static ims_status look_at(struct ims_http_context *cx, const char *path, const ims_json *body, ims_err *err)
{
    double min_score = ims__in_num(body, "minConfidence", 0.5);
    struct ims_index_options o = { .dirs = &path,
                                   .n_dirs = 1,
                                   .min_face_score = min_score < MIN_SCORE ? MIN_SCORE : min_score,
                                   .min_face_px = (unsigned)ims__in_int(body, "minFaceSize", 20) };
    struct ims_index_summary s = { 0 };
    ims_status st = ims__api_check_path(cx->store, path, NULL, err);

    if (!st)
        st = ims_engine_detect_faces(cx->engine, IMS_FACES_REDO, &o, &s, err);
    if (!st && s.errors)
        st = ims_fail(err, IMS_E_FORMAT, "http", 0, "the picture cannot be looked at; its evidence tells why");
    return st;
}

static ims_json *detected_json(int64_t asset_id, const struct ims_store_face *faces, size_t n)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    bool is_good = list != NULL;
    char text[IMS_API_ID_BYTES];

    for (size_t i = 0; is_good && i < n; i++)
        is_good = ims__json_add(list, ims__json_new_str(ims__api_id_text(IMS_ID_FACE, faces[i].id, text))) == IMS_OK;
    list = ims__whole(list, is_good);
    return ims__whole(o, ims__put(o, "faceIds", list) && ims__put_int(o, "assetId", asset_id) &&
                             ims__put_int(o, "facesDetected", (int64_t)n));
}

IMS_API_HANDLER(ims__api_faces_detect)
{
    struct ims_store_face_filter filter = { .asset_id = ims__in_int(rq->path, "asset_id", 0) };
    struct ims_store_asset *asset = NULL;
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    size_t n_assets = 0, n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_assets(cx->store, &filter.asset_id, 1, &arena, &asset, &n_assets, err);
    if (!st && (!n_assets || asset->deleted_us))
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no asset %lld", (long long)filter.asset_id);
    if (!st)
        st = look_at(cx, asset->path, rq->body, err);
    if (!st)
        st = ims_people_model(cx->engine, &filter.model_id, err);
    if (!st)
        st = ims_store_faces(cx->store, &filter, IMS_STORE_FACES_BY_PHOTO, 0, 0, &arena, &faces, &n, NULL, err);
    if (!st)
        st = ims__reply_json(rp, 200, detected_json(filter.asset_id, faces, n), err);
    ims__arena_release(&arena);
    return st;
}

/* ---- suggestions ---- */

IMS_API_HANDLER(ims__api_person_regenerate)
{
    struct ims_arena arena;
    struct ims_store_person *p = NULL;
    ims_json *args, *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st && !p->n_prototypes) {
        ims__arena_release(&arena);
        return ims__reply_error(rp, 400, "the person has no prototypes: name some of its faces first");
    }
    if (!st) {
        args = ims__json_new_object();
        args = ims__whole(args, ims__put_int(args, "person", p->id) && ims__put_bool(args, "expire", true));
        st = push_once(cx, "match", args, NULL, err);
    }
    ims__arena_release(&arena);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_str(o, "status", "queued") &&
                                             ims__put_str(o, "message", "suggestions are looked for anew") &&
                                             ims__put_int(o, "expiredCount", 0)),
                           err);
}
