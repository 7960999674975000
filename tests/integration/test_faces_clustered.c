/* The demo library's faces in clusters, against who was drawn; ids that last, cancelling, known persons, splitting.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/clusters.h"
#include "ims/engine.h"
#include "store/persons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_RAND_INDEX 0.9
#define N_MAX 400

static const char *data_dir(void)
{
    static char dir[1100];

    if (!dir[0])
        snprintf(dir, sizeof(dir), "%s/data", test_tmp_dir());
    return dir;
}

static struct ims_engine *open_library(void)
{
    const char *roots[] = { test_source_path("models/demo") };
    struct ims_engine_options options = { .data_dir = data_dir(), .model_roots = roots, .n_model_roots = 1 };
    struct ims_engine *e = NULL;
    ims_err err;

    if (ims_engine_open(&e, &options, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return e;
}

/* The demo library with its faces, made by the first test that asks. */
static struct ims_engine *demo_library(void)
{
    static bool is_made;
    const char *dirs[] = { test_source_path("demo") };
    struct ims_index_options index = { .dirs = dirs, .n_dirs = 1, .no_thumbnails = true };
    struct ims_index_summary summary;
    struct ims_engine *e = open_library();
    ims_err err;

    if (e && !is_made && ims_engine_index(e, &index, &summary, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    is_made = true;
    return e;
}

static struct ims_clusters_options defaults(void)
{
    return (struct ims_clusters_options){ .eps = -1, .min_quality = -1, .merge_similarity = -1, .person_threshold = -1 };
}

/* --- who is who --- */

struct people {
    size_t n;
    int64_t ids[N_MAX], drawn[N_MAX], found[N_MAX], persons[N_MAX]; /* drawn identity, cluster (noise: negative and unique) */
};

static double overlap(const struct ims_asset_face *f, const ims_json *box)
{
    double x = ims__json_num(ims__json_at(box, 0), 0), y = ims__json_num(ims__json_at(box, 1), 0);
    double w = ims__json_num(ims__json_at(box, 2), 0), h = ims__json_num(ims__json_at(box, 3), 0);
    double right = f->x + f->w < x + w ? f->x + f->w : x + w, left = f->x > x ? f->x : x;
    double bottom = f->y + f->h < y + h ? f->y + f->h : y + h, top = f->y > y ? f->y : y;
    double both = right > left && bottom > top ? (right - left) * (bottom - top) : 0;

    return both / ((double)f->w * f->h + w * h - both);
}

static void match_scene(struct people *p, const struct ims_asset_story *story, const ims_json *people)
{
    for (size_t k = 0; k < story->n_faces && p->n < N_MAX; k++) {
        const struct ims_asset_face *f = &story->faces[k];
        const ims_json *best = NULL;

        for (size_t i = 0; i < ims__json_len(people); i++) {
            const ims_json *one = ims__json_at(people, i);

            if (overlap(f, ims__json_get(one, "box")) >= 0.4 &&
                (!best || overlap(f, ims__json_get(one, "box")) > overlap(f, ims__json_get(best, "box"))))
                best = one;
        }
        for (size_t i = 0; i < p->n; i++) /* copies of a file share their faces */
            best = p->ids[i] == f->id ? NULL : best;
        if (!best)
            continue;
        p->ids[p->n] = f->id;
        p->drawn[p->n] = ims__json_int(ims__json_get(best, "identity"), -1);
        p->found[p->n] = f->cluster_id ? f->cluster_id : -f->id;
        p->persons[p->n++] = f->person_id;
    }
}

static void look(struct ims_engine *e, struct people *p)
{
    size_t len;
    char *text = test_read_file(test_source_path("demo/truth.json"), &len), path[1200];
    const ims_json *scenes;
    ims_json *truth = NULL;
    ims_err err;

    p->n = 0;
    CHECK_OK(ims__json_parse(&truth, text, len, "truth.json", &err), err);
    scenes = ims__json_get(truth, "scenes");
    for (size_t i = 0; i < ims__json_len(scenes); i++) {
        const ims_json *scene = ims__json_at(scenes, i);
        struct ims_asset_story story;

        if (ims__json_bool(ims__json_get(scene, "corrupt"), false))
            continue;
        snprintf(path, sizeof(path), "%s/%s", test_source_path("demo"),
                 ims__json_str(ims__json_get(scene, "file"), NULL));
        CHECK_OK(ims_engine_show(e, 0, path, &story, &err), err);
        match_scene(p, &story, ims__json_get(scene, "people"));
    }
    ims__json_free(truth);
    free(text);
}

/* Hubert, Arabie (1985): pairs on which two partitions agree, less what chance gives. A face in no cluster is alone. */
static double adjusted_rand(const struct people *p)
{
    double both = 0, drawn = 0, found = 0, all = (double)p->n * (double)(p->n - 1) / 2, chance;

    for (size_t i = 0; i < p->n; i++) {
        for (size_t j = 0; j < i; j++) {
            bool same_drawn = p->drawn[i] == p->drawn[j], same_found = p->found[i] == p->found[j];

            both += same_drawn && same_found;
            drawn += same_drawn;
            found += same_found;
        }
    }
    chance = drawn * found / all;
    return (both - chance) / ((drawn + found) / 2 - chance);
}

TEST(without_model, "a library that no face model looked at says so")
{
    struct ims_engine *e = open_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    int64_t *ids = NULL;
    size_t n;
    ims_err err;

    CHECK(e);
    CHECK_STATUS(ims_engine_cluster_faces(e, &o, &r, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "faces detect") != NULL);
    CHECK_STATUS(ims_engine_split_cluster(e, 1, 3, &ids, &n, &err), IMS_E_NOT_FOUND, err);
    ims_engine_close(e);
}

TEST(truth, "clusters are the people who were drawn")
{
    static struct people p;
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    ims_err err;

    CHECK(e);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    CHECK_INT(r.faces, r.clustered + r.noise);
    CHECK(r.faces > 100);
    CHECK_STR(r.lists, "computed");
    look(e, &p);
    test_note("%zu faces, %zu clusters, %zu noise, adjusted Rand index %.3f", p.n, r.clusters, r.noise,
              adjusted_rand(&p));
    CHECK(p.n > 100);
    CHECK(adjusted_rand(&p) >= MIN_RAND_INDEX);
    ims_engine_close(e);
}

TEST(again, "the same faces keep their clusters, and other settings use the stored neighbour lists")
{
    static struct people before, after;
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    ims_err err;

    CHECK(e);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    look(e, &before);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    look(e, &after);
    CHECK_INT(r.kept, r.clusters);
    CHECK_STR(r.lists, "stored");
    CHECK_MEM(after.found, before.found, before.n * sizeof(*before.found));
    for (int method = IMS_CLUSTERS_HDBSCAN; method <= IMS_CLUSTERS_AGGLOMERATIVE; method++) {
        o.method = (ims_clusters_method)method;
        o.min_samples = 2;
        CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
        CHECK_STR(r.lists, "stored");
        CHECK(r.clusters > 3);
    }
    o.is_anew = true;
    o.method = IMS_CLUSTERS_HDBSCAN;
    o.min_samples = 0;
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    CHECK_STR(r.lists, "computed");
    ims_engine_close(e);
}

TEST(damaged_lists, "damaged neighbour lists are computed again")
{
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    char path[1300];
    ims_err err;

    CHECK(e);
    snprintf(path, sizeof(path), "%s/cache/faces-2.graph", data_dir());
    CHECK_OK(ims__write_derived(path, "damaged", 7, &err), err);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    CHECK_STR(r.lists, "computed");
    ims_engine_close(e);
}

struct stop {
    int calls, at;
};

static bool stop_at(void *arg, const char *phase, double fraction)
{
    struct stop *s = arg;

    (void)phase;
    (void)fraction;
    return ++s->calls != s->at;
}

TEST(cancel, "a run that is cancelled at any moment changes nothing")
{
    static struct people before, after;
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    struct stop all = { 0, -1 };
    ims_err err;

    CHECK(e);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    look(e, &before);
    o.min_cluster_size = 6;
    o.is_anew = true;
    o.on_progress = stop_at;
    for (int at = 1; at < 50; at++) {
        struct stop s = { 0, at };

        o.arg = &s;
        if (ims_engine_cluster_faces(e, &o, &r, &err) == IMS_OK)
            break;
        all.calls++;
        CHECK_INT(err.status, IMS_E_CANCELLED);
        look(e, &after);
        CHECK_MEM(after.found, before.found, before.n * sizeof(*before.found));
    }
    CHECK(all.calls >= 2);
    ims_engine_close(e);
}

/* --- known persons --- */

struct naming {
    const struct people *p;
    int64_t identity, person;
    size_t n;
};

/* Every second face of one who was drawn gets a name. */
static ims_status name_some(struct ims_store *s, void *arg, ims_err *err)
{
    struct naming *x = arg;
    struct ims_store_event_in in = { .operation = IMS_EVENT_CREATE };
    struct ims_store_event ev;
    int64_t ids[N_MAX];
    struct ims_store_assign what = { .face_ids = ids, .by = IMS_ASSIGNED_USER };
    ims_status st = ims_store_event_begin(s, &in, &ev, err);
    bool is_turn = true;

    for (size_t i = 0; i < x->p->n; i++) {
        if (x->p->drawn[i] != x->identity)
            continue;
        if (is_turn)
            ids[what.n++] = x->p->ids[i];
        is_turn = !is_turn;
    }
    if (!st)
        st = ims_store_create_person(s, &ev, "Drawn", NULL, &x->person, err);
    what.person_id = x->person;
    if (!st)
        st = ims_store_assign_faces(s, &ev, &what, err);
    x->n = what.n_changed;
    return st ? st : ims_store_event_end(s, &ev, err);
}

TEST(dual, "faces of a known person go to that person, the others are clustered, and naming is one event")
{
    static struct people before, after;
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    struct naming x = { .p = &before, .identity = 4 };
    struct ims_store *s = NULL;
    char path[1300];
    size_t n_right = 0, n_wrong = 0, n_drawn = 0;
    ims_err err;

    CHECK(e);
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    look(e, &before);
    snprintf(path, sizeof(path), "%s/library.db", data_dir());
    CHECK_OK(ims_store_open(&s, path, &(struct ims_store_options){ 0 }, &err), err);
    CHECK_OK(ims_store_transact(s, name_some, &x, &err), err);
    ims_store_close(s);
    CHECK(x.n >= 5);
    CHECK_OK(ims_engine_cluster_dual(e, &o, &r, &err), err);
    CHECK_INT(r.persons, 1);
    CHECK_INT(r.faces, r.assigned + r.clustered + r.noise);
    look(e, &after);
    for (size_t i = 0; i < after.n; i++) {
        n_drawn += after.drawn[i] == x.identity;
        n_right += after.persons[i] == x.person && after.drawn[i] == x.identity;
        n_wrong += after.persons[i] == x.person && after.drawn[i] != x.identity;
    }
    test_note("%zu faces drawn, %zu named first, %zu in the end, %zu wrong", n_drawn, x.n, n_right, n_wrong);
    CHECK(n_right + n_wrong <= x.n + r.assigned); /* a face may not match anyone drawn */
    CHECK_INT(n_wrong, 0);
    CHECK(r.assigned > 0);
    CHECK(n_right * 10 >= n_drawn * 8);
    for (int run = 0; run < 4 && r.assigned; run++) /* a mean face moves a little with what it got */
        CHECK_OK(ims_engine_cluster_dual(e, &o, &r, &err), err);
    CHECK_INT(r.assigned, 0);
    ims_engine_close(e);
}

TEST(split, "splitting says what is wrong with a cluster that vanished or is too small, and changes one that can be split")
{
    static struct people p;
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    int64_t *ids = NULL, cluster = 0;
    size_t n = 99, n_in = 0;
    ims_err err;

    CHECK(e);
    o.method = IMS_CLUSTERS_DBSCAN; /* so loose that people run together */
    o.eps = 0.75;
    o.min_samples = 1;
    CHECK_OK(ims_engine_cluster_faces(e, &o, &r, &err), err);
    look(e, &p);
    for (size_t i = 0; i < p.n && !cluster; i++) {
        n_in = 0;
        for (size_t j = 0; j < p.n; j++)
            n_in += p.found[j] == p.found[i];
        if (n_in > 40)
            cluster = p.found[i];
    }
    CHECK(cluster > 0);
    CHECK_STATUS(ims_engine_split_cluster(e, 987654, 3, &ids, &n, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "987654") != NULL);
    CHECK_STATUS(ims_engine_split_cluster(e, cluster, 500, &ids, &n, &err), IMS_E_CONSTRAINT, err);
    CHECK_STATUS(ims_engine_split_cluster(e, cluster, 1, &ids, &n, &err), IMS_E_INVALID, err);
    CHECK(ids == NULL && n == 99);
    CHECK_OK(ims_engine_split_cluster(e, cluster, 3, &ids, &n, &err), err);
    CHECK(n >= 2);
    look(e, &p);
    for (size_t c = 0; c < n; c++) {
        n_in = 0;
        for (size_t i = 0; i < p.n; i++)
            n_in += p.found[i] == ids[c];
        CHECK(ids[c] != cluster);
        CHECK(n_in >= 2); /* a face may not match anyone drawn */
    }
    ims_engine_free(ids);
    ims_engine_close(e);
}

TEST(bad_options, "options that mean nothing are refused before anything is read")
{
    struct ims_engine *e = demo_library();
    struct ims_clusters_options o = defaults();
    struct ims_clusters_result r;
    ims_clusters_method method;
    ims_err err;

    CHECK(e);
    o.min_cluster_size = 1;
    CHECK_STATUS(ims_engine_cluster_faces(e, &o, &r, &err), IMS_E_INVALID, err);
    o = defaults();
    o.eps = 3;
    CHECK_STATUS(ims_engine_cluster_faces(e, &o, &r, &err), IMS_E_INVALID, err);
    o = defaults();
    o.max_bytes = 1000;
    o.is_anew = true;
    CHECK_STATUS(ims_engine_cluster_faces(e, &o, &r, &err), IMS_E_LIMIT, err);
    CHECK(strstr(err.text, "MiB") != NULL);
    CHECK_STATUS(ims_clusters_method_of("kmeans", &method, &err), IMS_E_INVALID, err);
    ims_engine_close(e);
}

TEST_MAIN
