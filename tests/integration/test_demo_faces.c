/* The demo face models on the demo library, whose people they never saw: are faces found where the generator
 * drew them, and are people told apart? Wrong truth must fail the same bars.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "media/media.h"
#include "models/face/face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_PRECISION 0.95
#define BAR_ACCURACY 0.97
#define MAX_FACES 512
#define MAX_BOXES 8192
#define MAX_FILE_BYTES (16 * 1024 * 1024)

struct person {
    int identity;
    double box[4]; /* x, y, width, height */
};

struct scene {
    char path[512];
    struct person people[16];
    size_t n_people;
};

struct box {
    float score;
    bool is_right;
    bool is_right_elsewhere; /* by the truth of the picture after this one */
};

/* All that a pass over the library gives. */
struct found {
    struct box boxes[MAX_BOXES];
    size_t n_boxes, n_people, n_false;
    float vectors[MAX_FACES][IMS_FACE_DIM];
    int identities[MAX_FACES];
    size_t n_vectors;
};

static struct scene scenes[256];
static size_t n_scenes;
static struct found found;

/* ---- truth ---- */

/* All pictures of people, and some of the others, in which there is nobody to be found. */
static bool is_wanted(const ims_json *s, size_t i, const char *format)
{
    if (ims__json_len(ims__json_get(s, "people")) == 0 && i % 4)
        return false;
    if (ims__json_get(s, "corrupt") || ims__json_get(s, "duplicate_of") ||
        ims__json_get(s, "near_duplicate_of"))
        return false;
    return format && strcmp(format, "heic") != 0; /* whose decoder not every machine has */
}

static void read_scene(const ims_json *s)
{
    const ims_json *people = ims__json_get(s, "people");
    struct scene *out = &scenes[n_scenes++];

    (void)snprintf(out->path, sizeof(out->path), "demo/%s", ims__json_str(ims__json_get(s, "file"), NULL));
    for (size_t i = 0; i < ims__json_len(people) && i < IMS_ARRAY_LEN(out->people); i++) {
        const ims_json *p = ims__json_at(people, i), *box = ims__json_get(p, "box");
        struct person *one = &out->people[out->n_people++];

        one->identity = (int)ims__json_int(ims__json_get(p, "identity"), -1);
        for (size_t k = 0; k < 4; k++)
            one->box[k] = ims__json_num(ims__json_at(box, k), 0);
    }
}

static void read_truth(void)
{
    size_t n;
    char *text = test_read_file(test_source_path("demo/truth.json"), &n);
    ims_json *truth = NULL;
    const ims_json *list;
    ims_err err;

    CHECK_OK(ims__json_parse(&truth, text, n, "truth.json", &err), err);
    list = ims__json_get(truth, "scenes");
    for (size_t i = 0; i < ims__json_len(list) && n_scenes < IMS_ARRAY_LEN(scenes); i++) {
        const ims_json *s = ims__json_at(list, i);

        if (is_wanted(s, i, ims__json_str(ims__json_get(s, "format"), NULL)))
            read_scene(s);
    }
    ims__json_free(truth);
    free(text);
    CHECK(n_scenes > 80);
}

/* ---- boxes ---- */

static double overlap(const struct ims_face *f, const double *b)
{
    double x0 = (double)f->x > b[0] ? (double)f->x : b[0];
    double y0 = (double)f->y > b[1] ? (double)f->y : b[1];
    double x1 = (double)(f->x + f->width) < b[0] + b[2] ? (double)(f->x + f->width) : b[0] + b[2];
    double y1 = (double)(f->y + f->height) < b[1] + b[3] ? (double)(f->y + f->height) : b[1] + b[3];
    double both = x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0.0;

    return both / ((double)f->width * (double)f->height + b[2] * b[3] - both);
}

/* Each person goes to the best-scored box that meets it by half; NULL where a box is nobody. */
static void match(const struct ims_face_list *l, const struct scene *s, const struct person **out)
{
    bool is_taken[16] = { false };

    for (size_t i = 0; i < l->n; i++) {
        double best = 0.5;
        size_t who = s->n_people;

        for (size_t k = 0; k < s->n_people; k++) {
            double both = overlap(&l->faces[i], s->people[k].box);

            if (!is_taken[k] && both >= best) {
                best = both;
                who = k;
            }
        }
        out[i] = who < s->n_people ? &s->people[who] : NULL;
        if (out[i])
            is_taken[who] = true;
    }
}

static int by_score(const void *a, const void *b)
{
    float x = ((const struct box *)a)->score, y = ((const struct box *)b)->score;

    return (x < y) - (x > y);
}

/* Area below the curve of precision over recall, each precision being the best at that recall or above. */
static double average_precision(struct box *boxes, size_t n, size_t n_people)
{
    double area = 0.0, best = 0.0;
    size_t right = 0;

    qsort(boxes, n, sizeof(*boxes), by_score);
    for (size_t i = 0; i < n; i++)
        right += boxes[i].is_right;
    for (size_t i = n; i > 0; i--) {
        double precision = (double)right / (double)i;

        best = precision > best ? precision : best;
        if (boxes[i - 1].is_right) {
            area += best / (double)n_people;
            right--;
        }
    }
    return area;
}

/* ---- the pass ---- */

static void recognise(struct ims_face_models *m, const struct ims_rgb_view *view,
                      const struct ims_face_list *l, const struct person *const *who,
                      const struct person *const *elsewhere)
{
    static uint8_t crop[IMS_FACE_EMBED_SIDE_PX * IMS_FACE_EMBED_SIDE_PX * 3];
    ims_err err;

    for (size_t i = 0; i < l->n; i++) {
        CHECK(found.n_boxes < MAX_BOXES && found.n_vectors < MAX_FACES);
        found.boxes[found.n_boxes++] =
            (struct box){ l->faces[i].score, who[i] != NULL, elsewhere[i] != NULL };
        if (l->faces[i].score < 0.5F)
            continue;
        found.n_false += !who[i];
        if (!who[i])
            continue;
        CHECK_OK(ims_face_crop(IMS_FACE_EMBED, view, &l->faces[i], crop, NULL, &err), err);
        CHECK_OK(ims_face_embed(m, crop, 1, found.vectors[found.n_vectors], NULL, NULL, &err), err);
        found.identities[found.n_vectors++] = who[i]->identity;
    }
}

static void look_at(struct ims_face_models *m, struct ims_media *media, const struct scene *s,
                    const struct scene *next)
{
    const struct person *who[IMS_FACE_MAX_PER_IMAGE], *elsewhere[IMS_FACE_MAX_PER_IMAGE];
    struct ims_face_list faces = { 0 };
    struct ims_face_input input = { 0 };
    struct ims_image *image = NULL;
    struct ims_rgb_view view;
    struct ims_buf file;
    ims_err err;

    CHECK_OK(ims__read_file(test_source_path(s->path), MAX_FILE_BYTES, &file, NULL, &err), err);
    CHECK_OK(ims_media_decode(media, (const uint8_t *)file.data, file.len, NULL, &image, &err), err);
    view = (struct ims_rgb_view){ image->rgb, image->width, image->height, image->stride_bytes };
    CHECK_OK(ims_face_prepare(m, &view, &input, &err), err);
    CHECK_OK(ims_face_detect(m, &input, 1, &faces, NULL, &err), err);
    match(&faces, s, who);
    match(&faces, next, elsewhere);
    found.n_people += s->n_people;
    recognise(m, &view, &faces, who, elsewhere);
    ims_face_list_release(&faces);
    ims_face_input_release(&input);
    ims_image_unref(image);
    ims__buf_release(&file);
}

static void look_at_all(void)
{
    const struct ims_compute_options compute_options = { .device = { .device = "cpu" } };
    const struct ims_face_options options = { .min_score = 0.05F };
    struct ims_face_pack *pack = NULL;
    struct ims_face_models *m = NULL;
    struct ims_compute *compute = NULL;
    struct ims_media *media = NULL;
    ims_err err;

    if (found.n_boxes)
        return;
    read_truth();
    CHECK_OK(ims_face_pack_open(&pack, test_source_path("models/demo/face"), &err), err);
    CHECK(pack->is_demo);
    CHECK_OK(ims_compute_open(&compute, &compute_options, &err), err);
    CHECK_OK(ims_face_models_open(&m, pack, compute, &options, &err), err);
    CHECK_OK(ims_media_open(&media, NULL, &err), err);
    for (size_t i = 0; i < n_scenes && !test_has_failed(); i++)
        look_at(m, media, &scenes[i], &scenes[(i + 1) % n_scenes]);
    ims_media_close(media);
    ims_face_models_close(m);
    ims_compute_close(compute);
    ims_face_pack_close(pack);
}

TEST(detection, "faces are found where they were drawn: average precision at least 0.95")
{
    double precision;

    look_at_all();
    precision = average_precision(found.boxes, found.n_boxes, found.n_people);
    test_note("%zu people in %zu pictures, average precision %.4f, %zu found and %zu wrong at a score of 0.5",
              found.n_people, n_scenes, precision, found.n_vectors, found.n_false);
    CHECK(found.n_people > 80);
    CHECK(precision >= BAR_PRECISION);
}

TEST(wrong_boxes, "the same boxes against the people of the next picture fail that bar")
{
    static struct box boxes[MAX_BOXES];
    double precision;

    look_at_all();
    for (size_t i = 0; i < found.n_boxes; i++)
        boxes[i] = (struct box){ found.boxes[i].score, found.boxes[i].is_right_elsewhere, false };
    precision = average_precision(boxes, found.n_boxes, found.n_people);
    test_note("average precision %.4f with the truth of another picture", precision);
    CHECK(precision < 0.5);
}

/* ---- who is who ---- */

enum { FOLDS = 10 };

struct pair {
    float cosine;
    bool is_same;
    int fold;
};

struct pairs {
    struct pair *list;
    size_t n;
};

/* Every pair of faces, dealt to the folds at random. */
static void collect(struct pairs *p, const int *identities)
{
    uint64_t state = 1;

    for (size_t i = 0; i < found.n_vectors; i++) {
        for (size_t k = 0; k < i; k++)
            p->list[p->n++] = (struct pair){
                ims__kernels()->dot_f32(found.vectors[i], found.vectors[k], IMS_FACE_DIM),
                identities[i] == identities[k], (int)(test_random(&state) % FOLDS)
            };
    }
}

/* Same and different pairs count half each, however many there are; only one fold, or all but one. */
static double accuracy_at(const struct pairs *p, float cut, int fold, bool is_rest)
{
    size_t right[2] = { 0 }, n[2] = { 0 };

    for (size_t i = 0; i < p->n; i++) {
        const struct pair *q = &p->list[i];

        if ((q->fold == fold) == is_rest)
            continue;
        n[q->is_same]++;
        right[q->is_same] += (q->cosine >= cut) == q->is_same;
    }
    return ((double)right[0] / (double)n[0] + (double)right[1] / (double)n[1]) / 2.0;
}

/* The mean over the folds, each at the cut that is best for the other nine. */
static double accuracy(const int *identities)
{
    struct pairs p = { .list = calloc(found.n_vectors * found.n_vectors / 2, sizeof(*p.list)) };
    double sum = 0.0;

    collect(&p, identities);
    for (int fold = 0; fold < FOLDS; fold++) {
        double best = 0.0;
        float best_cut = 0.0F;

        for (float cut = 0.0F; cut < 0.9F; cut += 0.01F) {
            double here = accuracy_at(&p, cut, fold, true);

            if (here > best) {
                best = here;
                best_cut = cut;
            }
        }
        sum += accuracy_at(&p, best_cut, fold, false);
        if (fold == 0)
            test_note("%zu pairs, cut at %.2f", p.n, (double)best_cut);
    }
    free(p.list);
    return sum / FOLDS;
}

TEST(verification, "people that training never saw are told apart: accuracy at least 0.97")
{
    double share;

    look_at_all();
    share = accuracy(found.identities);
    test_note("accuracy %.4f over %zu faces", share, found.n_vectors);
    CHECK(found.n_vectors > 80);
    CHECK(share >= BAR_ACCURACY);
}

TEST(wrong_names, "the same vectors under other people's names fail that bar")
{
    static int identities[MAX_FACES];
    uint64_t state = 4;
    double share;

    look_at_all();
    memcpy(identities, found.identities, sizeof(identities));
    for (size_t i = found.n_vectors; i > 1; i--) {
        size_t k = test_random(&state) % i;
        int t = identities[i - 1];

        identities[i - 1] = identities[k];
        identities[k] = t;
    }
    share = accuracy(identities);
    test_note("accuracy %.4f with names dealt at random", share);
    CHECK(share < 0.6);
}

TEST_MAIN
