/* Clusters that may be one person: which ones, and making them one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters_internal.h"

#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

/* ---- alike ones ---- */

struct mean {
    int64_t id;
    size_t n;
    float *vector; /* sum, then its direction */
};

static int compare_ids(const void *pa, const void *pb)
{
    const struct mean *a = pa, *b = pb;

    return (a->id > b->id) - (a->id < b->id);
}

static int compare_sizes(const void *pa, const void *pb)
{
    const struct mean *a = pa, *b = pb;

    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return compare_ids(pa, pb);
}

/* The clusters of the faces, each once, largest first. */
static ims_status find_clusters(const struct ims__face_set *f, struct mean **out, size_t *out_n, ims_err *err)
{
    struct mean *m = ims__zalloc(f->n + 1, sizeof(*m));
    size_t n = 0, n_found = 0;

    if (!m)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "comparing clusters");
    for (size_t i = 0; i < f->n; i++) {
        if (f->clusters[i])
            m[n++] = (struct mean){ .id = f->clusters[i], .n = 1 };
    }
    qsort(m, n, sizeof(*m), compare_ids);
    for (size_t i = 0; i < n; i++) {
        if (n_found && m[n_found - 1].id == m[i].id)
            m[n_found - 1].n++;
        else
            m[n_found++] = m[i];
    }
    qsort(m, n_found, sizeof(*m), compare_sizes);
    *out = m;
    *out_n = n_found < IMS_CLUSTERS_MAX_COMPARED ? n_found : IMS_CLUSTERS_MAX_COMPARED;
    return IMS_OK;
}

/* Directions of their sums; vectors has room for n x dim zeros. m becomes sorted by id. */
static void fill_means(const struct ims__face_set *f, struct mean *m, size_t n, float *vectors)
{
    qsort(m, n, sizeof(*m), compare_ids);
    for (size_t i = 0; i < n; i++)
        m[i].vector = vectors + i * f->dim;
    for (size_t i = 0; i < f->n; i++) {
        const struct mean key = { .id = f->clusters[i] };
        const struct mean *at = bsearch(&key, m, n, sizeof(*m), compare_ids);

        for (size_t d = 0; at && d < f->dim; d++)
            at->vector[d] += f->vectors[i * f->dim + d];
    }
    for (size_t i = 0; i < n; i++)
        (void)ims__kernels()->normalise_f32(m[i].vector, f->dim);
}

/* Puts the pair in its place among the best; the last one falls out when there is no room. */
static void keep_pair(struct ims_clusters_pair *out, size_t *n, size_t max, const struct ims_clusters_pair *pair)
{
    size_t at = *n;

    while (at > 0 && out[at - 1].similarity < pair->similarity)
        at--;
    if (at == max)
        return;
    if (*n < max)
        (*n)++;
    memmove(out + at + 1, out + at, (*n - at - 1) * sizeof(*out));
    out[at] = *pair;
}

static void compare_means(const struct mean *m, size_t n, size_t dim, double min_similarity, size_t max,
                          struct ims_clusters_pair *out, size_t *out_n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            double s = (double)ims__kernels()->dot_f32(m[i].vector, m[k].vector, dim);
            const struct ims_clusters_pair pair = { m[i].id, m[k].id, s > 1 ? 1 : s, m[i].n, m[k].n };

            if (s >= min_similarity)
                keep_pair(out, out_n, max, &pair);
        }
    }
}

ims_status ims_engine_alike_clusters(struct ims_engine *e, double min_similarity, size_t max_pairs,
                                     struct ims_clusters_pair *out, size_t *out_n, size_t *out_n_compared, ims_err *err)
{
    struct ims_store_face_filter filter = { .who = IMS_STORE_FACE_UNASSIGNED };
    struct ims__face_set f = { .n = 0 };
    struct mean *m = NULL;
    float *vectors = NULL;
    size_t n = 0;
    ims_status st = ims__clusters_model(e, &filter.model_id, err);

    if (!st)
        st = ims__face_set_load(&f, e, &filter, err);
    if (!st)
        st = find_clusters(&f, &m, &n, err);
    if (!st) {
        vectors = ims__zalloc(n * f.dim + 1, sizeof(*vectors));
        st = vectors ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "comparing clusters");
    }
    if (!st) {
        fill_means(&f, m, n, vectors);
        *out_n = 0;
        *out_n_compared = n;
        compare_means(m, n, f.dim, min_similarity, max_pairs, out, out_n);
    }
    ims__free(vectors);
    ims__free(m);
    ims__face_set_release(&f);
    return st;
}

/* ---- making them one ---- */

static ims_status load_cluster(struct ims_engine *e, int64_t model_id, int64_t id, struct ims__face_set *out, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id, .cluster_id = id };
    ims_status st = id > 0 ? ims__face_set_load(out, e, &filter, err) : IMS_OK;

    return st || out->n ? st
                        : ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "there is no cluster %lld, or not any more",
                                   (long long)id);
}

/* Mean cosine of all pairs: of n unit vectors with the sum s it is (|s|^2 - n) / (n (n - 1)). */
static ims_status confidence_of(const struct ims__face_set *a, const struct ims__face_set *b, double *out, ims_err *err)
{
    double n = (double)(a->n + b->n), sum = 0, *total = ims__zalloc(a->dim + 1, sizeof(*total));

    if (!total)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "joining clusters");
    for (size_t i = 0; i < a->n * a->dim; i++)
        total[i % a->dim] += (double)a->vectors[i];
    for (size_t i = 0; i < b->n * a->dim; i++)
        total[i % a->dim] += (double)b->vectors[i];
    for (size_t d = 0; d < a->dim; d++)
        sum += total[d] * total[d];
    ims__free(total);
    *out = (sum - n) / (n * (n - 1));
    *out = *out < 0 ? 0 : *out > 1 ? 1 : *out;
    return IMS_OK;
}

ims_status ims_engine_merge_clusters(struct ims_engine *e, int64_t into, int64_t from, size_t *out_n_faces,
                                     size_t *out_n_moved, ims_err *err)
{
    struct ims__face_set a = { .n = 0 }, b = { .n = 0 };
    struct ims_store_cluster_in cluster = { .id = into };
    struct ims_store_cluster_member *members = NULL;
    int64_t model_id = 0;
    ims_status st = ims__clusters_model(e, &model_id, err);

    if (!st && into == from)
        st = ims_fail(err, IMS_E_INVALID, "engine", 0, "a cluster is not merged into itself");
    if (!st)
        st = load_cluster(e, model_id, into, &a, err);
    if (!st)
        st = load_cluster(e, model_id, from, &b, err);
    if (!st)
        st = confidence_of(&a, &b, &cluster.confidence, err);
    if (!st) {
        members = ims__zalloc(b.n, sizeof(*members));
        st = members ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "joining clusters");
    }
    for (size_t i = 0; !st && i < b.n; i++)
        members[i] = (struct ims_store_cluster_member){ .face_id = b.ids[i], .probability = 1 };
    if (!st)
        st = ims_store_put_clusters(e->store, model_id, "merged", &cluster, 1, members, b.n, NULL, err);
    if (!st) {
        *out_n_faces = a.n + b.n;
        *out_n_moved = b.n;
    }
    ims__free(members);
    ims__face_set_release(&a);
    ims__face_set_release(&b);
    return st;
}
