/* Centroids and matching.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/identity/centroid.h"

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIM_FROM 50
#define TRIM_MORE_FROM 301

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "people", 0, "memory for a centroid");
}

struct ranked {
    float similarity;
    size_t i;
};

static int compare_ranked(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;

    if (a->similarity != b->similarity)
        return a->similarity < b->similarity ? -1 : 1;
    return (a->i < b->i) - (a->i > b->i); /* of equals the later one goes first */
}

/* The scaled mean of the vectors whose skip is not set. */
static ims_status mean(const struct ims_kernels *k, const float *vectors, size_t n, size_t dim,
                       const bool *skip, double *sum, float *out, ims_err *err)
{
    memset(sum, 0, dim * sizeof(*sum));
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; !skip[i] && d < dim; d++)
            sum[d] += (double)vectors[i * dim + d];
    }
    for (size_t d = 0; d < dim; d++)
        out[d] = (float)(sum[d] / (double)n);
    if (!(k->normalise_f32(out, dim) > 1e-6))
        return ims_fail(err, IMS_E_INVALID, "people", 0,
                        "the faces of a person point in all directions: there is no centroid");
    return IMS_OK;
}

static size_t n_to_trim(size_t n)
{
    if (n < TRIM_FROM)
        return 0;
    return n < TRIM_MORE_FROM ? n / 20 : n / 10;
}

ims_status ims_centroid(const struct ims_kernels *k, const float *vectors, size_t n, size_t dim,
                        float *out, size_t *out_n_trimmed, ims_err *err)
{
    size_t n_trim = n_to_trim(n);
    double *sum = ims__alloc(dim, sizeof(*sum));
    bool *skip = ims__zalloc(n, sizeof(*skip));
    float *result = ims__alloc(dim, sizeof(*result));
    struct ranked *ranked = ims__alloc(n, sizeof(*ranked));
    ims_status st = IMS_OK;

    if (!n)
        st = ims_fail(err, IMS_E_INVALID, "people", 0, "a centroid of no faces");
    else if (!sum || !skip || !result || !ranked)
        st = no_memory(err);
    if (!st)
        st = mean(k, vectors, n, dim, skip, sum, result, err);
    if (!st && n_trim) {
        for (size_t i = 0; i < n; i++)
            ranked[i] = (struct ranked){ k->dot_f32(result, vectors + i * dim, dim), i };
        qsort(ranked, n, sizeof(*ranked), compare_ranked);
        for (size_t i = 0; i < n_trim; i++)
            skip[ranked[i].i] = true;
        st = mean(k, vectors, n, dim, skip, sum, result, err);
    }
    if (!st) {
        memcpy(out, result, dim * sizeof(*out));
        *out_n_trimmed = n_trim;
    }
    ims__free(sum);
    ims__free(skip);
    ims__free(result);
    ims__free(ranked);
    return st;
}

ims_status ims_centroid_hash(const int64_t *ids, size_t n, char out[IMS_CENTROID_HASH_BYTES],
                             ims_err *err)
{
    struct ims_sha256 *h = NULL;
    uint8_t digest[IMS_SHA256_BYTES];
    char text[24];
    ims_status st = ims__sha256_new(&h, err);

    for (size_t i = 0; !st && i < n; i++) {
        int len = snprintf(text, sizeof(text), "%s%lld", i ? ":" : "", (long long)ids[i]);

        st = ims__sha256_add(h, text, (size_t)len, err);
    }
    if (!st)
        st = ims__sha256_end(h, digest, err);
    ims__sha256_free(h);
    if (!st)
        ims__hex(digest, IMS_CENTROID_HASH_BYTES / 2, out);
    return st;
}

static double clamp(double cosine)
{
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

void ims_match_person(const float *scores, const double *qualities, size_t n_prototypes,
                      double centroid, double threshold, struct ims_match *out)
{
    double best_quality = -1;

    *out = (struct ims_match){ .aggregate = -1, .confidence = -1, .best = n_prototypes };
    for (size_t i = 0; i < n_prototypes; i++) {
        double score = clamp((double)scores[i]);

        if (out->best == n_prototypes || score > out->aggregate) {
            out->aggregate = score;
            out->best = i;
        }
        if (score < threshold)
            continue;
        out->n_matches++;
        if (qualities[i] > best_quality) {
            best_quality = qualities[i];
            out->confidence = score;
        }
    }
    if (centroid > -2 && clamp(centroid) > out->aggregate)
        out->aggregate = clamp(centroid);
    if (!out->n_matches)
        out->confidence = centroid > -2 ? clamp(centroid) : out->aggregate;
}
