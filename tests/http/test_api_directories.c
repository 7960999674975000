/* Folders over HTTP: listed, counted, previewed, passed over, and never seen outside of the roots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "training_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define D "/api/v1/training/directories"

/* The entry of a folder whose path ends so, in a list; -1 = none. */
static int find(const ims_json *list, const char *end)
{
    for (size_t i = 0; i < ims__json_len(list); i++) {
        const char *path = ims__json_str(ims__json_get(ims__json_at(list, i), "path"), NULL);

        if (path && strlen(path) > strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0)
            return (int)i;
    }
    return -1;
}

static long long count_of(const ims_json *list, const char *end)
{
    int i = find(list, end);

    return i < 0 ? -1 : ims__json_int(ims__json_get(ims__json_at(list, (size_t)i), "imageCount"), -2);
}

TEST(d_t16_scan, "D-T16: a scan goes to all levels and counts suffixes in any case")
{
    struct serving s;
    const ims_json *list;
    ims_json *o;

    if (!training_open(&s, NULL))
        return;
    o = training_ask(&s, "POST", D "/scan", "{\"root_path\":\"$P\"}", 200);
    list = ims__json_get(o, "subdirectories");
    CHECK_INT(training_int(o, "totalSubdirectories"), 4);
    CHECK_INT(training_int(o, "totalImages"), 9);
    CHECK_INT(count_of(list, "/a"), 5);
    CHECK_INT(count_of(list, "/a/deep"), 2); /* 3.JpG is one of them */
    CHECK_INT(count_of(list, "/b"), 1);
    ims__json_free(o);

    o = training_ask(&s, "POST", D "/scan", "{\"rootPath\":\"$P\",\"recursive\":false}", 200);
    list = ims__json_get(o, "subdirectories");
    CHECK_INT(training_int(o, "totalSubdirectories"), 3);
    CHECK_INT(find(list, "/a/deep"), -1);
    CHECK_INT(count_of(list, "/a"), 5); /* what a session on it would find */
    ims__json_free(o);

    o = training_ask(&s, "POST", D "/scan", "{\"rootPath\":\"$P\",\"extensions\":[\"png\",\".webp\"]}", 200);
    CHECK_INT(training_int(o, "totalImages"), 0);
    ims__json_free(o);
    serving_stop(&s, SIGTERM);
}

TEST(directories_confined, "folders and pictures outside of the roots, gone ones and files are refused")
{
    struct serving s;

    if (!training_open(&s, NULL))
        return;
    training_want(&s, "POST", D "/scan", "{\"rootPath\":\"/etc\"}", 403, NULL);
    training_want(&s, "POST", D "/scan", "{\"rootPath\":\"$P/../..\"}", 403, NULL);
    training_want(&s, "POST", D "/scan", "{\"rootPath\":\"$P/nowhere\"}", 400, "no folder");
    training_want(&s, "POST", D "/scan", "{\"rootPath\":\"$P/a/1.jpg\"}", 400, "no folder");
    training_want(&s, "POST", D "/scan", "{}", 422, "missing");
    training_want(&s, "GET", D, NULL, 422, "missing");
    training_want(&s, "GET", D "?path=/etc", NULL, 403, NULL);
    training_want(&s, "GET", D "?path=$P/nowhere", NULL, 400, NULL);
    training_want(&s, "GET", D "/preview?path=/etc", NULL, 403, NULL);
    training_want(&s, "GET", D "/preview?path=$P/nowhere", NULL, 400, NULL);
    training_want(&s, "GET", D "/preview/thumbnail?path=/etc/passwd", NULL, 403, NULL);
    training_want(&s, "GET", D "/preview/thumbnail?path=$P/nowhere.jpg", NULL, 404, NULL);
    training_want(&s, "GET", D "/preview/thumbnail?path=$P/a/deep", NULL, 400, NULL);
    training_want(&s, "GET", D "/preview/thumbnail?path=$P/a/broken.jpg", NULL, 422, NULL);
    training_want(&s, "POST", D "/ignore", "{\"path\":\"/etc\"}", 403, NULL);
    training_want(&s, "POST", D "/ignore", "{\"path\":\"$P/nowhere\"}", 400, NULL);
    training_want(&s, "DELETE", D "/ignore", "{\"path\":\"$P/a\"}", 404, "not ignored");
    training_want(&s, "POST", "/api/v1/training/scan/incremental?directory=/etc", NULL, 403, NULL);
    training_want(&s, "POST", "/api/v1/training/scan/incremental?directory=$P/a/1.jpg", NULL, 400, NULL);
    training_want(&s, "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"$P/a/1.jpg\"}", 400, "no folder");
    serving_stop(&s, SIGTERM);
}

TEST(d_o2_preview, "D-O2: a preview follows the file, is refused outside of the roots, and lists what is there")
{
    struct serving s;
    struct http_reply r;
    char path[2200], first[100], headers[200];
    ims_json *o;

    if (!training_open(&s, NULL))
        return;
    o = training_ask(&s, "GET", D "/preview?path=$P/a", NULL, 200);
    CHECK_INT(training_int(o, "imageCount"), 3);
    CHECK_STR(training_str(o, "images.0.filename"), "1.jpg");
    CHECK(training_int(o, "images.0.sizeBytes") > 1000);
    ims__json_free(o);
    snprintf(path, sizeof(path), D "/preview/thumbnail?path=%s/a/1.jpg", training_photos(&s));
    http_request(&r, s.port, "GET", path, NULL, NULL, 0);
    CHECK(r.status == 200 && r.n_body > 500 && memcmp(r.body, "\xff\xd8", 2) == 0);
    snprintf(first, sizeof(first), "%s", http_header(&r, "ETag"));
    http_reply_release(&r);
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", first);
    http_request(&r, s.port, "GET", path, headers, NULL, 0);
    CHECK_INT(r.status, 304);
    http_reply_release(&r);
    library_copy(&s.library, library_demo_jpeg(20), "a/1.jpg");
    http_request(&r, s.port, "GET", path, headers, NULL, 0);
    CHECK_INT(r.status, 200);
    CHECK(strcmp(first, http_header(&r, "ETag")) != 0);
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

TEST(directories_ignored, "what is ignored is neither listed, found nor done, and comes back when that is taken back")
{
    struct serving s;
    ims_json *o;
    long long id;

    if (!training_open(&s, NULL))
        return;
    training_want(&s, "POST", D "/ignore", "{\"path\":\"$P/skip\",\"reason\":\"private\"}", 200, "\"status\":\"success\"");
    training_want(&s, "POST", D "/ignore", "{\"path\":\"$P/skip\"}", 409, "already");
    training_want(&s, "GET", D "/ignored", NULL, 200, "\"reason\":\"private\"");
    o = training_ask(&s, "GET", D "?path=$P", NULL, 200);
    CHECK(find(o, "/skip") < 0 && ims__json_len(o) == 2);
    ims__json_free(o);
    training_want(&s, "GET", D "?path=$P&include_ignored=true", NULL, 200, "\"isIgnored\":true");
    training_want(&s, "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"$P\",\"dryRun\":true}", 200, "\"discovered\":8,\"enqueued\":0");
    training_want(&s, "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"$P/skip\",\"dryRun\":true}", 200, "\"discovered\":0");
    training_want(&s, "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"$P\",\"recursive\":false,\"dryRun\":true}", 200, "\"discovered\":2");
    id = training_session(&s, NULL);
    CHECK_INT(id, 1);
    training_want(&s, "POST", "/api/v1/training/sessions/1/start", NULL, 200, NULL);
    CHECK(training_await(&s, "/api/v1/training/sessions/1", "\"status\":\"completed\""));
    training_want(&s, "GET", "/api/v1/training/sessions/1", NULL, 200, "\"totalImages\":8");
    CHECK_INT(library_status(&s.library, "assets"), 8);
    /* known already, then ignored: it stays in the library, but a run does not look at it */
    training_want(&s, "POST", D "/ignore", "{\"path\":\"$P/b\"}", 200, NULL);
    training_want(&s, "POST", "/api/v1/training/sessions/1/restart-training", NULL, 200, NULL);
    CHECK(training_await(&s, "/api/v1/training/sessions/1", "\"status\":\"completed\""));
    training_want(&s, "GET", "/api/v1/training/sessions/1", NULL, 200, "\"totalImages\":7");
    CHECK_INT(library_status(&s.library, "assets"), 8);
    /* back again */
    training_want(&s, "DELETE", D "/ignore", "{\"path\":\"$P/skip\"}", 200, "success");
    training_want(&s, "POST", "/api/v1/training/scan/incremental?directory=$P", NULL, 200, "\"discovered\":8,\"created\":1,\"skipped\":7");
    training_want(&s, "POST", "/api/v1/training/scan/incremental?directory=$P&auto_train=true", NULL, 200, "\"created\":0");
    CHECK(training_await(&s, "/health", "\"queued\":0,\"vectors\":7")); /* nine pictures, a copy and a broken one */
    training_want(&s, "GET", "/api/v1/assets/failures", NULL, 200, "broken.jpg\",\"task\":\"clip\",\"reason\":\"");
    o = training_ask(&s, "GET", D "?path=$P&include_training_status=true", NULL, 200);
    CHECK(find(o, "/skip") >= 0);
    CHECK_STR(training_str(o, "1.trainingStatus"), "complete");
    CHECK_INT(training_int(o, "1.trainedCount"), 1);
    CHECK_STR(training_str(o, "0.trainingStatus"), "partial"); /* one is broken */
    ims__json_free(o);
    serving_stop(&s, SIGTERM);
}
