/* People from end to end: the demo library's photos, its own face models, three faces of each person named;
 * the rest must be found, and nobody be mistaken.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people.h"
#include "harness/test.h"
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FACES 256
#define N_NAMED 3
#define MIN_OVERLAP 0.3

struct demo {
    struct library l;
    struct ims_engine *e;
    struct ims_arena arena;
    struct ims_store_face *faces; /* best first */
    size_t n;
    int who[MAX_FACES]; /* identity as drawn; -1 = none */
    double west;        /* of the filter by place */
    ims_err err;
};

static double overlap(const struct ims_store_face *f, const ims_json *box)
{
    double x = ims__json_num(ims__json_at(box, 0), 0), y = ims__json_num(ims__json_at(box, 1), 0);
    double w = ims__json_num(ims__json_at(box, 2), 0), h = ims__json_num(ims__json_at(box, 3), 0);
    double right = x + w < f->x + f->w ? x + w : f->x + f->w,
           bottom = y + h < f->y + f->h ? y + h : f->y + f->h;
    double common = (right - (x > f->x ? x : f->x)) * (bottom - (y > f->y ? y : f->y));

    if (right <= f->x || right <= x || bottom <= f->y || bottom <= y)
        return 0;
    return common / (w * h + (double)f->w * f->h - common);
}

/* Who was drawn where the face is. */
static int look_up(const ims_json *scenes, const struct ims_store_face *f)
{
    const char *path = f->path ? strstr(f->path, "/demo/") : NULL;
    double best = MIN_OVERLAP;
    int who = -1;

    for (size_t i = 0; path && i < ims__json_len(scenes); i++) {
        const ims_json *s = ims__json_at(scenes, i), *people = ims__json_get(s, "people");

        if (strcmp(ims__json_str(ims__json_get(s, "file"), NULL), path + 6) != 0)
            continue;
        for (size_t k = 0; k < ims__json_len(people); k++) {
            const ims_json *p = ims__json_at(people, k);

            if (overlap(f, ims__json_get(p, "box")) > best) {
                best = overlap(f, ims__json_get(p, "box"));
                who = (int)ims__json_int(ims__json_get(p, "identity"), -1);
            }
        }
    }
    return who;
}

static void open_demo(struct demo *d)
{
    struct ims_store_face_filter filter = { 0 };
    struct ims_engine_options options = { 0 };
    char words[1200], *text;
    ims_json *truth = NULL;
    size_t n = 0;

    library_init(&d->l);
    ims__arena_init(&d->arena, 0);
    snprintf(words, sizeof(words), "index\n--quiet\n%s", test_source_path("demo"));
    ims__json_free(library_run(&d->l, 0, words));
    options.data_dir = d->l.data;
    options.database_url = d->l.database_env[0] ? strchr(d->l.database_env, '=') + 1 : NULL;
    CHECK_OK(ims_engine_open(&d->e, &options, &d->err), d->err);
    CHECK_OK(ims_people_model(d->e, &filter.model_id, &d->err), d->err);
    CHECK_OK(ims_store_faces(ims_people_store(d->e), &filter, IMS_STORE_FACES_BY_QUALITY, 0,
                             MAX_FACES, &d->arena, &d->faces, &d->n, NULL, &d->err),
             d->err);
    text = test_read_file(test_source_path("demo/truth.json"), &n);
    CHECK_OK(ims__json_parse(&truth, text, n, "truth.json", &d->err), d->err);
    for (size_t i = 0; i < d->n; i++)
        d->who[i] = look_up(ims__json_get(truth, "scenes"), &d->faces[i]);
    ims__json_free(truth);
    free(text);
}

/* The person that stands for an identity: "Person 7". */
static int64_t person_of(struct demo *d, int who)
{
    char name[32];
    int64_t id = 0;

    snprintf(name, sizeof(name), "Person %d", who);
    return ims_store_find_person(ims_people_store(d->e), name, &id, &d->err) ? 0 : id;
}

static int64_t id_at(const ims_json *found, size_t i)
{
    const ims_json *asset = ims__json_get(ims__json_at(ims__json_get(found, "results"), i), "asset");

    return ims__json_int(ims__json_get(asset, "id"), 0);
}

/* Without words: the same pictures as with some, newest first, the same cut in pages and narrowed by a filter. */
static void check_list(struct demo *d, size_t n)
{
    ims_json *all = library_run(&d->l, 0, "search\n--json\n--person\nperson 5\n--limit\n1000"), *page, *none;
    const char *last = NULL;

    CHECK_INT(ims__json_len(ims__json_get(all, "results")), ims__json_int(ims__json_get(all, "total"), -1));
    CHECK(ims__json_len(ims__json_get(all, "results")) >= n && n > 1);
    for (size_t i = 0; i < ims__json_len(ims__json_get(all, "results")); i++) {
        const ims_json *asset = ims__json_get(ims__json_at(ims__json_get(all, "results"), i), "asset");
        const char *taken = ims__json_str(ims__json_get(asset, "takenAt"), NULL);

        CHECK(!taken || !last || strcmp(taken, last) <= 0);
        last = taken ? taken : last;
    }
    page = library_run(&d->l, 0, "search\n--json\n--person\nperson 5\n--limit\n1\n--offset\n1");
    CHECK_INT(ims__json_len(ims__json_get(page, "results")), 1);
    CHECK_INT(id_at(page, 0), id_at(all, 1));
    none = library_run(&d->l, 0, "search\n--json\n--person\nperson 5\n--until\n1990");
    CHECK_INT(ims__json_int(ims__json_get(none, "total"), -1), 0);
    ims__json_free(all);
    ims__json_free(page);
    ims__json_free(none);
}

/* ---- filters together ---- */

enum { N_FILTERS = 5, MAX_ID = 1000 };

/* Of the bits set in which: folder, date, category, person, place. */
static struct ims_search_filter filter_of(const struct demo *d, unsigned which)
{
    static char folder[1200];
    static const char *const persons[] = { "Person 5" };
    struct ims_search_filter f = { 0 };

    snprintf(folder, sizeof(folder), "%s", test_source_path("demo/2022"));
    f.path_prefix = which & 1 ? folder : NULL;
    f.has_from = f.has_until = (which & 2) != 0;
    f.from_us = INT64_C(1646092800000000); /* March 2022 to June 2024 */
    f.until_us = INT64_C(1719792000000000);
    f.category = which & 4 ? "chosen" : NULL;
    f.persons = persons;
    f.n_persons = which & 8 ? 1 : 0;
    f.has_area = (which & 16) != 0;
    f.west = d->west;
    f.east = 180;
    f.south = -90;
    f.north = 90;
    return f;
}

/* The assets in the order of their scores; how many. */
static size_t rank_all(struct demo *d, struct ims_engine *e, unsigned which, int64_t *out)
{
    struct ims_search_query q = { .text = "a forest", .limit = MAX_ID, .filter = filter_of(d, which) };
    struct ims_search_results r;
    size_t n = 0;

    if (!test_check_ok(__FILE__, __LINE__, "search", ims_engine_search(e, &q, &r, &d->err), &d->err))
        return 0;
    for (; n < r.n; n++)
        out[n] = r.hits[n].asset.id;
    ims_search_results_release(&r);
    return n;
}

static void choose_some(struct demo *d, struct ims_engine *e)
{
    struct ims_search_query q = { .text = "a forest", .limit = MAX_ID };
    struct ims_search_results r;
    char sql[200];
    int64_t id = 0;

    CHECK_OK(ims_store_add_category(ims_people_store(e), "chosen", NULL, NULL, &id, &d->err), d->err);
    snprintf(sql, sizeof(sql), "UPDATE assets SET category_id = %lld WHERE id %% 3 <> 0", (long long)id);
    CHECK(library_sql(&d->l, sql));
    CHECK(library_sql(&d->l, "UPDATE counters SET value = value + 1 WHERE name = 'epoch'"));
    CHECK_OK(ims_engine_search(e, &q, &r, &d->err), d->err);
    for (size_t i = 0, n = 0; i < r.n; i++) { /* some of the places: east of the third picture that has one */
        n += r.hits[i].asset.has_gps;
        if (r.hits[i].asset.has_gps && n == 3)
            d->west = r.hits[i].asset.gps_lng;
    }
    ims_search_results_release(&r);
}

/* Every set of filters leaves what each of them alone leaves, in the order of the whole. */
static void check_combinations(struct demo *d)
{
    char root[1100];
    const char *roots[] = { root };
    struct ims_engine_options options = { .data_dir = d->l.data, .model_roots = roots, .n_model_roots = 1 };
    static bool passes[1u << N_FILTERS][MAX_ID];
    static int64_t all[MAX_ID], got[MAX_ID];
    struct ims_engine *e = NULL;
    size_t n_all, n_narrow = 0;

    snprintf(root, sizeof(root), "%s", test_source_path("models/demo"));
    options.database_url = d->l.database_env[0] ? strchr(d->l.database_env, '=') + 1 : NULL;
    CHECK_OK(ims_engine_open(&e, &options, &d->err), d->err);
    choose_some(d, e);
    n_all = rank_all(d, e, 0, all);
    CHECK(n_all > 100 && n_all < MAX_ID);
    for (unsigned i = 0; i < N_FILTERS; i++) {
        size_t n = rank_all(d, e, 1u << i, got);

        CHECK(n > 0 && n < n_all);
        for (size_t k = 0; k < n; k++)
            passes[1u << i][got[k]] = true;
    }
    for (unsigned which = 0; which < 2 * (1u << N_FILTERS); which++) { /* twice: what is remembered is as good */
        unsigned set = which % (1u << N_FILTERS);
        size_t n = rank_all(d, e, set, got), at = 0;

        for (size_t k = 0; k < n_all; k++) {
            bool is_in = true;

            for (unsigned i = 0; i < N_FILTERS; i++)
                is_in = is_in && (!(set >> i & 1) || passes[1u << i][all[k]]);
            if (is_in)
                CHECK(at < n && got[at++] == all[k]);
        }
        CHECK_INT(at, n);
        n_narrow += n > 0 && n < n_all / 4;
    }
    CHECK(n_narrow > 4); /* not all of them leave nothing */
    ims_engine_close(e);
}

TEST(demo_people, "with three faces of each person named, the rest of the demo's faces is found "
                  "and nobody is mistaken")
{
    struct ims_people_match m = { 0 };
    const struct ims_store_suggestion_filter pending = { .has_status = true };
    struct ims_store_suggestion *s = NULL;
    struct demo d = { 0 };
    int n_named[64] = { 0 }, n_right = 0, n_wrong = 0, n_open = 0;
    size_t n = 0;
    ims_json *found;

    open_demo(&d);
    CHECK(d.n >= 100);
    for (size_t i = 0; i < d.n; i++) {
        char name[32];
        struct ims_people_assign what = { .face_ids = &d.faces[i].id, .n = 1, .name = name };

        if (d.who[i] < 0 || d.who[i] >= 64 || n_named[d.who[i]]++ >= N_NAMED)
            continue;
        snprintf(name, sizeof(name), "Person %d", d.who[i]);
        CHECK_OK(ims_people_assign(d.e, NULL, &what, &d.err), d.err);
        d.faces[i].person_id = what.person_id;
    }
    CHECK_OK(ims_people_match(d.e, NULL, &m, &d.err), d.err);
    CHECK(m.n_assigned > 0);
    CHECK_OK(ims_store_suggestions(ims_people_store(d.e), &pending, 0, 0, &d.arena, &s, &n, NULL,
                                   &d.err),
             d.err);
    for (size_t i = 0; i < d.n; i++) {
        struct ims_store_face *f = NULL;
        int64_t guess;

        if (d.faces[i].person_id || d.who[i] < 0)
            continue;
        CHECK_OK(
            ims_store_faces_by_id(ims_people_store(d.e), &d.faces[i].id, 1, &d.arena, &f, &d.err),
            d.err);
        guess = f->person_id;
        for (size_t k = 0; !guess && k < n; k++)
            guess = s[k].face_id == f->id ? s[k].person_id : 0;
        n_open += guess == 0;
        n_right += guess && guess == person_of(&d, d.who[i]);
        n_wrong += guess && guess != person_of(&d, d.who[i]);
    }
    test_note("%d right, %d wrong, %d without a guess; %zu assigned, %zu suggested", n_right,
              n_wrong, n_open, m.n_assigned, m.n_suggested);
    CHECK_INT(n_wrong, 0);
    CHECK(n_right >= 8 * n_open);
    ims_engine_close(d.e);

    found = library_run(&d.l, 0, "search\n--json\n--person\nperson 5\nforest");
    CHECK(ims__json_len(ims__json_get(found, "results")) > 0);
    check_list(&d, ims__json_len(ims__json_get(found, "results")));
    check_combinations(&d);
    ims__json_free(found);
    ims__arena_release(&d.arena);
}
