/* The demo's face models on photos of the demo library, file to vector, against InsightFace's code on
 * the same files (demo.expected.json, by make.py). Both decode to the same pixels, which is checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "media/media.h"
#include "models/face/face.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOX_PX 0.05 /* in pictures of 1024 pixels */
#define SCORE 1e-4
#define COSINE 0.999 /* crops differ by the rounding of the transform */

enum { CROP_BYTES = IMS_FACE_EMBED_SIDE_PX * IMS_FACE_EMBED_SIDE_PX * 3 };

static struct {
    struct ims_media *media;
    struct ims_compute *compute;
    struct ims_face_pack *pack;
    struct ims_face_models *models;
} g;

static double num(const ims_json *v, const char *key, size_t i)
{
    return ims__json_num(ims__json_at(ims__json_get(v, key), i), NAN);
}

static void decode(const ims_json *row, struct ims_image **out)
{
    const char *photo = ims__json_str(ims__json_get(row, "photo"), NULL);
    const char *want = ims__json_str(ims__json_get(row, "pixels_sha256"), NULL);
    uint8_t sum[IMS_SHA256_BYTES];
    char path[300], hex[IMS_SHA256_HEX];
    size_t n;
    char *file;
    ims_err err = { 0 };

    (void)snprintf(path, sizeof(path), "demo/%s", photo);
    file = test_read_file(test_source_path(path), &n);
    CHECK_OK(ims_media_decode(g.media, (const uint8_t *)file, n, NULL, out, &err), err);
    free(file);
    CHECK_INT((*out)->stride_bytes, (*out)->width * 3);
    CHECK_OK(ims__sha256((*out)->rgb, (*out)->stride_bytes * (size_t)(*out)->height, sum, &err),
             err);
    ims__hex(sum, sizeof(sum), hex);
    CHECK_STR(hex, want);
}

static void check_vector(const struct ims_rgb_view *view, const struct ims_face *f,
                         const ims_json *want)
{
    static uint8_t crop[CROP_BYTES];
    float unit[IMS_FACE_DIM];
    double xy = 0, yy = 0;
    ims_err err = { 0 };

    CHECK_OK(ims_face_crop(IMS_FACE_EMBED, view, f, crop, NULL, &err), err);
    CHECK_OK(ims_face_embed(g.models, crop, 1, unit, NULL, NULL, &err), err);
    for (size_t i = 0; i < IMS_FACE_DIM; i++) {
        double y = num(want, "embedding", i);
        xy += (double)unit[i] * y;
        yy += y * y;
    }
    CHECK(xy / sqrt(yy) >= COSINE);
}

static void check_face(const struct ims_face *f, const ims_json *want)
{
    CHECK_NEAR((double)f->x, num(want, "box", 0), BOX_PX);
    CHECK_NEAR((double)f->y, num(want, "box", 1), BOX_PX);
    CHECK_NEAR((double)f->x + (double)f->width, num(want, "box", 2), BOX_PX);
    CHECK_NEAR((double)f->y + (double)f->height, num(want, "box", 3), BOX_PX);
    CHECK_NEAR((double)f->score, ims__json_num(ims__json_get(want, "score"), NAN), SCORE);
    for (size_t i = 0; i < IMS_FACE_N_POINTS; i++) {
        const ims_json *p = ims__json_at(ims__json_get(want, "points"), i);
        CHECK_NEAR((double)f->points[i][0], ims__json_num(ims__json_at(p, 0), NAN), BOX_PX);
        CHECK_NEAR((double)f->points[i][1], ims__json_num(ims__json_at(p, 1), NAN), BOX_PX);
    }
}

static void check_photo(const ims_json *row)
{
    const ims_json *faces = ims__json_get(row, "faces");
    struct ims_face_input input = { 0 };
    struct ims_face_list found = { 0 };
    struct ims_image *image = NULL;
    struct ims_rgb_view view;
    ims_err err = { 0 };

    decode(row, &image);
    if (test_has_failed())
        return;
    view = (struct ims_rgb_view){ image->rgb, image->width, image->height, image->stride_bytes };
    CHECK_OK(ims_face_prepare(g.models, &view, &input, &err), err);
    CHECK_OK(ims_face_detect(g.models, &input, 1, &found, NULL, &err), err);
    CHECK_INT(found.n, ims__json_len(faces));
    for (size_t i = 0; i < found.n && !test_has_failed(); i++) {
        check_face(&found.faces[i], ims__json_at(faces, i));
        check_vector(&view, &found.faces[i], ims__json_at(faces, i));
    }
    ims_face_list_release(&found);
    ims_face_input_release(&input);
    ims_image_unref(image);
}

TEST(demo, "the demo's models see in photos what InsightFace's code sees with them")
{
    const struct ims_compute_options o = { .device.device = "cpu", .n_threads = 2 };
    const ims_json *photos;
    ims_json *expected = NULL;
    size_t n;
    char *text = test_read_file(test_source_path("tests/golden/face/demo.expected.json"), &n);
    ims_err err = { 0 };

    CHECK_OK(ims__json_parse(&expected, text, n, "demo.expected.json", &err), err);
    CHECK_OK(ims_media_open(&g.media, NULL, &err), err);
    CHECK_OK(ims_compute_open(&g.compute, &o, &err), err);
    CHECK_OK(ims_face_pack_open(&g.pack, test_source_path("models/demo/face"), &err), err);
    CHECK(g.pack->is_demo);
    CHECK_OK(ims_face_models_open(&g.models, g.pack, g.compute, NULL, &err), err);
    photos = ims__json_get(expected, "photos");
    CHECK_INT(ims__json_len(photos), 4);
    for (size_t i = 0; i < ims__json_len(photos) && !test_has_failed(); i++)
        check_photo(ims__json_at(photos, i));
    ims_face_models_close(g.models);
    ims_face_pack_close(g.pack);
    ims_compute_close(g.compute);
    ims_media_close(g.media);
    ims__json_free(expected);
    free(text);
}

TEST_MAIN
