/* The rules that a clustering knows nothing of: photos, users, average similarity.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/groups.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct work {
    struct ims_labels *l;
    const struct ims_points *points;
    const struct ims_group_rules *rules;
    size_t n;       /* clusters, some of them empty */
    float *sums;    /* n x dim: of unit vectors */
    uint32_t *sizes;
    bool *is_linked; /* the user had a say in it */
};

static void add_vector(struct work *w, size_t cluster, size_t face, float sign)
{
    const struct ims_points *p = w->points;
    float *sum = w->sums + cluster * p->dim;

    for (size_t k = 0; k < p->dim; k++)
        sum[k] += sign * p->vectors[face * p->dim + k];
    w->sizes[cluster] += sign > 0 ? 1 : (uint32_t)-1;
}

static void move_face(struct work *w, size_t face, int32_t to)
{
    if (w->l->labels[face] >= 0)
        add_vector(w, (size_t)w->l->labels[face], face, -1);
    w->l->labels[face] = to;
    w->l->probabilities[face] = to < 0 ? 0 : w->l->probabilities[face];
    if (to >= 0)
        add_vector(w, (size_t)to, face, 1);
}

static void join_clusters(struct work *w, int32_t a, int32_t b)
{
    size_t dim = w->points->dim;

    for (size_t i = 0; i < w->l->n; i++) {
        if (w->l->labels[i] == b)
            w->l->labels[i] = a;
    }
    for (size_t k = 0; k < dim; k++)
        w->sums[(size_t)a * dim + k] += w->sums[(size_t)b * dim + k];
    w->sizes[a] += w->sizes[b];
    w->sizes[b] = 0;
    w->is_linked[a] |= w->is_linked[b];
    w->l->reaches[a] = fminf(w->l->reaches[a], w->l->reaches[b]);
}

/* --- what the user said --- */

static int by_pair(const void *x, const void *y)
{
    const struct ims_face_pair *a = x, *b = y;

    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

static bool has_pair(const struct ims_face_pair *sorted, size_t n, uint32_t a, uint32_t b)
{
    struct ims_face_pair key = { a < b ? a : b, a < b ? b : a };

    return n && bsearch(&key, sorted, n, sizeof(key), by_pair);
}

/* A sorted copy with the smaller place first. */
static ims_status sort_pairs(const struct ims_face_pair *in, size_t n, size_t n_faces, struct ims_face_pair **out,
                             ims_err *err)
{
    struct ims_face_pair *pairs = ims__alloc(n, sizeof(*pairs));

    if (!pairs)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "links of faces");
    for (size_t i = 0; i < n; i++) {
        if (in[i].a >= n_faces || in[i].b >= n_faces || in[i].a == in[i].b) {
            ims__free(pairs);
            return ims_fail(err, IMS_E_INVALID, "cluster", 0, "a link between places %" PRIu32 " and %" PRIu32 " of %zu",
                            in[i].a, in[i].b, n_faces);
        }
        pairs[i] = in[i].a < in[i].b ? in[i] : (struct ims_face_pair){ in[i].b, in[i].a };
    }
    if (n)
        qsort(pairs, n, sizeof(*pairs), by_pair);
    *out = pairs;
    return IMS_OK;
}

static ims_status link_faces(struct work *w, const struct ims_face_pair *cannot, ims_err *err)
{
    for (size_t i = 0; i < w->rules->n_must_link; i++) {
        uint32_t a = w->rules->must_link[i].a, b = w->rules->must_link[i].b;
        int32_t x = w->l->labels[a], y = w->l->labels[b];

        if (has_pair(cannot, w->rules->n_cannot_link, a, b))
            return ims_fail(err, IMS_E_INVALID, "cluster", 0,
                            "faces %" PRId64 " and %" PRId64 " are said to be one person and to be two",
                            w->points->ids[a], w->points->ids[b]);
        if (x == IMS_NOISE && y == IMS_NOISE)
            x = (int32_t)w->n++; /* there is room: setup counted the links */
        if (x == IMS_NOISE)
            x = y;
        if (y != IMS_NOISE && x != y)
            join_clusters(w, x, y);
        for (int end = 0; end < 2; end++) {
            if (w->l->labels[end ? b : a] != x) {
                move_face(w, end ? b : a, x);
                w->l->probabilities[end ? b : a] = 1;
            }
        }
        w->is_linked[x] = true;
    }
    return IMS_OK;
}

/* --- two faces that cannot be the same person --- */

struct member {
    int32_t cluster;
    int64_t photo;
    uint32_t face;
    float likeness; /* to its cluster's mean */
};

static int by_photo(const void *x, const void *y)
{
    const struct member *a = x, *b = y;

    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    if (a->photo != b->photo)
        return a->photo < b->photo ? -1 : 1;
    if (a->likeness != b->likeness)
        return a->likeness > b->likeness ? -1 : 1;
    return a->face < b->face ? -1 : a->face > b->face;
}

static float likeness_of(const struct work *w, size_t face, int32_t cluster)
{
    const struct ims_points *p = w->points;

    return ims__kernels()->dot_f32(p->vectors + face * p->dim, w->sums + (size_t)cluster * p->dim, p->dim) /
           (float)w->sizes[cluster];
}

static size_t list_members(const struct work *w, struct member *out)
{
    size_t n = 0;

    for (size_t i = 0; i < w->l->n; i++) {
        int32_t c = w->l->labels[i];

        if (c >= 0)
            out[n++] = (struct member){ c, w->rules->photos ? w->rules->photos[i] : (int64_t)i, (uint32_t)i,
                                        likeness_of(w, i, c) };
    }
    qsort(out, n, sizeof(*out), by_photo);
    return n;
}

static ims_status part_photos(struct work *w, const struct ims_face_pair *must, ims_err *err)
{
    struct member *members = ims__alloc(w->l->n, sizeof(*members));
    size_t n, best = 0;

    if (!members)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "members of clusters");
    n = list_members(w, members);
    for (size_t i = 1; i < n; i++) {
        if (members[i].cluster != members[best].cluster || members[i].photo != members[best].photo)
            best = i;
        else if (!has_pair(must, w->rules->n_must_link, members[best].face, members[i].face))
            move_face(w, members[i].face, IMS_NOISE);
    }
    ims__free(members);
    for (size_t i = 0; i < w->rules->n_cannot_link; i++) {
        uint32_t a = w->rules->cannot_link[i].a, b = w->rules->cannot_link[i].b;
        int32_t c = w->l->labels[a];

        if (c >= 0 && c == w->l->labels[b])
            move_face(w, likeness_of(w, a, c) < likeness_of(w, b, c) ? a : b, IMS_NOISE);
    }
    return IMS_OK;
}

static bool is_apart(const struct work *w, const struct member *members, size_t n, int32_t a, int32_t b)
{
    size_t i = 0, j = 0;

    for (size_t p = 0; p < w->rules->n_cannot_link; p++) {
        int32_t x = w->l->labels[w->rules->cannot_link[p].a], y = w->l->labels[w->rules->cannot_link[p].b];

        if ((x == a && y == b) || (x == b && y == a))
            return true;
    }
    if (!w->rules->photos)
        return false;
    while (i < n && members[i].cluster != a)
        i++;
    while (j < n && members[j].cluster != b)
        j++;
    while (i < n && j < n && members[i].cluster == a && members[j].cluster == b) {
        if (members[i].photo == members[j].photo)
            return true;
        if (members[i].photo < members[j].photo)
            i++;
        else
            j++;
    }
    return false;
}

/* --- merging --- */

#define MAX_PAIRS ((size_t)1 << 28)

struct pair {
    float similarity;
    int32_t a, b; /* a < b */
};

struct merging {
    struct pair *pairs; /* of live clusters, at or above the threshold */
    size_t n, cap;
    float *means, *scores; /* n x dim, n */
};

/* Pairs of cluster c with those before it, or with all. */
static ims_status add_pairs(struct work *w, struct merging *m, size_t c, bool with_all, ims_err *err)
{
    size_t dim = w->points->dim, n_others = with_all ? w->n : c;

    ims__kernels()->dot_f32_rows(m->means + c * dim, m->means, dim, n_others, dim, m->scores);
    for (size_t b = 0; b < n_others; b++) {
        if (b == c || !w->sizes[b] || !w->sizes[c] || !((double)m->scores[b] >= w->rules->merge_similarity))
            continue;
        if (!ims__grow((void **)&m->pairs, &m->cap, m->n, sizeof(*m->pairs), MAX_PAIRS))
            return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "merging %zu clusters", w->n);
        m->pairs[m->n++] = (struct pair){ m->scores[b], (int32_t)(b < c ? b : c), (int32_t)(b < c ? c : b) };
    }
    return IMS_OK;
}

/* Takes the most similar pair out; equal ones by their numbers. */
static bool take_best(struct merging *m, struct pair *out)
{
    size_t best = 0;

    if (m->n == 0)
        return false;
    for (size_t i = 1; i < m->n; i++) {
        const struct pair *x = &m->pairs[i], *y = &m->pairs[best];

        if (x->similarity > y->similarity ||
            (x->similarity == y->similarity && (x->a < y->a || (x->a == y->a && x->b < y->b))))
            best = i;
    }
    *out = m->pairs[best];
    m->pairs[best] = m->pairs[--m->n];
    return true;
}

static void forget(struct merging *m, int32_t c)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->pairs[i].a != c && m->pairs[i].b != c)
            m->pairs[n++] = m->pairs[i];
    }
    m->n = n;
}

static void set_mean(const struct work *w, size_t c, float *means)
{
    size_t dim = w->points->dim;

    for (size_t k = 0; k < dim; k++)
        means[c * dim + k] = w->sizes[c] ? w->sums[c * dim + k] / (float)w->sizes[c] : 0;
}

static ims_status merge_best(struct work *w, struct merging *m, struct member *members, ims_err *err)
{
    size_t n_members = list_members(w, members);
    struct pair best;
    ims_status st = IMS_OK;

    while (!st && take_best(m, &best)) {
        if (is_apart(w, members, n_members, best.a, best.b))
            continue;
        join_clusters(w, best.a, best.b);
        set_mean(w, (size_t)best.a, m->means);
        forget(m, best.a);
        forget(m, best.b);
        st = add_pairs(w, m, (size_t)best.a, true, err);
        n_members = list_members(w, members);
    }
    return st;
}

static ims_status merge_similar(struct work *w, ims_err *err)
{
    struct member *members = ims__alloc(w->l->n, sizeof(*members));
    struct merging m = { .means = ims__alloc(w->n, w->points->dim * sizeof(*m.means)),
                         .scores = ims__alloc(w->n, sizeof(*m.scores)) };
    ims_status st = IMS_OK;

    if (!members || !m.means || !m.scores)
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "merging %zu clusters", w->n);
    for (size_t c = 0; c < w->n && !st; c++) {
        set_mean(w, c, m.means);
        st = add_pairs(w, &m, c, false, err);
    }
    if (!st)
        st = merge_best(w, &m, members, err);
    ims__free(members);
    ims__free(m.means);
    ims__free(m.scores);
    ims__free(m.pairs);
    return st;
}

static void drop_small(struct work *w)
{
    for (size_t i = 0; i < w->l->n; i++) {
        int32_t c = w->l->labels[i];

        if (c >= 0 && w->sizes[c] < w->rules->min_cluster_size && !w->is_linked[c]) {
            w->l->labels[i] = IMS_NOISE;
            w->l->probabilities[i] = 0;
        }
    }
}

/* Numbers by first face; reaches go with their clusters. */
static ims_status renumber(struct work *w, ims_err *err)
{
    int32_t *before = ims__memdup(w->l->labels, w->l->n * sizeof(*before));
    float *reaches = ims__memdup(w->l->reaches, w->l->n * sizeof(*reaches));
    ims_status st = before && reaches ? ims__labels_number(w->l, err)
                                      : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "labels of %zu faces", w->l->n);

    for (size_t i = 0; i < w->l->n && !st; i++) {
        if (before[i] >= 0)
            w->l->reaches[w->l->labels[i]] = reaches[before[i]];
    }
    ims__free(before);
    ims__free(reaches);
    return st;
}

static ims_status work_init(struct work *w, ims_err *err)
{
    size_t room = w->l->n_clusters + w->rules->n_must_link;

    w->n = w->l->n_clusters;
    w->sums = ims__zalloc(room, w->points->dim * sizeof(*w->sums));
    w->sizes = ims__zalloc(room, sizeof(*w->sizes));
    w->is_linked = ims__zalloc(room, sizeof(*w->is_linked));
    if (!w->sums || !w->sizes || !w->is_linked)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "means of %zu clusters", room);
    for (size_t i = 0; i < w->l->n; i++) {
        if (w->l->labels[i] >= 0)
            add_vector(w, (size_t)w->l->labels[i], i, 1);
    }
    return IMS_OK;
}

ims_status ims__groups_apply(struct ims_labels *l, const struct ims_points *points, const struct ims_group_rules *rules,
                             ims_err *err)
{
    struct work w = { .l = l, .points = points, .rules = rules };
    struct ims_face_pair *must = NULL, *cannot = NULL;
    ims_status st = sort_pairs(rules->must_link, rules->n_must_link, l->n, &must, err);

    if (!st)
        st = sort_pairs(rules->cannot_link, rules->n_cannot_link, l->n, &cannot, err);
    if (!st)
        st = work_init(&w, err);
    if (!st)
        st = link_faces(&w, cannot, err);
    if (!st)
        st = part_photos(&w, must, err);
    if (!st && rules->merge_similarity <= 1 && w.n > 1)
        st = merge_similar(&w, err);
    if (!st) {
        drop_small(&w);
        st = renumber(&w, err);
    }
    ims__free(w.sums);
    ims__free(w.sizes);
    ims__free(w.is_linked);
    ims__free(must);
    ims__free(cannot);
    return st;
}

ims_status ims__groups_confidence(const struct ims_labels *l, const struct ims_points *points, double *out, ims_err *err)
{
    size_t dim = points->dim;
    float *sums = ims__zalloc(l->n_clusters, dim * sizeof(*sums));
    double *sizes = ims__zalloc(l->n_clusters, 2 * sizeof(*sizes)), *squares = sizes ? sizes + l->n_clusters : NULL;

    if (!sums || !sizes) {
        ims__free(sums);
        ims__free(sizes);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "confidence of %zu clusters", l->n_clusters);
    }
    for (size_t i = 0; i < l->n; i++) {
        const float *v = points->vectors + i * dim;

        if (l->labels[i] < 0)
            continue;
        for (size_t k = 0; k < dim; k++)
            sums[(size_t)l->labels[i] * dim + k] += v[k];
        sizes[l->labels[i]] += 1;
        squares[l->labels[i]] += ims__kernels()->dot_wide(v, v, dim);
    }
    /* |sum|^2 holds each pair twice and each face with itself. */
    for (size_t c = 0; c < l->n_clusters; c++) {
        const float *sum = sums + c * dim;
        double all = ims__kernels()->dot_wide(sum, sum, dim) - squares[c];

        out[c] = sizes[c] < 2 ? 1 : fmin(fmax(all / (sizes[c] * (sizes[c] - 1)), 0), 1);
    }
    ims__free(sums);
    ims__free(sizes);
    return IMS_OK;
}
