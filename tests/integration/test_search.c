/* imgsearch search and similar on the demo library: filters, order, paging, answers for scripts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_HITS 400

/* The demo library, indexed once for all tests of this program. */
static struct library *demo(void)
{
    static struct library l;
    char words[1200];

    if (l.data[0])
        return &l;
    library_init(&l);
    snprintf(words, sizeof(words), "index\n--quiet\n%s", test_source_path("demo"));
    library_run(&l, 0, words);
    return &l;
}

struct hit {
    long long id;
    double score;
    char path[700];
    char taken[40];
};

struct answer {
    size_t n;
    long long total;
    struct hit hits[MAX_HITS];
};

static void ask(struct answer *a, const char *words)
{
    ims_json *v = library_run(demo(), 0, words);
    const ims_json *results = ims__json_get(v, "results");

    a->n = ims__json_len(results);
    a->total = ims__json_int(ims__json_get(v, "total"), -1);
    CHECK(a->n <= MAX_HITS);
    for (size_t i = 0; i < a->n; i++) {
        const ims_json *hit = ims__json_at(results, i), *asset = ims__json_get(hit, "asset");
        const char *taken = ims__json_str(ims__json_get(asset, "takenAt"), NULL);

        a->hits[i].id = ims__json_int(ims__json_get(asset, "id"), -1);
        a->hits[i].score = ims__json_num(ims__json_get(hit, "score"), -9);
        snprintf(a->hits[i].path, sizeof(a->hits[i].path), "%s", ims__json_str(ims__json_get(asset, "path"), NULL));
        snprintf(a->hits[i].taken, sizeof(a->hits[i].taken), "%s", taken ? taken : "");
    }
    ims__json_free(v);
}

/* The answer with a filter must be the whole list with everything else taken out, order and scores kept. */
static void check_filtered(const char *what, const struct answer *all, const struct answer *some,
                           bool (*passes)(const struct hit *, const char *), const char *arg)
{
    size_t k = 0;

    for (size_t i = 0; i < all->n; i++) {
        if (!passes(&all->hits[i], arg))
            continue;
        if (k >= some->n || all->hits[i].id != some->hits[k].id) {
            test_fail(__FILE__, __LINE__, "%s: result %zu should be %s", what, k, all->hits[i].path);
            return;
        }
        CHECK_NEAR(some->hits[k].score, all->hits[i].score, 1e-6);
        k++;
    }
    CHECK_INT(some->n, k);
    CHECK_INT(some->total, k);
    CHECK(k > 0 && k < all->n); /* otherwise nothing was tried */
}

static bool is_below(const struct hit *h, const char *dir)
{
    return ims__starts_with(h->path, dir) && h->path[strlen(dir)] == '/';
}

static bool is_of_month(const struct hit *h, const char *month)
{
    return ims__starts_with(h->taken, month);
}

static bool is_since(const struct hit *h, const char *from)
{
    return h->taken[0] && strcmp(h->taken, from) >= 0;
}

static struct answer all, some;

TEST(filters, "folder and date filters give exactly the part of the full ranking that passes")
{
    char words[1200], dir[700];

    ask(&all, "search\n--json\n--limit\n400\nboat on the sea");
    CHECK(all.n > 140);
    snprintf(dir, sizeof(dir), "%s", all.hits[3].path);
    *strrchr(dir, '/') = '\0';
    snprintf(words, sizeof(words), "search\n--json\n--limit\n400\n--in\n%s\nboat on the sea", dir);
    ask(&some, words);
    check_filtered("folder", &all, &some, is_below, dir);

    for (size_t i = 0; i < all.n; i++) {
        if (all.hits[i].taken[0]) {
            snprintf(dir, sizeof(dir), "%.7s", all.hits[i].taken);
            break;
        }
    }
    snprintf(words, sizeof(words), "search\n--json\n--limit\n400\n--from\n%s\n--until\n%s\nboat on the sea", dir, dir);
    ask(&some, words);
    check_filtered("month", &all, &some, is_of_month, dir);
    snprintf(words, sizeof(words), "search\n--json\n--limit\n400\n--from\n%.4s-01-01\nboat on the sea", dir);
    ask(&some, words);
    snprintf(dir + 4, sizeof(dir) - 4, "-01-01");
    check_filtered("since", &all, &some, is_since, dir);
}

TEST(prefix_boundary, "a folder filter stops at the folder's end: /a/b does not match /a/bc")
{
    struct library l;
    char words[1300];
    ims_json *v;

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "b/one.jpg");
    library_copy(&l, library_demo_jpeg(1), "bc/two.jpg");
    library_copy(&l, library_demo_jpeg(2), "b.jpg");
    CHECK_INT(library_index(&l, "processed"), 3);
    snprintf(words, sizeof(words), "search\n--json\n--in\n%s/b\nhouse", l.photos);
    v = library_run(&l, 0, words);
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), 1);
    ims__json_free(v);
    snprintf(words, sizeof(words), "search\n--json\n--in\n%s/b.jpg\nhouse", l.photos);
    v = library_run(&l, 0, words);
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), 1);
    ims__json_free(v);
}

TEST(category, "a category given at indexing filters, and an unknown one is an error")
{
    struct library l;
    char words[1300];
    ims_json *v;

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "one.jpg");
    CHECK_INT(library_index(&l, "processed"), 1);
    library_copy(&l, library_demo_jpeg(1), "two.jpg");
    snprintf(words, sizeof(words), "index\n--quiet\n--category\nSummer\n%s", l.photos);
    library_run(&l, 0, words);
    v = library_run(&l, 0, "search\n--json\n--category\nSummer\nhouse");
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), 1);
    ims__json_free(v);
    library_run(&l, ims_status_exit(IMS_E_NOT_FOUND), "search\n--category\nWinter\nhouse");
}

TEST(paging, "pages put together are the long list, whatever their length, and the total is true")
{
    static struct answer page;

    ask(&all, "search\n--json\n--limit\n400\ntwo people");
    CHECK_INT(all.total, all.n);
    for (size_t length = 1; length <= 97; length += 32) {
        size_t seen = 0;

        for (;;) {
            char words[200];

            snprintf(words, sizeof(words), "search\n--json\n--limit\n%zu\n--offset\n%zu\ntwo people", length,
                     length == 1 ? seen + 100 : seen);
            ask(&page, words);
            CHECK_INT(page.total, all.total);
            for (size_t i = 0; i < page.n; i++) {
                CHECK_INT(page.hits[i].id, all.hits[(length == 1 ? seen + 100 : seen) + i].id);
            }
            seen += page.n;
            if (page.n < length || (length == 1 && seen >= 6))
                break;
        }
        CHECK(length == 1 || seen == all.n);
    }
}

TEST(order, "scores fall, and asking twice gives the same answer")
{
    ask(&all, "search\n--json\n--limit\n400\na dog");
    ask(&some, "search\n--json\n--limit\n400\na dog");
    CHECK_INT(all.n, some.n);
    for (size_t i = 0; i < all.n; i++) {
        CHECK_INT(all.hits[i].id, some.hits[i].id);
        CHECK(i == 0 || all.hits[i].score <= all.hits[i - 1].score);
        CHECK(all.hits[i].score <= 1.000001 && all.hits[i].score >= -1.000001);
    }
}

TEST(similar, "a picture finds itself first when wanted, and by file, by number and by embedding alike")
{
    char words[1400], path[700];
    long long id, all_pictures;

    ask(&all, "search\n--json\n--limit\n3\na red car");
    all_pictures = all.total;
    snprintf(path, sizeof(path), "%s", all.hits[0].path);
    id = all.hits[0].id;
    snprintf(words, sizeof(words), "similar\n--json\n--with-self\n--limit\n50\n%s", path);
    ask(&all, words);
    CHECK_INT(all.hits[0].id, id);
    CHECK_NEAR(all.hits[0].score, 1.0, 1e-4);
    snprintf(words, sizeof(words), "similar\n--json\n--with-self\n--limit\n50\n%lld", id);
    ask(&some, words);
    CHECK_INT(some.n, all.n);
    for (size_t i = 0; i < all.n; i++)
        CHECK_NEAR(some.hits[i].score, all.hits[i].score, 1e-4);
    snprintf(words, sizeof(words), "similar\n--json\n--limit\n400\n%s", path);
    ask(&some, words);
    for (size_t i = 0; i < some.n; i++)
        CHECK(some.hits[i].id != id);
    CHECK_INT(some.total, all_pictures - 1);
}

TEST(truncated_answer, "the corrupt file of the demo library is a named failure, and status adds up")
{
    struct library *l = demo();

    CHECK_INT(library_status(l, "failed"), 1);
    CHECK_STR(library_failure(l, "broken.jpg"), "truncated");
    CHECK_INT(library_status(l, "assets"), library_status(l, "done") + 1);
    CHECK_INT(library_status(l, "queued"), 0);
}

TEST(empty_library, "searching before anything was indexed is an error that says what to do")
{
    struct library l;
    struct run_options o = { 0 };
    struct run_result r;

    library_init(&l);
    if (l.database_env[0])
        SKIP("a database on a server is there, only empty");
    library_run_with(&l, &o, &r, "search\nhouse");
    CHECK_INT(r.exit_code, ims_status_exit(IMS_E_NOT_FOUND));
    CHECK(strstr(r.err, "imgsearch index FOLDER"));
    CHECK(access(l.data, F_OK) != 0); /* looking makes nothing */
    run_release(&r);
}

TEST(html, "a contact sheet holds every picture of the answer and escapes what it quotes")
{
    char path[700], words[1400];
    char *html;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/sheet.html", test_tmp_dir());
    snprintf(words, sizeof(words), "search\n--limit\n7\n--html\n%s\n<b>car</b> & \"boat\"", path);
    library_run(demo(), 0, words);
    html = test_read_file(path, NULL);
    CHECK(strstr(html, "&lt;b&gt;car&lt;/b&gt; &amp; &quot;boat&quot;") && !strstr(html, "<b>car"));
    for (const char *p = html; (p = strstr(p, "data:image/jpeg;base64,/9j/")) != NULL; p++)
        n++;
    CHECK_INT(n, 7);
    free(html);
}

TEST(exif, "dates, places and orientation of the demo library are read as they were drawn")
{
    struct library *l = demo();
    char *text = test_read_file(test_source_path("demo/truth.json"), NULL);
    ims_json *truth = NULL;
    size_t checked = 0, with_gps = 0;
    ims_err err;

    CHECK_OK(ims__json_parse(&truth, text, strlen(text), "truth", &err), err);
    for (size_t i = 0; i < ims__json_len(ims__json_get(truth, "scenes")); i += 3) {
        const ims_json *scene = ims__json_at(ims__json_get(truth, "scenes"), i), *gps = ims__json_get(scene, "gps");
        const char *taken = ims__json_str(ims__json_get(scene, "taken_at"), NULL), *shown;
        char words[1300];
        ims_json *v;

        if (ims__json_bool(ims__json_get(scene, "corrupt"), false))
            continue;
        snprintf(words, sizeof(words), "show\n--json\n%s/%s", test_source_path("demo"),
                 ims__json_str(ims__json_get(scene, "file"), NULL));
        v = library_run(l, 0, words);
        CHECK_INT(ims__json_int(ims__json_get(v, "width"), -1), ims__json_int(ims__json_get(scene, "width"), -2));
        CHECK_INT(ims__json_int(ims__json_get(v, "height"), -1), ims__json_int(ims__json_get(scene, "height"), -2));
        shown = ims__json_str(ims__json_get(v, "takenAt"), NULL);
        if (taken && shown) {
            CHECK(strncmp(shown, taken, 19) == 0);
            checked++;
        }
        if (ims__json_type(gps) == IMS_JSON_ARRAY && ims__json_len(gps) == 2) {
            const ims_json *where = ims__json_get(v, "location");

            CHECK_NEAR(ims__json_num(ims__json_get(where, "lat"), 999), ims__json_num(ims__json_at(gps, 0), 0), 2e-4);
            CHECK_NEAR(ims__json_num(ims__json_get(where, "lng"), 999), ims__json_num(ims__json_at(gps, 1), 0), 2e-4);
            with_gps++;
        }
        ims__json_free(v);
    }
    CHECK(checked >= 20 && with_gps >= 10);
    ims__json_free(truth);
    free(text);
}

TEST_MAIN
