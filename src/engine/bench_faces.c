/* What the face models do on a device: how many pictures are searched and how many faces recognised a second.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/bench.h"
#include "models/clip/clip_proof.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PICTURE_PX 640 /* width and height: fills the detector's square without borders */
#define CROP_BYTES ((size_t)IMS_FACE_EMBED_SIDE_PX * IMS_FACE_EMBED_SIDE_PX * 3)

struct bench_faces {
    struct ims_face_models *models;
    struct ims_face_input *inputs; /* views of one prepared picture */
    size_t n_inputs;
    struct ims_face_list *lists; /* n_inputs */
    uint8_t *crops;              /* max_batch */
    float *vectors;              /* max_batch rows */
};

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "engine", 0, "benching faces");
}

static ims_status run_detections(void *bench, size_t n, ims_err *err)
{
    struct bench_faces *b = bench;
    ims_status st = ims_face_detect(b->models, b->inputs, n, b->lists, NULL, err);

    for (size_t i = 0; !st && i < n; i++)
        ims_face_list_release(&b->lists[i]);
    return st;
}

static ims_status run_recognitions(void *bench, size_t n, ims_err *err)
{
    struct bench_faces *b = bench;

    return ims_face_embed(b->models, b->crops, n, b->vectors, NULL, NULL, err);
}

/* One picture stands for all: detection takes no longer for different ones. */
static ims_status prepare_pictures(struct bench_faces *b, unsigned *out_side_px, ims_err *err)
{
    uint8_t *pixels = ims__alloc((size_t)PICTURE_PX * PICTURE_PX, 3);
    const struct ims_rgb_view view = { pixels, PICTURE_PX, PICTURE_PX, (size_t)PICTURE_PX * 3 };
    ims_status st;

    b->n_inputs = IMS_FACE_DETECT_BATCH * ims_pool_n_devices(ims_face_pool(b->models, IMS_FACE_DETECT));
    b->inputs = ims__zalloc(b->n_inputs, sizeof(*b->inputs));
    b->lists = ims__zalloc(b->n_inputs, sizeof(*b->lists));
    if (!pixels || !b->inputs || !b->lists) {
        ims__free(pixels);
        return no_memory(err);
    }
    ims__clip_proof_picture(0, PICTURE_PX, PICTURE_PX, pixels);
    st = ims_face_prepare(b->models, &view, &b->inputs[0], err);
    ims__free(pixels);
    if (st)
        return st;
    for (size_t i = 1; i < b->n_inputs; i++)
        b->inputs[i] = b->inputs[0];
    *out_side_px = (unsigned)lround(sqrt((double)b->inputs[0].n_px));
    return IMS_OK;
}

static ims_status prepare_crops(struct bench_faces *b, size_t n, ims_err *err)
{
    b->crops = ims__alloc(n, CROP_BYTES);
    b->vectors = ims__alloc(n * IMS_FACE_DIM, sizeof(float));
    if (!b->crops || !b->vectors)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        ims__clip_proof_picture((unsigned)(i % IMS_CLIP_PROOF_ROWS), IMS_FACE_EMBED_SIDE_PX,
                                IMS_FACE_EMBED_SIDE_PX, b->crops + i * CROP_BYTES);
    return IMS_OK;
}

static ims_status load(struct bench_faces *b, struct ims_engine *e, size_t max_batch,
                       struct ims_bench_faces *out, ims_err *err)
{
    const struct ims_face_options options = { .no_second_scale = true, .max_batch = max_batch };
    const uint64_t start = ims__mono_ns();
    struct ims_compute_report report;
    ims_status st = ims_face_models_open(&b->models, e->face_pack, e->compute, &options, err);

    if (!st)
        st = ims_face_load(b->models, IMS_FACE_DETECT, err);
    if (!st)
        st = ims_face_load(b->models, IMS_FACE_EMBED, err);
    if (st)
        return st;
    out->load_ms = ims__bench_ms_since(start);
    (void)snprintf(out->model, sizeof(out->model), "%s", e->face_pack->name);
    if (ims_pool_report(ims_face_pool(b->models, IMS_FACE_DETECT), &report))
        (void)snprintf(out->device, sizeof(out->device), "%s", report.device_name);
    return IMS_OK;
}

static ims_status measure(struct bench_faces *b, const struct ims_bench_options *o, struct ims_bench_faces *out,
                          ims_err *err)
{
    const size_t n_pictures[] = { 1, b->n_inputs };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(n_pictures); i++) {
        struct ims_bench_rate *r = &out->detections[out->n_detections++];

        r->batch = (unsigned)n_pictures[i];
        st = ims__bench_rate(run_detections, b, n_pictures[i], &r->per_s, err);
    }
    for (size_t i = 0; !st && i < o->n_batches && i < IMS_BENCH_MAX_BATCHES; i++) {
        struct ims_bench_rate *r = &out->recognitions[out->n_recognitions++];

        r->batch = o->batches[i];
        if (o->on_step)
            o->on_step(o->arg, out->device, r->batch);
        st = ims__bench_rate(run_recognitions, b, r->batch, &r->per_s, err);
    }
    return st;
}

static ims_status run(struct bench_faces *b, struct ims_engine *e, const struct ims_bench_options *o,
                      struct ims_bench_faces *out, ims_err *err)
{
    size_t max_batch = 1;
    ims_status st;

    for (size_t i = 0; i < o->n_batches; i++)
        max_batch = o->batches[i] > max_batch ? o->batches[i] : max_batch;
    st = load(b, e, max_batch, out, err);
    if (!st)
        st = prepare_pictures(b, &out->side_px, err);
    if (!st)
        st = prepare_crops(b, max_batch, err);
    return st ? st : measure(b, o, out, err);
}

void ims__bench_faces(struct ims_engine *e, const struct ims_bench_options *o, struct ims_bench_faces *out)
{
    struct ims_bench_faces result = { .n_detections = 0 };
    struct bench_faces b = { .n_inputs = 0 };
    ims_err err;
    ims_status st = ims__engine_need_faces(e, result.note, sizeof(result.note), &err);

    if (!st && e->face_pack)
        st = run(&b, e, o, &result, &err);
    if (st) {
        result = (struct ims_bench_faces){ .n_detections = 0 };
        (void)snprintf(result.note, sizeof(result.note), "%s", err.text);
    }
    if (b.inputs)
        ims_face_input_release(&b.inputs[0]);
    ims_face_models_close(b.models);
    ims__free(b.inputs);
    ims__free(b.lists);
    ims__free(b.crops);
    ims__free(b.vectors);
    *out = result;
}
