/* What the graphs of a pack must look like, and whether what they give can be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "models/face/face_internal.h"

#include <math.h>
#include <stdio.h>

#define ORIGIN "face"

static ims_status bad_port(const struct ims_face_graph *g, const char *what, const char *expected,
                           const struct ims_compute_port *found, ims_err *err)
{
    char text[96] = "none";

    if (found)
        (void)ims_tensor_describe(found->dtype, found->rank, found->shape, text, sizeof(text));
    return ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "%s: %s: expected %s, found %.64s%s%s",
                    g->m->pack->files[g->part], what, expected, found ? found->name : "",
                    found ? " " : "", text);
}

static bool fits(int64_t dim, int64_t wanted)
{
    return dim < 0 || dim == wanted;
}

static ims_status check_batch(const struct ims_face_graph *g, const struct ims_compute_port *p,
                              ims_err *err)
{
    if (p->shape[0] <= 1)
        return IMS_OK;
    return bad_port(g, "input", "a batch that is free or 1", p, err);
}

/* ---- detectors ---- */

static ims_status read_canvas(struct ims_face_graph *g, const struct ims_compute_port *p,
                              ims_err *err)
{
    const int step = ims__scrfd_max_stride(&g->scrfd);
    char expected[96];

    for (unsigned i = 2; i < 4; i++) {
        if (p->shape[i] >= 0 &&
            (p->shape[i] == 0 || p->shape[i] % step != 0 || p->shape[i] > IMS_MAX_MODEL_SIDE_PX)) {
            (void)snprintf(expected, sizeof(expected),
                           "height and width free, or multiples of %d up to %d", step,
                           IMS_MAX_MODEL_SIDE_PX);
            return bad_port(g, "input", expected, p, err);
        }
    }
    g->scrfd.height = p->shape[2] < 0 ? 0 : (int)p->shape[2];
    g->scrfd.width = p->shape[3] < 0 ? 0 : (int)p->shape[3];
    return IMS_OK;
}

static ims_status read_detector(struct ims_face_graph *g, const struct ims_compute_session *s,
                                ims_err *err)
{
    const struct ims_compute_port *in = ims_compute_session_input(s, 0);
    const size_t n = ims_compute_session_n_outputs(s);
    char expected[96];
    ims_status st;

    if (!ims__scrfd_init(&g->scrfd, n))
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "%s: expected an SCRFD detector with 6, 9, 10 or 15 outputs (scores, boxes "
                        "and points of 3 or 5 levels), found %zu",
                        g->m->pack->files[g->part], n);
    if (!in || in->dtype != IMS_DTYPE_F32 || in->rank != 4 || !fits(in->shape[1], 3))
        return bad_port(g, "input", "f32[n,3,height,width]", in, err);
    g->is_batched = ims_compute_session_output(s, 0)->rank == 3;
    g->has_free_batch = in->shape[0] < 0 && g->is_batched;
    for (size_t i = 0; i < n; i++) {
        const struct ims_compute_port *p = ims_compute_session_output(s, i);
        const unsigned rank = g->is_batched ? 3 : 2;
        const size_t columns = ims__scrfd_columns(&g->scrfd, i);
        if (p->dtype == IMS_DTYPE_F32 && p->rank == rank &&
            fits(p->shape[rank - 1], (int64_t)columns))
            continue;
        (void)snprintf(expected, sizeof(expected), "f32[%sanchors,%zu] as output %zu of %zu",
                       g->is_batched ? "n," : "", columns, i + 1, n);
        return bad_port(g, "output", expected, p, err);
    }
    st = check_batch(g, in, err);
    return st ? st : read_canvas(g, in, err);
}

/* Scores are probabilities; coordinates need only be finite, which the pool sees to. */
static ims_status look_at_scores(const struct ims_face_graph *g,
                                 const struct ims_compute_value *out, ims_err *err)
{
    for (size_t k = 0; k < g->scrfd.n_levels; k++) {
        const float *scores = out[k].tensor.data;
        const size_t n = ims_tensor_count(&out[k].tensor);
        for (size_t i = 0; i < n; i++) {
            if (!(scores[i] >= 0.0F && scores[i] <= 1.0F)) /* NaN fails this too */
                return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                                "%s: expected scores from 0 to 1, found %g",
                                g->m->pack->files[g->part], (double)scores[i]);
        }
    }
    return IMS_OK;
}

/* ---- parts that read crops ---- */

static ims_status read_crop_graph(struct ims_face_graph *g, const struct ims_compute_session *s,
                                  ims_err *err)
{
    static const int64_t lengths[IMS_FACE_N_PARTS] = {
        [IMS_FACE_EMBED] = IMS_FACE_DIM,
        [IMS_FACE_GENDER_AGE] = 3,
        [IMS_FACE_LANDMARKS] = FACE_LANDMARK_ROWS * 3,
    };
    const struct ims_compute_port *in = ims_compute_session_input(s, 0);
    const struct ims_compute_port *out = ims_compute_session_output(s, 0);
    const int side = ims_face_crop_side(g->part);
    char expected[64];

    if (!in || in->dtype != IMS_DTYPE_F32 || in->rank != 4 || !fits(in->shape[1], 3) ||
        !fits(in->shape[2], side) || !fits(in->shape[3], side)) {
        (void)snprintf(expected, sizeof(expected), "f32[n,3,%d,%d]", side, side);
        return bad_port(g, "input", expected, in, err);
    }
    if (ims_compute_session_n_outputs(s) != 1)
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "%s: expected one output, found %zu",
                        g->m->pack->files[g->part], ims_compute_session_n_outputs(s));
    if (out->dtype != IMS_DTYPE_F32 || out->rank != 2 || !fits(out->shape[1], lengths[g->part])) {
        (void)snprintf(expected, sizeof(expected), "f32[n,%lld]", (long long)lengths[g->part]);
        return bad_port(g, "output", expected, out, err);
    }
    g->has_free_batch = in->shape[0] < 0;
    return check_batch(g, in, err);
}

/* A vector without direction is no face's. */
static ims_status look_at_vectors(const struct ims_face_graph *g,
                                  const struct ims_compute_value *out, ims_err *err)
{
    const float *rows = out->tensor.data;

    for (int64_t r = 0; r < out->tensor.shape[0]; r++, rows += IMS_FACE_DIM) {
        double sum = 0;
        for (size_t i = 0; i < IMS_FACE_DIM; i++)
            sum += (double)rows[i] * (double)rows[i];
        if (!(sum > 0) || !isfinite(sum))
            return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                            "%s: expected a vector of finite length above 0, found %g",
                            g->m->pack->files[g->part], sqrt(sum));
    }
    return IMS_OK;
}

ims_status ims__face_opened(void *graph, const struct ims_compute_session *s, ims_err *err)
{
    struct ims_face_graph *g = graph;

    if (ims_compute_session_n_inputs(s) != 1)
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "%s: expected one input, found %zu",
                        g->m->pack->files[g->part], ims_compute_session_n_inputs(s));
    return g->part == IMS_FACE_DETECT ? read_detector(g, s, err) : read_crop_graph(g, s, err);
}

ims_status ims__face_look(void *graph, const struct ims_compute_value *out, size_t n_out,
                          ims_err *err)
{
    const struct ims_face_graph *g = graph;

    (void)n_out; /* of the graph's own number */
    if (g->part == IMS_FACE_DETECT)
        return look_at_scores(g, out, err);
    return g->part == IMS_FACE_EMBED ? look_at_vectors(g, out, err) : IMS_OK;
}
