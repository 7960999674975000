/* Where the pictures of the library were taken, gathered into places.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define CELLS_PER_DEGREE 10

struct spot {
    struct ims_store_spot at;
    int row, column;
};

static int by_cell(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;

    if (x->row != y->row)
        return (x->row > y->row) - (x->row < y->row);
    if (x->column != y->column)
        return (x->column > y->column) - (x->column < y->column);
    return (x->at.asset_id > y->at.asset_id) - (x->at.asset_id < y->at.asset_id);
}

static int by_pictures(const void *a, const void *b)
{
    const struct ims_place *x = a, *y = b;

    if (x->n_pictures != y->n_pictures)
        return (x->n_pictures < y->n_pictures) - (x->n_pictures > y->n_pictures);
    return (x->asset_id > y->asset_id) - (x->asset_id < y->asset_id);
}

/* lat and lng hold sums until the place is full. */
static void enter(struct ims_place *p, const struct ims_store_spot *s)
{
    p->lat += s->lat;
    p->lng += s->lng;
    p->west = p->n_pictures ? fmin(p->west, s->lng) : s->lng;
    p->east = p->n_pictures ? fmax(p->east, s->lng) : s->lng;
    p->south = p->n_pictures ? fmin(p->south, s->lat) : s->lat;
    p->north = p->n_pictures ? fmax(p->north, s->lat) : s->lat;
    p->asset_id = s->asset_id; /* the newest: they come by id */
    p->n_pictures++;
}

static size_t gather(const struct spot *spots, size_t n, struct ims_place *out)
{
    size_t n_places = 0;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 || spots[i].row != spots[i - 1].row || spots[i].column != spots[i - 1].column)
            n_places++;
        enter(&out[n_places - 1], &spots[i].at);
    }
    for (size_t i = 0; i < n_places; i++) {
        out[i].lat /= (double)out[i].n_pictures;
        out[i].lng /= (double)out[i].n_pictures;
    }
    return n_places;
}

ims_status ims_engine_places(struct ims_engine *e, size_t max, struct ims_place **out, size_t *out_n, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_spot *found;
    struct ims_place *places = NULL;
    struct spot *spots = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_spots(e->store, &arena, &found, &n, err);
    if (st)
        goto out;
    spots = ims__alloc(n, sizeof(*spots));
    places = ims__zalloc(n, sizeof(*places));
    if (!spots || !places) {
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu places", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        spots[i] = (struct spot){ found[i], (int)floor(found[i].lat * CELLS_PER_DEGREE),
                                  (int)floor(found[i].lng * CELLS_PER_DEGREE) };
    qsort(spots, n, sizeof(*spots), by_cell);
    n = gather(spots, n, places);
    qsort(places, n, sizeof(*places), by_pictures);
    *out_n = n < max ? n : max;
    *out = places;
    places = NULL;
out:
    ims__free(places);
    ims__free(spots);
    ims__arena_release(&arena);
    return st;
}
