/* Rules over a clustering: photos, users, quality, merging; ids that last; faces of known persons.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include "harness/test.h"

#include "base/mem.h"
#include "people/cluster/groups.h"

#include <math.h>
#include <string.h>

#define DIM 8

/* A unit vector at an angle (in degrees) between axis a and axis b. */
static void put(float *v, size_t a, size_t b, double degrees)
{
    memset(v, 0, DIM * sizeof(*v));
    v[a] = (float)cos(degrees * 0.017453292519943295);
    v[b] += (float)sin(degrees * 0.017453292519943295);
}

struct scene {
    float vectors[12][DIM];
    int64_t ids[12], photos[12];
    struct ims_points points;
    struct ims_labels labels;
};

/* Faces 0-3 near axis 0, 4-7 near axis 1 (labels 0 and 1), 8-11 noise on axes 2-5; each in a photo of its own. */
static void set_up(struct scene *s)
{
    ims_err err = { 0 };

    for (size_t i = 0; i < 12; i++) {
        put(s->vectors[i], i / 4 + (i >= 8 ? i - 8 : 0), 7, i < 8 ? (double)(i % 4) * 5 : 0);
        s->ids[i] = (int64_t)i + 1;
        s->photos[i] = 100 + (int64_t)i;
    }
    s->points = (struct ims_points){ 12, DIM, s->vectors[0], s->ids };
    CHECK_OK(ims__labels_init(&s->labels, 12, &err), err);
    s->labels.n_clusters = 2;
    for (size_t i = 0; i < 8; i++) {
        s->labels.labels[i] = (int32_t)(i / 4);
        s->labels.probabilities[i] = 1;
    }
}

static void check_labels(const struct scene *s, const char *want)
{
    for (size_t i = 0; i < 12; i++) {
        int32_t w = want[i] == '-' ? IMS_NOISE : want[i] - 'a';

        if (s->labels.labels[i] != w) {
            test_fail(__FILE__, __LINE__, "face %zu has label %d, expected %d of %s", i, s->labels.labels[i], w, want);
            return;
        }
    }
}

static void apply(struct scene *s, const struct ims_group_rules *rules, const char *want)
{
    ims_err err = { 0 };

    CHECK_OK(ims__groups_apply(&s->labels, &s->points, rules, &err), err);
    check_labels(s, want);
    ims__labels_release(&s->labels);
}

TEST(no_rules, "without rules nothing changes")
{
    struct scene s;

    set_up(&s);
    apply(&s, &(struct ims_group_rules){ .merge_similarity = 2 }, "aaaabbbb----");
}

TEST(one_photo, "two faces of a photo are not one person: the one less like the others leaves")
{
    struct scene s;

    set_up(&s);
    s.photos[3] = s.photos[1]; /* 3 is farther from the middle */
    s.photos[4] = s.photos[0]; /* other clusters do not matter */
    apply(&s, &(struct ims_group_rules){ .photos = s.photos, .merge_similarity = 2 }, "aaa-bbbb----");
}

TEST(one_photo_linked, "two faces of a photo are one person when the user says so")
{
    const struct ims_face_pair same = { 3, 1 };
    struct scene s;

    set_up(&s);
    s.photos[3] = s.photos[1];
    apply(&s,
          &(struct ims_group_rules){ .photos = s.photos, .must_link = &same, .n_must_link = 1, .merge_similarity = 2 },
          "aaaabbbb----");
}

TEST(must_link, "what the user links ends in one cluster: faces, clusters, noise")
{
    const struct ims_face_pair links[] = { { 0, 8 }, { 9, 10 } };
    const struct ims_face_pair bridge = { 1, 5 };
    struct scene s;

    set_up(&s);
    apply(&s, &(struct ims_group_rules){ .must_link = links, .n_must_link = 2, .merge_similarity = 2, .min_cluster_size = 3 },
          "aaaabbbbacc-");
    set_up(&s);
    apply(&s, &(struct ims_group_rules){ .must_link = &bridge, .n_must_link = 1, .merge_similarity = 2 }, "aaaaaaaa----");
}

TEST(contradiction, "a pair that is linked and kept apart is an error with both faces, a place beyond the end too")
{
    const struct ims_face_pair pair = { 2, 1 }, back = { 1, 2 }, beyond = { 1, 12 };
    struct scene s;
    ims_err err = { 0 };

    set_up(&s);
    CHECK_STATUS(ims__groups_apply(&s.labels, &s.points,
                                   &(struct ims_group_rules){ .must_link = &pair, .n_must_link = 1, .cannot_link = &back,
                                                              .n_cannot_link = 1, .merge_similarity = 2 },
                                   &err),
                 IMS_E_INVALID, err);
    CHECK(strstr(err.text, "faces 3 and 2") != NULL);
    CHECK_STATUS(ims__groups_apply(&s.labels, &s.points,
                                   &(struct ims_group_rules){ .must_link = &beyond, .n_must_link = 1 }, &err),
                 IMS_E_INVALID, err);
    ims__labels_release(&s.labels);
}

TEST(merging, "clusters that are alike on average become one, unless a photo or the user keeps them apart")
{
    const struct ims_face_pair apart = { 0, 6 };
    struct scene s;

    for (int round = 0; round < 3; round++) {
        set_up(&s);
        for (size_t i = 4; i < 8; i++)
            put(s.vectors[i], 0, 1, 30 + (double)i); /* 34 to 37 degrees off: cosine about 0.8 */
        if (round == 1)
            s.photos[5] = s.photos[2];
        apply(&s,
              &(struct ims_group_rules){ .photos = s.photos, .cannot_link = &apart, .n_cannot_link = round == 2,
                                         .merge_similarity = 0.7 },
              round == 0 ? "aaaaaaaa----" : "aaaabbbb----");
    }
    set_up(&s);
    for (size_t i = 4; i < 8; i++)
        put(s.vectors[i], 0, 1, 30 + (double)i);
    apply(&s, &(struct ims_group_rules){ .photos = s.photos, .merge_similarity = 0.9 }, "aaaabbbb----");
}

TEST(small, "clusters that the rules made too small are noise")
{
    struct scene s;

    set_up(&s);
    s.photos[3] = s.photos[1];
    apply(&s, &(struct ims_group_rules){ .photos = s.photos, .merge_similarity = 2, .min_cluster_size = 4 }, "---"
                                                                                                            "-aaaa----");
}

TEST(ids, "clusters keep the ids of those they share most faces with, and no id is given twice")
{
    const int64_t before[12] = { 7, 7, 7, 9, 9, 9, 7, 0, 5, 5, 5, 5 };
    int64_t ids[2] = { -1, -1 };
    struct scene s;
    ims_err err = { 0 };

    set_up(&s);
    CHECK_OK(ims__groups_match(&s.labels, before, ids, &err), err);
    CHECK_INT(ids[0], 7);
    CHECK_INT(ids[1], 9);
    s.labels.labels[6] = 0; /* both parts of 7 together: the rest of 9 */
    s.labels.labels[4] = s.labels.labels[5] = 0;
    CHECK_OK(ims__groups_match(&s.labels, before, ids, &err), err);
    CHECK_INT(ids[0], 7);
    CHECK_INT(ids[1], 0);
    ims__labels_release(&s.labels);
}

TEST(confidence, "confidence is the mean cosine of all pairs")
{
    double got[2], want = 0;
    struct scene s;
    ims_err err = { 0 };

    set_up(&s);
    CHECK_OK(ims__groups_confidence(&s.labels, &s.points, got, &err), err);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++)
            want += cos(5 * (i - j) * 0.017453292519943295) / 6;
    }
    CHECK_NEAR(got[0], want, 1e-6);
    CHECK_NEAR(got[1], want, 1e-6);
    ims__labels_release(&s.labels);
}

TEST(quality, "a face of low quality joins a cluster, and does not bridge two")
{
    struct draw d = { .seed = 5, .n = 60, .dim = 32, .groups = 2, .spread = 0.6 };
    struct ims_points core = draw_points(&d), all;
    float *v = ims__alloc(63 * 32, sizeof(*v));
    int64_t ids[63], photos[63];
    bool is_core[63];
    struct ims_graph *g = NULL;
    struct ims_labels l = { 0 }, joined = { 0 };
    ims_err err = { 0 };

    CHECK_OK(ims__graph_build(&g, &core, &(struct ims_graph_options){ 0 }, &err), err);
    CHECK_OK(ims__hdbscan(g, &(struct ims_hdbscan_options){ .min_cluster_size = 5, .min_samples = 3 }, &l, &err), err);
    CHECK_INT(l.n_clusters, 2);
    memcpy(v, core.vectors, 60 * 32 * sizeof(*v));
    memcpy(v + 60 * 32, core.vectors, 32 * sizeof(*v)); /* like face 0 */
    for (size_t k = 0; k < 32; k++) {
        v[61 * 32 + k] = k == 9 ? 1 : 0;                /* like nobody */
        v[62 * 32 + k] = core.vectors[k];               /* like face 0, in its photo */
    }
    for (size_t i = 0; i < 63; i++) {
        ids[i] = (int64_t)i;
        photos[i] = i == 62 ? 0 : (int64_t)i;
        is_core[i] = i < 60;
    }
    all = (struct ims_points){ 63, 32, v, ids };
    CHECK_OK(ims__groups_join(&l, g, 3, &core, &all, is_core, photos, &joined, &err), err);
    CHECK_INT(joined.n_clusters, 2);
    CHECK_INT(joined.labels[60], joined.labels[0]);
    CHECK_INT(joined.labels[61], IMS_NOISE);
    CHECK_INT(joined.labels[62], IMS_NOISE);
    for (size_t i = 0; i < 60; i++)
        CHECK_INT(joined.labels[i], l.labels[i]);
    ims__labels_release(&l);
    ims__labels_release(&joined);
    ims__graph_free(g);
    ims__free(v);
    draw_free(&core);
}

static bool exclude(void *arg, size_t face, size_t person)
{
    (void)arg;
    return face == 5 && person == 1;
}

static bool has(void *arg, int64_t photo, size_t person)
{
    (void)arg;
    return photo == 106 && person == 1;
}

TEST(assign, "faces go to the nearest person above the threshold, once per photo, never against the user")
{
    float centroids[2][DIM], scores[12];
    struct ims_assign_rules rules = { .threshold = 0.7, .is_excluded = exclude, .has = has };
    int32_t got[12];
    struct scene s;
    ims_err err = { 0 };

    set_up(&s);
    put(centroids[0], 0, 7, 0);
    put(centroids[1], 1, 7, 0);
    s.photos[1] = s.photos[0]; /* 0 is nearer */
    rules.photos = s.photos;
    CHECK_OK(ims__groups_assign(&s.points, centroids[0], 2, &rules, got, scores, &err), err);
    CHECK_INT(got[0], 0);
    CHECK_INT(got[1], -1);
    CHECK_INT(got[2], 0);
    CHECK_INT(got[4], 1);
    CHECK_INT(got[5], -1);
    CHECK_INT(got[6], -1);
    CHECK_INT(got[7], 1);
    CHECK_INT(got[8], -1);
    CHECK_NEAR(scores[2], cos(10 * 0.017453292519943295), 1e-6);
    ims__labels_release(&s.labels);
}

TEST_MAIN
