/* A neighbour graph that grows: new faces are compared with everything, old ones only with them.
 *
 * What is unlisted stays below its bounds: a new neighbour enters a list when it is above the bound, and the neighbour
 * that leaves raises the bound and is kept as a bridge. Core similarities only rise, so a way through the old tree
 * that made a pair superfluous still does (docs/notes/clustering.md).
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define SCAN_ROWS 1024
#define MAX_NEW_SHARE 20 /* more than one face in this many is new: building anew is faster */
#define FEW ((size_t)64)

struct extend {
    struct ims_graph *g;
    struct run *run;
    struct filter filter;
    uint32_t *new_places;
    size_t n_new;
    bool *is_new;
    size_t bridge_cap;
    int8_t *query;
    uint64_t *keys;  /* room for 3 k */
    float *uppers;   /* n: what the cosine of the new face and each other is at most */
};

/* Puts a neighbour into a sorted list; the one that falls out goes to *out_dropped. */
static void insert(struct ims_graph *g, size_t i, uint32_t place, float similarity, struct ims_graph_edge *out_dropped)
{
    uint32_t *neighbours = g->neighbours + i * g->k;
    float *similarities = g->similarities + i * g->k;
    uint64_t key = ims__rank_key(similarity, place);
    size_t p = g->k - 1;

    *out_dropped = (struct ims_graph_edge){ (uint32_t)i, neighbours[p], similarities[p] };
    if (ims__rank_key(similarities[p], neighbours[p]) > key) {
        *out_dropped = (struct ims_graph_edge){ (uint32_t)i, place, similarity };
        return;
    }
    for (; p > 0 && ims__rank_key(similarities[p - 1], neighbours[p - 1]) < key; p--) {
        neighbours[p] = neighbours[p - 1];
        similarities[p] = similarities[p - 1];
    }
    neighbours[p] = place;
    similarities[p] = similarity;
}

/* An old face hears of a new one. */
static ims_status tell(struct extend *x, uint32_t old, uint32_t place, ims_err *err)
{
    struct ims_graph *g = x->g;
    struct ims_graph_edge dropped;
    float similarity = ims__run_cosine(x->run, old, place);

    if (similarity <= g->bounds[old])
        return IMS_OK;
    insert(g, old, place, similarity, &dropped);
    g->bounds[old] = fmaxf(g->bounds[old], dropped.similarity);
    if (!ims__grow((void **)&g->bridges, &x->bridge_cap, g->n_bridges, sizeof(*g->bridges), SIZE_MAX / 64))
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "edges of new faces");
    g->bridges[g->n_bridges++] = dropped;
    return IMS_OK;
}

/* Upper bounds of the cosine with everything; and the best by them in keys. Returns how many. */
static size_t scan(struct extend *x, uint32_t place, float *out_lowest)
{
    const struct filter *f = &x->filter;
    const uint8_t *row = f->bytes + (size_t)place * f->stride;
    size_t n = 0, n_kept = 2 * x->g->k;
    int32_t scores[SCAN_ROWS];

    for (size_t k = 0; k < f->stride; k++)
        x->query[k] = (int8_t)(row[k] - 128);
    *out_lowest = -INFINITY;
    for (size_t first = 0; first < x->g->n; first += SCAN_ROWS) {
        size_t n_rows = x->g->n - first < SCAN_ROWS ? x->g->n - first : SCAN_ROWS;

        x->run->kernels->dot_u8_rows(x->query, f->bytes + first * f->stride, f->stride, n_rows, f->stride, scores);
        for (size_t j = 0; j < n_rows; j++) {
            float upper = (float)((double)scores[j] * f->unit + (double)f->margins[place]);

            x->uppers[first + j] = upper;
            if (upper < *out_lowest || first + j == place)
                continue;
            x->keys[n++] = ims__rank_key(upper, (uint32_t)(first + j));
            if (n < 3 * x->g->k)
                continue;
            ims__rank_select(x->keys, n, n_kept);
            n = n_kept;
            *out_lowest = ims__rank_lowest(x->keys, n);
        }
    }
    return n;
}

/* The list of a new face. */
static void make_list(struct extend *x, uint32_t place)
{
    struct ims_graph *g = x->g;
    float lowest, floor;
    size_t n = scan(x, place, &lowest);
    struct ims_graph_edge dropped;

    for (size_t j = 0; j < n; j++) {
        uint32_t other = ims__rank_place(x->keys[j]);

        x->keys[j] = ims__rank_key(ims__run_cosine(x->run, place, other), other);
        x->uppers[other] = -2; /* settled */
    }
    ims__rank_sort(x->keys, n);
    ims__lists_store(g, place, x->keys);
    g->bounds[place] = n > g->k ? ims__rank_score(x->keys[g->k]) : EVERYTHING_LISTED;
    floor = ims__graph_core(g, place, g->max_samples);
    for (size_t j = 0; j < g->n; j++) {
        float similarity;

        if (j == place || x->uppers[j] <= floor) {
            if (j != place)
                g->bounds[place] = fmaxf(g->bounds[place], fminf(x->uppers[j], 1));
            continue;
        }
        similarity = ims__run_cosine(x->run, place, j); /* may still be nearer than the max_samples-th */
        insert(g, place, (uint32_t)j, similarity, &dropped);
        g->bounds[place] = fmaxf(g->bounds[place], dropped.similarity);
    }
}

static ims_status add_face(struct extend *x, uint32_t place, ims_err *err)
{
    struct ims_graph *g = x->g;
    float lowest;
    ims_status st = IMS_OK;

    (void)scan(x, place, &lowest);
    for (size_t j = 0; j < g->n && !st; j++) {
        if (!x->is_new[j] && x->uppers[j] > g->bounds[j])
            st = tell(x, (uint32_t)j, place, err);
    }
    make_list(x, place);
    return st;
}

/* Copies old into g under the new places; notes which places are new. */
static ims_status take_over(struct extend *x, const struct ims_graph *old, const struct ims_points *p, ims_err *err)
{
    struct ims_graph *g = x->g;
    uint32_t *places = ims__alloc(old->n, sizeof(*places));
    size_t at = 0;

    if (!places)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "places of %zu faces", old->n);
    for (size_t i = 0; i < p->n; i++) {
        x->is_new[i] = at == old->n || old->ids[at] != p->ids[i];
        if (x->is_new[i])
            x->new_places[x->n_new++] = (uint32_t)i;
        else
            places[at++] = (uint32_t)i;
    }
    memcpy(g->ids, p->ids, p->n * sizeof(*g->ids));
    for (size_t i = 0; i < old->n; i++) {
        size_t to = places[i];

        for (size_t j = 0; j < old->k; j++)
            g->neighbours[to * g->k + j] = places[old->neighbours[i * old->k + j]];
        memcpy(g->similarities + to * g->k, old->similarities + i * old->k, old->k * sizeof(*g->similarities));
        g->bounds[to] = old->bounds[i];
    }
    for (size_t e = 0; e < old->n_bridges; e++)
        g->bridges[e] = (struct ims_graph_edge){ places[old->bridges[e].a], places[old->bridges[e].b],
                                                 old->bridges[e].similarity };
    g->n_bridges = old->n_bridges;
    ims__free(places);
    return IMS_OK;
}

static size_t count_common(const struct ims_graph *old, const struct ims_points *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n && n < old->n; i++)
        n += old->ids[n] == p->ids[i];
    return n;
}

bool ims__graph_fits(const struct ims_graph *g, const struct ims_points *points)
{
    uint32_t *places;
    size_t at = 0;
    bool fits = g->dim == points->dim && g->n > 0 && count_common(g, points) == g->n;

    places = fits ? ims__alloc(g->n, sizeof(*places)) : NULL;
    if (!places)
        return false;
    for (size_t i = 0; i < points->n && at < g->n; i++) {
        if (points->ids[i] == g->ids[at])
            places[at++] = (uint32_t)i;
    }
    for (size_t i = 0; i < g->n && g->k > 0 && fits; i++) {
        const float *a = points->vectors + places[i] * points->dim;
        const float *b = points->vectors + places[g->neighbours[i * g->k]] * points->dim;
        const struct ims_kernels *k = ims__kernels();
        double aa = k->dot_wide(a, a, points->dim), bb = k->dot_wide(b, b, points->dim);

        fits = ims__cosine(a, 1 / sqrt(aa), b, 1 / sqrt(bb), points->dim) == g->similarities[i * g->k];
    }
    ims__free(places);
    return fits;
}

static ims_status extend_init(struct extend *x, const struct ims_graph *old, const struct ims_points *p, ims_err *err)
{
    ims_status st = ims__graph_new(&x->g, p->n, p->dim, old->k, old->max_samples, err);

    if (!st)
        st = ims__filter_init(&x->filter, x->run, true, err);
    if (st)
        return st;
    x->bridge_cap = old->n_bridges + 1024;
    x->g->bridges = ims__alloc(x->bridge_cap, sizeof(*x->g->bridges));
    x->new_places = ims__alloc(p->n, sizeof(*x->new_places));
    x->is_new = ims__zalloc(p->n, sizeof(*x->is_new));
    x->query = ims__alloc(x->filter.stride, sizeof(*x->query));
    x->keys = ims__alloc(3 * x->g->k, sizeof(*x->keys));
    x->uppers = ims__alloc(p->n, sizeof(*x->uppers));
    if (!x->g->bridges || !x->new_places || !x->is_new || !x->query || !x->keys || !x->uppers)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "a neighbour graph of %zu faces", p->n);
    return take_over(x, old, p, err);
}

static void extend_release(struct extend *x)
{
    ims__graph_free(x->g);
    ims__filter_release(&x->filter);
    ims__free(x->new_places);
    ims__free(x->is_new);
    ims__free(x->query);
    ims__free(x->keys);
    ims__free(x->uppers);
}

ims_status ims__graph_extend(struct ims_graph **out, const struct ims_graph *old, const struct ims_points *points,
                             const struct ims_graph_options *options, ims_err *err)
{
    size_t n_new = points->n - (points->n < old->n ? points->n : old->n);
    struct extend x = { 0 };
    struct run r;
    ims_status st;

    if (old->dim != points->dim || old->k != (options->n_neighbours ? options->n_neighbours : IMS_GRAPH_NEIGHBOURS) ||
        count_common(old, points) != old->n || (n_new > FEW && n_new > points->n / MAX_NEW_SHARE) ||
        points->n < 4 * old->k)
        return ims_fail(err, IMS_E_UNSUPPORTED, "cluster", 0, "the neighbour graph is to be built anew");
    st = ims__run_init(&r, points, options, err);
    if (st)
        return st;
    x.run = &r;
    st = extend_init(&x, old, points, err);
    for (size_t i = 0; i < x.n_new && !st; i++) {
        st = add_face(&x, x.new_places[i], err);
        if (!st && !ims__run_report(&r, "adding", (double)i / (double)x.n_new))
            st = ims_fail(err, IMS_E_CANCELLED, "cluster", 0, "the clustering was cancelled");
    }
    if (!st && x.n_new)
        st = ims__graph_bridge(x.g, &r, &x.filter, x.new_places, x.n_new, err);
    if (!st) {
        *out = x.g;
        x.g = NULL;
    }
    extend_release(&x);
    ims__run_release(&r);
    return st;
}
