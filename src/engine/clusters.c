/* Clusters the faces that have no person, and splits a cluster.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"

#include "base/clock.h"
#include "device/device.h"
#include "engine/clusters_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const method_names[] = { [IMS_CLUSTERS_HDBSCAN] = "hdbscan",
                                            [IMS_CLUSTERS_DBSCAN] = "dbscan",
                                            [IMS_CLUSTERS_AGGLOMERATIVE] = "agglomerative" };

ims_status ims_clusters_method_of(const char *word, ims_clusters_method *out, ims_err *err)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(method_names); i++) {
        if (strcmp(word, method_names[i]) == 0) {
            *out = (ims_clusters_method)i;
            return IMS_OK;
        }
    }
    return ims_fail(err, IMS_E_INVALID, "engine", 0,
                    "\"%s\" is no way of clustering; there are hdbscan, dbscan and agglomerative", word);
}

const char *ims_clusters_method_name(ims_clusters_method method)
{
    return method_names[method];
}

struct ims_clusters_options ims__clusters_defaults(const struct ims_clusters_options *in)
{
    struct ims_clusters_options o = *in;

    if (o.min_cluster_size == 0)
        o.min_cluster_size = IMS_CLUSTERS_MIN_SIZE;
    if (o.min_samples == 0)
        o.min_samples = IMS_CLUSTERS_MIN_SAMPLES;
    if (o.eps < 0)
        o.eps = o.method == IMS_CLUSTERS_HDBSCAN ? 0 : IMS_CLUSTERS_EPS;
    if (o.min_quality < 0)
        o.min_quality = IMS_CLUSTERS_MIN_QUALITY;
    if (o.merge_similarity < 0)
        o.merge_similarity = IMS_CLUSTERS_MERGE;
    if (o.person_threshold < 0)
        o.person_threshold = IMS_CLUSTERS_PERSON;
    return o;
}

struct ims_graph_options ims__clusters_graph_options(const struct ims_engine *e, const struct ims_clusters_options *o)
{
    struct ims_graph_options g = { .n_threads = e->options.n_threads,
                                   .max_bytes = o->max_bytes,
                                   .on_progress = o->on_progress,
                                   .arg = o->arg };

    if (!g.n_threads)
        g.n_threads = ims_device_usable_cores();
    if (o->min_samples > IMS_GRAPH_MAX_SAMPLES)
        g.max_samples = o->min_samples;
    if (o->min_samples > IMS_GRAPH_NEIGHBOURS)
        g.n_neighbours = o->min_samples;
    return g;
}

ims_status ims__clusters_model(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    ims_status st = ims__engine_find_face_model(e, out_id, err);

    if (!st && *out_id == 0)
        return ims_fail(err, IMS_E_NOT_FOUND, "engine", 0,
                        "no face model has looked at this library yet; `imgsearch faces detect` does it");
    return st;
}

ims_status ims__clusters_check(const struct ims_clusters_options *o, ims_err *err)
{
    if (o->min_cluster_size < 2 || o->min_cluster_size > 1000000 || o->min_samples > 1024)
        return ims_fail(err, IMS_E_INVALID, "engine", 0,
                        "a cluster has at least 2 faces, and min_samples is at most 1024; not %u and %u",
                        o->min_cluster_size, o->min_samples);
    if (!(o->eps <= 2) || !(o->min_quality <= 1) || isnan(o->merge_similarity) || !(o->person_threshold <= 1))
        return ims_fail(err, IMS_E_INVALID, "engine", 0,
                        "eps is a cosine distance (0 to 2), quality and thresholds are 0 to 1");
    return IMS_OK;
}

static ims_status label(const struct ims_graph *g, const struct ims_points *p, const struct ims_graph_options *go,
                        const struct ims_clusters_options *o, struct ims_labels *out, ims_err *err)
{
    struct ims_hdbscan_options h = { .min_cluster_size = o->min_cluster_size,
                                     .min_samples = o->min_samples,
                                     .epsilon = o->eps,
                                     .use_leaves = o->use_leaves };

    switch (o->method) {
    case IMS_CLUSTERS_DBSCAN:
        return ims__dbscan(g, o->eps, o->min_samples, out, err);
    case IMS_CLUSTERS_AGGLOMERATIVE:
        return ims__average_linkage(g, p, o->eps, go, out, err);
    case IMS_CLUSTERS_HDBSCAN:
        break;
    }
    return ims__hdbscan(g, &h, out, err);
}

/* Clusters the faces of sufficient quality, applies the rules, lets the others join. */
static ims_status group(struct ims_engine *e, int64_t model_id, const struct ims__face_set *all,
                        const struct ims_clusters_options *o, struct ims_labels *out, struct ims_clusters_result *result,
                        ims_err *err)
{
    struct ims_graph_options go = ims__clusters_graph_options(e, o);
    struct ims_group_rules rules = { .merge_similarity = o->merge_similarity, .min_cluster_size = o->min_cluster_size };
    struct ims_points all_points = ims__face_set_points(all), points;
    bool *is_core = ims__zalloc(all->n, sizeof(*is_core));
    struct ims__face_set core = { 0 };
    struct ims_graph *g = NULL;
    struct ims_labels l = { 0 };
    ims_status st;

    if (!is_core)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the quality of %zu faces", all->n);
    for (size_t i = 0; i < all->n; i++) {
        is_core[i] = all->qualities[i] >= o->min_quality;
        result->low_quality += !is_core[i];
    }
    st = ims__face_set_part(&core, all, is_core, err);
    points = ims__face_set_points(&core);
    if (!st)
        st = ims__face_graph(&g, e, model_id, &core, &go, o->is_anew, &result->lists, err);
    if (!st)
        st = label(g, &points, &go, o, &l, err);
    rules.photos = core.contents;
    if (!st)
        st = ims__groups_apply(&l, &points, &rules, err);
    if (!st)
        st = ims__groups_join(&l, g, o->min_samples, &points, &all_points, is_core, all->contents, out, err);
    ims__labels_release(&l);
    ims__graph_free(g);
    ims__face_set_release(&core);
    ims__free(is_core);
    return st;
}

static ims_status store_groups(struct ims_engine *e, int64_t model_id, const char *method, const struct ims__face_set *f,
                               const struct ims_labels *l, struct ims_clusters_result *result, ims_err *err)
{
    struct ims_points points = ims__face_set_points(f);
    struct ims_store_cluster_in *clusters = ims__zalloc(l->n_clusters, sizeof(*clusters));
    struct ims_store_cluster_member *members = ims__zalloc(f->n, sizeof(*members));
    int64_t *ids = ims__zalloc(l->n_clusters, sizeof(*ids));
    double *confidence = ims__zalloc(l->n_clusters, sizeof(*confidence));
    ims_status st;

    if (!clusters || !members || !ids || !confidence) {
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "storing %zu clusters", l->n_clusters);
        goto out;
    }
    st = ims__groups_match(l, f->clusters, ids, err);
    if (!st)
        st = ims__groups_confidence(l, &points, confidence, err);
    if (st)
        goto out;
    for (size_t c = 0; c < l->n_clusters; c++) {
        clusters[c] = (struct ims_store_cluster_in){ .id = ids[c], .confidence = confidence[c] };
        result->kept += ids[c] != 0;
    }
    for (size_t i = 0; i < f->n; i++) {
        members[i] = (struct ims_store_cluster_member){ .face_id = f->ids[i],
                                                        .cluster = l->labels[i],
                                                        .probability = l->probabilities[i],
                                                        .outlier_score = l->outlier_scores[i] };
        result->clustered += l->labels[i] >= 0;
        result->noise += l->labels[i] < 0;
    }
    result->clusters = l->n_clusters;
    st = ims_store_put_clusters(e->store, model_id, method, clusters, l->n_clusters, members, f->n, NULL, err);
out:
    ims__free(clusters);
    ims__free(members);
    ims__free(ids);
    ims__free(confidence);
    return st;
}

ims_status ims__clusters_run(struct ims_engine *e, int64_t model_id, const struct ims_clusters_options *o,
                             struct ims_clusters_result *out, ims_err *err)
{
    struct ims_store_face_filter filter = { .model_id = model_id, .who = IMS_STORE_FACE_UNASSIGNED };
    struct ims__face_set f;
    struct ims_labels l = { 0 };
    ims_status st = ims__face_set_load(&f, e, &filter, err);

    if (st)
        return st;
    out->faces += f.n;
    if (f.n)
        st = group(e, model_id, &f, o, &l, out, err);
    if (!st && o->on_progress && !o->on_progress(o->arg, "storing", 0)) /* the last moment to cancel */
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the clustering was cancelled; nothing was changed");
    if (!st && f.n)
        st = store_groups(e, model_id, method_names[o->method], &f, &l, out, err);
    ims__labels_release(&l);
    ims__face_set_release(&f);
    return st;
}

ims_status ims_engine_cluster_faces(struct ims_engine *e, const struct ims_clusters_options *options,
                                    struct ims_clusters_result *out, ims_err *err)
{
    struct ims_clusters_options o = ims__clusters_defaults(options);
    struct ims_clusters_result result = { .lists = "" };
    uint64_t start = ims__mono_ns();
    int64_t model_id = 0;
    ims_status st = ims__clusters_check(&o, err);

    if (!st)
        st = ims__clusters_model(e, &model_id, err);
    if (!st)
        st = ims__clusters_run(e, model_id, &o, &result, err);
    if (st)
        return st;
    result.seconds = (double)(ims__mono_ns() - start) * 1e-9;
    *out = result;
    return IMS_OK;
}

/* --- splitting --- */

/* Noise stays: members of the new clusters alone are stored. */
static ims_status store_parts(struct ims_engine *e, int64_t model_id, const struct ims__face_set *f,
                              const struct ims_labels *l, int64_t *out_ids, ims_err *err)
{
    struct ims_points points = ims__face_set_points(f);
    struct ims_store_cluster_in *clusters = ims__zalloc(l->n_clusters, sizeof(*clusters));
    struct ims_store_cluster_member *members = ims__zalloc(f->n, sizeof(*members));
    double *confidence = ims__zalloc(l->n_clusters, sizeof(*confidence));
    size_t n = 0;
    ims_status st = clusters && members && confidence ? ims__groups_confidence(l, &points, confidence, err)
                                                      : ims_fail(err, IMS_E_NOMEM, "engine", 0, "splitting a cluster");

    for (size_t c = 0; c < l->n_clusters && !st; c++)
        clusters[c].confidence = confidence[c];
    for (size_t i = 0; i < f->n && !st; i++) {
        if (l->labels[i] >= 0)
            members[n++] = (struct ims_store_cluster_member){ .face_id = f->ids[i],
                                                              .cluster = l->labels[i],
                                                              .probability = l->probabilities[i],
                                                              .outlier_score = l->outlier_scores[i] };
    }
    if (!st)
        st = ims_store_put_clusters(e->store, model_id, "split", clusters, l->n_clusters, members, n, NULL, err);
    for (size_t c = 0; c < l->n_clusters && !st; c++)
        out_ids[c] = clusters[c].id;
    ims__free(clusters);
    ims__free(members);
    ims__free(confidence);
    return st;
}

static ims_status find_parts(struct ims_engine *e, const struct ims__face_set *f, unsigned min_size, struct ims_labels *out,
                             ims_err *err)
{
    struct ims_clusters_options o = { .min_samples = min_size < IMS_CLUSTERS_MIN_SAMPLES ? min_size
                                                                                         : IMS_CLUSTERS_MIN_SAMPLES };
    struct ims_graph_options go = ims__clusters_graph_options(e, &o);
    struct ims_hdbscan_options h = { .min_cluster_size = min_size, .min_samples = o.min_samples };
    struct ims_points points = ims__face_set_points(f);
    struct ims_graph *g = NULL;
    ims_status st = ims__graph_build(&g, &points, &go, err);

    if (!st)
        st = ims__hdbscan(g, &h, out, err);
    ims__graph_free(g);
    return st;
}

ims_status ims_engine_split_cluster(struct ims_engine *e, int64_t cluster_id, unsigned min_cluster_size, int64_t **out_ids,
                                    size_t *out_n, ims_err *err)
{
    unsigned min_size = min_cluster_size ? min_cluster_size : IMS_CLUSTERS_MIN_SIZE;
    struct ims_store_face_filter filter = { .cluster_id = cluster_id, .who = IMS_STORE_FACE_UNASSIGNED };
    struct ims__face_set f = { 0 };
    struct ims_labels l = { 0 };
    int64_t *ids = NULL;
    ims_status st;

    if (cluster_id <= 0 || min_size < 2 || min_size > 1000000)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "a cluster has a number from 1 on and at least 2 faces");
    st = ims__clusters_model(e, &filter.model_id, err);
    if (!st)
        st = ims__face_set_load(&f, e, &filter, err);
    if (!st && f.n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0,
                      "there is no cluster %" PRId64 " with unnamed faces (any more); clusters change when faces are "
                      "clustered again", cluster_id);
    if (!st && f.n < 2 * (size_t)min_size)
        st = ims_fail(err, IMS_E_CONSTRAINT, "engine", 0, "cluster %" PRId64 " has %zu faces: too few for two of %u",
                      cluster_id, f.n, min_size);
    if (!st)
        st = find_parts(e, &f, min_size, &l, err);
    if (!st && l.n_clusters < 2)
        l.n_clusters = 0; /* it holds together */
    if (!st) {
        ids = ims__zalloc(l.n_clusters, sizeof(*ids));
        if (!ids)
            st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "splitting a cluster");
    }
    if (!st && l.n_clusters)
        st = store_parts(e, filter.model_id, &f, &l, ids, err);
    if (!st) {
        *out_ids = ids;
        *out_n = l.n_clusters;
        ids = NULL;
    }
    ims__free(ids);
    ims__labels_release(&l);
    ims__face_set_release(&f);
    return st;
}
