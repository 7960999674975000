/* Packs in Immich's layout: ready ONNX graphs in the forms its exporters wrote over the years.
 *
 * The graphs here are tiny (normalise(flatten(input) M)), so the expected vectors are worked out
 * on the spot; what is tested is everything around them: types, layouts, normalisation, padding,
 * batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"
#include "models/onnx_writer.h"
#include "unit/tokenizer/small_vocab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 4, DIM = 5, CONTEXT = 6, N_PIXELS = SIDE * SIDE * 3 };

static const char *dir;
static float matrix[N_PIXELS * DIM];

static void write_file(const char *name, const void *text, size_t n)
{
    char path[1024];
    char *slash;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    CHECK(ims__mkdir_p(path, NULL) == IMS_OK);
    *slash = '/';
    CHECK(ims__write_file(path, text, n, NULL) == IMS_OK);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* normalise(reshape(float(in), [-1, n_in]) M[0 .. n_in)) in the given file. */
static void write_graph(const char *file, ims_onnx_type type, const struct ims_onnx_dim *dims,
                        size_t rank, uint64_t n_in)
{
    const struct ims_onnx_dim out[] = { { NULL, 1 }, { NULL, DIM } };
    const struct ims_onnx_dim out_free[] = { { "batch_size", 0 }, { NULL, DIM } };
    const int64_t shape[] = { -1, (int64_t)n_in };
    const uint64_t matrix_dims[] = { n_in, DIM };
    struct ims_onnx g;
    ims_err err = { 0 };
    void *bytes = NULL;
    size_t n;
    int x;
    int length[2];

    ims__onnx_init(&g);
    x = ims__onnx_input(&g, rank == 4 ? "image" : "text", type, dims, rank);
    x = ims__onnx_node(&g, "Cast", &x, 1, 1, &IMS_ONNX_INT("to", IMS_ONNX_FLOAT), 1);
    x = ims__onnx_node(&g, "Reshape", (const int[]){ x, ims__onnx_ints(&g, shape, 2) }, 2, 1, NULL,
                       0);
    x = ims__onnx_node(&g, "MatMul",
                       (const int[]){ x, ims__onnx_floats(&g, matrix, n_in * DIM, matrix_dims, 2) },
                       2, 1, NULL, 0);
    length[0] = x;
    length[1] = ims__onnx_ints(&g, &(int64_t){ 1 }, 1);
    length[1] = ims__onnx_node(&g, "ReduceL2", length, 2, 1, &IMS_ONNX_INT("keepdims", 1), 1);
    x = ims__onnx_node(&g, "Div", length, 2, 1, NULL, 0);
    ims__onnx_output(&g, x, "embedding", IMS_ONNX_FLOAT, dims[0].name ? out_free : out, 2);
    CHECK_OK(ims__onnx_finish(&g, "test", &bytes, &n, &err), err);
    write_file(file, bytes, n);
    ims__free(bytes);
    ims__onnx_release(&g);
}

struct form {
    ims_onnx_type image_type;
    struct ims_onnx_dim image[4];
    ims_onnx_type text_type;
    struct ims_onnx_dim text[2];
};

static const struct form current = { IMS_ONNX_FLOAT,
                                     { { NULL, 1 }, { NULL, 3 }, { NULL, SIDE }, { NULL, SIDE } },
                                     IMS_ONNX_INT32,
                                     { { NULL, 1 }, { NULL, CONTEXT } } };
static const struct form of_2023 = {
    IMS_ONNX_FLOAT,
    { { "batch_size", 0 }, { NULL, 3 }, { NULL, SIDE }, { NULL, SIDE } },
    IMS_ONNX_INT64,
    { { "batch_size", 0 }, { NULL, CONTEXT } }
};
static const struct form prepared = { IMS_ONNX_UINT8,
                                      { { "n", 0 }, { NULL, SIDE }, { NULL, SIDE }, { NULL, 3 } },
                                      IMS_ONNX_INT32,
                                      { { "n", 0 }, { NULL, CONTEXT } } };

static void make(const struct form *f)
{
    static const char *const results[] = { "ab", "ab</w>" };
    struct ims_buf vocab;

    dir = test_tmp_dir();
    for (size_t i = 0; i < IMS_ARRAY_LEN(matrix); i++)
        matrix[i] = (float)(generated_value("immich", i) >> 40) / 16777216.0f - 0.5f;
    write_text("config.json",
               "{\"embed_dim\":5,\"vision_cfg\":{\"image_size\":4,\"timm_model_name\":\"any\"},"
               "\"text_cfg\":{\"context_length\":6,\"vocab_size\":600}}");
    write_text("visual/preprocess_cfg.json",
               "{\"size\":[4,4],\"mode\":\"RGB\",\"mean\":[0.4,0.5,0.6],\"std\":[0.2,0.25,0.5],"
               "\"interpolation\":\"bicubic\",\"resize_mode\":\"shortest\",\"fill_color\":0}");
    write_text("textual/tokenizer_config.json", "{\"pad_token\":\"<|endoftext|>\"}");
    write_vocab(&vocab, results, IMS_ARRAY_LEN(results), "\"a b\",\"a b</w>\"");
    write_file("textual/tokenizer.json", vocab.data, vocab.len);
    ims__buf_release(&vocab);
    write_graph("visual/model.onnx", f->image_type, f->image, 4, N_PIXELS);
    write_graph("textual/model.onnx", f->text_type, f->text, 2, CONTEXT);
}

static void check_product(const char *what, const float *x, size_t n_in, const float *got)
{
    double want[DIM] = { 0 };
    double length = 0;

    for (size_t d = 0; d < DIM; d++) {
        for (size_t i = 0; i < n_in; i++)
            want[d] += (double)x[i] * (double)matrix[i * DIM + d];
        length += want[d] * want[d];
    }
    for (size_t d = 0; d < DIM; d++) {
        if (!test_check_near(__FILE__, __LINE__, what, (double)got[d], want[d] / sqrt(length),
                             1e-5))
            return;
    }
}

static void check_images(struct ims_clip *clip, bool is_planar)
{
    static const float mean[] = { 0.4f, 0.5f, 0.6f };
    static const float std[] = { 0.2f, 0.25f, 0.5f };
    uint8_t pixels[3 * N_PIXELS];
    float out[3 * DIM];
    float x[N_PIXELS];
    ims_err err = { 0 };

    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(generated_value("pixels", i) >> 56);
    CHECK_OK(ims_clip_embed_images(clip, pixels, 3, out, &err), err);
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < N_PIXELS; i++) {
            size_t c = i % 3;
            float v = (float)pixels[k * N_PIXELS + i];
            if (is_planar)
                x[c * SIDE * SIDE + i / 3] = (v / 255.0f - mean[c]) / std[c];
            else
                x[i] = v;
        }
        check_product("picture", x, N_PIXELS, out + k * DIM);
    }
}

static void check_texts(struct ims_clip *clip)
{
    /* "ab</w>" is 513, start 514, end 515, which pads too */
    static const float ids[2][CONTEXT] = { { 514, 513, 515, 515, 515, 515 },
                                           { 514, 513, 513, 513, 513, 515 } };
    const char *texts[] = { "ab", "ab ab ab ab ab ab ab" };
    float out[2 * DIM];
    ims_err err = { 0 };

    CHECK_OK(ims_clip_embed_text(clip, texts, 2, out, &err), err);
    check_product("text", ids[0], CONTEXT, out);
    check_product("cut text", ids[1], CONTEXT, out + DIM);
}

static void check_form(const struct form *f)
{
    const struct ims_compute_options options = { .device = { .device = "cpu" } };
    struct ims_compute *compute = NULL;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    struct ims_compute_report report;
    ims_err err = { 0 };

    make(f);
    CHECK_OK(ims_pack_open(&pack, dir, &err), err);
    CHECK_INT(pack->layout, IMS_PACK_IMMICH);
    CHECK_OK(ims_compute_open(&compute, &options, &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, compute, NULL, &err), err);
    CHECK_INT(ims_clip_info(clip)->dim, DIM);
    CHECK(!ims_pool_report(ims_clip_pool(clip, IMS_CLIP_IMAGE), &report));
    check_texts(clip);
    CHECK(!ims_pool_report(ims_clip_pool(clip, IMS_CLIP_IMAGE), &report)); /* words alone load no image tower */
    check_images(clip, f->image_type == IMS_ONNX_FLOAT);
    CHECK(ims_pool_report(ims_clip_pool(clip, IMS_CLIP_IMAGE), &report));
    CHECK_STR(report.device_name, "cpu");
    ims_clip_close(clip);
    ims_compute_close(compute);
    ims_pack_close(pack);
}

TEST(now,
     "the current export, float pictures and int32 texts one by one, gives the graph's vectors")
{
    check_form(&current);
}

TEST(then, "the export of 2023, a free batch and int64 texts, gives the graph's vectors")
{
    check_form(&of_2023);
}

TEST(later, "the prepared export, raw bytes in, gives the graph's vectors")
{
    check_form(&prepared);
}

static void check_refused(const struct form *f, const char *message)
{
    const struct ims_compute_options options = { .device = { .device = "cpu" } };
    struct ims_compute *compute = NULL;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    char want[1400];
    ims_err err = { 0 };

    make(f);
    CHECK_OK(ims_pack_open(&pack, dir, &err), err);
    CHECK_OK(ims_compute_open(&compute, &options, &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, compute, NULL, &err), err);
    CHECK_STATUS(ims_clip_load(clip, IMS_CLIP_IMAGE, &err), IMS_E_MODEL, err);
    (void)snprintf(want, sizeof(want), "%s/visual/model.onnx: %s", dir, message);
    CHECK_STR(err.text, want);
    ims_clip_close(clip);
    ims_compute_close(compute);
    ims_pack_close(pack);
}

TEST(other, "a graph of another picture size, type or batch is refused with both forms")
{
    struct form f = current;

    f.image[2].value = f.image[3].value = 8;
    check_refused(&f,
                  "image input: expected u8[n,4,4,3] or f32[n,3,4,4], found image f32[1,3,8,8]");
    f = current;
    f.image_type = IMS_ONNX_INT32;
    check_refused(&f,
                  "image input: expected u8[n,4,4,3] or f32[n,3,4,4], found image i32[1,3,4,4]");
    f = current;
    f.image[0].value = 2;
    check_refused(&f, "image input: expected a batch that is free or 1, found image f32[2,3,4,4]");
}

TEST(dark, "a vector that is not of unit length is an error, not a result")
{
    const struct ims_compute_options options = { .device = { .device = "cpu" } };
    struct ims_compute *compute = NULL;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    const uint8_t black[N_PIXELS] = { 0 };
    float out[DIM] = { 7, 7, 7, 7, 7 };
    ims_err err = { 0 };

    make(&prepared); /* 0 / 0 for a black picture: not a number */
    CHECK_OK(ims_pack_open(&pack, dir, &err), err);
    CHECK_OK(ims_compute_open(&compute, &options, &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, compute, NULL, &err), err);
    CHECK_STATUS(ims_clip_embed_images(clip, black, 1, out, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "expected 1"));
    CHECK(out[0] == 7.0f && out[4] == 7.0f);
    ims_clip_close(clip);
    ims_compute_close(compute);
    ims_pack_close(pack);
}

TEST_MAIN
