/* Compares a model's embeddings with the committed ones of the reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bar is 1e-4 and what is measured 5e-7; this is low enough to see tanh-GELU taken for GELU, a
 * wrong epsilon or 1.7 for 1.702. */
#define MAX_DIFFERENCE 4e-6
#define MIN_COSINE 0.99999
#define MAX_ALIKE 0.9

struct fixture {
    const char *arch;
    uint32_t side; /* of the pictures' grid */
    ims_json *expected;
    struct ims_clip_config config;
    struct ims_compute *compute;
    struct ims_pack *pack;
    struct ims_clip *clip;
};

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Row k of the reference. */
static void read_row(const struct fixture *f, const char *key, size_t k, float *out)
{
    const ims_json *row = ims__json_at(ims__json_get(f->expected, key), k);

    for (size_t i = 0; i < f->config.dim; i++)
        out[i] = (float)ims__json_num(ims__json_at(row, i), NAN);
}

static void compare(const struct fixture *f, const char *key, size_t k, const float *got)
{
    float *want = ims__alloc(f->config.dim, sizeof(*want));
    double worst = 0;
    double cosine;

    CHECK(want);
    read_row(f, key, k, want);
    cosine = dot(got, want, f->config.dim) /
             sqrt(dot(got, got, f->config.dim) * dot(want, want, f->config.dim));
    for (size_t i = 0; i < f->config.dim; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= worst))
            worst = d;
    }
    ims__free(want);
    test_note("%s %s %zu: cosine %.8f, largest difference %.2g", f->arch, key, k, cosine, worst);
    CHECK(cosine >= MIN_COSINE);
    CHECK(worst <= MAX_DIFFERENCE);
}

/* Equal inputs would let a tower that ignores its input pass. */
static void check_variety(const struct fixture *f, const float *rows, size_t n)
{
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < a; b++)
            CHECK(dot(rows + a * f->config.dim, rows + b * f->config.dim, f->config.dim) <
                  MAX_ALIKE);
    }
}

static void check_images(struct fixture *f)
{
    const struct ims_clip_vision *v = &f->config.vision;
    const size_t bytes = (size_t)v->height * v->width * 3;
    const size_t n = (size_t)ims__json_int(ims__json_get(f->expected, "n_pictures"), 0);
    uint8_t *pixels = ims__alloc(n, bytes);
    float *rows = ims__alloc(n, f->config.dim * sizeof(*rows));
    float *single = ims__alloc(f->config.dim, sizeof(*single));
    ims_err err = { 0 };

    CHECK(n >= 3 && pixels && rows && single);
    for (unsigned k = 0; k < n; k++)
        generated_picture(f->arch, k, f->side, v->height, v->width, pixels + k * bytes);
    CHECK_OK(ims_clip_embed_images(f->clip, pixels, n, rows, &err), err);
    for (size_t k = 0; k < n; k++)
        compare(f, "image_embeddings", k, rows + k * f->config.dim);
    check_variety(f, rows, n);
    /* alone as in a batch */
    CHECK_OK(ims_clip_embed_images(f->clip, pixels + bytes, 1, single, &err), err);
    compare(f, "image_embeddings", 1, single);
    ims__free(single);
    ims__free(rows);
    ims__free(pixels);
}

/* All texts in rows of the given length, and each alone as short as it can be. */
static void check_texts_at(struct fixture *f, size_t length, bool is_each_alone)
{
    const struct ims_clip_text *t = &f->config.text;
    const ims_json *counts = ims__json_get(f->expected, "text_tokens");
    /* two_way_text pads with 1, as its configuration says */
    const int32_t pad = strcmp(f->arch, "two_way_text") == 0 ? 1 : 0;
    const size_t n = ims__json_len(counts);
    int32_t *ids = ims__alloc(n * length, sizeof(*ids));
    float *rows = ims__alloc(n, f->config.dim * sizeof(*rows));
    ims_err err = { 0 };

    CHECK(n >= 3 && ids && rows);
    for (unsigned k = 0; k < n; k++)
        generated_text(f->arch, k, (uint32_t)ims__json_int(ims__json_at(counts, k), 0),
                       t->vocab_size, pad, length, ids + k * length);
    CHECK_OK(ims__clip_embed_ids(f->clip, ids, n, length, rows, &err), err);
    for (size_t k = 0; k < n; k++)
        compare(f, "text_embeddings", k, rows + k * f->config.dim);
    check_variety(f, rows, n);
    for (unsigned k = 0; is_each_alone && k < n; k++) {
        CHECK_OK(ims__clip_embed_ids(f->clip, ids + k * length, 1,
                                     (size_t)ims__json_int(ims__json_at(counts, k), 0), rows, &err),
                 err);
        compare(f, "text_embeddings", k, rows);
    }
    ims__free(rows);
    ims__free(ids);
}

static void check_texts(struct fixture *f)
{
    const ims_json *counts = ims__json_get(f->expected, "text_tokens");
    size_t longest = 0;

    for (size_t k = 0; k < ims__json_len(counts); k++) {
        size_t n = (size_t)ims__json_int(ims__json_at(counts, k), 0);
        longest = n > longest ? n : longest;
    }
    check_texts_at(f, f->config.text.context_length, false);
    if (ims__clip_text_is_cuttable(&f->config.text))
        check_texts_at(f, longest, true);
}

static void close_fixture(struct fixture *f)
{
    ims_clip_close(f->clip);
    ims_pack_close(f->pack);
    ims_compute_close(f->compute);
    ims__json_free(f->expected);
}

static void read_expected(struct fixture *f, const char *folder)
{
    char path[256];
    ims_err err = { 0 };
    size_t n;
    char *text;

    (void)snprintf(path, sizeof(path), "tests/golden/%s/%s.expected.json", folder, f->arch);
    text = test_read_file(test_source_path(path), &n);
    CHECK_OK(ims__json_parse(&f->expected, text, n, path, &err), err);
    free(text);
}

/* config: in place of the pack's own; NULL: that one. */
static void open_model(struct fixture *f, const char *dir, const struct ims_clip_config *config)
{
    const char *device = getenv("IMS_TEST_DEVICE");
    const struct ims_compute_options options = { .device = { .device = device ? device : "cpu" } };
    ims_err err = { 0 };

    CHECK_OK(ims_pack_open(&f->pack, dir, &err), err);
    CHECK_OK(ims_compute_open(&f->compute, &options, &err), err);
    if (config)
        CHECK_OK(ims__clip_open(&f->clip, f->pack, config, f->compute, NULL, &err), err);
    else
        CHECK_OK(ims_clip_open(&f->clip, f->pack, f->compute, NULL, &err), err);
    f->config = f->clip->config;
}

static void open_fixture(struct fixture *f, const char *folder, const char *tokenizer)
{
    const char *dir = test_tmp_dir();
    char path[256];

    read_expected(f, folder);
    (void)snprintf(path, sizeof(path), "tests/golden/%s/%s.config.json", folder, f->arch);
    generated_pack_with(dir, test_source_path(path),
                        ims__json_str(ims__json_get(f->expected, "dtype"), NULL), tokenizer, NULL,
                        &f->config);
    open_model(f, dir, &f->config);
    if (f->clip)
        f->clip->no_proof = true;
}

void expected_check(const char *arch)
{
    struct fixture f = { .arch = arch, .side = GENERATED_SIDE };

    open_fixture(&f, "clip", NULL);
    if (f.clip && !test_has_failed())
        check_texts(&f);
    if (f.clip && !test_has_failed())
        check_images(&f);
    close_fixture(&f);
}

/* ---- the demo model ---- */

static void check_ids(struct fixture *f, const char *caption, const ims_json *want)
{
    int32_t *ids = NULL;
    size_t n = 0;
    ims_err err = { 0 };

    CHECK_OK(ims_clip_tokenize(f->clip, caption, &ids, &n, &err), err);
    CHECK_INT(n, ims__json_len(want));
    for (size_t i = 0; i < n; i++)
        CHECK_INT(ids[i], ims__json_int(ims__json_at(want, i), -1));
    ims__free(ids);
}

static void check_captions(struct fixture *f)
{
    const ims_json *captions = ims__json_get(f->expected, "captions");
    const size_t n = ims__json_len(captions);
    const char *texts[16];
    float *rows = ims__alloc(n, f->config.dim * sizeof(*rows));
    ims_err err = { 0 };

    CHECK(rows && n >= 3 && n <= IMS_ARRAY_LEN(texts));
    for (size_t k = 0; k < n; k++) {
        texts[k] = ims__json_str(ims__json_at(captions, k), NULL);
        check_ids(f, texts[k], ims__json_at(ims__json_get(f->expected, "ids"), k));
    }
    CHECK_OK(ims_clip_embed_text(f->clip, texts, n, rows, &err), err);
    for (size_t k = 0; k < n; k++)
        compare(f, "text_embeddings", k, rows + k * f->config.dim);
    check_variety(f, rows, n);
    ims__free(rows);
}

static void check_demo(const char *dir, void (*check)(struct fixture *f))
{
    struct fixture f = { .arch = "demo", .side = 2 };

    read_expected(&f, "clip");
    if (!test_has_failed())
        open_model(&f, dir, NULL);
    if (f.clip && !test_has_failed())
        check(&f);
    close_fixture(&f);
}

void expected_check_demo_captions(const char *dir)
{
    check_demo(dir, check_captions);
}

void expected_check_demo_pictures(const char *dir)
{
    check_demo(dir, check_images);
}

/* ---- SigLIP ---- */

void expected_check_siglip(const char *arch, const char *tokenizer)
{
    struct fixture f = { .arch = arch, .side = GENERATED_SIDE };

    open_fixture(&f, "siglip", tokenizer);
    if (f.clip && !test_has_failed())
        check_captions(&f);
    if (f.clip && !test_has_failed())
        check_images(&f);
    close_fixture(&f);
}

/* ---- many threads ---- */

enum { N_THREADS = 6, MAX_DIM = 128, MAX_LENGTH = 128 };

struct caller {
    struct fixture *f;
    struct ims_thread thread;
    int32_t ids[MAX_LENGTH];
    size_t length;
    float out[MAX_DIM];
    ims_status status;
    ims_err err;
};

static void embed_one(void *arg)
{
    struct caller *c = arg;

    c->status = ims__clip_embed_ids(c->f->clip, c->ids, 1, c->length, c->out, &c->err);
}

static void check_threads(struct fixture *f)
{
    static struct caller callers[N_THREADS];
    const ims_json *counts = ims__json_get(f->expected, "text_tokens");
    ims_err err = { 0 };

    CHECK(f->config.dim <= MAX_DIM && f->config.text.context_length <= MAX_LENGTH);
    for (unsigned i = 0; i < N_THREADS; i++) {
        struct caller *c = &callers[i];
        unsigned k = i % (unsigned)ims__json_len(counts);
        *c = (struct caller){ .f = f, .length = (size_t)ims__json_int(ims__json_at(counts, k), 0) };
        generated_text(f->arch, k, (uint32_t)c->length, f->config.text.vocab_size, 0, c->length,
                       c->ids);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        CHECK_OK(ims__thread_start(&callers[i].thread, "embed", embed_one, &callers[i], &err), err);
    for (unsigned i = 0; i < N_THREADS; i++)
        ims__thread_join(&callers[i].thread);
    for (unsigned i = 0; i < N_THREADS; i++) {
        CHECK_OK(callers[i].status, callers[i].err);
        compare(f, "text_embeddings", i % (unsigned)ims__json_len(counts), callers[i].out);
    }
}

void expected_check_threads(const char *arch)
{
    struct fixture f = { .arch = arch, .side = GENERATED_SIDE };

    open_fixture(&f, "clip", NULL);
    if (f.clip && !test_has_failed())
        check_threads(&f);
    close_fixture(&f);
}
