/* Decoding and non-maximum suppression of SCRFD's candidates.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/scrfd.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES ((size_t)1 << 22)

static const int strides[SCRFD_MAX_LEVELS] = { 8, 16, 32, 64, 128 };
static const size_t columns[3] = { 1, 4, 2 * IMS_FACE_N_POINTS };

bool ims__scrfd_init(struct ims_scrfd *out, size_t n_outputs)
{
    size_t n_levels = n_outputs == 6 || n_outputs == 9     ? 3
                      : n_outputs == 10 || n_outputs == 15 ? 5
                                                           : 0;

    if (n_levels == 0)
        return false;
    *out = (struct ims_scrfd){ .n_outputs = n_outputs,
                               .n_levels = n_levels,
                               .n_anchors = n_levels == 3 ? 2 : 1,
                               .has_points = n_outputs == 3 * n_levels };
    return true;
}

int ims__scrfd_stride(size_t level)
{
    return strides[level];
}

int ims__scrfd_max_stride(const struct ims_scrfd *s)
{
    return strides[s->n_levels - 1];
}

size_t ims__scrfd_rows(const struct ims_scrfd *s, size_t level)
{
    return (size_t)(s->width / strides[level]) * (size_t)(s->height / strides[level]) *
           s->n_anchors;
}

size_t ims__scrfd_columns(const struct ims_scrfd *s, size_t output)
{
    return columns[output / s->n_levels];
}

/* ---- decoding ---- */

struct level {
    const float *box, *points; /* of the anchor; points NULL: none */
    float stride, x, y;        /* of the anchor */
    float scale;
};

static struct ims_scrfd_candidate decode_one(const struct level *l, float score)
{
    struct ims_scrfd_candidate c = { .score = score };

    c.x1 = (l->x - l->box[0] * l->stride) / l->scale;
    c.y1 = (l->y - l->box[1] * l->stride) / l->scale;
    c.x2 = (l->x + l->box[2] * l->stride) / l->scale;
    c.y2 = (l->y + l->box[3] * l->stride) / l->scale;
    for (size_t i = 0; l->points && i < IMS_FACE_N_POINTS; i++) {
        c.points[i][0] = (l->x + l->points[2 * i] * l->stride) / l->scale;
        c.points[i][1] = (l->y + l->points[2 * i + 1] * l->stride) / l->scale;
    }
    return c;
}

static ims_status add(struct ims_scrfd_candidates *c, struct ims_scrfd_candidate one, ims_err *err)
{
    if (!(one.x2 > one.x1) || !(one.y2 > one.y1))
        return IMS_OK;
    if (!ims__grow((void **)&c->items, &c->cap, c->n, sizeof(*c->items), MAX_CANDIDATES))
        return ims_fail(err, IMS_E_NOMEM, "face", 0, "decoding %zu candidates", c->n);
    one.order = (uint32_t)c->n;
    c->items[c->n++] = one;
    return IMS_OK;
}

ims_status ims__scrfd_decode(const struct ims_scrfd *s, const float *const *outputs,
                             float min_score, float scale, struct ims_scrfd_candidates *c,
                             ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t k = 0; k < s->n_levels; k++) {
        const float *scores = outputs[k];
        const float *boxes = outputs[k + s->n_levels];
        const float *points = s->has_points ? outputs[k + 2 * s->n_levels] : NULL;
        const size_t n = ims__scrfd_rows(s, k), n_across = (size_t)(s->width / strides[k]);
        struct level l = { .stride = (float)strides[k], .scale = scale };

        for (size_t i = 0; i < n && !st; i++) {
            size_t cell = i / s->n_anchors;
            if (!(scores[i] >= min_score))
                continue;
            l.x = (float)(cell % n_across) * l.stride;
            l.y = (float)(cell / n_across) * l.stride;
            l.box = boxes + i * columns[1];
            l.points = points ? points + i * columns[2] : NULL;
            st = add(c, decode_one(&l, scores[i]), err);
        }
    }
    return st;
}

/* ---- suppression ---- */

static int by_score(const void *a, const void *b)
{
    const struct ims_scrfd_candidate *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static float area(const struct ims_scrfd_candidate *c)
{
    return (c->x2 - c->x1 + 1) * (c->y2 - c->y1 + 1);
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static bool overlap(const struct ims_scrfd_candidate *a, const struct ims_scrfd_candidate *b)
{
    float right = a->x2 < b->x2 ? a->x2 : b->x2, bottom = a->y2 < b->y2 ? a->y2 : b->y2;
    float width = larger(0, right - larger(a->x1, b->x1) + 1);
    float height = larger(0, bottom - larger(a->y1, b->y1) + 1);
    float both = width * height;

    return !(both / (area(a) + area(b) - both) <= SCRFD_MAX_IOU);
}

void ims__scrfd_prefer_fine(struct ims_scrfd_candidates *c, size_t n_coarse)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        bool stays = true;

        for (size_t k = n_coarse; i < n_coarse && k < c->n && stays; k++)
            stays = !overlap(&c->items[k], &c->items[i]);
        if (stays)
            c->items[n++] = c->items[i];
    }
    c->n = n;
}

void ims__scrfd_suppress(struct ims_scrfd_candidates *c, size_t max_n)
{
    size_t n_kept = 0;

    if (c->n)
        qsort(c->items, c->n, sizeof(*c->items), by_score);
    for (size_t i = 0; i < c->n && n_kept < max_n; i++) {
        bool is_other = true;
        for (size_t k = 0; k < n_kept && is_other; k++)
            is_other = !overlap(&c->items[k], &c->items[i]);
        if (is_other)
            c->items[n_kept++] = c->items[i];
    }
    c->n = n_kept;
}
