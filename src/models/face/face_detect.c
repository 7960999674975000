/* Pictures to the detector's pixels, and those to faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "models/face/face_internal.h"

#include <string.h>

#define ORIGIN "face"

void ims_face_list_release(struct ims_face_list *l)
{
    ims__free(l->faces);
    *l = (struct ims_face_list){ 0 };
}

void ims_face_input_release(struct ims_face_input *in)
{
    ims__free(in->pixels);
    *in = (struct ims_face_input){ 0 };
}

static size_t canvas_px(const struct ims_face_scale *s)
{
    return (size_t)s->scrfd.width * (size_t)s->scrfd.height;
}

static size_t input_px(const struct ims_face_models *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_scales; i++)
        n += canvas_px(&m->scales[i]);
    return n;
}

/* ---- letterbox ---- */

struct fit {
    int width, height;
    float scale; /* canvas pixels per pixel of the picture */
};

/* InsightFace's rounding: the longer side fills the canvas, the other is cut to whole pixels, and
 * the scale is that of the heights. A strip whose other side would vanish keeps one pixel of it. */
static struct fit fit_into(const struct ims_face_scale *s, int width, int height)
{
    const double ratio = (double)height / width;
    struct fit f = { .width = s->width, .height = s->height };

    if (ratio > (double)s->height / s->width)
        f.width = (int)((double)s->height / ratio);
    else
        f.height = (int)((double)s->width * ratio);
    f.scale = (float)((double)f.height / height);
    if (f.height < 1)
        f = (struct fit){ f.width, 1, (float)((double)f.width / width) };
    if (f.width < 1)
        f.width = 1;
    return f;
}

ims_status ims_face_prepare(struct ims_face_models *m, const struct ims_rgb_view *view,
                            struct ims_face_input *out, ims_err *err)
{
    struct ims_face_input in = { .width = view->width, .height = view->height };
    uint8_t *at;
    ims_status st;

    if (view->width <= 0 || view->height <= 0)
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "%d x %d: not a picture", view->width,
                        view->height);
    st = ims_face_load(m, IMS_FACE_DETECT, err);
    if (st)
        return st;
    in.n_px = input_px(m);
    in.pixels = ims__zalloc(in.n_px, 3);
    if (!in.pixels)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "preparing a picture for face detection");
    at = in.pixels;
    for (size_t i = 0; !st && i < m->n_scales; i++) {
        const struct ims_face_scale *s = &m->scales[i];
        const struct fit f = fit_into(s, view->width, view->height);
        st = ims__bilinear_resize(view, f.width, f.height, at, (size_t)s->scrfd.width * 3, err);
        at += canvas_px(s) * 3;
    }
    if (!st) {
        *out = in;
        in.pixels = NULL;
    }
    ims__free(in.pixels);
    return st;
}

/* ---- one scale of a few pictures ---- */

struct run {
    float *planes;  /* n pictures */
    float *results; /* of all outputs, one after another */
    struct ims_compute_value out[SCRFD_MAX_OUTPUTS];
    struct ims_pool_place *places; /* n */
};

static void release_run(struct run *r)
{
    ims__free(r->planes);
    ims__free(r->results);
    ims__free(r->places);
}

/* Room for n pictures, and the outputs' places in it. */
static ims_status init_run(struct run *r, const struct ims_face_scale *s, bool is_batched, size_t n,
                           ims_err *err)
{
    const struct ims_scrfd *d = &s->scrfd;
    size_t n_floats = 0;
    float *at;

    for (size_t i = 0; i < d->n_outputs; i++)
        n_floats += n * ims__scrfd_rows(d, i % d->n_levels) * ims__scrfd_columns(d, i);
    r->planes = ims__alloc(n * canvas_px(s), 3 * sizeof(float));
    r->results = ims__alloc(n_floats, sizeof(float));
    r->places = ims__zalloc(n, sizeof(*r->places));
    if (!r->planes || !r->results || !r->places)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "detecting faces in %zu pictures", n);
    at = r->results;
    for (size_t i = 0; i < d->n_outputs; i++) {
        const int64_t rows = (int64_t)ims__scrfd_rows(d, i % d->n_levels);
        const int64_t columns = (int64_t)ims__scrfd_columns(d, i);
        const int64_t shape[3] = { (int64_t)n, rows, columns };
        const int64_t flat[2] = { (int64_t)n * rows, columns };
        const size_t n_values = (size_t)(flat[0] * columns);
        r->out[i] =
            (struct ims_compute_value){ .tensor = ims_tensor_view(IMS_DTYPE_F32, is_batched ? 3 : 2,
                                                                  is_batched ? shape : flat, at,
                                                                  n_values * sizeof(float)) };
        at += n_values;
    }
    return IMS_OK;
}

/* Planes, R first. */
static void fill_planes(const struct ims_face_scale *s, const struct ims_face_input *inputs,
                        size_t n, size_t offset_px, float *planes)
{
    const struct ims_face_pixels *rule = &ims__face_pixels[IMS_FACE_DETECT];
    const float scale[3] = { rule->scale, rule->scale, rule->scale };
    const float bias[3] = { rule->bias, rule->bias, rule->bias };
    const size_t n_px = canvas_px(s);

    for (size_t i = 0; i < n; i++)
        ims__kernels()->u8_to_f32_planar(inputs[i].pixels + offset_px * 3, n_px, scale, bias,
                                         planes + i * n_px * 3, n_px);
}

static ims_status decode_all(const struct ims_face_models *m, const struct ims_face_scale *s,
                             const struct run *r, const struct ims_face_input *inputs, size_t n,
                             struct ims_scrfd_candidates *found, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n; i++) {
        const float *outputs[SCRFD_MAX_OUTPUTS];
        for (size_t k = 0; k < s->scrfd.n_outputs; k++)
            outputs[k] = (const float *)r->out[k].tensor.data +
                         i * ims__scrfd_rows(&s->scrfd, k % s->scrfd.n_levels) *
                             ims__scrfd_columns(&s->scrfd, k);
        st =
            ims__scrfd_decode(&s->scrfd, outputs,
                              inputs[i].min_score > 0 ? inputs[i].min_score : m->options.min_score,
                              fit_into(s, inputs[i].width, inputs[i].height).scale, &found[i], err);
    }
    return st;
}

static ims_status run_scale(struct ims_face_models *m, size_t index,
                            const struct ims_face_input *inputs, size_t n,
                            struct ims_scrfd_candidates *found, struct ims_pool_place *places, ims_err *err)
{
    const struct ims_face_scale *s = &m->scales[index];
    const int64_t shape[4] = { (int64_t)n, 3, s->scrfd.height, s->scrfd.width };
    struct ims_compute_value in = { 0 };
    struct run r = { 0 };
    size_t offset_px = 0;
    ims_status st = init_run(&r, s, m->sides[IMS_FACE_DETECT].graph.is_batched, n, err);

    if (st)
        goto out;
    for (size_t i = 0; i < index; i++)
        offset_px += canvas_px(&m->scales[i]);
    fill_planes(s, inputs, n, offset_px, r.planes);
    in.tensor =
        ims_tensor_view(IMS_DTYPE_F32, 4, shape, r.planes, n * canvas_px(s) * 3 * sizeof(float));
    st = ims_pool_run(s->pool, &in, 1, r.out, s->scrfd.n_outputs, r.places, err);
    if (st) {
        st = ims_fail_in(err, st, "%s", m->pack->files[IMS_FACE_DETECT]);
        goto out;
    }
    if (places)
        memcpy(places, r.places, n * sizeof(*places));
    st = decode_all(m, s, &r, inputs, n, found, err);
out:
    release_run(&r);
    return st;
}

/* ---- faces ---- */

static bool is_large_enough(const struct ims_scrfd_candidate *c, float min_size_px)
{
    return c->x2 - c->x1 >= min_size_px && c->y2 - c->y1 >= min_size_px;
}

static ims_status make_list(const struct ims_face_models *m, const struct ims_face_input *input,
                            struct ims_scrfd_candidates *c, struct ims_face_list *out, ims_err *err)
{
    float min_size_px = input->min_size_px > 0 ? input->min_size_px : m->options.min_size_px;
    struct ims_face_list l = { 0 };

    ims__scrfd_suppress(c, IMS_FACE_MAX_PER_IMAGE);
    if (c->n) {
        l.faces = ims__zalloc(c->n, sizeof(*l.faces));
        if (!l.faces)
            return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing %zu faces", c->n);
    }
    for (size_t i = 0; i < c->n && l.n < m->options.max_faces; i++) {
        const struct ims_scrfd_candidate *one = &c->items[i];
        struct ims_face *f = &l.faces[l.n];
        if (!is_large_enough(one, min_size_px))
            continue;
        *f = (struct ims_face){ .x = one->x1,
                                .y = one->y1,
                                .width = one->x2 - one->x1,
                                .height = one->y2 - one->y1,
                                .score = one->score,
                                .has_points = m->scales[0].scrfd.has_points };
        memcpy(f->points, one->points, sizeof(f->points));
        l.n++;
    }
    *out = l;
    return IMS_OK;
}

static ims_status detect_turn(struct ims_face_models *m, const struct ims_face_input *inputs,
                              size_t n, struct ims_face_list *lists, struct ims_pool_place *places, ims_err *err)
{
    struct ims_scrfd_candidates *found = ims__zalloc(n, sizeof(*found));
    ims_status st =
        found ? IMS_OK
              : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "detecting faces in %zu pictures", n);

    for (size_t i = 0; !st && i < m->n_scales; i++) { /* the slot of the last, main scale counts */
        for (size_t k = 0; k < n; k++)
            found[k].n_before = found[k].n;
        st = run_scale(m, i, inputs, n, found, places, err);
    }
    for (size_t i = 0; !st && i < n; i++)
        ims__scrfd_prefer_fine(&found[i], found[i].n_before);
    for (size_t i = 0; !st && i < n; i++)
        st = make_list(m, &inputs[i], &found[i], &lists[i], err);
    for (size_t i = 0; found && i < n; i++)
        ims__free(found[i].items);
    ims__free(found);
    return st;
}

ims_status ims_face_detect(struct ims_face_models *m, const struct ims_face_input *inputs, size_t n,
                           struct ims_face_list *lists, struct ims_pool_place *places, ims_err *err)
{
    struct ims_face_list *own = NULL;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = ims_face_load(m, IMS_FACE_DETECT, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        if (!inputs[i].pixels || inputs[i].n_px != input_px(m))
            return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                            "a picture was not prepared for this detector");
    }
    own = ims__zalloc(n, sizeof(*own));
    if (!own)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "detecting faces in %zu pictures", n);
    for (size_t at = 0, turn; at < n && !st; at += turn) {
        turn = ims__face_turn(m, IMS_FACE_DETECT, n - at);
        st = detect_turn(m, inputs + at, turn, own + at, places ? places + at : NULL, err);
    }
    if (!st)
        memcpy(lists, own, n * sizeof(*own));
    for (size_t i = 0; st && i < n; i++)
        ims_face_list_release(&own[i]);
    ims__free(own);
    return st;
}

double ims_face_quality(double width, double height, double score)
{
    double share = width * height / 40000.0;

    return 0.5 * (share < 1.0 ? share : 1.0) + 0.5 * score;
}
