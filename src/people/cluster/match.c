/* Lasting ids of clusters, faces of low quality, faces of known persons.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/groups.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- ids --- */

struct overlap {
    int32_t cluster;
    int64_t before;
    size_t n;
};

static int by_clusters(const void *x, const void *y)
{
    const struct overlap *a = x, *b = y;

    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    return a->before < b->before ? -1 : a->before > b->before;
}

static int largest_first(const void *x, const void *y)
{
    const struct overlap *a = x, *b = y;

    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    if (a->before != b->before)
        return a->before < b->before ? -1 : 1;
    return a->cluster < b->cluster ? -1 : a->cluster > b->cluster;
}

static int by_number(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* One entry for each pair of clusters that share faces. */
static size_t count_overlaps(struct overlap *o, size_t n)
{
    size_t n_different = 0;

    if (n)
        qsort(o, n, sizeof(*o), by_clusters);
    for (size_t i = 0; i < n; i++) {
        if (n_different && by_clusters(&o[i], &o[n_different - 1]) == 0)
            o[n_different - 1].n++;
        else
            o[n_different++] = o[i];
    }
    if (n_different)
        qsort(o, n_different, sizeof(*o), largest_first);
    return n_different;
}

ims_status ims__groups_match(const struct ims_labels *l, const int64_t *before, int64_t *out, ims_err *err)
{
    struct overlap *o = ims__alloc(l->n, sizeof(*o));
    int64_t *known = ims__alloc(l->n, sizeof(*known));
    bool *is_taken = ims__zalloc(l->n, sizeof(*is_taken));
    size_t n = 0, n_known = 0;
    ims_status st = IMS_OK;

    if (!o || !known || !is_taken) {
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "ids of %zu clusters", l->n_clusters);
        goto out;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->labels[i] >= 0 && before[i])
            o[n++] = (struct overlap){ l->labels[i], before[i], 1 };
    }
    for (size_t i = 0; i < n; i++)
        known[n_known++] = o[i].before;
    if (n_known)
        qsort(known, n_known, sizeof(*known), by_number);
    memset(out, 0, l->n_clusters * sizeof(*out));
    n = count_overlaps(o, n);
    for (size_t i = 0; i < n; i++) {
        const int64_t *place = bsearch(&o[i].before, known, n_known, sizeof(*known), by_number);
        size_t first = (size_t)(place - known);

        while (first && known[first - 1] == o[i].before)
            first--;
        if (out[o[i].cluster] || is_taken[first])
            continue;
        out[o[i].cluster] = o[i].before;
        is_taken[first] = true;
    }
out:
    ims__free(o);
    ims__free(known);
    ims__free(is_taken);
    return st;
}

/* --- faces by photo --- */

struct in_photo {
    int64_t photo;
    uint32_t face;
};

static int by_photo(const void *x, const void *y)
{
    const struct in_photo *a = x, *b = y;

    if (a->photo != b->photo)
        return a->photo < b->photo ? -1 : 1;
    return a->face < b->face ? -1 : a->face > b->face;
}

static ims_status index_photos(const int64_t *photos, size_t n, struct in_photo **out, ims_err *err)
{
    struct in_photo *index = ims__alloc(n, sizeof(*index));

    if (!index)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "photos of %zu faces", n);
    for (size_t i = 0; i < n; i++)
        index[i] = (struct in_photo){ photos ? photos[i] : (int64_t)i, (uint32_t)i };
    if (n && photos)
        qsort(index, n, sizeof(*index), by_photo);
    *out = index;
    return IMS_OK;
}

/* Does a face of the photo of face have that label already? */
static bool is_in_photo(const struct in_photo *index, size_t n, const int64_t *photos, uint32_t face,
                        const int32_t *labels, int32_t label)
{
    int64_t photo = photos ? photos[face] : (int64_t)face;
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index[middle].photo < photo)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && index[low].photo == photo; low++) {
        if (labels[index[low].face] == label)
            return true;
    }
    return false;
}

/* --- faces of low quality --- */

struct guest {
    float strength;
    uint32_t face;
    int32_t cluster;
};

static int strongest_first(const void *x, const void *y)
{
    const struct guest *a = x, *b = y;

    if (a->strength != b->strength)
        return a->strength > b->strength ? -1 : 1;
    return a->face < b->face ? -1 : a->face > b->face;
}

/* The cluster that a face would be in as a leaf of the tree, and how strongly. */
static struct guest find_host(const struct ims_labels *l, const struct ims_graph *g, unsigned min_samples,
                              const struct ims_points *core, const float *vector, float *scores)
{
    struct guest best = { .strength = -2, .cluster = IMS_NOISE };
    size_t nearest = 0;

    ims__kernels()->dot_f32_rows(vector, core->vectors, core->dim, core->n, core->dim, scores);
    for (size_t j = 1; j < core->n; j++) {
        if (scores[j] > scores[nearest])
            nearest = j;
    }
    if (core->n == 0 || l->labels[nearest] < 0)
        return best;
    best.strength = fminf(scores[nearest], ims__graph_core(g, nearest, min_samples));
    if (best.strength >= l->reaches[l->labels[nearest]])
        best.cluster = l->labels[nearest];
    return best;
}

ims_status ims__groups_join(const struct ims_labels *l, const struct ims_graph *graph, unsigned min_samples,
                            const struct ims_points *core, const struct ims_points *all, const bool *is_core,
                            const int64_t *photos, struct ims_labels *out, ims_err *err)
{
    struct guest *guests = ims__alloc(all->n, sizeof(*guests));
    float *scores = ims__alloc(core->n, sizeof(*scores));
    struct in_photo *index = NULL;
    size_t n_guests = 0, at = 0;
    ims_status st = ims__labels_init(out, all->n, err);

    if (st)
        goto out;
    st = guests && scores ? index_photos(photos, all->n, &index, err)
                          : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "faces of low quality");
    if (st) {
        ims__labels_release(out);
        goto out;
    }
    out->n_clusters = l->n_clusters;
    memcpy(out->reaches, l->reaches, l->n_clusters * sizeof(*out->reaches));
    for (size_t i = 0; i < all->n; i++) {
        if (!is_core[i]) {
            struct guest g = find_host(l, graph, min_samples, core, all->vectors + i * all->dim, scores);

            g.face = (uint32_t)i;
            out->outlier_scores[i] = 1;
            if (g.cluster >= 0)
                guests[n_guests++] = g;
            continue;
        }
        out->labels[i] = l->labels[at];
        out->probabilities[i] = l->probabilities[at];
        out->outlier_scores[i] = l->outlier_scores[at++];
    }
    if (n_guests)
        qsort(guests, n_guests, sizeof(*guests), strongest_first);
    for (size_t i = 0; i < n_guests; i++) {
        if (is_in_photo(index, all->n, photos, guests[i].face, out->labels, guests[i].cluster))
            continue;
        out->labels[guests[i].face] = guests[i].cluster;
        out->probabilities[guests[i].face] = fmaxf(guests[i].strength, 0);
        out->outlier_scores[guests[i].face] = 0;
    }
    st = ims__labels_number(out, err); /* a guest may be the first face now */
    if (st)
        ims__labels_release(out);
out:
    ims__free(guests);
    ims__free(scores);
    ims__free(index);
    return st;
}

/* --- faces of known persons --- */

struct claim {
    float score;
    uint32_t face, person;
};

static int best_first(const void *x, const void *y)
{
    const struct claim *a = x, *b = y;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->face != b->face)
        return a->face < b->face ? -1 : 1;
    return a->person < b->person ? -1 : a->person > b->person;
}

#define MAX_CLAIMS ((size_t)1 << 31)

static ims_status collect_claims(const struct ims_points *p, const float *centroids, size_t n_persons,
                                 const struct ims_assign_rules *rules, struct claim **claims, size_t *out_n, ims_err *err)
{
    float *scores = ims__alloc(n_persons, sizeof(*scores));
    size_t cap = 0, n = 0;
    ims_status st = scores ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "scores of %zu persons", n_persons);

    for (size_t i = 0; i < p->n && !st; i++) {
        ims__kernels()->dot_f32_rows(p->vectors + i * p->dim, centroids, p->dim, n_persons, p->dim, scores);
        for (size_t k = 0; k < n_persons && !st; k++) {
            if (!((double)scores[k] >= rules->threshold) || (rules->is_excluded && rules->is_excluded(rules->arg, i, k)) ||
                (rules->has && rules->photos && rules->has(rules->arg, rules->photos[i], k)))
                continue;
            if (!ims__grow((void **)claims, &cap, n, sizeof(**claims), MAX_CLAIMS))
                st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "matches of %zu faces", p->n);
            else
                (*claims)[n++] = (struct claim){ scores[k], (uint32_t)i, (uint32_t)k };
        }
    }
    ims__free(scores);
    *out_n = n;
    return st;
}

ims_status ims__groups_assign(const struct ims_points *points, const float *centroids, size_t n_persons,
                              const struct ims_assign_rules *rules, int32_t *out, float *scores, ims_err *err)
{
    struct claim *claims = NULL;
    struct in_photo *index = NULL;
    size_t n = 0;
    ims_status st = index_photos(rules->photos, points->n, &index, err);

    if (!st)
        st = collect_claims(points, centroids, n_persons, rules, &claims, &n, err);

    for (size_t i = 0; i < points->n && !st; i++) {
        out[i] = -1;
        scores[i] = 0;
    }
    if (!st && n)
        qsort(claims, n, sizeof(*claims), best_first);
    for (size_t i = 0; i < n && !st; i++) {
        if (out[claims[i].face] >= 0 || is_in_photo(index, points->n, rules->photos, claims[i].face, out,
                                                    (int32_t)claims[i].person))
            continue;
        out[claims[i].face] = (int32_t)claims[i].person;
        scores[claims[i].face] = claims[i].score;
    }
    ims__free(claims);
    ims__free(index);
    return st;
}
