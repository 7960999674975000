/* Compares precisions of one pack in one process, turn by turn, so that a busy machine slows all
 * of them alike.
 *
 *     bench_precision [PACK [THREADS [BATCH]]]
 *
 * Without PACK it makes one of ViT-B/32's true shape with generated weights in a temporary folder.
 * The best of several turns counts; "per core-second" divides by processor time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"

#include <stdio.h>
#include <stdlib.h>

#define N_TURNS 8
#define TEXT "a red house in the snow at night"

static ims_err err;

static void must(ims_status st)
{
    if (st) {
        fprintf(stderr, "bench_precision: %s\n", err.text);
        exit(1);
    }
}

struct entry {
    struct ims_clip *clip;
    double open_ms, image_s, image_cpu_s, text_s;
    float *out;
    double least;
};

static double seconds_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e9;
}

static void turn(struct entry *e, const uint8_t *pixels, size_t batch)
{
    static const char *const text = TEXT;
    uint64_t start = ims__mono_ns(), cpu = ims__process_cpu_ns();
    double s, cpu_s;

    must(ims_clip_embed_images(e->clip, pixels, batch, e->out, &err));
    s = seconds_since(start);
    cpu_s = (double)(ims__process_cpu_ns() - cpu) / 1e9;
    e->image_s = s < e->image_s ? s : e->image_s;
    e->image_cpu_s = cpu_s < e->image_cpu_s ? cpu_s : e->image_cpu_s;
    start = ims__mono_ns();
    must(ims_clip_embed_text(e->clip, &text, 1, e->out + batch * ims_clip_info(e->clip)->dim, &err));
    s = seconds_since(start);
    e->text_s = s < e->text_s ? s : e->text_s;
}

static void open_entry(struct entry *e, const struct ims_pack *pack, struct ims_compute *compute,
                       ims_precision p, size_t batch, const char *cache)
{
    const struct ims_clip_options o = { .max_batch = batch, .precision = p, .cache_dir = cache };
    uint64_t start = ims__mono_ns();

    *e = (struct entry){ .image_s = 1e9, .image_cpu_s = 1e9, .text_s = 1e9, .least = 1 };
    must(ims_clip_open(&e->clip, pack, compute, &o, &err));
    e->open_ms = seconds_since(start) * 1000;
    e->out = ims__alloc((batch + 1) * ims_clip_info(e->clip)->dim, sizeof(float));
    if (!e->out)
        exit(1);
}

static void compare(struct entry *e, const struct entry *exact, size_t rows)
{
    size_t dim = ims_clip_info(e->clip)->dim;

    for (size_t r = 0; r < rows; r++) {
        double sum = 0;

        for (size_t i = 0; i < dim; i++)
            sum += (double)e->out[r * dim + i] * (double)exact->out[r * dim + i];
        e->least = sum < e->least ? sum : e->least;
    }
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : test_tmp_dir();
    unsigned n_threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    size_t batch = argc > 3 ? (size_t)atoi(argv[3]) : 16;
    const struct ims_compute_options options = { .device = { .device = "cpu" }, .n_threads = n_threads };
    struct ims_clip_config config;
    struct ims_compute *compute = NULL;
    struct ims_pack *pack = NULL;
    struct entry e[IMS_N_PRECISIONS];
    uint8_t *pixels;

    if (argc < 2)
        generated_pack(dir, test_source_path("tests/golden/clip/vit_b_32.config.json"), "F32", NULL,
                       &config);
    must(ims_pack_open(&pack, dir, &err));
    must(ims_compute_open(&compute, &options, &err));
    for (int p = 0; p < IMS_N_PRECISIONS; p++)
        open_entry(&e[p], pack, compute, (ims_precision)p, batch, test_tmp_dir());
    pixels = ims__alloc(batch, (size_t)224 * 224 * 3 * 16);
    if (!pixels || ims_clip_info(e[0].clip)->preprocess.width > 896)
        exit(1);
    for (unsigned k = 0; k < batch; k++) {
        const struct ims_clip_preprocess *p = &ims_clip_info(e[0].clip)->preprocess;
        generated_picture("bench", k, GENERATED_SIDE, (uint32_t)p->height, (uint32_t)p->width,
                          pixels + k * (size_t)p->width * (size_t)p->height * 3);
    }
    for (int i = 0; i < N_TURNS; i++) {
        for (int p = 0; p < IMS_N_PRECISIONS; p++)
            turn(&e[p], pixels, batch);
    }
    printf("%s, batch %zu, %u threads (0: all)\n", pack->name, batch, n_threads);
    printf("          images/s    x   per core-s    x   text ms  least cosine\n");
    for (int p = 0; p < IMS_N_PRECISIONS; p++)
        compare(&e[p], &e[0], batch + 1);
    for (int p = 0; p < IMS_N_PRECISIONS; p++) {
        printf("  %-6s %9.1f %5.2f %11.1f %5.2f %9.2f  %.6f\n", ims_precision_name((ims_precision)p),
               (double)batch / e[p].image_s, e[0].image_s / e[p].image_s,
               (double)batch / e[p].image_cpu_s, e[0].image_cpu_s / e[p].image_cpu_s,
               e[p].text_s * 1000, e[p].least);
        ims_clip_close(e[p].clip);
        ims__free(e[p].out);
    }
    ims__free(pixels);
    ims_compute_close(compute);
    ims_pack_close(pack);
    return 0;
}
