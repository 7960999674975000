/* What the demo's face models find in the demo library, against what its generator drew; crowds; a machine without
 * face models.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "ims/engine.h"
#include "media/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIN_RECALL 0.95
#define MIN_PRECISION 0.9 /* at the one score 0.5; the average over all scores has its own bar in demo_faces */
#define MIN_IOU 0.5

/* Under a sanitizer, which makes it ten times slower, a part stands for the whole. */
#ifdef IMS_SANITIZED
#define PART "/2022"
#define MIN_DRAWN 20
#else
#define PART ""
#define MIN_DRAWN 100
#endif

static const char *model_root(void)
{
    return test_source_path("models/demo");
}

/* min_score, min_px: 0 = the default. */
static struct ims_engine *open_library(const char *data, const char *root, double min_score, unsigned min_px)
{
    const char *roots[] = { root };
    struct ims_engine_options options = { .data_dir = data,
                                          .model_roots = roots,
                                          .n_model_roots = 1,
                                          .min_face_score = min_score,
                                          .min_face_px = min_px };
    struct ims_engine *e = NULL;
    ims_err err;

    if (ims_engine_open(&e, &options, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return e;
}

static struct ims_index_summary index_folder(struct ims_engine *e, const char *dir)
{
    const char *dirs[] = { dir };
    struct ims_index_options index = { .dirs = dirs, .n_dirs = 1 };
    struct ims_index_summary summary = { 0 };
    ims_err err;

    if (ims_engine_index(e, &index, &summary, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return summary;
}

/* ---- the demo library ---- */

static double area(double w, double h)
{
    return w > 0 && h > 0 ? w * h : 0;
}

static double iou(const struct ims_asset_face *f, const ims_json *box)
{
    double x = ims__json_num(ims__json_at(box, 0), 0), y = ims__json_num(ims__json_at(box, 1), 0);
    double w = ims__json_num(ims__json_at(box, 2), 0), h = ims__json_num(ims__json_at(box, 3), 0);
    double right = f->x + f->w < x + w ? f->x + f->w : x + w, left = f->x > x ? f->x : x;
    double bottom = f->y + f->h < y + h ? f->y + f->h : y + h, top = f->y > y ? f->y : y;
    double both = area(right - left, bottom - top);

    return both / (area(f->w, f->h) + area(w, h) - both);
}

/* Each face that was drawn takes the found one that lies best on it. */
static size_t count_hits(const struct ims_asset_story *story, const ims_json *people)
{
    bool is_taken[64] = { false };
    size_t n = 0;

    for (size_t i = 0; i < ims__json_len(people); i++) {
        const ims_json *box = ims__json_get(ims__json_at(people, i), "box");
        size_t best = story->n_faces;

        for (size_t k = 0; k < story->n_faces && k < 64; k++) {
            if (!is_taken[k] && iou(&story->faces[k], box) >= MIN_IOU &&
                (best == story->n_faces || iou(&story->faces[k], box) > iou(&story->faces[best], box)))
                best = k;
        }
        if (best < story->n_faces) {
            is_taken[best] = true;
            n++;
        }
    }
    return n;
}

TEST(truth, "nearly all faces of the demo library are found, where they were drawn, and little else")
{
    struct ims_engine *e = open_library(test_tmp_dir(), model_root(), 0, 0);
    struct ims_index_summary summary;
    size_t n_drawn = 0, n_found = 0, n_hits = 0, n;
    ims_json *truth = NULL;
    const ims_json *scenes;
    char *text, path[1200];
    ims_err err;

    CHECK(e);
    summary = index_folder(e, test_source_path("demo" PART));
    text = test_read_file(test_source_path("demo/truth.json"), &n);
    CHECK_OK(ims__json_parse(&truth, text, n, "truth.json", &err), err);
    free(text);
    scenes = ims__json_get(truth, "scenes");
    for (size_t i = 0; i < ims__json_len(scenes); i++) {
        const ims_json *scene = ims__json_at(scenes, i), *people = ims__json_get(scene, "people");
        struct ims_asset_story story;

        snprintf(path, sizeof(path), "%s/%s", test_source_path("demo"),
                 ims__json_str(ims__json_get(scene, "file"), NULL));
        if (ims__json_bool(ims__json_get(scene, "corrupt"), false) || !strstr(path, "demo" PART "/"))
            continue;
        CHECK_OK(ims_engine_show(e, 0, path, &story, &err), err);
        n_drawn += ims__json_len(people);
        n_found += story.n_faces;
        n_hits += count_hits(&story, people);
    }
    test_note("%zu faces drawn, %zu found, %zu of them right; %.1f s, %.1f in the detector, %.1f recognising", n_drawn,
              n_found, n_hits, summary.elapsed_s, summary.detect_s, summary.recognise_s);
    CHECK(n_drawn > MIN_DRAWN);
    CHECK((double)n_hits >= MIN_RECALL * (double)n_drawn);
    CHECK((double)n_hits >= MIN_PRECISION * (double)n_found);
    ims__json_free(truth);
    ims_engine_close(e);
}

/* ---- a crowd ---- */

#define CROWD_COLUMNS 20
#define CROWD_ROWS 20
#define CROWD_CELL 128

/* Everybody of the demo library, over and over: one picture of many faces. */
static void draw_crowd(struct ims_media *media, const char *path, struct ims_image *const *faces, size_t n_faces,
                       size_t first)
{
    struct ims_image *im = NULL;
    uint8_t *jpeg = NULL;
    size_t n = 0;
    ims_err err;

    CHECK_OK(ims_image_new(&im, CROWD_COLUMNS * CROWD_CELL, CROWD_ROWS * CROWD_CELL, &err), err);
    memset(im->rgb, 200, (size_t)im->height * im->stride_bytes);
    for (size_t i = 0; i < CROWD_COLUMNS * CROWD_ROWS; i++) {
        const struct ims_image *f = faces[(first + i) % n_faces];
        size_t x = i % CROWD_COLUMNS * CROWD_CELL, y = i / CROWD_COLUMNS * CROWD_CELL;
        int w = f->width < CROWD_CELL ? f->width : CROWD_CELL, h = f->height < CROWD_CELL ? f->height : CROWD_CELL;

        for (int row = 0; row < h; row++)
            memcpy(im->rgb + (y + (size_t)row) * im->stride_bytes + x * 3,
                   f->rgb + (size_t)row * f->stride_bytes, (size_t)w * 3);
    }
    CHECK_OK(ims_media_encode_jpeg(media, im->rgb, im->width, im->height, im->stride_bytes, 90, &jpeg, &n, &err), err);
    CHECK_OK(ims__write_derived(path, jpeg, n, &err), err);
    ims__free(jpeg);
    ims_image_unref(im);
}

/* The small pictures that an earlier run stored of faces, shrunk to a cell. */
static size_t load_faces(struct ims_media *media, struct ims_engine *e, struct ims_image **out, size_t max)
{
    size_t n = 0;

    for (int64_t id = 1; n < max && id < 400; id++) {
        uint8_t *jpeg = NULL, *small = NULL;
        struct ims_image *im = NULL;
        size_t bytes = 0, n_small = 0;
        ims_err err;

        if (ims_engine_face_thumbnail(e, id, &jpeg, &bytes, &err))
            continue;
        if (ims_media_decode(media, jpeg, bytes, NULL, &im, &err) == IMS_OK &&
            ims_media_thumbnail(media, im, CROWD_CELL, 95, &small, &n_small, &err) == IMS_OK &&
            ims_media_decode(media, small, n_small, NULL, &out[n], &err) == IMS_OK)
            n++;
        ims_image_unref(im);
        ims_engine_free(small);
        ims_engine_free(jpeg);
    }
    return n;
}

/* Anything that might be a face is wanted, so that there are many. */
TEST(crowd, "pictures of 500 faces each are taken in, one after another, and every face found is stored")
{
    const char *dir = test_tmp_dir();
    struct ims_engine *e, *crowds;
    struct ims_faces_stats stats;
    struct ims_index_summary summary;
    struct ims_media *media = NULL;
    struct ims_image *faces[40];
    char photos[1100], data[1100], path[1200];
    size_t n;
    ims_err err;

    snprintf(photos, sizeof(photos), "%s/photos", dir);
    snprintf(data, sizeof(data), "%s/data", dir);
    CHECK_INT(mkdir(photos, 0755), 0);
    CHECK_OK(ims_media_open(&media, NULL, &err), err);
    e = open_library(test_tmp_dir(), model_root(), 0, 0);
    CHECK(e);
    (void)index_folder(e, test_source_path("demo/2022"));
    n = load_faces(media, e, faces, 40);
    CHECK(n >= 20);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/crowd%zu.jpg", photos, i);
        draw_crowd(media, path, faces, n, i);
    }
    crowds = open_library(data, model_root(), 0.05, 1);
    CHECK(crowds);
    summary = index_folder(crowds, photos);
    CHECK_INT(summary.processed, 3);
    CHECK_INT(summary.errors, 0);
    test_note("%llu faces found in 3 crowds of %d; peak %.0f MiB", (unsigned long long)summary.total_faces,
              CROWD_COLUMNS * CROWD_ROWS, (double)summary.peak_rss_bytes / 1048576);
    CHECK(summary.total_faces >= 3 * 500);
    CHECK_OK(ims_engine_faces_stats(crowds, &stats, &err), err);
    CHECK_INT(stats.faces, summary.total_faces);
    CHECK_INT(stats.photos, 3);
    for (size_t i = 0; i < n; i++)
        ims_image_unref(faces[i]);
    ims_media_close(media);
    ims_engine_close(crowds);
    ims_engine_close(e);
}

/* ---- no models ---- */

TEST(no_models, "without face models pictures are indexed all the same, and the summary says what to do")
{
    const char *dir = test_tmp_dir();
    struct ims_index_summary summary;
    const char *paths[1];
    struct ims_index_options options = { .dirs = paths };
    char root[1100], link[1200], data[1100];
    struct ims_engine *e;
    ims_err err;

    snprintf(root, sizeof(root), "%s/models", dir);
    snprintf(link, sizeof(link), "%s/clip", root);
    snprintf(data, sizeof(data), "%s/data", dir);
    CHECK_INT(mkdir(root, 0755), 0);
    CHECK_INT(symlink(test_source_path("models/demo/clip"), link), 0);
    e = open_library(data, root, 0, 0);
    CHECK(e);
    summary = index_folder(e, test_source_path("demo/backup"));
    CHECK(summary.processed > 0);
    CHECK_INT(summary.errors, 0);
    CHECK_INT(summary.total_faces, 0);
    CHECK_STR(summary.face_model, "");
    CHECK(summary.faces_note[0]);
    test_note("%s", summary.faces_note);
    CHECK_STATUS(ims_engine_detect_faces(e, IMS_FACES_MISSING, &options, &summary, &err), IMS_E_MODEL, err);
    ims_engine_close(e);
}

TEST_MAIN
