/* Vectors of fp16 and int8 towers against those of fp32: on small architectures with generated
 * weights, and on the demo model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"
#include "models/clip/clip_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define N 6
#define LENGTH 12
#define MAX_DIM 256

static ims_err err;

struct vectors {
    float images[N * MAX_DIM], texts[N * MAX_DIM];
    float image_alone[MAX_DIM], text_alone[MAX_DIM]; /* the last ones, in a batch of one */
};

struct model {
    char dir[600];
    const struct ims_clip_config *config; /* NULL: the pack's own */
    uint32_t side;
};

static void embed(const struct model *m, struct ims_compute *compute, ims_precision p,
                  const char *cache, struct vectors *out, size_t *out_dim)
{
    const struct ims_clip_options o = { .precision = p, .cache_dir = cache };
    const struct ims_clip_vision *size;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    static uint8_t pixels[N * 3 * 256 * 256];
    int32_t ids[N * LENGTH];
    size_t bytes;

    CHECK_OK(ims_pack_open(&pack, m->dir, &err), err);
    CHECK_OK(m->config ? ims__clip_open(&clip, pack, m->config, compute, &o, &err)
                       : ims_clip_open(&clip, pack, compute, &o, &err),
             err);
    clip->no_proof = true; /* the generated tokenizers do not go with every text tower */
    size = &clip->config.vision;
    bytes = (size_t)size->width * size->height * 3;
    CHECK(ims_clip_info(clip)->dim <= MAX_DIM && bytes * N <= sizeof(pixels));
    for (unsigned k = 0; k < N; k++) {
        generated_picture("precision", k, m->side, size->height, size->width,
                          pixels + k * bytes);
        generated_text("precision", k, 4 + k, ims_clip_info(clip)->vocab_size, 0, LENGTH,
                       ids + k * LENGTH);
    }
    CHECK_OK(ims_clip_embed_images(clip, pixels, N, out->images, &err), err);
    CHECK_OK(ims_clip_embed_images(clip, pixels + (N - 1) * bytes, 1, out->image_alone, &err), err);
    CHECK_OK(ims_clip_load(clip, IMS_CLIP_TEXT, &err), err);
    CHECK_OK(ims__clip_embed_ids(clip, ids, N, LENGTH, out->texts, &err), err);
    CHECK_OK(ims__clip_embed_ids(clip, ids + (N - 1) * LENGTH, 1, LENGTH, out->text_alone, &err),
             err);
    *out_dim = ims_clip_info(clip)->dim;
    ims_clip_close(clip);
    ims_pack_close(pack);
}

static double cosine(const float *a, const float *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double least(const float *a, const float *b, size_t dim)
{
    double low = 1;

    for (size_t i = 0; i < N; i++) {
        double c = cosine(a + i * dim, b + i * dim, dim);
        low = !(c >= low) ? c : low;
    }
    return low;
}

/* Cosines to fp32 of at least these, other numbers than fp32's, and the same alone as in a batch, up to
 * sums of another order that round the other way. */
static void check(const struct model *m, ims_precision p, double min_image, double min_text)
{
    static struct vectors exact, rounded;
    const struct ims_compute_options o = { .device = { .device = "cpu" }, .n_threads = 2 };
    struct ims_compute *compute = NULL;
    const char *cache = test_tmp_dir();
    size_t dim = 0;
    double image, text;

    CHECK_OK(ims_compute_open(&compute, &o, &err), err);
    embed(m, compute, IMS_PRECISION_FP32, cache, &exact, &dim);
    embed(m, compute, p, cache, &rounded, &dim);
    ims_compute_close(compute);
    CHECK(dim > 0);
    image = least(exact.images, rounded.images, dim);
    text = least(exact.texts, rounded.texts, dim);
    printf("# %s: least cosine of pictures %.6f, of texts %.6f\n", ims_precision_name(p), image,
           text);
    CHECK(image >= min_image);
    CHECK(text >= min_text);
    CHECK(memcmp(exact.images, rounded.images, dim * sizeof(float)) != 0);
    CHECK(memcmp(exact.texts, rounded.texts, dim * sizeof(float)) != 0);
    CHECK(cosine(rounded.image_alone, rounded.images + (N - 1) * dim, dim) > 0.99999);
    CHECK(cosine(rounded.text_alone, rounded.texts + (N - 1) * dim, dim) > 0.99999);
}

static void check_siglip(ims_precision p, double min_image, double min_text)
{
    static struct ims_clip_config config;
    struct model m = { .config = &config, .side = GENERATED_SIDE };

    (void)snprintf(m.dir, sizeof(m.dir), "%s", test_tmp_dir());
    generated_pack_with(m.dir, test_source_path("tests/golden/siglip/siglip.config.json"), "F32",
                        "tests/golden/tokenizer_unigram/tokenizer.json", NULL,
                        &config);
    check(&m, p, min_image, min_text);
}

static void check_generated(const char *name, const char *dtype, ims_precision p, double min_image,
                            double min_text)
{
    static struct ims_clip_config config;
    struct model m = { .config = &config, .side = GENERATED_SIDE };
    char path[200];

    (void)snprintf(m.dir, sizeof(m.dir), "%s", test_tmp_dir());
    (void)snprintf(path, sizeof(path), "tests/golden/clip/%s.config.json", name);
    generated_pack(m.dir, test_source_path(path), dtype, NULL, &config);
    check(&m, p, min_image, min_text);
}

static void check_demo(ims_precision p, double min_image, double min_text)
{
    struct model m = { .side = 2 };

    (void)snprintf(m.dir, sizeof(m.dir), "%s", test_source_path("models/demo/clip"));
    check(&m, p, min_image, min_text);
}

TEST(fp16, "halves keep vectors within a cosine of 0.99999 in every kind of tower, alone or not")
{
    check_generated("class_token", "F32", IMS_PRECISION_FP16, 0.99999, 0.99999);
    check_generated("average_pool", "F32", IMS_PRECISION_FP16, 0.99999, 0.99999);
    check_generated("half_deep", "F16", IMS_PRECISION_FP16, 0.99999, 0.99999);
    check_generated("two_way_text", "BF16", IMS_PRECISION_FP16, 0.99999, 0.99999);
    check_siglip(IMS_PRECISION_FP16, 0.99999, 0.99999);
}

TEST(int8, "8 bits keep vectors within a cosine of 0.99 in every kind of tower, alone or not")
{
    check_generated("class_token", "F32", IMS_PRECISION_INT8, 0.99, 0.99);
    check_generated("average_pool", "F32", IMS_PRECISION_INT8, 0.99, 0.99);
    check_generated("half_deep", "F16", IMS_PRECISION_INT8, 0.99, 0.99);
    check_generated("two_way_text", "BF16", IMS_PRECISION_INT8, 0.99, 0.99);
    check_siglip(IMS_PRECISION_INT8, 0.99, 0.99);
}

TEST(demo, "the demo model's vectors stay within 0.99999 with halves and 0.999 with 8 bits")
{
    check_demo(IMS_PRECISION_FP16, 0.99999, 0.99999);
    check_demo(IMS_PRECISION_INT8, 0.999, 0.999);
}

TEST_MAIN
