/* Prints what each kernel costs on each tier of this machine: nanoseconds per call and bytes read
 * per second; then resizes of a 12-megapixel picture. Each figure is the best of several rounds,
 * because the machine may be shared.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "kernels/resample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM 512
#define N_ROWS 100000 /* of DIM floats: 205 MB, more than most caches */
#define ROUNDS 15
#define ROUND_NS 4000000

struct bench {
    const struct ims_kernels *k;
    float *a, *b, *out;
    uint16_t *half_a, *half_b;
    int8_t *byte_a, *byte_b;
    uint8_t *rgb; /* WIDTH x HEIGHT */
    float *rows;
    volatile double sink;
};

#define WIDTH 4000
#define HEIGHT 3000

static void run_dot_f32(struct bench *b)
{
    b->sink = (double)b->k->dot_f32(b->a, b->b, DIM);
}

static void run_dot_f16(struct bench *b)
{
    b->sink = (double)b->k->dot_f16(b->half_a, b->half_b, DIM);
}

static void run_dot_f32_f16(struct bench *b)
{
    b->sink = (double)b->k->dot_f32_f16(b->a, b->half_b, DIM);
}

static void run_dot_i8(struct bench *b)
{
    b->sink = (double)b->k->dot_i8(b->byte_a, b->byte_b, DIM);
}

static void run_rows_cached(struct bench *b)
{
    b->k->dot_f32_rows(b->a, b->rows, DIM, 16, DIM, b->out);
}

static void run_rows(struct bench *b)
{
    b->k->dot_f32_rows(b->a, b->rows, DIM, N_ROWS, DIM, b->out);
}

static void run_normalise(struct bench *b)
{
    b->sink = b->k->normalise_f32(b->b, DIM);
}

static void run_widen(struct bench *b)
{
    b->k->f16_to_f32(b->half_a, b->out, DIM);
}

static void run_narrow(struct bench *b)
{
    b->k->f32_to_f16(b->a, b->half_a, DIM);
}

static void run_planar(struct bench *b)
{
    static const float scale[3] = { 0.01f, 0.02f, 0.03f }, bias[3] = { 1.0f, 2.0f, 3.0f };

    b->k->u8_to_f32_planar(b->rgb, 224 * 224, scale, bias, b->out, 224 * 224);
}

static void run_luma(struct bench *b)
{
    b->k->rgb_to_luma(b->rgb, (size_t)WIDTH * HEIGHT, (uint8_t *)b->out);
}

static void run_resize(struct bench *b, int channels, ims_filter filter, int width, int height,
                       int crop)
{
    struct ims_resample r = { .src = b->rgb,
                              .src_width = WIDTH,
                              .src_height = HEIGHT,
                              .src_stride = (size_t)WIDTH * (size_t)channels,
                              .channels = channels,
                              .filter = filter,
                              .dst_width = width,
                              .dst_height = height,
                              .crop_x = (width - crop) / 2,
                              .crop_width = crop,
                              .crop_height = height };
    ims_err err;

    if (ims__resample_with(b->k, &r, (uint8_t *)b->out, (size_t)(crop * channels), &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void run_clip(struct bench *b)
{
    run_resize(b, 3, IMS_FILTER_BICUBIC, 298, 224, 224);
}

static void run_squash(struct bench *b)
{
    run_resize(b, 3, IMS_FILTER_BICUBIC, 224, 224, 224);
}

static void run_thumbnail(struct bench *b)
{
    run_resize(b, 3, IMS_FILTER_LANCZOS3, 256, 192, 256);
}

static void run_hash(struct bench *b)
{
    run_resize(b, 1, IMS_FILTER_LANCZOS3, 9, 8, 9);
}

static const struct {
    const char *name;
    void (*run)(struct bench *b);
    double bytes; /* read per call */
} cases[] = {
    { "dot_f32, 512", run_dot_f32, DIM * 8 },
    { "dot_f16, 512", run_dot_f16, DIM * 4 },
    { "dot_f32_f16, 512", run_dot_f32_f16, DIM * 6 },
    { "dot_i8, 512", run_dot_i8, DIM * 2 },
    { "dot_f32_rows, 16 x 512", run_rows_cached, 16.0 * DIM * 4 },
    { "dot_f32_rows, 100,000 x 512", run_rows, (double)N_ROWS *DIM * 4 },
    { "normalise_f32, 512", run_normalise, DIM * 4 },
    { "f16_to_f32, 512", run_widen, DIM * 2 },
    { "f32_to_f16, 512", run_narrow, DIM * 4 },
    { "u8_to_f32_planar, 224 x 224", run_planar, 224.0 * 224 * 3 },
    { "rgb_to_luma, 12 Mpx", run_luma, 3.0 * WIDTH *HEIGHT },
    { "CLIP 224 shortest + crop, 12 Mpx", run_clip, 3.0 * HEIGHT *WIDTH * 224 / 298 },
    { "CLIP 224 squash, 12 Mpx", run_squash, 3.0 * HEIGHT *WIDTH },
    { "thumbnail 256 Lanczos, 12 Mpx", run_thumbnail, 3.0 * HEIGHT *WIDTH },
    { "grey 9 x 8 Lanczos, 12 Mpx", run_hash, 1.0 * HEIGHT *WIDTH },
};

/* Nanoseconds of one call, the best round's mean. */
static double measure(struct bench *b, void (*run)(struct bench *b))
{
    double best = 1e30;

    run(b);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = ims__thread_cpu_ns(), spent;
        double calls = 0;

        do {
            run(b);
            calls++;
            if (calls < 64)
                spent = ims__thread_cpu_ns() - start;
            else { /* do not let the clock count as the kernel */
                for (int i = 0; i < 64; i++)
                    run(b);
                calls += 64;
                spent = ims__thread_cpu_ns() - start;
            }
        } while (spent < ROUND_NS);
        if ((double)spent / calls < best)
            best = (double)spent / calls;
    }
    return best;
}

static void run_tier(struct bench *b, const struct ims_kernels *k, const char *filter)
{
    if (!k)
        return;
    b->k = k;
    for (size_t i = 0; i < IMS_ARRAY_LEN(cases); i++) {
        double ns;

        if (filter && !strstr(cases[i].name, filter))
            continue;
        ns = measure(b, cases[i].run);
        printf("%-12s %-34s %14.1f ns %8.2f GB/s\n", k->name, cases[i].name, ns,
               cases[i].bytes / ns);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : NULL;
    struct bench b = { 0 };
    uint32_t x = 1;

    b.a = ims__zalloc(DIM, sizeof(float));
    b.b = ims__zalloc(DIM, sizeof(float));
    b.out = ims__zalloc((size_t)WIDTH * HEIGHT, 1); /* room for any result */
    b.half_a = ims__zalloc(DIM, 2);
    b.half_b = ims__zalloc(DIM, 2);
    b.byte_a = ims__zalloc(DIM, 1);
    b.byte_b = ims__zalloc(DIM, 1);
    b.rgb = ims__zalloc((size_t)WIDTH * HEIGHT, 3);
    b.rows = ims__zalloc((size_t)N_ROWS * DIM, sizeof(float));
    if (!b.a || !b.b || !b.out || !b.half_a || !b.half_b || !b.byte_a || !b.byte_b || !b.rgb ||
        !b.rows) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
        b.rgb[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < (size_t)N_ROWS * DIM; i++)
        b.rows[i] = (float)(i % 1000) * 0.001f;
    for (size_t i = 0; i < DIM; i++) {
        b.a[i] = b.b[i] = (float)i / DIM;
        b.half_a[i] = b.half_b[i] = (uint16_t)(0x3000 + i);
        b.byte_a[i] = b.byte_b[i] = (int8_t)(i % 200 - 100);
    }
    run_tier(&b, ims__kernels_for(IMS_CPU_GENERIC), filter);
    run_tier(&b, ims__kernels_for(IMS_CPU_NEON), filter);
    run_tier(&b, ims__kernels_for(IMS_CPU_AVX2), filter);
    run_tier(&b, ims__kernels_avx512_plain(), filter);
    if (ims__kernels_for(IMS_CPU_AVX512) &&
        strcmp(ims__kernels_for(IMS_CPU_AVX512)->name, "avx512+vnni") == 0)
        run_tier(&b, ims__kernels_for(IMS_CPU_AVX512), filter);
    return 0;
}
