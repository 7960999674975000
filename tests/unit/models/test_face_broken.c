/* Faces where something is wrong: graphs of other shapes, results that cannot be, faces that are none.
 *
 * The graphs give constants, whatever the picture, so that a test says what a model "sees".
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"
#include "models/face/face_internal.h"
#include "models/face/scrfd.h"
#include "models/onnx_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_OUTPUTS 10

static const char *dir;
static struct ims_compute *compute;

/* ---- graphs ---- */

struct output {
    uint64_t dims[3];
    size_t rank;
    const float *values;
};

struct input {
    int64_t dims[4]; /* -1 = free */
};

static void write_file(const char *name, const void *p, size_t n)
{
    char path[1024];
    ims_err err = { 0 };

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK_OK(ims__write_file(path, p, n, &err), err);
}

/* Outputs are declared with a free first dimension: what the model claims is not what it gives. */
static void write_graph(const char *name, const struct input *in, const struct output *outs,
                        size_t n_outs)
{
    static const char *const free_names[4] = { "batch", "channels", "height_of", "width_of" };
    struct ims_onnx_dim dims[4];
    struct ims_onnx g;
    void *bytes = NULL;
    size_t n;
    ims_err err = { 0 };

    ims__onnx_init(&g);
    for (size_t i = 0; i < 4; i++)
        dims[i] = (struct ims_onnx_dim){ in->dims[i] < 0 ? free_names[i] : NULL, in->dims[i] };
    (void)ims__onnx_input(&g, "data", IMS_ONNX_FLOAT, dims, 4);
    for (size_t i = 0; i < n_outs; i++) {
        const struct output *o = &outs[i];
        size_t count = 1;
        char out[16];
        int v;
        for (size_t k = 0; k < o->rank; k++) {
            count *= o->dims[k];
            dims[k] = (struct ims_onnx_dim){ k ? NULL : "n", (int64_t)o->dims[k] };
        }
        v = ims__onnx_floats(&g, o->values, count, o->dims, o->rank);
        (void)snprintf(out, sizeof(out), "out%zu", i);
        ims__onnx_output(&g, v, out, IMS_ONNX_FLOAT, dims, o->rank);
    }
    CHECK_OK(ims__onnx_finish(&g, name, &bytes, &n, &err), err);
    write_file(name, bytes, n);
    ims__free(bytes);
    ims__onnx_release(&g);
}

/* ---- a detector on a fixed square canvas ---- */

static struct {
    struct ims_scrfd s;
    float *values[SCRFD_MAX_OUTPUTS];
    struct output outs[SCRFD_MAX_OUTPUTS];
} det;

static void det_release(void)
{
    for (size_t i = 0; i < SCRFD_MAX_OUTPUTS; i++)
        ims__free(det.values[i]);
    memset(&det, 0, sizeof(det));
}

/* All zero: no faces. */
static void det_init(size_t n_outputs, int side)
{
    det_release();
    CHECK(ims__scrfd_init(&det.s, n_outputs));
    det.s.width = det.s.height = side;
    for (size_t i = 0; i < n_outputs; i++) {
        size_t rows = ims__scrfd_rows(&det.s, i % det.s.n_levels);
        size_t columns = ims__scrfd_columns(&det.s, i);
        det.values[i] = ims__zalloc(rows * columns, sizeof(float));
        det.outs[i] = (struct output){ { rows, columns }, 2, det.values[i] };
    }
}

/* At anchor i of the finest level: distances to the four sides and five points, in strides of 8. */
static void det_face(size_t i, float score, float reach, float shift)
{
    static const float eyes[10] = { -0.3F, -0.3F, 0.3F, -0.3F, 0, 0, -0.25F, 0.3F, 0.25F, 0.3F };
    const size_t levels = det.s.n_levels;

    det.values[0][i] = score;
    det.values[levels][4 * i] = det.values[levels][4 * i + 1] = reach - shift;
    det.values[levels][4 * i + 2] = det.values[levels][4 * i + 3] = reach + shift;
    for (size_t k = 0; det.s.has_points && k < 10; k++)
        det.values[2 * levels][10 * i + k] = eyes[k] * reach + shift;
}

static void det_write(void)
{
    const struct input in = { { 1, 3, det.s.height, det.s.width } };

    write_graph("det_test.onnx", &in, det.outs, det.s.n_outputs);
}

static void rec_write(uint64_t side, uint64_t length, const float *values)
{
    const struct input in = { { 1, 3, (int64_t)side, (int64_t)side } };
    const struct output out = { { 1, length }, 2, values };

    write_graph("rec_test.onnx", &in, &out, 1);
}

static float vector[IMS_FACE_DIM];

/* A pack whose two files are in order; tests write over them. */
static void begin(void)
{
    const struct ims_compute_options o = { .device.device = "cpu", .n_threads = 1 };
    ims_err err = { 0 };

    dir = test_tmp_dir();
    if (!compute)
        CHECK_OK(ims_compute_open(&compute, &o, &err), err);
    det_init(9, 32);
    det_write();
    for (size_t i = 0; i < IMS_FACE_DIM; i++)
        vector[i] = (float)i;
    rec_write(112, IMS_FACE_DIM, vector);
}

/* ---- running ---- */

static uint8_t grey[64 * 64 * 3];
static const struct ims_rgb_view view = { grey, 64, 64, sizeof(grey) / 64 };

static ims_status open_models(struct ims_face_models **out, const struct ims_face_pack *pack,
                              struct ims_compute *c, const struct ims_face_options *options,
                              ims_err *err)
{
    ims_status st = ims_face_models_open(out, pack, c, options, err);

    if (!st)
        (*out)->no_proof = true; /* a graph of constants proves nothing */
    return st;
}

/* One picture of 64 x 64 through the pack. */
static ims_status detect(const struct ims_face_options *options, struct ims_face_list *out,
                         ims_err *err)
{
    const struct ims_face_options one = { .no_second_scale = true };
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    struct ims_face_input in = { 0 };
    ims_status st = ims_face_pack_open(&pack, dir, err);

    if (!st)
        st = open_models(&m, pack, compute, options ? options : &one, err);
    if (!st)
        st = ims_face_prepare(m, &view, &in, err);
    if (!st)
        st = ims_face_detect(m, &in, 1, out, NULL, err);
    ims_face_input_release(&in);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
    return st;
}

static ims_status embed(float *unit, ims_err *err)
{
    static const uint8_t crop[112 * 112 * 3];
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    ims_status st = ims_face_pack_open(&pack, dir, err);

    if (!st)
        st = open_models(&m, pack, compute, NULL, err);
    if (!st)
        st = ims_face_embed(m, crop, 1, unit, NULL, NULL, err);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
    return st;
}

/* The detector, as written last, is refused with these words. */
static void check_refused(ims_status want, const char *words)
{
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };
    ims_status st = detect(NULL, &l, &err);

    CHECK_STATUS(st, want, err);
    if (!strstr(err.text, words) || !strstr(err.text, "det_test.onnx"))
        test_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\" or the file", err.text, words);
    CHECK(!l.faces);
}

/* ---- pictures with odd faces ---- */

TEST(none, "a picture without faces gives an empty list")
{
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, 0);
    CHECK(!l.faces);
}

TEST(many, "500 faces are 500 faces, and beyond 2000 the best are kept")
{
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    det_init(9, 512); /* 64 x 64 cells, two anchors each */
    for (size_t i = 0; i < 500; i++)
        det_face(2 * i, 0.9F, 0.3F, 0);
    det_write();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, 500);
    ims_face_list_release(&l);
    for (size_t i = 0; i < 4096; i++)
        det_face(2 * i, i == 4095 ? 0.95F : 0.6F, 0.3F, 0);
    det_write();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, IMS_FACE_MAX_PER_IMAGE);
    CHECK_NEAR((double)l.faces[0].score, 0.95, 1e-6);
    ims_face_list_release(&l);
}

TEST(border, "faces cut by the border or outside of the picture keep their boxes, and their crops "
             "are black there")
{
    uint8_t crop[112 * 112 * 3];
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    memset(grey, 200, sizeof(grey));
    det_face(0, 0.9F, 1, 0);    /* around the corner: canvas -8..8, picture -16..16 */
    det_face(30, 0.8F, 1, 20);  /* far out to the right and below */
    det_face(10, 0.7F, 1, -30); /* and to the left and above */
    det_write();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, 3);
    CHECK_NEAR((double)l.faces[0].x, -16, 1e-4);
    CHECK_NEAR((double)l.faces[0].width, 32, 1e-4);
    CHECK(l.faces[1].x > 64 && l.faces[2].x + l.faces[2].width < 0);
    CHECK_OK(ims_face_crop(IMS_FACE_EMBED, &view, &l.faces[0], crop, NULL, &err), err);
    CHECK_INT(crop[0], 0); /* above and to the left of the picture */
    CHECK_INT(crop[sizeof(crop) - 1], 200);
    CHECK_OK(ims_face_crop(IMS_FACE_EMBED, &view, &l.faces[1], crop, NULL, &err), err);
    for (size_t i = 0; i < sizeof(crop); i++)
        CHECK_INT(crop[i], 0);
    CHECK_OK(ims_face_crop(IMS_FACE_LANDMARKS, &view, &l.faces[2], (uint8_t[192 * 192 * 3]){ 0 },
                           NULL, &err),
             err);
    ims_face_list_release(&l);
    memset(grey, 0, sizeof(grey));
}

TEST(no_area, "boxes without area are no faces")
{
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    det_face(0, 0.9F, 0, 0);
    det_face(4, 0.9F, -2, 0); /* inside out */
    det_face(8, 0.9F, 1, 0);
    det_write();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, 1);
    ims_face_list_release(&l);
}

TEST(strips,
     "pictures a pixel high or wide are looked at without harm; no picture at all is refused")
{
    static const uint8_t strip[1000 * 3];
    static const struct ims_rgb_view views[] = { { strip, 1000, 1, 3000 },
                                                 { strip, 1, 1000, 3 },
                                                 { strip, 1, 1, 3 } };
    static const struct ims_rgb_view none = { strip, 0, 5, 3 };
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    struct ims_face_input in = { 0 };
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    CHECK_OK(ims_face_pack_open(&pack, dir, &err), err);
    CHECK_OK(open_models(&m, pack, compute, NULL, &err), err);
    for (size_t i = 0; i < IMS_ARRAY_LEN(views); i++) {
        CHECK_OK(ims_face_prepare(m, &views[i], &in, &err), err);
        CHECK_OK(ims_face_detect(m, &in, 1, &l, NULL, &err), err);
        CHECK_INT(l.n, 0);
        ims_face_input_release(&in);
    }
    CHECK_STATUS(ims_face_prepare(m, &none, &in, &err), IMS_E_INVALID, err);
    in = (struct ims_face_input){ .pixels = grey, .n_px = 1 };
    CHECK_STATUS(ims_face_detect(m, &in, 1, &l, NULL, &err), IMS_E_INVALID, err);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
}

/* ---- batches ---- */

/* A detector of a free batch whose outputs have one too: every picture has a face at anchor 20, with a
 * score of 0.7 and a fifth of the picture's mean. */
static void write_batched(void)
{
    static const struct ims_onnx_dim dims[4] = {
        { "n", 0 }, { NULL, 3 }, { NULL, 32 }, { NULL, 32 }
    };
    struct ims_onnx g;
    void *bytes = NULL;
    size_t n;
    int x, mean[2];
    ims_err err = { 0 };

    ims__onnx_init(&g);
    x = ims__onnx_input(&g, "data", IMS_ONNX_FLOAT, dims, 4);
    x = ims__onnx_node(&g, "ReduceMean", (int[]){ x, ims__onnx_ints(&g, (int64_t[]){ 2, 3 }, 2) },
                       2, 1, (struct ims_onnx_attr[]){ IMS_ONNX_INT("keepdims", 0) }, 1);
    x = ims__onnx_node(&g, "ReduceMean", (int[]){ x, ims__onnx_ints(&g, (int64_t[]){ 1 }, 1) }, 2,
                       1, (struct ims_onnx_attr[]){ IMS_ONNX_INT("keepdims", 1) }, 1);
    mean[0] = ims__onnx_node(&g, "Unsqueeze", (int[]){ x, ims__onnx_ints(&g, (int64_t[]){ 2 }, 1) },
                             2, 1, NULL, 0);
    for (size_t i = 0; i < 9; i++) {
        const uint64_t shape[3] = { 1, det.outs[i].dims[0], det.outs[i].dims[1] };
        const struct ims_onnx_dim out[3] = { { "n", 0 },
                                             { NULL, (int64_t)shape[1] },
                                             { NULL, (int64_t)shape[2] } };
        char name[16];
        int v = ims__onnx_floats(&g, det.values[i], shape[1] * shape[2], shape, 3);
        mean[1] = ims__onnx_float(&g, i < 3 ? 0.2F : 0);
        v = ims__onnx_node(&g, "Add", (int[]){ v, ims__onnx_node(&g, "Mul", mean, 2, 1, NULL, 0) },
                           2, 1, NULL, 0);
        (void)snprintf(name, sizeof(name), "out%zu", i);
        ims__onnx_output(&g, v, name, IMS_ONNX_FLOAT, out, 3);
    }
    CHECK_OK(ims__onnx_finish(&g, "batched", &bytes, &n, &err), err);
    write_file("det_test.onnx", bytes, n);
    ims__free(bytes);
    ims__onnx_release(&g);
}

/* Seven pictures, from black to light grey, in one call on two devices. */
static void detect_seven(struct ims_face_list *lists)
{
    const struct ims_compute_options o = { .device.device = "cpu,cpu", .n_threads = 2 };
    const struct ims_face_options options = { .no_second_scale = true };
    struct ims_face_input inputs[7] = { { 0 } };
    struct ims_compute *two = NULL;
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_compute_open(&two, &o, &err), err);
    CHECK_OK(ims_face_pack_open(&pack, dir, &err), err);
    CHECK_OK(open_models(&m, pack, two, &options, &err), err);
    for (size_t i = 0; i < 7; i++) {
        memset(grey, (int)i * 30, sizeof(grey));
        CHECK_OK(ims_face_prepare(m, &view, &inputs[i], &err), err);
    }
    CHECK_OK(ims_face_detect(m, inputs, 7, lists, NULL, &err), err);
    for (size_t i = 0; i < 7; i++)
        ims_face_input_release(&inputs[i]);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
    ims_compute_close(two);
    memset(grey, 0, sizeof(grey));
}

TEST(batched,
     "a detector that takes several pictures gets them, and each answer goes to its picture")
{
    struct ims_face_list lists[7] = { { 0 } };

    begin();
    for (size_t i = 0; i < 32; i++)
        det.values[0][i] = 0.2F;
    for (size_t i = 0; i < 8; i++)
        det.values[1][i] = 0.2F;
    det.values[2][0] = det.values[2][1] = 0.2F;
    det_face(20, 0.7F, 1, 0);
    write_batched();
    detect_seven(lists);
    for (size_t i = 0; i < 7; i++) {
        CHECK_INT(lists[i].n, 1);
        CHECK_NEAR((double)lists[i].faces[0].score, 0.7 + 0.2 * ((double)i * 30 - 127.5) / 128,
                   1e-5);
        ims_face_list_release(&lists[i]);
    }
}

TEST(flat_batch, "a detector whose outputs cannot tell pictures apart gets one at a time, whatever "
                 "its input says")
{
    const struct input in = { { -1, 3, 32, 32 } };
    struct ims_face_list lists[7] = { { 0 } };

    begin();
    det_face(9, 0.9F, 1, 0);
    write_graph("det_test.onnx", &in, det.outs, 9);
    detect_seven(lists);
    for (size_t i = 0; i < 7; i++) {
        CHECK_INT(lists[i].n, 1);
        ims_face_list_release(&lists[i]);
    }
}

/* ---- points ---- */

static ims_status crop_of(float points[5][2], ims_err *err)
{
    struct ims_face f = { .width = 10, .height = 10, .has_points = true };
    uint8_t crop[112 * 112 * 3];

    memcpy(f.points, points, sizeof(f.points));
    return ims_face_crop(IMS_FACE_EMBED, &view, &f, crop, NULL, err);
}

TEST(points, "points that coincide, are no numbers or lie absurdly far away are refused")
{
    float p[5][2] = { { 20, 20 }, { 40, 20 }, { 30, 30 }, { 22, 40 }, { 38, 40 } };
    float saved;
    ims_err err = { 0 };

    CHECK_OK(crop_of(p, &err), err);
    saved = p[2][1];
    p[2][1] = NAN;
    CHECK_STATUS(crop_of(p, &err), IMS_E_INVALID, err);
    p[2][1] = INFINITY;
    CHECK_STATUS(crop_of(p, &err), IMS_E_INVALID, err);
    p[2][1] = 1e9F;
    CHECK_STATUS(crop_of(p, &err), IMS_E_INVALID, err);
    p[2][1] = saved;
    for (size_t i = 0; i < 5; i++)
        p[i][0] = p[i][1] = 33.5F;
    CHECK_STATUS(crop_of(p, &err), IMS_E_INVALID, err);
    p[0][0] = nextafterf(33.5F, 40); /* apart by their own rounding */
    CHECK_STATUS(crop_of(p, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "coincide"));
    for (size_t i = 0; i < 5; i++) /* in a line: still turned and scaled somehow */
        p[i][0] = 10.0F * (float)i;
    CHECK_OK(crop_of(p, &err), err);
}

TEST(boxes,
     "a box that is none gets no crop of the other parts; a face without points none to recognise")
{
    struct ims_face f = { .width = 10, .height = 10 };
    uint8_t crop[96 * 96 * 3];
    ims_err err = { 0 };

    CHECK_STATUS(ims_face_crop(IMS_FACE_EMBED, &view, &f, crop, NULL, &err), IMS_E_UNSUPPORTED,
                 err);
    CHECK_STATUS(ims_face_crop(IMS_FACE_DETECT, &view, &f, crop, NULL, &err), IMS_E_INVALID, err);
    CHECK_OK(ims_face_crop(IMS_FACE_GENDER_AGE, &view, &f, crop, NULL, &err), err);
    f.width = 0;
    CHECK_STATUS(ims_face_crop(IMS_FACE_GENDER_AGE, &view, &f, crop, NULL, &err), IMS_E_INVALID,
                 err);
    f.width = 10;
    f.x = NAN;
    CHECK_STATUS(ims_face_crop(IMS_FACE_GENDER_AGE, &view, &f, crop, NULL, &err), IMS_E_INVALID,
                 err);
}

TEST(six_outputs, "a detector without points finds faces, which have none")
{
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    det_init(6, 32);
    det_face(9, 0.9F, 1, 0);
    det_write();
    CHECK_OK(detect(NULL, &l, &err), err);
    CHECK_INT(l.n, 1);
    CHECK(!l.faces[0].has_points);
    ims_face_list_release(&l);
}

/* ---- detectors that cannot be ---- */

TEST(numbers, "scores and boxes that cannot be are the model's fault, and are named")
{
    begin();
    det_face(3, NAN, 1, 0);
    det_write();
    check_refused(IMS_E_MODEL, "scores from 0 to 1, found nan");
    det_init(9, 32);
    det_face(3, 7.5F, 1, 0);
    det_write();
    check_refused(IMS_E_MODEL, "found 7.5");
    det_init(9, 32);
    det_face(3, 0.9F, INFINITY, 0);
    det_write();
    check_refused(IMS_E_MODEL, "numbers that are none");
}

TEST(shapes, "a detector with other inputs or outputs is refused with what was expected")
{
    static const struct {
        struct input in;
        const char *words;
    } inputs[] = { { { { 1, 1, 32, 32 } }, "f32[n,3,height,width]" },
                   { { { 1, 3, 33, 32 } }, "multiples of 32" },
                   { { { 1, 3, 32, 4096 } }, "up to 2048" },
                   { { { 4, 3, 32, 32 } }, "a batch that is free or 1" } };
    static const size_t counts[] = { 1, 5, 7, 8 };

    begin();
    for (size_t i = 0; i < IMS_ARRAY_LEN(inputs); i++) {
        write_graph("det_test.onnx", &inputs[i].in, det.outs, 9);
        check_refused(IMS_E_MODEL, inputs[i].words);
    }
    for (size_t i = 0; i < IMS_ARRAY_LEN(counts); i++) {
        write_graph("det_test.onnx", &(struct input){ { 1, 3, 32, 32 } }, det.outs, counts[i]);
        check_refused(IMS_E_MODEL, "6, 9, 10 or 15 outputs");
    }
    det.outs[4].dims[1] = 2; /* boxes of two numbers */
    det_write();
    check_refused(IMS_E_MODEL, "f32[anchors,4] as output 5 of 9");
    det.outs[4].dims[1] = 4;
    det.outs[8] = (struct output){ { 1, 2, 10 }, 3, det.values[8] };
    det_write();
    check_refused(IMS_E_MODEL, "as output 9 of 9");
    det.outs[8] = (struct output){ { 2, 10 }, 2, det.values[8] };
    det.outs[0].dims[0] = 31; /* an anchor is missing, which shows when it runs */
    det_write();
    check_refused(IMS_E_DIMENSION, "f32[31,1]");
}

TEST(files, "files that are no graphs are refused by name")
{
    begin();
    write_file("det_test.onnx", "not a graph", 11);
    check_refused(IMS_E_MODEL, "");
    write_file("det_test.onnx", "", 0);
    check_refused(IMS_E_MODEL, "");
}

/* ---- recognisers that cannot be ---- */

TEST(vectors, "a vector that is none, or has no length, is the recogniser's fault")
{
    float unit[IMS_FACE_DIM] = { 42 };
    double sum = 0;
    ims_err err = { 0 };

    begin();
    CHECK_OK(embed(unit, &err), err);
    for (size_t i = 0; i < IMS_FACE_DIM; i++)
        sum += (double)unit[i] * (double)unit[i];
    CHECK_NEAR(sum, 1, 1e-5);
    unit[0] = 42;
    for (int k = 0; k < 3; k++) {
        float bad[IMS_FACE_DIM] = { k == 0 ? NAN : k == 1 ? INFINITY : 0 };
        rec_write(112, IMS_FACE_DIM, bad);
        CHECK_STATUS(embed(unit, &err), IMS_E_MODEL, err);
        CHECK(strstr(err.text, "rec_test.onnx"));
        CHECK_NEAR((double)unit[0], 42, 0); /* nothing was written */
    }
}

TEST(proof, "a recogniser that gives one vector for everything is found out before it is used")
{
    static const uint8_t crop[112 * 112 * 3];
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    float unit[IMS_FACE_DIM];
    ims_err err = { 0 };

    begin();
    CHECK_OK(ims_face_pack_open(&pack, dir, &err), err);
    CHECK_OK(ims_face_models_open(&m, pack, compute, NULL, &err), err);
    CHECK_STATUS(ims_face_embed(m, crop, 1, unit, NULL, NULL, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "one result for different inputs"));
    CHECK_STATUS(ims_face_load(m, IMS_FACE_DETECT, &err), IMS_E_MODEL, err);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
}

TEST(other_recognisers,
     "a recogniser with another size of crop or vector is refused with both sizes")
{
    float unit[IMS_FACE_DIM];
    ims_err err = { 0 };

    begin();
    rec_write(128, IMS_FACE_DIM, vector);
    CHECK_STATUS(embed(unit, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "expected f32[n,3,112,112], found data f32[1,3,128,128]"));
    rec_write(112, 256, vector);
    CHECK_STATUS(embed(unit, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "f32[n,512]"));
}

TEST(absent_parts, "asking for a part that the pack lacks says so, and wrong options are refused")
{
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    struct ims_face_gender_age age;
    ims_err err = { 0 };

    begin();
    CHECK_OK(ims_face_pack_open(&pack, dir, &err), err);
    CHECK_OK(open_models(&m, pack, compute, NULL, &err), err);
    CHECK(!ims_face_has(m, IMS_FACE_GENDER_AGE));
    CHECK_STATUS(ims_face_gender_age(m, grey, 1, &age, &err), IMS_E_UNSUPPORTED, err);
    CHECK_STATUS(ims_face_load(m, IMS_FACE_LANDMARKS, &err), IMS_E_UNSUPPORTED, err);
    ims_face_models_close(m);
    m = NULL;
    CHECK_STATUS(
        ims_face_models_open(&m, pack, compute, &(struct ims_face_options){ .min_score = 2 }, &err),
        IMS_E_CONFIG, err);
    CHECK_STATUS(ims_face_models_open(&m, pack, compute,
                                      &(struct ims_face_options){ .min_size_px = NAN }, &err),
                 IMS_E_CONFIG, err);
    CHECK_STATUS(ims_face_models_open(&m, pack, compute,
                                      &(struct ims_face_options){ .max_faces = 2001 }, &err),
                 IMS_E_CONFIG, err);
    CHECK_OK(ims_face_models_open(&m, pack, NULL, NULL, &err), err);
    CHECK_STATUS(ims_face_load(m, IMS_FACE_DETECT, &err), IMS_E_RUNTIME, err);
    ims_face_models_close(m);
    ims_face_pack_close(pack);
}

TEST(quality, "quality is half the size, up to 200 x 200, and half the score")
{
    CHECK_NEAR(ims_face_quality(100, 100, 0.8), 0.5 * 0.25 + 0.4, 1e-12);
    CHECK_NEAR(ims_face_quality(200, 200, 1), 1, 1e-12);
    CHECK_NEAR(ims_face_quality(4000, 3000, 0.5), 0.75, 1e-12);
}

TEST(fixed_canvas,
     "a graph of one size sees the picture a second time, shrunk, and finds the face that fills it")
{
    const struct ims_face_options both = { 0 };
    struct ims_face_list l = { 0 };
    ims_err err = { 0 };

    begin();
    det_init(9, 160);             /* the picture fills 160, then 32 of it */
    det_face(2 * 21, 0.9F, 1, 0); /* column 1, row 1: canvas 0..16 */
    det_write();
    CHECK_OK(detect(&both, &l, &err), err);
    CHECK_INT(l.n, 2);
    CHECK_NEAR((double)l.faces[0].width, 16 / 0.5, 1e-3); /* ties: the small scale comes first */
    CHECK_NEAR((double)l.faces[1].width, 16 / 2.5, 1e-3);
    ims_face_list_release(&l);
    det_release();
    ims_compute_close(compute);
    compute = NULL;
}

TEST_MAIN
