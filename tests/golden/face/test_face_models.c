/* The whole way from a picture to boxes, crops, vectors, ages and landmarks against InsightFace's own
 * code on the same graphs (pack/, expected.json; both by make.py).
 *
 * Tolerances. Boxes, points and scores: what another processor's convolutions change. Crops: given
 * InsightFace's transform, no pixel may differ (test_face.c); the transform itself is computed in
 * float there and in double here, which moves positions by up to a thousandth of a pixel and so now
 * and then over a step of the 1/32 grid.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "harness/test.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "golden/face/pictures.h"
#include "kernels/bilinear.h"
#include "models/face/face.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/face/"
#define BOX_PX 0.01 /* boxes and points, in pictures of up to 1280 pixels */
#define SCORE 1e-5
#define CROP_SHARE 0.02 /* of the samples may differ from InsightFace's crop, by 6 at the most */
#define CROP_STEP 8     /* 255 / 32 */
#define COSINE 0.9999   /* of our crop's vector and InsightFace's */
#define VECTOR 1e-4     /* of the length, for the same crop: what another processor changes */

enum { SIDE = IMS_FACE_EMBED_SIDE_PX, CROP_BYTES = SIDE * SIDE * 3 };

static struct {
    struct ims_compute *compute;
    struct ims_face_pack *pack;
    struct ims_face_models *models;
    ims_json *expected;
} g;

static bool open_all_on(const char *device, const struct ims_face_options *options)
{
    struct ims_compute_options o = { .device.device = device, .n_threads = 2 };
    size_t n;
    char *text = test_read_file(test_source_path(FOLDER "expected.json"), &n);
    ims_err err = { 0 };
    ims_status st = ims__json_parse(&g.expected, text, n, "expected.json", &err);

    free(text);
    if (!st)
        st = ims_compute_open(&g.compute, &o, &err);
    if (!st)
        st = ims_face_pack_open(&g.pack, test_source_path(FOLDER "pack"), &err);
    if (!st)
        st = ims_face_models_open(&g.models, g.pack, g.compute, options, &err);
    return test_check_ok(__FILE__, __LINE__, "opening", st, &err);
}

static bool open_all(const struct ims_face_options *options)
{
    return open_all_on(fixture_device(), options);
}

static void close_all(void)
{
    ims_face_models_close(g.models);
    ims_face_pack_close(g.pack);
    ims_compute_close(g.compute);
    ims__json_free(g.expected);
    memset(&g, 0, sizeof(g));
}

/* ---- one picture ---- */

struct picture {
    const ims_json *row;
    uint8_t *rgb;
    struct ims_rgb_view view;
    struct ims_face_input input;
    struct ims_face_list found;
};

static bool draw_picture(struct picture *p, const ims_json *row)
{
    const ims_json *facts = ims__json_get(row, "picture");
    const int width = (int)ims__json_int(ims__json_at(facts, 2), 0);
    const int height = (int)ims__json_int(ims__json_at(facts, 3), 0);

    *p = (struct picture){ .row = row };
    p->rgb = draw_test_picture(ims__json_str(ims__json_at(facts, 0), NULL),
                               (uint64_t)ims__json_int(ims__json_at(facts, 1), 0), width, height);
    p->view = (struct ims_rgb_view){ p->rgb, width, height, (size_t)width * 3 };
    return p->rgb != NULL;
}

static void release_picture(struct picture *p)
{
    ims_face_list_release(&p->found);
    ims_face_input_release(&p->input);
    ims__free(p->rgb);
}

static double num(const ims_json *v, const char *key, size_t i)
{
    return ims__json_num(ims__json_at(ims__json_get(v, key), i), NAN);
}

static void check_face(const struct ims_face *f, const ims_json *want)
{
    CHECK_NEAR((double)f->x, num(want, "box", 0), BOX_PX);
    CHECK_NEAR((double)f->y, num(want, "box", 1), BOX_PX);
    CHECK_NEAR((double)f->x + (double)f->width, num(want, "box", 2), BOX_PX);
    CHECK_NEAR((double)f->y + (double)f->height, num(want, "box", 3), BOX_PX);
    CHECK_NEAR((double)f->score, ims__json_num(ims__json_get(want, "score"), NAN), SCORE);
    CHECK(f->has_points);
    for (size_t i = 0; i < IMS_FACE_N_POINTS; i++) {
        const ims_json *p = ims__json_at(ims__json_get(want, "points"), i);
        CHECK_NEAR((double)f->points[i][0], ims__json_num(ims__json_at(p, 0), NAN), BOX_PX);
        CHECK_NEAR((double)f->points[i][1], ims__json_num(ims__json_at(p, 1), NAN), BOX_PX);
    }
}

static void check_list(const struct picture *p)
{
    const ims_json *faces = ims__json_get(p->row, "faces");

    CHECK_INT(p->found.n, ims__json_int(ims__json_get(p->row, "n_faces"), -1));
    for (size_t i = 0; i < ims__json_len(faces) && !test_has_failed(); i++)
        check_face(&p->found.faces[i], ims__json_at(faces, i));
}

TEST(detects, "boxes, scores and points are InsightFace's at both of its sizes, one picture at a "
              "time and several")
{
    struct picture pictures[16];
    struct ims_face_input inputs[16];
    struct ims_face_list lists[16] = { { 0 } };
    struct ims_pool_place places[16];
    const ims_json *rows;
    size_t n;
    ims_err err = { 0 };

    CHECK(open_all(NULL));
    rows = ims__json_get(g.expected, "pictures");
    n = ims__json_len(rows);
    CHECK(n >= 6 && n <= 16);
    for (size_t i = 0; i < n; i++) {
        struct picture *p = &pictures[i];
        CHECK(draw_picture(p, ims__json_at(rows, i)));
        CHECK_OK(ims_face_prepare(g.models, &p->view, &p->input, &err), err);
        CHECK_OK(ims_face_detect(g.models, &p->input, 1, &p->found, NULL, &err), err);
        check_list(p);
        inputs[i] = p->input;
    }
    memset(places, 9, sizeof(places));
    CHECK_OK(ims_face_detect(g.models, inputs, n, lists, places, &err), err);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(places[i].slot, 0);
        CHECK_INT(lists[i].n, pictures[i].found.n);
        for (size_t k = 0; k < lists[i].n; k++)
            CHECK_MEM(&lists[i].faces[k], &pictures[i].found.faces[k], sizeof(struct ims_face));
        ims_face_list_release(&lists[i]);
        release_picture(&pictures[i]);
    }
    close_all();
}

TEST(devices, "two devices share the pictures of one call, each with its own place in the answer")
{
    struct picture pictures[16];
    struct ims_face_input inputs[16];
    struct ims_face_list lists[16] = { { 0 } };
    const ims_json *rows;
    size_t n;
    ims_err err = { 0 };

    CHECK(open_all_on("cpu,cpu", NULL));
    rows = ims__json_get(g.expected, "pictures");
    n = ims__json_len(rows);
    for (size_t i = 0; i < n; i++) {
        CHECK(draw_picture(&pictures[i], ims__json_at(rows, i)));
        CHECK_OK(ims_face_prepare(g.models, &pictures[i].view, &pictures[i].input, &err), err);
        inputs[i] = pictures[i].input;
    }
    CHECK_INT(ims_pool_n_devices(ims_face_pool(g.models, IMS_FACE_DETECT)), 2);
    CHECK_OK(ims_face_detect(g.models, inputs, n, lists, NULL, &err), err);
    for (size_t i = 0; i < n; i++) {
        pictures[i].found = lists[i];
        check_list(&pictures[i]);
        release_picture(&pictures[i]);
    }
    close_all();
}

/* ---- crops and what they say ---- */

struct tally {
    size_t n_samples, n_different, n_faces;
    int worst;
};

/* Our crop against the one by InsightFace's transform, which must have its very bytes. */
static void check_crop(const struct picture *p, const ims_json *want, const uint8_t *crop,
                       uint8_t *theirs, struct tally *t)
{
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];
    double m[6];
    ims_err err = { 0 };

    for (size_t i = 0; i < 6; i++)
        m[i] = num(want, "affine", i);
    CHECK_OK(ims__bilinear_warp(&p->view, m, SIDE, SIDE, theirs, SIDE * 3, &err), err);
    CHECK_OK(ims__sha256(theirs, CROP_BYTES, sum, &err), err);
    ims__hex(sum, sizeof(sum), hex);
    CHECK_STR(hex, ims__json_str(ims__json_get(want, "crop_sha256"), NULL));
    for (size_t i = 0; i < CROP_BYTES; i++) {
        int d = abs((int)theirs[i] - (int)crop[i]);
        t->n_different += d > 0;
        t->worst = d > t->worst ? d : t->worst;
    }
    t->n_samples += CROP_BYTES;
    t->n_faces++;
}

/* raw, unit: of the very crop that InsightFace saw; ours: of our own. */
static void check_vector(const ims_json *want, const float *raw, const float *unit,
                         const float *ours)
{
    const ims_json *v = ims__json_get(want, "embedding");
    double off = 0, yy = 0, uu = 0, near = 0;

    for (size_t i = 0; i < IMS_FACE_DIM; i++) {
        uu += (double)unit[i] * (double)unit[i];
        near += (double)unit[i] * (double)ours[i];
    }
    CHECK_NEAR(uu, 1, 1e-5);
    CHECK(near >= COSINE);
    if (!v)
        return;
    CHECK_INT(ims__json_len(v), IMS_FACE_DIM);
    for (size_t i = 0; i < IMS_FACE_DIM; i++) {
        double y = ims__json_num(ims__json_at(v, i), NAN);
        off += ((double)raw[i] - y) * ((double)raw[i] - y);
        yy += y * y;
    }
    CHECK(sqrt(off / yy) <= VECTOR);
    CHECK_NEAR((double)unit[7], (double)raw[7] / sqrt(yy), VECTOR);
}

static void check_shape(const ims_json *want, const struct ims_face *f,
                        const struct ims_face_shape *s)
{
    const ims_json *points = ims__json_get(want, "landmarks");
    const double tolerance = 1e-3 * (double)(f->width > f->height ? f->width : f->height) + 1e-3;

    CHECK_NEAR((double)s->pitch, num(want, "pose", 0), 0.1);
    CHECK_NEAR((double)s->yaw, num(want, "pose", 1), 0.1);
    CHECK_NEAR((double)s->roll, num(want, "pose", 2), 0.1);
    for (size_t i = 0; i < ims__json_len(points); i++) {
        for (size_t k = 0; k < 3; k++)
            CHECK_NEAR((double)s->points[i][k],
                       ims__json_num(ims__json_at(ims__json_at(points, i), k), NAN), tolerance);
    }
}

/* The faces that expected.json shows of one picture, each part as one batch. */
static void check_parts(const struct picture *p, struct tally *t)
{
    const ims_json *faces = ims__json_get(p->row, "faces");
    const size_t n = ims__json_len(faces);
    uint8_t *crops = ims__alloc(n + 1, 192 * 192 * 3);
    float *unit = ims__alloc(n + 1, IMS_FACE_DIM * sizeof(*unit));
    float *raw = ims__alloc(n + 1, IMS_FACE_DIM * sizeof(*raw));
    float *ours = ims__alloc(n + 1, IMS_FACE_DIM * sizeof(*ours));
    uint8_t *theirs = ims__alloc(n + 1, CROP_BYTES);
    struct ims_face_gender_age *ages = ims__zalloc(n + 1, sizeof(*ages));
    struct ims_face_shape *shapes = ims__zalloc(n + 1, sizeof(*shapes));
    struct ims_face_affine *affines = ims__zalloc(n + 1, sizeof(*affines));
    ims_err err = { 0 };

    for (size_t i = 0; i < n; i++) {
        CHECK_OK(ims_face_crop(IMS_FACE_EMBED, &p->view, &p->found.faces[i], crops + i * CROP_BYTES,
                               NULL, &err),
                 err);
        check_crop(p, ims__json_at(faces, i), crops + i * CROP_BYTES, theirs + i * CROP_BYTES, t);
    }
    CHECK_OK(ims_face_embed(g.models, crops, n, ours, NULL, NULL, &err), err);
    CHECK_OK(ims_face_embed(g.models, theirs, n, unit, raw, NULL, &err), err);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(ims_face_crop(IMS_FACE_GENDER_AGE, &p->view, &p->found.faces[i],
                               crops + i * 96 * 96 * 3, NULL, &err),
                 err);
    CHECK_OK(ims_face_gender_age(g.models, crops, n, ages, &err), err);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(ims_face_crop(IMS_FACE_LANDMARKS, &p->view, &p->found.faces[i],
                               crops + i * 192 * 192 * 3, &affines[i], &err),
                 err);
    CHECK_OK(ims_face_landmarks(g.models, crops, affines, n, shapes, &err), err);
    for (size_t i = 0; i < n && !test_has_failed(); i++) {
        const ims_json *want = ims__json_at(faces, i);
        check_vector(want, raw + i * IMS_FACE_DIM, unit + i * IMS_FACE_DIM,
                     ours + i * IMS_FACE_DIM);
        CHECK_INT(ages[i].is_male, ims__json_int(ims__json_get(want, "gender"), -1));
        CHECK_INT(ages[i].age, ims__json_int(ims__json_get(want, "age"), -1));
        check_shape(want, &p->found.faces[i], &shapes[i]);
    }
    ims__free(crops);
    ims__free(unit);
    ims__free(raw);
    ims__free(ours);
    ims__free(theirs);
    ims__free(ages);
    ims__free(shapes);
    ims__free(affines);
}

TEST(parts, "crops, vectors, gender, age, landmarks and pose are InsightFace's")
{
    struct tally t = { 0 };
    const ims_json *rows;
    ims_err err = { 0 };

    CHECK(open_all(&(struct ims_face_options){ .max_batch = 4 })); /* more faces than fit in one */
    rows = ims__json_get(g.expected, "pictures");
    for (size_t i = 0; i < ims__json_len(rows) && !test_has_failed(); i++) {
        struct picture p;
        CHECK(draw_picture(&p, ims__json_at(rows, i)));
        CHECK_OK(ims_face_prepare(g.models, &p.view, &p.input, &err), err);
        CHECK_OK(ims_face_detect(g.models, &p.input, 1, &p.found, NULL, &err), err);
        check_parts(&p, &t);
        release_picture(&p);
    }
    test_note("%zu crops: %.4f %% of samples differ, by %d at the most", t.n_faces,
              100.0 * (double)t.n_different / (double)t.n_samples, t.worst);
    CHECK(t.n_faces >= 20);
    CHECK((double)t.n_different <= CROP_SHARE * (double)t.n_samples);
    CHECK(t.worst <= CROP_STEP);
    close_all();
}

TEST(switch_off, "without the second scale only the large size is looked at; minimum score, size "
                 "and number hold")
{
    struct ims_face_options o = { .no_second_scale = true };
    struct picture p;
    size_t n_one_scale, n_both;
    ims_err err = { 0 };

    CHECK(open_all(NULL));
    CHECK(draw_picture(&p, ims__json_at(ims__json_get(g.expected, "pictures"), 0)));
    CHECK_OK(ims_face_prepare(g.models, &p.view, &p.input, &err), err);
    CHECK_INT(p.input.n_px, 640 * 640 + 128 * 128);
    CHECK_OK(ims_face_detect(g.models, &p.input, 1, &p.found, NULL, &err), err);
    n_both = p.found.n;
    release_picture(&p);
    close_all();
    CHECK(open_all(&o));
    CHECK(draw_picture(&p, ims__json_at(ims__json_get(g.expected, "pictures"), 0)));
    CHECK_OK(ims_face_prepare(g.models, &p.view, &p.input, &err), err);
    CHECK_INT(p.input.n_px, 640 * 640);
    CHECK_OK(ims_face_detect(g.models, &p.input, 1, &p.found, NULL, &err), err);
    n_one_scale = p.found.n;
    CHECK(n_one_scale > 0 && n_one_scale < n_both); /* faces that only the small scale sees */
    release_picture(&p);
    close_all();
    o = (struct ims_face_options){ .min_score = 0.6F, .min_size_px = 20, .max_faces = 3 };
    CHECK(open_all(&o));
    CHECK(draw_picture(&p, ims__json_at(ims__json_get(g.expected, "pictures"), 0)));
    CHECK_OK(ims_face_prepare(g.models, &p.view, &p.input, &err), err);
    CHECK_OK(ims_face_detect(g.models, &p.input, 1, &p.found, NULL, &err), err);
    CHECK(p.found.n > 0 && p.found.n <= 3);
    for (size_t i = 0; i < p.found.n; i++) {
        CHECK(p.found.faces[i].score >= 0.6F);
        CHECK(p.found.faces[i].width >= 20 && p.found.faces[i].height >= 20);
        CHECK(i == 0 || p.found.faces[i].score <= p.found.faces[i - 1].score);
    }
    release_picture(&p);
    close_all();
}

/* ---- threads ---- */

static void detect_again(void *arg)
{
    struct picture *p = arg;
    ims_err err = { 0 };

    for (int i = 0; i < 2; i++) {
        ims_face_list_release(&p->found);
        ims_face_input_release(&p->input);
        if (ims_face_prepare(g.models, &p->view, &p->input, &err) != IMS_OK ||
            ims_face_detect(g.models, &p->input, 1, &p->found, NULL, &err) != IMS_OK)
            return; /* the list stays empty */
    }
}

TEST(threads, "many threads share one handle, from the opening of its sessions on")
{
    enum { N = 4 };
    struct picture pictures[N];
    struct ims_thread threads[N] = { { .is_running = false } };
    ims_err err = { 0 };

    CHECK(open_all(NULL));
    for (size_t i = 0; i < N; i++)
        CHECK(draw_picture(&pictures[i], ims__json_at(ims__json_get(g.expected, "pictures"), i)));
    for (size_t i = 0; i < N; i++)
        CHECK_OK(ims__thread_start(&threads[i], "detect", detect_again, &pictures[i], &err), err);
    for (size_t i = 0; i < N; i++)
        ims__thread_join(&threads[i]);
    for (size_t i = 0; i < N; i++) {
        check_list(&pictures[i]);
        release_picture(&pictures[i]);
    }
    close_all();
}

/* On an accelerator sessions live in a child, which is this program again. */
int main(int argc, char **argv)
{
    int exit_code;

    if (ims_compute_child_main(argc, argv, NULL, &exit_code))
        return exit_code;
    if (!fixture_prepare(fixture_device(), &exit_code))
        return exit_code;
    return test_main(argc, argv);
}
