/* The second pass over all pairs: those of two components that may be more similar than the known way between them.
 *
 * An unlisted pair is at most as similar as the bounds of both faces. So of the two components the one with the lower
 * reach must have its face "open": bound above reach. Only open faces are rows; everything is a column. So when all
 * open faces are rows, a row meets in vain what is no row and whose component's reach is not above its own. Reaches that rise
 * on the way change nothing about that: such a pair is no more similar than the lower one was at the start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>

struct search {
    struct bridges *bridges;
    struct run *run;
    const struct filter *filter;
    uint32_t *order; /* rows first, each part by falling reach, then by component */
    bool has_all_open; /* every open face is a row */
    float *reach;      /* of each component, at the start */
    size_t n_rows;
    struct ims_lock lock; /* bridges, but for what never changes */
};

/* A score is above the lower of two bounds if the cosine is above the lower of two reaches. */
static float bound_of(const struct search *s, uint32_t place)
{
    float reach = s->bridges->reach[s->bridges->index[place]];
    double bound = ((double)reach - (double)s->filter->margins[place]) / s->filter->unit;

    return isinf(reach) ? INFINITY : nextafterf((float)bound, -INFINITY);
}

static void take_bounds(void *arg, size_t first, size_t n, float *out)
{
    struct search *s = arg;

    ims__lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        out[i] = bound_of(s, s->order[first + i]);
    ims__unlock(&s->lock);
}

/* Rows, and columns, are ordered by reach and component: the ends tell whether all are of one, and how far they reach. */
static bool is_in_vain(void *arg, size_t row_first, size_t n_rows, size_t col_first, size_t n_cols)
{
    const struct search *s = arg;
    const uint32_t *index = s->bridges->index;
    uint32_t c = index[s->order[row_first]];

    if (s->has_all_open && col_first >= s->n_rows &&
        s->reach[index[s->order[col_first]]] <= s->reach[index[s->order[row_first + n_rows - 1]]])
        return true;
    return index[s->order[row_first + n_rows - 1]] == c && index[s->order[col_first]] == c &&
           index[s->order[col_first + n_cols - 1]] == c &&
           (col_first >= s->n_rows || col_first + n_cols <= s->n_rows);
}

static ims_status take_hits(void *arg, const struct hit *hits, size_t n)
{
    struct search *s = arg;
    struct bridges *b = s->bridges;
    const float *core = b->base->core;
    ims_status st = IMS_OK;

    for (size_t h = 0; h < n && !st; h++) {
        uint32_t i = s->order[hits[h].row], j = s->order[hits[h].col];
        uint32_t x = b->index[i], y = b->index[j];
        float weight = fminf(core[i], core[j]), reach;

        if (x == y)
            continue;
        ims__lock(&s->lock);
        reach = fminf(b->reach[x], b->reach[y]);
        ims__unlock(&s->lock);
        if (weight <= reach || (double)hits[h].score * s->filter->unit + (double)fminf(s->filter->margins[i],
                                                                                        s->filter->margins[j]) <=
                                   (double)reach)
            continue;
        weight = fminf(weight, ims__run_cosine(s->run, i, j));
        if (weight <= reach)
            continue;
        ims__lock(&s->lock);
        st = ims__bridges_add(b, i, j, weight);
        ims__unlock(&s->lock);
    }
    return st;
}

/* Of each component, its number when they are counted by falling reach. false: no memory. */
static bool rank_components(struct search *s, uint32_t *ranks)
{
    size_t n = s->bridges->n_components;
    uint64_t *keys = ims__alloc(n, sizeof(*keys));

    if (!keys)
        return false;
    for (size_t c = 0; c < n; c++) {
        s->reach[c] = s->bridges->reach[c];
        keys[c] = ims__rank_key(s->reach[c], (uint32_t)c);
    }
    ims__rank_sort(keys, n);
    for (size_t i = 0; i < n; i++)
        ranks[ims__rank_place(keys[i])] = (uint32_t)i;
    ims__free(keys);
    return true;
}

/* Those that are rows, or those that are none, ordered by the ranks of their components, then by place; how many.
 * starts: scratch, one more than components. */
static size_t order_part(const struct search *s, const bool *is_row, bool wanted, const uint32_t *ranks,
                         uint32_t *starts, uint32_t *out)
{
    const uint32_t *index = s->bridges->index;
    size_t n = s->run->points->n, n_here = 0;

    for (size_t c = 0; c <= s->bridges->n_components; c++)
        starts[c] = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_row[i] == wanted) {
            starts[ranks[index[i]] + 1]++;
            n_here++;
        }
    }
    for (size_t c = 0; c < s->bridges->n_components; c++)
        starts[c + 1] += starts[c];
    for (size_t i = 0; i < n; i++) {
        if (is_row[i] == wanted)
            out[starts[ranks[index[i]]]++] = (uint32_t)i;
    }
    return n_here;
}

/* Rows, then the rest. is_row: of each place. */
static ims_status make_order(struct search *s, const bool *is_row, ims_err *err)
{
    size_t n = s->run->points->n, n_components = s->bridges->n_components;
    uint32_t *starts = ims__alloc(n_components + 1, sizeof(*starts));
    uint32_t *ranks = ims__alloc(n_components, sizeof(*ranks));
    bool is_made;

    s->order = ims__alloc(n, sizeof(*s->order));
    s->reach = ims__alloc(n_components, sizeof(*s->reach));
    is_made = starts && ranks && s->order && s->reach && rank_components(s, ranks);
    if (is_made) {
        s->n_rows = order_part(s, is_row, true, ranks, starts, s->order);
        (void)order_part(s, is_row, false, ranks, starts, s->order + s->n_rows);
    }
    ims__free(starts);
    ims__free(ranks);
    return is_made ? IMS_OK
                   : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the order of %zu faces", n);
}

static ims_status search_rows(struct search *s, const bool *is_row, struct filter *f, ims_err *err)
{
    struct sweep sweep = { .run = s->run, .filter = f, .n = s->run->points->n, .phase = "linking",
                           .bounds = take_bounds, .skips = is_in_vain, .take = take_hits, .arg = s };
    ims_status st = make_order(s, is_row, err);

    if (!st && s->n_rows) {
        ims__filter_order(f, s->run, s->order);
        sweep.order = s->order;
        sweep.n_rows = s->n_rows;
        st = ims__sweep(&sweep, err);
    }
    ims__free(s->order);
    ims__free(s->reach);
    s->order = NULL;
    s->reach = NULL;
    if (!st && ims__bridges_reduce(s->bridges))
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "edges between components");
    return st;
}

/* The densest face of each component but the largest: what it finds raises reaches before everything is compared. */
static void choose_densest(const struct bridges *b, bool *is_row, uint32_t *densest)
{
    for (size_t c = 0; c < b->n_components; c++)
        densest[c] = 0xffffffffu;
    for (size_t i = 0; i < b->base->n; i++) {
        uint32_t *d = &densest[b->index[i]];

        is_row[i] = false;
        if (*d == 0xffffffffu || b->base->core[i] > b->base->core[*d])
            *d = (uint32_t)i;
    }
    for (size_t c = 1; c < b->n_components; c++)
        is_row[densest[c]] = true;
}

static void choose_open(const struct bridges *b, const struct ims_graph *g, bool *is_row)
{
    for (size_t i = 0; i < g->n; i++)
        is_row[i] = g->bounds[i] > b->reach[b->index[i]];
}

ims_status ims__bridges_search(struct bridges *b, struct run *r, struct filter *f, const uint32_t *rows, size_t n_rows,
                               ims_err *err)
{
    struct search s = { .bridges = b, .run = r, .filter = f };
    bool *is_row = ims__zalloc(r->points->n, sizeof(*is_row));
    uint32_t *densest = ims__alloc(b->n_components, sizeof(*densest));
    ims_status st;

    if (!is_row || !densest) {
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the search between %zu components", b->n_components);
        goto out;
    }
    st = ims__lock_init(&s.lock);
    if (st) {
        st = ims_fail(err, st, "cluster", 0, "a lock");
        goto out;
    }
    if (rows) {
        for (size_t i = 0; i < n_rows; i++)
            is_row[rows[i]] = true;
        st = search_rows(&s, is_row, f, err);
    } else {
        choose_densest(b, is_row, densest);
        st = search_rows(&s, is_row, f, err);
        if (!st) {
            choose_open(b, b->base->g, is_row);
            s.has_all_open = true;
            st = search_rows(&s, is_row, f, err);
        }
    }
    ims__lock_release(&s.lock);
out:
    ims__free(is_row);
    ims__free(densest);
    return st;
}
