/* What a model does on a device: load times, first results, rates, memory, agreement with the CPU.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "engine/bench.h"
#include "models/clip/clip_proof.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define MIN_RUNS 3
#define MIN_MS 600.0 /* of a figure; the best run counts */
#define MAX_RUNS 200

struct bench {
    struct ims_engine *e;
    struct ims_clip *clip;
    struct ims_clip_info info;
    size_t px_bytes, max_batch;
    uint8_t *pixels;
    float *out;      /* max_batch rows, or one per proof input */
    float *vectors;  /* of the proof's pictures, then of its texts */
    float *expected; /* the same by the CPU with fp32 */
};

double ims__bench_ms_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e6;
}

uint64_t ims__peak_rss_bytes(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
#if defined(__APPLE__)
    return (uint64_t)u.ru_maxrss; /* bytes there, KiB elsewhere */
#else
    return (uint64_t)u.ru_maxrss * 1024;
#endif
}

/* Of the largest process that this one started and that has ended: a device's. */
static uint64_t peak_child_bytes(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_CHILDREN, &u) != 0)
        return 0;
#if defined(__APPLE__)
    return (uint64_t)u.ru_maxrss;
#else
    return (uint64_t)u.ru_maxrss * 1024;
#endif
}

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "engine", 0, "benching");
}

static ims_status open_clip(struct bench *b, struct ims_compute *compute, ims_precision p, ims_err *err)
{
    struct ims_clip_options options = { .max_batch = b->max_batch, .precision = p };
    char *cache = ims__path_join(b->e->options.data_dir, "cache");
    ims_status st;

    options.cache_dir = cache;
    st = cache ? ims_clip_open(&b->clip, b->e->pack, compute, &options, err) : no_memory(err);
    ims__free(cache);
    return st;
}

static ims_status allocate(struct bench *b, ims_err *err)
{
    const size_t rows = b->max_batch > IMS_CLIP_PROOF_ROWS ? b->max_batch : IMS_CLIP_PROOF_ROWS;
    const size_t height = (size_t)b->info.preprocess.height, width = (size_t)b->info.preprocess.width;
    const size_t n = 2 * IMS_CLIP_PROOF_ROWS * b->info.dim;

    b->px_bytes = width * height * 3;
    b->pixels = ims__alloc(rows, b->px_bytes);
    b->out = ims__alloc(rows * b->info.dim, sizeof(float));
    b->vectors = ims__alloc(n, sizeof(float));
    b->expected = ims__alloc(n, sizeof(float));
    if (!b->pixels || !b->out || !b->vectors || !b->expected)
        return no_memory(err);
    for (unsigned i = 0; i < rows; i++)
        ims__clip_proof_picture(i % IMS_CLIP_PROOF_ROWS, height, width, b->pixels + i * b->px_bytes);
    return IMS_OK;
}

/* ---- figures ---- */

static ims_status run_pictures(void *bench, size_t n, ims_err *err)
{
    struct bench *b = bench;

    return ims_clip_embed_images(b->clip, b->pixels, n, b->out, err);
}

/* n times the same short query: what a user types. */
static ims_status run_texts(void *bench, size_t n, ims_err *err)
{
    struct bench *b = bench;

    return ims_clip_embed_text(b->clip, &ims__clip_proof_texts[0], n, b->out, err);
}

ims_status ims__bench_rate(ims__bench_run_fn run, void *arg, size_t n, double *out, ims_err *err)
{
    double best = HUGE_VAL, total = 0;
    ims_status st = run(arg, n, err); /* the first one of a shape may pay for it */

    for (int i = 0; !st && i < MAX_RUNS && (i < MIN_RUNS || total < MIN_MS); i++) {
        uint64_t start = ims__mono_ns();
        double ms;

        st = run(arg, n, err);
        ms = ims__bench_ms_since(start);
        total += ms;
        best = ms < best ? ms : best;
    }
    if (!st)
        *out = (double)n * 1000 / best;
    return st;
}

/* From nothing to a session, and on to the first answer. */
static ims_status time_tower(struct bench *b, ims_clip_tower tower, double *load_ms, double *first_ms,
                             ims_err *err)
{
    uint64_t start = ims__mono_ns();
    ims_status st = ims_clip_load(b->clip, tower, err);

    *load_ms = ims__bench_ms_since(start);
    if (!st)
        st = tower == IMS_CLIP_IMAGE ? run_pictures(b, 1, err) : run_texts(b, 1, err);
    *first_ms = ims__bench_ms_since(start);
    return st;
}

static ims_status embed_proof(struct bench *b, float *out, ims_err *err)
{
    ims_status st = ims_clip_embed_images(b->clip, b->pixels, IMS_CLIP_PROOF_ROWS, out, err);

    return st ? st
              : ims_clip_embed_text(b->clip, ims__clip_proof_texts, IMS_CLIP_PROOF_ROWS,
                                    out + IMS_CLIP_PROOF_ROWS * b->info.dim, err);
}

static ims_status measure(struct bench *b, const struct ims_bench_options *o, struct ims_bench *out,
                          ims_err *err)
{
    ims_status st = time_tower(b, IMS_CLIP_TEXT, &out->text_load_ms, &out->text_first_ms, err);

    if (!st)
        st = time_tower(b, IMS_CLIP_IMAGE, &out->image_load_ms, &out->image_first_ms, err);
    for (size_t i = 0; !st && i < o->n_batches && i < IMS_BENCH_MAX_BATCHES; i++) {
        out->batches[i].batch = o->batches[i];
        out->n_batches++;
        if (o->on_step)
            o->on_step(o->arg, out->device, o->batches[i]);
        st = ims__bench_rate(run_pictures, b, o->batches[i], &out->batches[i].per_s, err);
    }
    if (!st)
        st = ims__bench_rate(run_texts, b, 1, &out->texts_per_s, err);
    if (!st)
        st = embed_proof(b, b->vectors, err);
    return st;
}

/* What an ingest on this device came to. */
static size_t kept_batch(struct bench *b, const struct ims_bench *out)
{
    struct ims_proof_verdict *v = ims__zalloc(IMS_PROOF_MAX_VERDICTS, sizeof(*v));
    size_t n = v ? ims_compute_verdicts(b->e->compute, v, IMS_PROOF_MAX_VERDICTS) : 0, batch = 0;
    char name[IMS_DEVICE_NAME_BYTES];

    for (size_t i = 0; i < n; i++) {
        ims_device_id_name(v[i].device, name);
        if (strcmp(name, out->device) == 0 && strcmp(v[i].graph_name, "image") == 0)
            batch = v[i].batch;
    }
    ims__free(v);
    return batch;
}

static void describe(struct bench *b, struct ims_bench *out)
{
    struct ims_compute_report report;
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));

    (void)snprintf(out->model, sizeof(out->model), "%s", b->e->pack->name);
    memcpy(out->digest, b->e->pack->digest, sizeof(out->digest));
    (void)snprintf(out->precision, sizeof(out->precision), "%s", ims_precision_name(b->info.precision));
    if (ims_pool_report(ims_clip_pool(b->clip, IMS_CLIP_IMAGE), &report)) {
        memcpy(out->device, report.device_name, sizeof(out->device));
        memcpy(out->provider, report.provider, sizeof(out->provider));
    }
    out->batch = kept_batch(b, out);
    if (info && ims_compute_describe(b->e->compute, false, info, NULL) == IMS_OK) {
        (void)snprintf(out->runtime, sizeof(out->runtime), "%s %s", info->runtime_name,
                       info->runtime_version);
        out->n_threads = info->n_threads;
    }
    ims__free(info);
}

/* NVML's number for the whole card, other programs included, while the sessions are open. */
static void read_device_memory(struct bench *b, struct ims_bench *out)
{
    struct ims_cuda_facts facts;
    unsigned index = 0;

    if (strncmp(out->device, "cuda", 4) != 0 && strncmp(out->device, "tensorrt", 8) != 0)
        return;
    (void)sscanf(out->device, "cuda:%u", &index);
    if (ims_compute_watch_cuda(b->e->compute, &facts, NULL))
        return; /* it is only not told */
    for (size_t i = 0; i < facts.n_devices; i++) {
        if (facts.devices[i].index == index && facts.devices[i].has_memory_used)
            out->device_used_bytes = facts.devices[i].memory_used_bytes;
    }
}

/* ---- agreement ---- */

static ims_status expect(struct bench *b, ims_err *err)
{
    struct ims_compute_options options = { .device = { .flag = "cpu" },
                                           .runtime_path = b->e->options.runtime_path,
                                           .isolation = IMS_ISOLATE_NEVER };
    struct ims_compute *cpu = NULL;
    ims_status st = ims_compute_open(&cpu, &options, err);

    if (!st)
        st = open_clip(b, cpu, IMS_PRECISION_FP32, err);
    if (!st)
        st = embed_proof(b, b->expected, err);
    ims_clip_close(b->clip);
    b->clip = NULL;
    ims_compute_close(cpu);
    return st;
}

static double least_cosine(const struct bench *b)
{
    double least = 1;

    for (size_t r = 0; r < 2 * IMS_CLIP_PROOF_ROWS; r++) {
        double sum = 0;

        for (size_t i = 0; i < b->info.dim; i++)
            sum += (double)b->vectors[r * b->info.dim + i] * (double)b->expected[r * b->info.dim + i];
        least = sum < least ? sum : least;
    }
    return least;
}

static ims_status run(struct bench *b, const struct ims_bench_options *o, struct ims_bench *out, ims_err *err)
{
    uint64_t start = ims__mono_ns();
    ims_precision precision;
    ims_status st = ims__engine_need_pack(b->e, err);

    if (!st)
        st = ims__engine_settle_precision(b->e, b->e->pack, &b->e->precision, err);
    precision = b->e->precision;
    if (!st)
        st = open_clip(b, b->e->compute, precision, err);
    out->open_ms = ims__bench_ms_since(start);
    if (st)
        return st;
    b->info = *ims_clip_info(b->clip);
    b->info.name = b->info.digest = NULL; /* of a handle that will be closed */
    st = allocate(b, err);
    if (!st)
        st = measure(b, o, out, err);
    if (st)
        return st;
    describe(b, out);
    out->peak_rss_bytes = ims__peak_rss_bytes();
    read_device_memory(b, out);
    ims_clip_close(b->clip);
    b->clip = NULL;
    out->peak_child_bytes = peak_child_bytes();
    st = expect(b, err);
    out->min_cosine = st ? 0 : least_cosine(b);
    if (!st)
        ims__bench_faces(b->e, o, &out->faces);
    return st;
}

ims_status ims_engine_bench(struct ims_engine *e, const struct ims_bench_options *options,
                            struct ims_bench *out, ims_err *err)
{
    struct bench b = { .e = e, .max_batch = 1 };
    struct ims_bench result = { .n_batches = 0 };
    ims_status st;

    for (size_t i = 0; i < options->n_batches; i++)
        b.max_batch = options->batches[i] > b.max_batch ? options->batches[i] : b.max_batch;
    st = run(&b, options, &result, err);
    ims_clip_close(b.clip);
    ims__free(b.pixels);
    ims__free(b.out);
    ims__free(b.vectors);
    ims__free(b.expected);
    if (!st)
        *out = result;
    return st;
}
