/* Deleting over HTTP: vectors by what they belong to, the log, retraining, the whole library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_FIRST 3 /* in the library's folder itself */

static int ask(const struct serving *s, const char *method, const char *path, const char *body, const char *has)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, method, path, body);
    status = r.status;
    if (has && !strstr(r.body, has))
        test_fail(__FILE__, __LINE__, "%s %s: %d %.600s; expected %s", method, path, r.status, r.body, has);
    http_reply_release(&r);
    return status;
}

/* The number under a key of a reply; -1: it is not there. */
static long long number(const struct serving *s, const char *method, const char *path, const char *body, const char *key)
{
    struct http_reply r;
    const char *at;
    long long n = -1;

    http_json(&r, s->port, method, path, body);
    at = strstr(r.body, key);
    if (at)
        n = strtoll(at + strlen(key), NULL, 10);
    http_reply_release(&r);
    return n;
}

/* Asks until the reply holds the words. */
static bool becomes(const struct serving *s, const char *path, const char *has)
{
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_there;

        http_json(&r, s->port, "GET", path, NULL);
        is_there = strstr(r.body, has) != NULL;
        http_reply_release(&r);
        if (is_there)
            return true;
    }
    test_fail(__FILE__, __LINE__, "%s never said %s", path, has);
    return false;
}

static bool finds(const struct serving *s, unsigned n)
{
    char want[40];

    snprintf(want, sizeof(want), "\"total\":%u,", n);
    return ask(s, "POST", "/api/v1/search", "{\"query\":\"a red car\"}", want) == 200;
}

/* One more job of indexing, until it is done. */
static bool index_again(const struct serving *s, unsigned job)
{
    char body[900], path[40];

    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s->library.photos);
    snprintf(path, sizeof(path), "/api/v1/jobs/%u", job);
    return ask(s, "POST", "/api/v1/assets/ingest", body, "discovered") == 200 && becomes(s, path, "\"status\":\"finished\"");
}

/* Assets 1 to 3 in the folder; then a/p3, a/p4, a copy of the first in ab/, ab/p5: the newest. */
static bool open_folders(struct serving *s, const char *const *env)
{
    static const char *const dirs[] = { "a", "ab" };
    char path[800];

    if (!serving_open(s, N_FIRST, env))
        return false;
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", s->library.photos, dirs[i]);
        if (mkdir(path, 0700))
            return false;
    }
    library_copy(&s->library, library_demo_jpeg(3), "a/p3.jpg");
    library_copy(&s->library, library_demo_jpeg(4), "a/p4.jpg");
    library_copy(&s->library, library_demo_jpeg(5), "ab/p5.jpg");
    library_copy(&s->library, library_demo_jpeg(3), "ab/p3-again.jpg");
    return index_again(s, 1) && finds(s, 7);
}

/* The status of a search for what is like the nth newest picture. */
static int similar(const struct serving *s, unsigned nth)
{
    char path[80];

    snprintf(path, sizeof(path), "/api/v1/assets?page_size=1&page=%u", nth);
    snprintf(path, sizeof(path), "/api/v1/search/similar/%lld", number(s, "GET", path, NULL, "{\"id\":"));
    return ask(s, "GET", path, NULL, NULL);
}

static const char *directory_body(const struct serving *s, const char *below, const char *rest)
{
    static char body[1000];

    snprintf(body, sizeof(body), "{\"pathPrefix\":\"%s%s\"%s}", s->library.photos, below, rest);
    return body;
}

TEST(D_O9_folders, "D-O9: a folder's vectors are counted and deleted without those of a neighbour of like name")
{
    struct serving s;
    char has[800];

    if (!open_folders(&s, NULL))
        return;
    snprintf(has, sizeof(has), "{\"pathPrefix\":\"%s/ab\",\"vectorCount\":2,\"lastIndexed\":\"20", s.library.photos);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/directories/stats", NULL, has), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/directories/stats", NULL, "\"totalVectors\":6"), 200); /* the copies share one */
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", directory_body(&s, "/a", ""), "confirm"), 400);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", "{\"pathPrefix\":\"\",\"confirm\":true}", "pathPrefix"), 422);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", "{\"pathPrefix\":\"photos\",\"confirm\":true}", "absolute"), 400);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", "{\"pathPrefix\":\"/nowhere\",\"confirm\":true}",
                  "\"vectorsDeleted\":0"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", directory_body(&s, "/a/", ",\"confirm\":true"),
                  "\"vectorsDeleted\":2,\"message\":\"2 vectors were deleted.\""), 200);
    CHECK(finds(&s, 4)); /* those of a/ are gone, and the copy in ab/ */
    CHECK_INT(similar(&s, 1), 200); /* ab/p5 */
    CHECK_INT(similar(&s, 2), 404); /* the copy */
    CHECK_INT(similar(&s, 3), 404);
    CHECK_INT(similar(&s, 4), 404);
    CHECK_INT(similar(&s, 5), 200);
    serving_stop(&s, SIGTERM);
}

TEST(D_C5_deleted, "D-C5: what loses its vector is pending again, the log is written with it, and indexing makes it anew")
{
    struct serving s;

    if (!open_folders(&s, NULL))
        return;
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-asset/2", NULL, "{\"assetId\":2,\"vectorsDeleted\":1"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-asset/2", NULL, "\"vectorsDeleted\":0"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-asset/99", NULL, "no asset 99"), 404);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-asset/x", NULL, NULL), 422);
    CHECK(finds(&s, 6));
    CHECK_INT(ask(&s, "GET", "/health", NULL, "\"done\":6,\"failed\":0,\"queued\":1,\"vectors\":5"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/assets/2", NULL, "\"indexedAt\":null"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/assets/2/training-history", NULL, "\"embeddingChecksum\":\""), 200); /* history stays */
    CHECK(index_again(&s, 2));
    CHECK(finds(&s, 7));
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-category/1", NULL, "{\"categoryId\":1,\"vectorsDeleted\":6"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-category/77", NULL, "no category 77"), 404);
    CHECK(finds(&s, 0));
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs", NULL,
                  "{\"logs\":[{\"id\":3,\"deletionType\":\"CATEGORY\",\"deletionTarget\":\"1\",\"vectorCount\":6"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs?page=2&page_size=2", NULL, "\"total\":3,\"page\":2,\"pageSize\":2"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs?page_size=2&page=2", NULL, "{\"logs\":[{\"id\":1,\"deletionType\":\"ASSET\""), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs?page_size=101", NULL, NULL), 422);
    serving_stop(&s, SIGTERM);
}

TEST(D_T12_retrain, "D-T12: retraining makes a session that can be started and does the folder again")
{
    struct serving s;
    char path[60], start[80];
    long long id;

    if (!open_folders(&s, NULL))
        return;
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/retrain", directory_body(&s, "/a", ",\"categoryId\":77"), "category 77"), 404);
    CHECK(finds(&s, 7)); /* and nothing was deleted */
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/retrain", "{\"pathPrefix\":\"/etc\",\"categoryId\":1}", NULL), 403);
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/retrain", "{\"pathPrefix\":\"/nowhere\",\"categoryId\":1}", NULL), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/retrain", directory_body(&s, "/a", ""), "categoryId"), 422);
    id = number(&s, "POST", "/api/v1/vectors/retrain",
                directory_body(&s, "/a", ",\"category_id\":1,\"deletion_reason\":\"new model\""), "\"newSessionId\":");
    CHECK(id > 0);
    CHECK(finds(&s, 4));
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs", NULL, "\"vectorCount\":2,\"deletionReason\":\"new model\""), 200);
    snprintf(path, sizeof(path), "/api/v1/training/sessions/%lld", id);
    snprintf(start, sizeof(start), "%s/start", path);
    CHECK_INT(ask(&s, "GET", path, NULL, "\"name\":\"Retrain a\",\"status\":\"pending\""), 200);
    CHECK_INT(ask(&s, "POST", start, NULL, "discovering"), 200);
    CHECK(becomes(&s, path, "\"status\":\"completed\""));
    CHECK(finds(&s, 7)); /* the copy is what its original is */
    snprintf(path, sizeof(path), "/api/v1/vectors/by-session/%lld", id);
    CHECK_INT(ask(&s, "DELETE", path, NULL, "\"vectorsDeleted\":2"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-session/99", NULL, NULL), 404);
    CHECK(finds(&s, 4));
    serving_stop(&s, SIGTERM);
}

TEST(vectors_all, "orphans are vectors of files that are gone; a reset takes every vector, and wants the words")
{
    struct serving s;
    char path[800];

    if (!open_folders(&s, NULL))
        return;
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/cleanup-orphans", "{}", "confirm"), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/cleanup-orphans", "{\"confirm\":true}", "{\"orphansDeleted\":0,\"vectorsDeleted\":0"), 200);
    snprintf(path, sizeof(path), "%s/a/p4.jpg", s.library.photos);
    CHECK(unlink(path) == 0);
    snprintf(path, sizeof(path), "%s/a/p3.jpg", s.library.photos); /* its copy stays: no orphan */
    CHECK(unlink(path) == 0);
    CHECK(index_again(&s, 2));
    CHECK(finds(&s, 5));
    CHECK_INT(ask(&s, "DELETE", "/api/v1/vectors/by-directory", directory_body(&s, "/a", ",\"confirm\":true"),
                  "\"vectorsDeleted\":0"), 200); /* files that are gone choose nothing: the copy keeps its vector */
    CHECK(finds(&s, 5));
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/cleanup-orphans", "{\"confirm\":true}", "{\"orphansDeleted\":1,\"vectorsDeleted\":1"), 200);
    CHECK(finds(&s, 5));
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/reset", "{\"confirm\":true,\"confirmationText\":\"delete\"}", "DELETE ALL VECTORS"), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/reset", "{\"confirmationText\":\"DELETE ALL VECTORS\"}", "confirm"), 400);
    CHECK(finds(&s, 5));
    CHECK_INT(ask(&s, "POST", "/api/v1/vectors/reset", "{\"confirm\":true,\"confirmationText\":\"DELETE ALL VECTORS\"}",
                  "\"vectorsDeleted\":5"), 200);
    CHECK(finds(&s, 0));
    CHECK(index_again(&s, 3));
    CHECK(finds(&s, 5));
    serving_stop(&s, SIGTERM);
}

static unsigned count_jpegs(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    while (d && (e = readdir(d)) != NULL) {
        char path[1500];

        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (strstr(e->d_name, ".jpg"))
            n++;
        else if (e->d_name[0] != '.')
            n += count_jpegs(path);
    }
    if (d)
        closedir(d);
    return n;
}

/* Google Drive is not built: 501 for each of its operations, whatever is asked. */
static void check_drive(const struct serving *s)
{
    static const char *const rows[][2] = {
        { "POST", "/api/v1/gdrive/upload" },       { "GET", "/api/v1/gdrive/upload/b1/status" },
        { "DELETE", "/api/v1/gdrive/upload/b1" },  { "GET", "/api/v1/gdrive/folders?parentId=x" },
        { "POST", "/api/v1/gdrive/folders" },      { "GET", "/api/v1/gdrive/health" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(ask(s, rows[i][0], rows[i][1], NULL, "not built"), 501);
}

#define EMPTY_IT "{\"confirm\":true,\"confirmationText\":\"DELETE ALL DATA\",\"reason\":\"moving\"}"

TEST(D_O6_delete_all, "D-O6: emptying the library is off unless allowed, leaves nothing behind but the default category and the photos")
{
    static const char *const env[] = { "ALLOW_DESTRUCTIVE_ADMIN_OPS=true", NULL };
    struct serving s;
    char thumbs[800];

    if (!open_folders(&s, NULL))
        return;
    snprintf(thumbs, sizeof(thumbs), "%s/thumbs", s.library.data);
    CHECK_INT(ask(&s, "POST", "/api/v1/admin/data/delete-all", EMPTY_IT, "ALLOW_DESTRUCTIVE_ADMIN_OPS"), 403);
    serving_stop(&s, SIGTERM);
    CHECK(serving_start(&s, env));
    CHECK_INT(ask(&s, "POST", "/api/v1/admin/data/delete-all", "{\"confirm\":true,\"confirmationText\":\"DELETE\"}", "DELETE ALL DATA"), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/categories", "{\"name\":\"Trips\"}", NULL), 201);
    CHECK(finds(&s, 7));
    CHECK_INT(count_jpegs(thumbs), 6);
    CHECK_INT(ask(&s, "POST", "/api/v1/admin/data/delete-all", EMPTY_IT, "\"qdrantCollectionsDeleted\":{\"image_assets\":6"), 200);
    CHECK(finds(&s, 0));
    CHECK_INT(count_jpegs(thumbs), 0);
    CHECK_INT(ask(&s, "GET", "/health", NULL, "\"assets\":0,\"done\":0,\"failed\":0,\"queued\":0,\"vectors\":0,\"faces\":0"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/categories", NULL, "\"total\":1"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/vectors/deletion-logs", NULL, "\"deletionReason\":\"moving\""), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/admin/data/delete-all", EMPTY_IT, "\"postgresTruncated\":{\"training_subdirectories\":0"), 200);
    CHECK(index_again(&s, 2));
    CHECK(finds(&s, 7));
    check_drive(&s);
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
