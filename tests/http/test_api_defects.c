/* What the service that came before got wrong about searching and serving, each by its id in docs/notes/upstream-defects.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define N_PICTURES 11
#define FIELD(name, value) "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static ims_json *ask(const struct serving *s, const char *method, const char *path, const char *body, int want)
{
    struct http_reply r;
    ims_json *v = NULL;

    http_json(&r, s->port, method, path, body);
    if (r.status != want)
        test_fail(__FILE__, __LINE__, "%s %s %s: %d %.300s; expected %d", method, path, body ? body : "", r.status, r.body, want);
    if (*r.body == '{' && ims__json_parse(&v, r.body, r.n_body, "a reply", NULL))
        test_fail(__FILE__, __LINE__, "%s: %.300s", path, r.body);
    http_reply_release(&r);
    return v;
}

/* A form with a picture, if there is one, and fields. */
static ims_json *ask_form(const struct serving *s, const char *path, const char *jpeg, size_t n, const char *fields, int want)
{
    static const char head[] = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
    char *body = malloc(n + 4000);
    size_t at = (size_t)sprintf(body, "%s", fields);
    struct http_reply r;
    ims_json *v = NULL;

    if (jpeg) {
        at += (size_t)sprintf(body + at, "%s", head);
        memcpy(body + at, jpeg, n);
        at += n;
        at += (size_t)sprintf(body + at, "\r\n");
    }
    at += (size_t)sprintf(body + at, "--xyz--\r\n");
    http_request(&r, s->port, "POST", path, "Content-Type: multipart/form-data; boundary=xyz\r\n", body, at);
    if (r.status != want)
        test_fail(__FILE__, __LINE__, "%s %s: %d %.300s; expected %d", path, fields, r.status, r.body, want);
    if (*r.body == '{' && ims__json_parse(&v, r.body, r.n_body, "a reply", NULL))
        test_fail(__FILE__, __LINE__, "%s: %.300s", path, r.body);
    http_reply_release(&r);
    free(body);
    return v;
}

static int64_t id_of(const ims_json *results, size_t i)
{
    return ims__json_int(ims__json_get(ims__json_get(ims__json_at(results, i), "asset"), "id"), 0);
}

/* Pages of size 4 until one is empty: each asset comes once, and total is the same on every page. */
static void check_pages(const struct serving *s, const char *path, const char *jpeg, size_t n_jpeg, const char *fields)
{
    bool is_seen[N_PICTURES + 1] = { false };
    size_t n = 0;

    for (int offset = 0;; offset += 4) {
        char all[500];
        ims_json *v;
        const ims_json *results;

        snprintf(all, sizeof(all), "%s--xyz\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\n4\r\n"
                 "--xyz\r\nContent-Disposition: form-data; name=\"offset\"\r\n\r\n%d\r\n", fields, offset);
        v = ask_form(s, path, jpeg, n_jpeg, all, 200);
        results = ims__json_get(v, "results");
        CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), N_PICTURES);
        for (size_t i = 0; i < ims__json_len(results); i++, n++) {
            CHECK(!is_seen[id_of(results, i)]);
            is_seen[id_of(results, i)] = true;
        }
        if (!ims__json_len(results)) {
            ims__json_free(v);
            break;
        }
        ims__json_free(v);
    }
    CHECK_INT(n, N_PICTURES);
}

TEST(d_s1_fusion, "D-S1, D-S5: what words and a picture both find is one result with both scores; pages go to the end")
{
    struct serving s;
    size_t len;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(10)), &len);
    ims_json *v;
    const ims_json *results;

    if (!serving_open(&s, N_PICTURES, NULL))
        return;
    v = ask_form(&s, "/api/v1/search/hybrid", jpeg, len, FIELD("textQuery", "a red car"), 200);
    results = ims__json_get(v, "results");
    CHECK_INT(ims__json_len(results), N_PICTURES); /* ids of two digits among them */
    for (size_t i = 0; i < ims__json_len(results); i++) {
        const ims_json *r = ims__json_at(results, i);

        CHECK(ims__json_type(ims__json_get(r, "textScore")) == IMS_JSON_REAL);
        CHECK(ims__json_type(ims__json_get(r, "imageScore")) == IMS_JSON_REAL);
        CHECK_INT(ims__json_int(ims__json_get(r, "rank"), 0), (long long)i + 1);
    }
    ims__json_free(v);
    check_pages(&s, "/api/v1/search/hybrid", jpeg, len, FIELD("textQuery", "a boat"));
    check_pages(&s, "/api/v1/search/hybrid", NULL, 0, FIELD("textQuery", "a boat"));
    check_pages(&s, "/api/v1/search/hybrid", jpeg, len, "");
    check_pages(&s, "/api/v1/search/image", jpeg, len, "");
    free(jpeg);
    serving_stop(&s, SIGTERM);
}

TEST(d_s2_dates, "D-S2, D-S3: dates in every spelling narrow a search, a wrong one is an error, and total counts all there is")
{
    static const char *const spellings[][2] = { { "dateFrom", "dateTo" }, { "from_date", "to_date" }, { "date_from", "date_to" } };
    struct serving s;
    char body[300];
    ims_json *v;

    if (!serving_open(&s, N_PICTURES, NULL))
        return;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        snprintf(body, sizeof(body), "{\"query\":\"a\",\"filters\":{\"%s\":\"1990-01-01\",\"%s\":\"1990-12-31T23:59:59Z\"}}", spellings[i][0], spellings[i][1]);
        v = ask(&s, "POST", "/api/v1/search", body, 200);
        CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), 0);
        ims__json_free(v);
        snprintf(body, sizeof(body), "{\"query\":\"a\",\"limit\":2,\"filters\":{\"%s\":\"1990-01-01\",\"%s\":\"2090-01-01\"}}", spellings[i][0], spellings[i][1]);
        v = ask(&s, "POST", "/api/v1/search", body, 200);
        CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), N_PICTURES);
        CHECK_INT(ims__json_len(ims__json_get(v, "results")), 2);
        ims__json_free(v);
        snprintf(body, sizeof(body), "{\"query\":\"a\",\"filters\":{\"%s\":\"soon\"}}", spellings[i][0]);
        ims__json_free(ask(&s, "POST", "/api/v1/search", body, 400));
    }
    serving_stop(&s, SIGTERM);
}

TEST(d_s4_bounds, "D-S4: limits, offsets and weights have bounds, and so has what may be sent")
{
    static const char *const bad[] = { "{\"query\":\"a\",\"limit\":100000}", "{\"query\":\"a\",\"limit\":-1}", "{\"query\":\"a\",\"offset\":-1}",
                                       "{\"query\":\"a\",\"offset\":9000000000}" };
    struct serving s;
    struct http_reply r;
    size_t len;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(0)), &len);

    if (!serving_open(&s, 1, NULL))
        return;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ims__json_free(ask(&s, "POST", "/api/v1/search", bad[i], 422));
    ims__json_free(ask_form(&s, "/api/v1/search/hybrid", jpeg, len, FIELD("textQuery", "a") FIELD("textWeight", "1.5"), 422));
    ims__json_free(ask_form(&s, "/api/v1/search/compose", jpeg, len, FIELD("modifierText", "a") FIELD("alpha", "-1"), 422));
    ims__json_free(ask_form(&s, "/api/v1/search/image", jpeg, len, FIELD("limit", "100000"), 422));
    http_request(&r, s.port, "POST", "/api/v1/search/image",
                 "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: 100000000\r\n", NULL, 0);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    free(jpeg);
    serving_stop(&s, SIGTERM);
}

/* "Upside down", in EXIF, right behind the JPEG's first marker. */
static char *turned(const char *jpeg, size_t len, size_t *out_len)
{
    static const char exif[] = "\xff\xe1\0\x22" "Exif\0\0" "II*\0\x08\0\0\0" "\x01\0" "\x12\x01\x03\0\x01\0\0\0\x03\0\0\0" "\0\0\0\0";
    size_t n = sizeof(exif) - 1;
    char *copy = malloc(len + n);

    memcpy(copy, jpeg, 2);
    memcpy(copy + 2, exif, n);
    memcpy(copy + 2 + n, jpeg + 2, len - 2);
    *out_len = len + n;
    return copy;
}

static double best_score(const struct serving *s, const char *jpeg, size_t len)
{
    ims_json *v = ask_form(s, "/api/v1/search/image", jpeg, len, "", 200);
    double score = ims__json_num(ims__json_get(ims__json_at(ims__json_get(v, "results"), 0), "score"), -1);

    ims__json_free(v);
    return score;
}

TEST(d_s8_turned, "D-S8: a picture is turned as its EXIF says before it is looked at")
{
    struct serving s;
    size_t len, n;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(0)), &len), *other = turned(jpeg, len, &n);

    if (!serving_open(&s, 1, NULL))
        return;
    CHECK(best_score(&s, jpeg, len) > 0.9999);
    CHECK(best_score(&s, other, n) < 0.999); /* the same pixels, upside down */
    free(other);
    free(jpeg);
    serving_stop(&s, SIGTERM);
}

TEST(d_o1_thumbnails, "D-O1: making a thumbnail leaves the picture's size alone, and a changed picture has another ETag")
{
    struct serving s;
    struct http_reply r;
    ims_json *before, *after;
    char etag[100], body[900];
    size_t len;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(3)), &len);

    if (!serving_open(&s, 1, NULL))
        return;
    before = ask(&s, "GET", "/api/v1/assets/1", NULL, 200);
    ims__json_free(ask(&s, "POST", "/api/v1/images/1/thumbnail/generate", NULL, 200));
    after = ask(&s, "GET", "/api/v1/assets/1", NULL, 200);
    CHECK_INT(ims__json_int(ims__json_get(before, "width"), 0), ims__json_int(ims__json_get(after, "width"), -1));
    CHECK_INT(ims__json_int(ims__json_get(before, "height"), 0), ims__json_int(ims__json_get(after, "height"), -1));
    http_json(&r, s.port, "GET", "/api/v1/images/1/thumbnail", NULL);
    snprintf(etag, sizeof(etag), "%s", http_header(&r, "ETag"));
    http_reply_release(&r);
    library_write(&s.library, "p00.jpg", jpeg, len);
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    ims__json_free(ask(&s, "POST", "/api/v1/assets/ingest", body, 200));
    for (struct test_wait w = { 0 };
         test_waits(&w) && library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state = 'finished'") < 1;) {
    }
    http_json(&r, s.port, "GET", "/api/v1/images/1/thumbnail", NULL);
    CHECK(etag[0] && strcmp(http_header(&r, "ETag"), etag) != 0);
    http_reply_release(&r);
    free(jpeg);
    ims__json_free(before);
    ims__json_free(after);
    serving_stop(&s, SIGTERM);
}

TEST(d_o7_origins, "D-O7: no origin but the known ones, never a wildcard with credentials; nothing is loaded before it is needed")
{
    struct serving s;
    struct http_reply r;
    ims_json *v;

    if (!serving_open(&s, 1, NULL))
        return;
    http_request(&r, s.port, "GET", "/api/v1/assets", "Origin: https://other.example\r\n", NULL, 0);
    CHECK(r.status == 403 && !*http_header(&r, "Access-Control-Allow-Origin"));
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/assets", "Origin: http://localhost:5173\r\n", NULL, 0);
    CHECK_STR(http_header(&r, "Access-Control-Allow-Origin"), "http://localhost:5173");
    http_reply_release(&r);
    v = ask(&s, "GET", "/health", NULL, 200);
    CHECK_INT(ims__json_len(ims__json_get(v, "devices")), 0);
    ims__json_free(v);
    serving_stop(&s, SIGTERM);
}

TEST(d_o13_long_path, "D-O13: a path of more than 500 characters is as good as another, and a job is not queued twice")
{
    struct serving s;
    char name[600], body[900], *at = name;
    ims_json *v;

    if (!serving_open(&s, 1, NULL))
        return;
    for (int i = 0; i < 5; i++)
        at += sprintf(at, "%0100d/", i);
    strcpy(at, "deep.jpg");
    library_copy(&s.library, library_demo_jpeg(1), name);
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    for (int i = 0; i < 3; i++)
        ims__json_free(ask(&s, "POST", "/api/v1/assets/ingest", body, 200));
    CHECK(library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'started')") <= 1);
    for (struct test_wait w = { 0 };
         test_waits(&w) && library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'started')") > 0;) {
    }
    v = ask(&s, "POST", "/api/v1/search", "{\"query\":\"a boat\"}", 200);
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), 0), 2);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "/api/v1/images/%lld/thumbnail", (long long)id_of(ims__json_get(v, "results"), i));
        ims__json_free(ask(&s, "GET", name, NULL, 200));
    }
    ims__json_free(v);
    serving_stop(&s, SIGTERM);
}
