/* Devices that take only graphs without free dimensions: rows of any number go through sessions of a
 * fixed one. The CPU stands in for such a device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/mem.h"
#include "models/clip/clip_internal.h"
#include "models/clip/clip_proof.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH 32
#define ROWS 4
#define MOST 11
#define TOLERANCE 1e-6
#define CPU (1u << IMS_DEVICE_CPU)
#define CUDA (1u << IMS_DEVICE_CUDA)

static struct ims_compute *open_compute(struct fault_plan *plan, const char *devices)
{
    struct ims_compute_options options = { .device = { .flag = devices },
                                           .n_threads = 1,
                                           .backend = &fault_backend,
                                           .backend_arg = plan };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };
    ims_status st = ims_compute_open(&c, &options, &err);

    return test_check_ok(__FILE__, __LINE__, "open", st, &err) ? c : NULL;
}

static struct ims_compute_session *open_chain(struct ims_compute *c)
{
    static const struct ims_compute_dim rows = { "batch", ROWS };
    struct ims_compute_graph graph = { .path = fixture_graph("chain") };
    struct ims_compute_session_options options = { .label = "chain",
                                                   .static_dims = &rows,
                                                   .n_static_dims = 1 };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };
    ims_status st = ims_compute_session_open(c, &s, &graph, &options, &err);

    return test_check_ok(__FILE__, __LINE__, "session", st, &err) ? s : NULL;
}

/* n rows into y, which is the caller's memory or allocated by the run. */
static void run_chain(struct ims_compute_session *s, const float *x, int64_t n, bool is_given,
                      float *y)
{
    const int64_t shape[] = { n, WIDTH };
    struct ims_compute_value in = fixture_f32("x", 2, shape, x), out = { .name = "y" };
    ims_err err = { .text = "" };

    if (is_given)
        out.tensor = ims_tensor_view(IMS_DTYPE_F32, 2, shape, y, (size_t)n * WIDTH * sizeof(*y));
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[0], n);
    CHECK_INT(out.tensor.bytes, (size_t)n * WIDTH * sizeof(*y));
    if (is_given)
        return;
    memcpy(y, out.tensor.data, (size_t)n * WIDTH * sizeof(*y));
    ims_tensor_release(&out.tensor);
}

TEST(rows, "any number of rows goes through a session of four, each to its place")
{
    struct fault_plan is_static = { .static_kinds = CPU, .label = "chain" };
    struct fault_plan is_free = { .label = "chain" };
    struct ims_compute *a = open_compute(&is_static, "cpu"), *b = open_compute(&is_free, "cpu");
    struct ims_compute_session *s, *t;
    float x[MOST * WIDTH], got[MOST * WIDTH], want[MOST * WIDTH];

    CHECK(a && b);
    s = open_chain(a);
    t = open_chain(b);
    CHECK(s && t);
    CHECK_INT(ims_compute_session_input(s, 0)->shape[0], -1);
    CHECK_INT(ims_compute_session_input(s, 0)->shape[1], WIDTH);
    CHECK_INT(ims_compute_session_output(s, 0)->shape[0], -1);
    for (size_t i = 0; i < MOST * WIDTH; i++)
        x[i] = (float)(i * 37 % 101) / 80.0f - 0.6f;
    for (int64_t n = 1; n <= MOST; n++) {
        memset(got, 0, sizeof(got));
        run_chain(s, x, n, n % 2, got);
        run_chain(t, x, n, n % 2, want);
        for (int64_t i = 0; i < n * WIDTH; i++)
            CHECK_NEAR(got[i], want[i], TOLERANCE);
        for (int64_t i = n * WIDTH; i < MOST * WIDTH; i++)
            CHECK(got[i] == 0); /* what fills up is not given out */
    }
    CHECK_INT(is_static.least_rows, ROWS);
    CHECK_INT(is_static.most_rows, ROWS);
    CHECK_INT(is_free.least_rows, 1);
    CHECK_INT(is_free.most_rows, MOST);
    ims_compute_session_close(s);
    ims_compute_session_close(t);
    ims_compute_close(a);
    ims_compute_close(b);
}

TEST(errors, "a failing turn, and memory of another size, leave nothing behind")
{
    struct fault_plan plan = { .static_kinds = CPU,
                               .label = "chain",
                               .run_fails_at = 3,
                               .n_failing_runs = 1,
                               .run_status = IMS_E_NOMEM };
    struct ims_compute *c = open_compute(&plan, "cpu");
    struct ims_compute_session *s;
    struct ims_compute_value in, out = { .name = "y" };
    float x[MOST * WIDTH] = { 0.5f }, y[MOST * WIDTH];
    ims_err err;

    CHECK(c);
    s = open_chain(c);
    CHECK(s);
    in = fixture_f32("x", 2, (int64_t[]){ MOST, WIDTH }, x);
    CHECK_STATUS(ims_compute_session_run(s, &in, 1, &out, 1, &err), IMS_E_NOMEM, err);
    CHECK(!out.tensor.data);
    out.tensor = ims_tensor_view(IMS_DTYPE_F32, 2, (int64_t[]){ MOST - 1, WIDTH }, y, sizeof(y));
    CHECK_STATUS(ims_compute_session_run(s, &in, 1, &out, 1, &err), IMS_E_DIMENSION, err);
    ims_compute_session_close(s);
    ims_compute_close(c);
}

/* ---- CLIP ---- */

struct vectors {
    size_t dim;
    float *images, *texts; /* MOST rows each */
};

static void embed(struct fault_plan *plan, struct vectors *out)
{
    struct ims_compute *c = open_compute(plan, "cpu");
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    const char *texts[MOST];
    uint8_t *pixels;
    size_t bytes;
    ims_err err;

    CHECK(c);
    CHECK_OK(ims_pack_open(&pack, test_source_path("models/demo/clip"), &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, c, NULL, &err), err);
    bytes = (size_t)clip->config.vision.height * clip->config.vision.width * 3;
    out->dim = clip->config.dim;
    out->images = ims__zalloc(MOST * out->dim, sizeof(float));
    out->texts = ims__zalloc(MOST * out->dim, sizeof(float));
    pixels = ims__zalloc(MOST, bytes);
    CHECK(out->images && out->texts && pixels);
    for (unsigned k = 0; k < MOST; k++) {
        texts[k] = ims__clip_proof_texts[k % IMS_CLIP_PROOF_ROWS];
        ims__clip_proof_picture(k % IMS_CLIP_PROOF_ROWS, clip->config.vision.height,
                                clip->config.vision.width, pixels + k * bytes);
        pixels[k * bytes] = (uint8_t)k;
    }
    CHECK_OK(ims_clip_embed_images(clip, pixels, MOST, out->images, &err), err);
    CHECK_OK(ims_clip_embed_text(clip, texts, MOST, out->texts, &err), err);
    ims__free(pixels);
    ims_clip_close(clip);
    ims_pack_close(pack);
    ims_compute_close(c);
}

static void check_tower(const char *label, int64_t rows, unsigned n_runs)
{
    struct fault_plan is_static = { .static_kinds = CPU }, is_free = { .n_cuda = 0 };
    struct vectors got = { .dim = 0 }, want = { .dim = 0 };

    strcpy(is_static.label, label);
    strcpy(is_free.label, label);
    embed(&is_static, &got);
    embed(&is_free, &want);
    CHECK(got.texts && want.texts);
    for (size_t i = 0; i < MOST * got.dim; i++) {
        CHECK_NEAR(got.images[i], want.images[i], TOLERANCE);
        CHECK_NEAR(got.texts[i], want.texts[i], TOLERANCE);
    }
    CHECK_INT(is_static.least_rows, rows);
    CHECK_INT(is_static.most_rows, rows);
    CHECK_INT(is_static.n_meant, n_runs);
    CHECK_INT(is_free.most_rows, MOST);
    CHECK_INT(is_static.n_sessions, is_free.n_sessions); /* one for whatever number of rows */
    ims__free(got.images);
    ims__free(got.texts);
    ims__free(want.images);
    ims__free(want.texts);
}

TEST(clip,
     "a model gives the vectors it gives with free shapes: eight pictures or one text at a time")
{
    check_tower("demo image", 8, 2);
    check_tower("demo text", 1, MOST);
}

TEST(mixed, "beside a device with fixed shapes, texts are as long as the context on every device")
{
    struct fault_plan plan = { .lists_cuda = true,
                               .n_cuda = 1,
                               .static_kinds = CUDA,
                               .label = "demo text",
                               .has_device = true,
                               .device = { IMS_DEVICE_CUDA, 0 } };
    struct ims_compute *c = open_compute(&plan, "cpu,cuda:0");
    struct ims_clip_options options = { .max_batch = 2 };
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    const struct ims_clip_side *side;
    float *rows;
    ims_err err;

    CHECK(c);
    CHECK_OK(ims_pack_open(&pack, test_source_path("models/demo/clip"), &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, c, &options, &err), err);
    rows = ims__zalloc(IMS_CLIP_PROOF_ROWS * clip->config.dim, sizeof(*rows));
    CHECK(rows);
    CHECK_OK(ims_clip_embed_text(clip, ims__clip_proof_texts, IMS_CLIP_PROOF_ROWS, rows, &err),
             err);
    side = &clip->sides[IMS_CLIP_TEXT];
    CHECK_INT(side->length, clip->config.text.context_length);
    CHECK(plan.n_meant > 0); /* the CPU did not do it alone */
    CHECK_INT(plan.most_rows, 1);
    ims__free(rows);
    ims_clip_close(clip);
    ims_pack_close(pack);
    ims_compute_close(c);
}

TEST(core_ml, "Core ML is such a device, CPU and CUDA are not")
{
    struct ims_compute *c = fixture_compute();
    struct ims_device_choice choice;
    ims_err err;

    CHECK_OK(ims_compute_choose(c, &choice, &err), err);
    CHECK(ims_compute_wants_static_shapes(c, IMS_DEVICE_COREML));
    CHECK(!ims_compute_wants_static_shapes(c, IMS_DEVICE_CPU));
    CHECK(!ims_compute_wants_static_shapes(c, IMS_DEVICE_CUDA));
}

int main(int argc, char **argv)
{
    int code = 0;

    return fixture_prepare("cpu", &code) ? test_main(argc, argv) : code;
}
