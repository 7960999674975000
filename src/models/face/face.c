/* Opening face models and their sessions, and telling where they run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face.h"

#include "base/fs.h"
#include "base/mem.h"
#include "models/face/face_internal.h"
#include "models/face/face_proof.h"

#include <stdio.h>

#define ORIGIN "face"

/* The names that exporters give to a detector's free height and width. InsightFace's files call
 * both "?". A name that a graph lacks is passed over by the runtime. */
#define FREE_SIDES(px)                                                                             \
    {                                                                                              \
        { "?", px }, { "height", px }, { "width", px }, { "H", px },                               \
        {                                                                                          \
            "W", px                                                                                \
        }                                                                                          \
    }
static const struct ims_compute_dim main_dims[] = FREE_SIDES(FACE_DETECT_SIDE_PX);
static const struct ims_compute_dim small_dims[] = FREE_SIDES(FACE_SMALL_SIDE_PX);

static ims_status init_sides(struct ims_face_models *m, ims_err *err)
{
    for (size_t i = 0; i < IMS_FACE_N_PARTS; i++) {
        struct ims_face_side *side = &m->sides[i];
        ims_status st = ims__lock_init(&side->lock);
        if (st)
            return ims_fail(err, st, ORIGIN, 0, "opening the face pack %s", m->pack->name);
        side->has_lock = true;
        side->graph = (struct ims_face_graph){ .m = m, .part = (ims_face_part)i };
    }
    return IMS_OK;
}

static ims_status check_options(const struct ims_face_options *o, ims_err *err)
{
    if (!(o->min_score >= 0.0F && o->min_score <= 1.0F))
        return ims_fail(err, IMS_E_CONFIG, ORIGIN, 0,
                        "the least score of a face is %g: expected 0 to 1", (double)o->min_score);
    if (!(o->min_size_px >= 0.0F))
        return ims_fail(err, IMS_E_CONFIG, ORIGIN, 0,
                        "the least size of a face is %g pixels: expected 0 or more",
                        (double)o->min_size_px);
    if (o->max_faces > IMS_FACE_MAX_PER_IMAGE)
        return ims_fail(err, IMS_E_CONFIG, ORIGIN, 0,
                        "%zu faces of a picture were asked for: at most %d are found", o->max_faces,
                        IMS_FACE_MAX_PER_IMAGE);
    return IMS_OK;
}

ims_status ims_face_models_open(struct ims_face_models **out, const struct ims_face_pack *pack,
                                struct ims_compute *compute, const struct ims_face_options *options,
                                ims_err *err)
{
    struct ims_face_options o = options ? *options : (struct ims_face_options){ 0 };
    struct ims_face_models *m = NULL;
    ims_status st = check_options(&o, err);

    if (st)
        goto out;
    m = ims__zalloc(1, sizeof(*m));
    if (!m) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening the face pack %s", pack->name);
        goto out;
    }
    m->pack = pack;
    m->compute = compute;
    m->options = o;
    if (o.min_score == 0)
        m->options.min_score = FACE_DEFAULT_MIN_SCORE;
    if (o.max_faces == 0)
        m->options.max_faces = IMS_FACE_MAX_PER_IMAGE;
    if (o.max_batch == 0)
        m->options.max_batch = FACE_DEFAULT_BATCH;
    st = init_sides(m, err);
    if (st)
        goto out;
    *out = m;
    m = NULL;
out:
    ims_face_models_close(m);
    return st;
}

void ims_face_models_close(struct ims_face_models *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_scales; i++) {
        if (m->scales[i].is_own_pool)
            ims_pool_close(m->scales[i].pool);
    }
    for (size_t i = 0; i < IMS_FACE_N_PARTS; i++) {
        ims_pool_close(m->sides[i].pool);
        if (m->sides[i].has_lock)
            ims__lock_release(&m->sides[i].lock);
    }
    ims__free(m);
}

const struct ims_face_pack *ims_face_models_pack(const struct ims_face_models *m)
{
    return m->pack;
}

bool ims_face_has(const struct ims_face_models *m, ims_face_part part)
{
    return m->pack->files[part] != NULL;
}

/* ---- sessions ---- */

static ims_status open_pool(struct ims_face_models *m, struct ims_face_graph *graph,
                            struct ims_pool **out, ims_err *err)
{
    const struct ims_compute_graph file = { .path = m->pack->files[graph->part] };
    const bool is_detector = graph->part == IMS_FACE_DETECT;
    struct ims_face_proof proof;
    struct ims_pool_options options = {
        .proof = m->no_proof ? NULL : &proof.set,
        .no_prepacking = m->options.is_one_shot,
        .check_every = m->options.is_one_shot ? IMS_POOL_NO_CHECKS : 0,
        .measures_rows = !is_detector && m->options.measures_batch,
        .max_rows = is_detector ? IMS_FACE_DETECT_BATCH : m->options.max_batch,
        .on_open = ims__face_opened,
        .look = ims__face_look,
        .arg = graph,
    };
    char label[64];
    ims_status st;

    if (is_detector) {
        options.dims = graph->wanted_px == FACE_SMALL_SIDE_PX ? small_dims : main_dims;
        options.n_dims = IMS_ARRAY_LEN(main_dims);
    }
    (void)snprintf(label, sizeof(label), "%.40s %s", m->pack->name,
                   ims_face_part_name(graph->part));
    options.label = label;
    ims__face_proof_init(&proof, graph);
    st = ims_pool_open(out, m->compute, &file, &options, err);
    if (!st && !graph->has_free_batch)
        ims_pool_limit_rows(*out, 1);
    return st;
}

static struct ims_face_scale *add_scale(struct ims_face_models *m, struct ims_pool *pool,
                                        const struct ims_face_graph *graph, int px)
{
    struct ims_face_scale *s = &m->scales[m->n_scales++];
    const struct ims_scrfd *own = &graph->scrfd;

    s->pool = pool;
    s->scrfd = *own;
    s->scrfd.width = own->width ? own->width : px;
    s->scrfd.height = own->height ? own->height : px;
    s->width = own->width ? own->width * px / graph->wanted_px : px;
    s->height = own->height ? own->height * px / graph->wanted_px : px;
    return s;
}

/* The small scale: a session of its own for its size. A graph that has one size only shows the
 * picture shrunk in the same canvas instead, at the price of a full run; and where the runtime
 * cannot fix the size because it goes by another name, one session does both. */
static ims_status add_small_scale(struct ims_face_models *m, const struct ims_face_side *side,
                                  ims_err *err)
{
    struct ims_face_scale *s = &m->scales[0];
    const struct ims_scrfd *seen = &s->graph.scrfd;
    ims_status st;

    s->graph =
        (struct ims_face_graph){ .m = m, .part = IMS_FACE_DETECT, .wanted_px = FACE_SMALL_SIDE_PX };
    if (side->graph.scrfd.width == 0 || side->graph.scrfd.height == 0) {
        (void)add_scale(m, side->pool, &side->graph, FACE_SMALL_SIDE_PX);
        return IMS_OK;
    }
    st = open_pool(m, &s->graph, &s->pool, err);
    if (st)
        return st;
    if (seen->width == FACE_SMALL_SIDE_PX && seen->height == FACE_SMALL_SIDE_PX) {
        add_scale(m, s->pool, &s->graph, FACE_SMALL_SIDE_PX)->is_own_pool = true;
        return IMS_OK;
    }
    ims_pool_close(s->pool);
    (void)add_scale(m, side->pool, &side->graph, FACE_SMALL_SIDE_PX);
    return IMS_OK;
}

static ims_status open_side(struct ims_face_models *m, ims_face_part part, ims_err *err)
{
    struct ims_face_side *side = &m->sides[part];
    struct ims_pool *pool = NULL;
    ims_status st;

    if (!m->pack->files[part])
        return ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0, "the face pack %s has no %s model",
                        m->pack->name, ims_face_part_name(part));
    if (!m->compute)
        return ims_fail(err, IMS_E_RUNTIME, ORIGIN, 0,
                        "the face pack %s was opened without a runtime", m->pack->name);
    side->graph.wanted_px = FACE_DETECT_SIDE_PX;
    st = open_pool(m, &side->graph, &pool, err);
    if (st)
        return st;
    side->pool = pool;
    if (part != IMS_FACE_DETECT)
        return IMS_OK;
    st = m->options.no_second_scale ? IMS_OK : add_small_scale(m, side, err);
    if (!st) {
        (void)add_scale(m, pool, &side->graph, FACE_DETECT_SIDE_PX);
        return IMS_OK;
    }
    side->pool = NULL;
    m->n_scales = 0;
    ims_pool_close(pool);
    return st;
}

ims_status ims_face_load(struct ims_face_models *m, ims_face_part part, ims_err *err)
{
    struct ims_face_side *side = &m->sides[part];
    ims_status st = IMS_OK;

    ims__lock(&side->lock);
    if (!side->pool)
        st = open_side(m, part, err);
    ims__unlock(&side->lock);
    return st;
}

size_t ims__face_turn(const struct ims_face_models *m, ims_face_part part, size_t left)
{
    const struct ims_face_side *side = &m->sides[part];
    const size_t batch = part == IMS_FACE_DETECT ? IMS_FACE_DETECT_BATCH : m->options.max_batch;
    const size_t most = (side->graph.has_free_batch ? batch : 1) * ims_pool_n_devices(side->pool);

    return left < most ? left : most;
}

struct ims_pool *ims_face_pool(struct ims_face_models *m, ims_face_part part)
{
    struct ims_face_side *side = &m->sides[part];
    struct ims_pool *pool;

    ims__lock(&side->lock);
    pool = side->pool;
    ims__unlock(&side->lock);
    return pool;
}
