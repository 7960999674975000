/* The jobs about faces: grouping them, learning from those that have names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_internal.h"
#include "engine/face_work.h"
#include "engine/people.h"
#include "engine/work.h"
#include "ims/face_training.h"

#include <stdio.h>

/* The least that makes sense where clients may ask for less. */
#define MIN_TRAINING_FACES 4 /* of a person: some are held back to judge by */
#define MIN_BATCH 4
#define MIN_MARGIN 1e-6

/* ---- grouping ---- */

static double arg_num(const ims_json *args, const char *key, double fallback)
{
    return ims__json_num(ims__json_get(args, key), fallback);
}

static int64_t arg_int(const ims_json *args, const char *key, int64_t fallback)
{
    return ims__json_int(ims__json_get(args, key), fallback);
}

ims_status ims_face_work_waiting(struct ims_engine *e, int64_t *out, ims_err *err)
{
    struct ims_store_face_counts counts = { 0 };
    int64_t model_id = 0;
    ims_status st = ims_people_model(e, &model_id, err);

    if (!st && model_id)
        st = ims_store_count_faces(e->store, model_id, &counts, err);
    if (!st)
        *out = counts.unassigned;
    return st;
}

typedef ims_status (*cluster_fn)(struct ims_engine *e, const struct ims_clusters_options *o, struct ims_clusters_result *out,
                                 ims_err *err);

static ims_status run_clusters(struct ims_engine *e, cluster_fn run, const struct ims_clusters_options *o, int64_t max_faces,
                               struct ims_clusters_result *out, ims_err *err)
{
    int64_t n = 0;
    ims_status st = ims_face_work_waiting(e, &n, err);

    *out = (struct ims_clusters_result){ .lists = "" };
    if (!st && max_faces && n > max_faces)
        return ims_fail(err, IMS_E_LIMIT, "engine", 0, "%lld faces are waiting, more than the %lld that were allowed",
                        (long long)n, (long long)max_faces);
    return st || !n ? st : run(e, o, out, err);
}

struct count {
    const char *key;
    size_t n;
};

static ims_status counts_json(const struct count *counts, size_t n, ims_json **out, ims_err *err)
{
    ims_json *o = ims__json_new_object();
    bool is_good = o != NULL;

    for (size_t i = 0; is_good && i < n; i++)
        is_good = ims__json_set(o, counts[i].key, ims__json_new_int((int64_t)counts[i].n)) == IMS_OK;
    if (!is_good) {
        ims__json_free(o);
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "a result");
    }
    *out = o;
    return IMS_OK;
}

ims_status ims_face_work_cluster(struct ims_engine *e, const ims_json *args, ims_clusters_progress_fn on_progress, void *arg,
                                 ims_json **out, ims_err *err)
{
    struct ims_clusters_options o = { .min_cluster_size = (unsigned)arg_int(args, "min_size", 0),
                                      .eps = -1,
                                      .min_quality = arg_num(args, "min_quality", -1),
                                      .merge_similarity = -1,
                                      .on_progress = on_progress,
                                      .arg = arg };
    const char *method = ims__json_str(ims__json_get(args, "method"), NULL);
    struct ims_clusters_result r = { .lists = "" };
    ims_status st = ims_clusters_method_of(method ? method : "hdbscan", &o.method, err);

    if (o.method != IMS_CLUSTERS_HDBSCAN)
        o.eps = arg_num(args, "eps", -1);
    if (!st)
        st = run_clusters(e, ims_engine_cluster_faces, &o, arg_int(args, "max_faces", 0), &r, err);
    if (!st) {
        const struct count counts[] = { { "totalFaces", r.faces },
                                        { "clustersFound", r.clusters },
                                        { "noiseCount", r.noise } };

        st = counts_json(counts, IMS_ARRAY_LEN(counts), out, err);
    }
    return st;
}

ims_status ims_face_work_dual(struct ims_engine *e, const ims_json *args, ims_clusters_progress_fn on_progress, void *arg,
                              ims_json **out, ims_err *err)
{
    int64_t min_size = arg_int(args, "min_size", IMS_CLUSTERS_MIN_SIZE);
    struct ims_clusters_options o = { .min_cluster_size = (unsigned)(min_size < 2 ? 2 : min_size),
                                      .min_samples = (unsigned)(min_size < 1 ? 1 : min_size),
                                      .eps = -1,
                                      .min_quality = -1,
                                      .merge_similarity = -1,
                                      .person_threshold = arg_num(args, "threshold", -1),
                                      .on_progress = on_progress,
                                      .arg = arg };
    const char *method = ims__json_str(ims__json_get(args, "method"), NULL);
    struct ims_clusters_result r = { .lists = "" };
    ims_status st = ims_clusters_method_of(method ? method : "hdbscan", &o.method, err);

    if (o.method != IMS_CLUSTERS_HDBSCAN)
        o.eps = arg_num(args, "eps", -1);
    if (!st)
        st = run_clusters(e, ims_engine_cluster_dual, &o, arg_int(args, "max_faces", 0), &r, err);
    if (!st) {
        const struct count counts[] = { { "total_processed", r.faces },
                                        { "assigned_to_people", r.assigned },
                                        { "unknown_clusters", r.clusters },
                                        { "still_unlabeled", r.faces - r.assigned } };

        st = counts_json(counts, IMS_ARRAY_LEN(counts), out, err);
    }
    return st;
}

/* ---- as jobs ---- */

static bool on_clusters(void *arg, const char *phase, double fraction)
{
    char text[160];

    snprintf(text, sizeof(text), "{\"phase\":\"%.40s\",\"current\":%d,\"total\":100,\"message\":\"grouping faces\"}", phase,
             (int)(fraction * 100));
    return ims__task_beat(arg, text);
}

static ims_status leave(struct ims_task *t, ims_status st, ims_json *take_result, ims_err *err)
{
    struct ims_buf text;

    ims__buf_init(&text, 64 * IMS_KIB);
    if (!st)
        st = ims__json_write(take_result, 0, &text, err);
    if (!st) {
        t->result = ims__buf_take(&text, NULL);
        st = t->result ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "a job's result");
    }
    ims__buf_release(&text);
    ims__json_free(take_result);
    return st;
}

ims_status ims__work_cluster_faces(struct ims_task *t, ims_err *err)
{
    ims_json *result = NULL;
    ims_status st = ims_face_work_cluster(t->engine, t->args, on_clusters, t, &result, err);

    return leave(t, st, result, err);
}

/* ---- unknown persons ---- */

#define DISCOVERY "people.discovery" /* "microseconds minimum" of the last one */

ims_status ims_face_work_discovery(struct ims_engine *e, int64_t *out_us, double *out_min_confidence, ims_err *err)
{
    char *text = NULL;
    long long us = 0;
    double minimum = 0;
    ims_status st = ims_store_get_setting(e->store, DISCOVERY, &text, err);

    if (!st) {
        bool is_there = text && sscanf(text, "%lld %lf", &us, &minimum) == 2;

        *out_us = is_there ? us : 0;
        *out_min_confidence = is_there ? minimum : IMS_FACE_WORK_MIN_CONFIDENCE;
    }
    ims__free(text);
    return st;
}

ims_status ims__work_discover(struct ims_task *t, ims_err *err)
{
    ims_json *result = NULL;
    char text[64];
    ims_status st = ims_face_work_cluster(t->engine, t->args, on_clusters, t, &result, err);

    snprintf(text, sizeof(text), "%lld %.6f", (long long)ims__now_us(),
             arg_num(t->args, "min_confidence", IMS_FACE_WORK_MIN_CONFIDENCE));
    if (!st)
        st = ims_store_set_setting(t->engine->store, DISCOVERY, text, err);
    if (!st)
        return leave(t, st, result, err);
    ims__json_free(result);
    return st;
}

ims_status ims__work_cluster_dual(struct ims_task *t, ims_err *err)
{
    ims_json *result = NULL;
    ims_status st = ims_face_work_dual(t->engine, t->args, on_clusters, t, &result, err);

    return leave(t, st, result, err);
}

/* ---- learning ---- */

struct training {
    struct ims_task *task;
    double loss; /* of the last epoch */
};

static bool on_epoch(void *arg, const struct ims_face_training_progress *p)
{
    struct training *x = arg;
    char text[160];

    x->loss = p->loss;
    snprintf(text, sizeof(text), "{\"phase\":\"training\",\"current\":%d,\"total\":%d,\"message\":\"loss %.4f\"}", p->epoch,
             p->n_epochs, p->loss);
    return ims__task_beat(x->task, text);
}

static ims_status training_json(const struct ims_face_training_result *r, double loss, ims_json **out, ims_err *err)
{
    ims_json *o = ims__json_new_object();

    if (ims__json_set(o, "epochs", ims__json_new_int(r->epochs)) ||
        ims__json_set(o, "final_loss", ims__json_new_num(loss)) ||
        ims__json_set(o, "persons_trained", ims__json_new_int((int64_t)(r->persons - r->persons_held_out))) ||
        ims__json_set(o, "triplets_used", ims__json_new_int((int64_t)r->triplets)) ||
        ims__json_set(o, "faces_learned", ims__json_new_int((int64_t)r->learned)) ||
        ims__json_set(o, "gain", ims__json_new_num(r->gain)) ||
        ims__json_set(o, "version", ims__json_new_int(r->version)) ||
        ims__json_set(o, "is_active", ims__json_new_int(r->is_active))) {
        ims__json_free(o);
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "a result");
    }
    *out = o;
    return IMS_OK;
}

ims_status ims__work_train_faces(struct ims_task *t, ims_err *err)
{
    struct training x = { .task = t };
    int64_t min_faces = arg_int(t->args, "min_faces", 5), batch = arg_int(t->args, "batch", 32);
    double margin = arg_num(t->args, "margin", 0.2);
    const struct ims_face_training_options o = {
        .margin = margin < MIN_MARGIN ? MIN_MARGIN : margin,
        .learning_rate = arg_num(t->args, "learning_rate", 0),
        .epochs = (int)arg_int(t->args, "epochs", 0),
        .batch = (int)(batch < MIN_BATCH ? MIN_BATCH : batch),
        .min_faces = (size_t)(min_faces < MIN_TRAINING_FACES ? MIN_TRAINING_FACES : min_faces),
        .seed = 1,
        .on_epoch = on_epoch,
        .arg = &x,
    };
    struct ims_face_training_result r;
    ims_json *result = NULL;
    ims_status st = ims_engine_train_faces(t->engine, &o, &r, err);

    if (!st)
        st = training_json(&r, x.loss, &result, err);
    return leave(t, st, result, err);
}
