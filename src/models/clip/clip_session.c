/* The towers' sessions: opened on first use, their ports checked against the configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "models/clip/clip_internal.h"
#include "models/clip/clip_proof.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "clip"

static const char *const tower_names[IMS_CLIP_N_TOWERS] = {
    [IMS_CLIP_IMAGE] = "image",
    [IMS_CLIP_TEXT] = "text",
};

static ims_status bad_port(const struct ims_clip *c, ims_clip_tower tower, const char *what,
                           const char *expected, const struct ims_compute_port *found, ims_err *err)
{
    const char *path = c->pack->files[tower == IMS_CLIP_IMAGE ? IMS_PACK_IMAGE : IMS_PACK_TEXT];
    char text[96] = "none";

    if (found)
        (void)ims_tensor_describe(found->dtype, found->rank, found->shape, text, sizeof(text));
    return ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "%s: %s: expected %s, found %s %s", path, what,
                    expected, found ? found->name : "", text);
}

static bool fits(int64_t dim, uint64_t wanted)
{
    return dim < 0 || (uint64_t)dim == wanted;
}

/* Bytes [n, h, w, 3] or normalised floats [n, 3, h, w]. */
static ims_status read_image_port(const struct ims_clip *c, struct ims_clip_side *side,
                                  const struct ims_compute_port *p, ims_err *err)
{
    const uint64_t h = c->config.vision.height;
    const uint64_t w = c->config.vision.width;
    char expected[128];
    bool is_bytes = p && p->dtype == IMS_DTYPE_U8;

    if (p && p->rank == 4 && is_bytes && fits(p->shape[1], h) && fits(p->shape[2], w) &&
        fits(p->shape[3], 3)) {
        side->is_planar = false;
    } else if (p && p->rank == 4 && p->dtype == IMS_DTYPE_F32 && fits(p->shape[1], 3) &&
               fits(p->shape[2], h) && fits(p->shape[3], w)) {
        side->is_planar = true;
    } else {
        (void)snprintf(expected, sizeof(expected), "u8[n,%llu,%llu,3] or f32[n,3,%llu,%llu]",
                       (unsigned long long)h, (unsigned long long)w, (unsigned long long)h,
                       (unsigned long long)w);
        return bad_port(c, IMS_CLIP_IMAGE, "image input", expected, p, err);
    }
    return p->shape[0] <= 1
               ? IMS_OK
               : bad_port(c, IMS_CLIP_IMAGE, "image input", "a batch that is free or 1", p, err);
}

static ims_status read_text_port(const struct ims_clip *c, struct ims_clip_side *side,
                                 const struct ims_compute_port *p, ims_err *err)
{
    const uint32_t context = c->config.text.context_length;
    char expected[96];

    if (!p || p->rank != 2 || (p->dtype != IMS_DTYPE_I32 && p->dtype != IMS_DTYPE_I64) ||
        p->shape[0] > 1 || p->shape[1] == 0 || p->shape[1] > (int64_t)context) {
        (void)snprintf(expected, sizeof(expected),
                       "i32 or i64 [n,length] with n free or 1 and length free or up to %u",
                       context);
        return bad_port(c, IMS_CLIP_TEXT, "text input", expected, p, err);
    }
    side->id_type = p->dtype;
    side->length = p->shape[1] > 0 ? (size_t)p->shape[1] : 0;
    /* A ready graph whose length is free was still made for the full context, padding included;
     * only our own graphs are known to take less. */
    if (side->length == 0 &&
        (c->pack->layout == IMS_PACK_IMMICH || !ims__clip_text_is_cuttable(&c->config.text)))
        side->length = context;
    return IMS_OK;
}

ims_status ims__clip_read_ports(const struct ims_clip *c, struct ims_clip_side *side,
                                ims_clip_tower tower, const struct ims_compute_session *session,
                                ims_err *err)
{
    const struct ims_compute_port *in = ims_compute_session_input(session, 0);
    const struct ims_compute_port *out = ims_compute_session_output(session, 0);
    char expected[64];

    if (ims_compute_session_n_inputs(session) != 1)
        return bad_port(c, tower, "inputs", "exactly one", ims_compute_session_input(session, 1),
                        err);
    if (!out || out->dtype != IMS_DTYPE_F32 || out->rank != 2 ||
        !fits(out->shape[1], c->config.dim)) {
        (void)snprintf(expected, sizeof(expected), "f32[n,%u]", c->config.dim);
        return bad_port(c, tower, "embedding output", expected, out, err);
    }
    return tower == IMS_CLIP_IMAGE ? read_image_port(c, side, in, err)
                                   : read_text_port(c, side, in, err);
}

/* The pool has a session: what are its ports? */
static ims_status image_opened(void *clip, const struct ims_compute_session *session, ims_err *err)
{
    struct ims_clip *c = clip;

    return ims__clip_read_ports(c, &c->sides[IMS_CLIP_IMAGE], IMS_CLIP_IMAGE, session, err);
}

static ims_status text_opened(void *clip, const struct ims_compute_session *session, ims_err *err)
{
    struct ims_clip *c = clip;

    return ims__clip_read_ports(c, &c->sides[IMS_CLIP_TEXT], IMS_CLIP_TEXT, session, err);
}

/* The tower's graph; borrowed. */
static struct ims_compute_graph graph_of(const struct ims_clip *c, ims_clip_tower tower)
{
    const struct ims_clip_side *side = &c->sides[tower];

    if (side->graph)
        return (struct ims_compute_graph){ .bytes = side->graph,
                                           .n_bytes = side->graph_bytes,
                                           .external_dir = c->weights_dir ? c->weights_dir
                                                                         : c->pack->dir };
    return (struct ims_compute_graph){
        .path = c->pack->files[tower == IMS_CLIP_IMAGE ? IMS_PACK_IMAGE : IMS_PACK_TEXT]
    };
}

/* With a wide table where a device other than the CPU may come to run it. */
static ims_status settle_graph(struct ims_clip *c, ims_clip_tower tower, ims_err *err)
{
    struct ims_clip_side *side = &c->sides[tower];
    bool is_only_cpu = true;
    ims_status st;

    if (!side->wide)
        return IMS_OK;
    st = ims_compute_is_only_cpu(c->compute, &is_only_cpu, err);
    if (st)
        return st;
    if (is_only_cpu) {
        ims__free(side->wide);
    } else {
        ims__free(side->graph);
        side->graph = side->wide;
        side->graph_bytes = side->wide_bytes;
    }
    side->wide = NULL;
    return IMS_OK;
}

static ims_status need_compute(const struct ims_clip *c, ims_err *err)
{
    return c->compute ? IMS_OK
                      : ims_fail(err, IMS_E_RUNTIME, ORIGIN, 0,
                                 "the model %s was opened without a runtime, so it cannot embed",
                                 c->pack->name);
}

/* The first session's ports need not be those of the pool's other devices. */
static void mind_static_length(struct ims_clip *c, struct ims_clip_side *side)
{
    struct ims_device_choice choice;

    ims_pool_choice(side->pool, &choice);
    for (size_t i = 0; i < choice.n_ids; i++) {
        if (ims_compute_wants_static_shapes(c->compute, choice.ids[i].kind))
            side->length = c->config.text.context_length;
    }
}

static ims_status open_pool(struct ims_clip *c, ims_clip_tower tower, ims_err *err)
{
    struct ims_clip_side *side = &c->sides[tower];
    struct ims_compute_graph graph;
    struct ims_clip_proof proof;
    struct ims_pool_options options = {
        .proof = c->no_proof ? NULL : &proof.set,
        .no_prepacking = c->is_one_shot,
        .keep_memory = c->info.precision == IMS_PRECISION_INT8 && !c->is_one_shot,
        .check_every = c->is_one_shot ? IMS_POOL_NO_CHECKS : 0,
        .max_rows = c->max_batch,
        .measures_rows = tower == IMS_CLIP_IMAGE && c->measures_batch,
        .static_dims = side->static_dims,
        .n_static_dims = side->n_static_dims,
        .on_open = tower == IMS_CLIP_IMAGE ? image_opened : text_opened,
        .look = ims__clip_look,
        .arg = c,
    };
    char label[64];
    ims_status st = need_compute(c, err);

    if (!st)
        st = settle_graph(c, tower, err);
    if (st)
        return st;
    graph = graph_of(c, tower);
    (void)snprintf(label, sizeof(label), "%.48s %s", c->space.name, tower_names[tower]);
    options.label = label;
    st = ims__clip_proof_init(&proof, c, tower, &graph, err);
    if (!st)
        st = ims_pool_open(&side->pool, c->compute, &graph, &options, err);
    ims__clip_proof_release(&proof);
    if (st)
        return st;
    if (side->n_static_dims)
        mind_static_length(c, side);
    ims__free(side->graph);
    ims__free(side->reference);
    side->graph = side->reference = NULL;
    return IMS_OK;
}

/* With the side's lock held. */
static ims_status choose(struct ims_clip *c, ims_clip_tower tower, struct ims_device_choice *out,
                         ims_err *err)
{
    struct ims_compute_graph graph;
    struct ims_clip_proof proof;
    ims_status st = need_compute(c, err);

    if (!st)
        st = settle_graph(c, tower, err);
    if (st)
        return st;
    graph = graph_of(c, tower);
    st = ims__clip_proof_init(&proof, c, tower, &graph, err);
    if (!st)
        st = ims_compute_choose_for(c->compute, &proof.set, out, err);
    ims__clip_proof_release(&proof);
    return st;
}

ims_status ims_clip_choose(struct ims_clip *c, ims_clip_tower tower, struct ims_device_choice *out,
                           ims_err *err)
{
    struct ims_clip_side *side = &c->sides[tower];
    ims_status st = IMS_OK;

    ims__lock(&side->lock);
    if (side->pool)
        ims_pool_choice(side->pool, out);
    else
        st = choose(c, tower, out, err);
    ims__unlock(&side->lock);
    return st;
}

ims_status ims_clip_load(struct ims_clip *c, ims_clip_tower tower, ims_err *err)
{
    struct ims_clip_side *side = &c->sides[tower];
    ims_status st = IMS_OK;

    ims__lock(&side->lock);
    if (!side->pool)
        st = open_pool(c, tower, err);
    ims__unlock(&side->lock);
    return st;
}

struct ims_pool *ims_clip_pool(struct ims_clip *c, ims_clip_tower tower)
{
    struct ims_clip_side *side = &c->sides[tower];
    struct ims_pool *pool;

    ims__lock(&side->lock);
    pool = side->pool;
    ims__unlock(&side->lock);
    return pool;
}
