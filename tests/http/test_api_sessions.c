/* Training sessions over HTTP: from creating one to its end, with pauses, restarts and kills in between.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PICTURES 10

static int ask(const struct serving *s, const char *method, const char *path, const char *body, const char *has)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, method, path, body);
    status = r.status;
    if (has && !strstr(r.body, has))
        test_fail(__FILE__, __LINE__, "%s %s: %d %.400s; expected %s", method, path, r.status, r.body, has);
    http_reply_release(&r);
    return status;
}

static bool becomes(const struct serving *s, const char *status)
{
    char want[64];

    snprintf(want, sizeof(want), "\"status\":\"%s\"", status);
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_there;

        http_json(&r, s->port, "GET", "/api/v1/training/sessions/1", NULL);
        is_there = strstr(r.body, want) != NULL;
        http_reply_release(&r);
        if (is_there)
            return true;
    }
    return false;
}

static void add_pictures(struct serving *s, size_t first, size_t n)
{
    for (size_t i = first; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s->library, library_demo_jpeg(i), name);
    }
}

TEST(session_life, "a session runs to its end, counts what it did, and starts anew")
{
    struct serving s;
    char body[900];

    if (!serving_open(&s, 1, NULL))
        return;
    add_pictures(&s, 1, N_PICTURES);
    snprintf(body, sizeof(body), "{\"name\":\"all\",\"rootPath\":\"%s\",\"categoryId\":1,\"config\":{\"batch_size\":32}}",
             s.library.photos);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", body, "\"status\":\"pending\""), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/training/sessions?status=pending", NULL, "\"total\":1"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/pause", NULL, "cannot pause"), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/start", NULL, "discovering"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/start", NULL, "cannot start"), 400);
    CHECK(becomes(&s, "completed"));
    CHECK_INT(ask(&s, "GET", "/api/v1/training/sessions/1/progress", NULL, "\"current\":10,\"total\":10,\"percentage\":100"), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/training/sessions/1", NULL, "\"processedImages\":10,\"failedImages\":0"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/restart-training?failed_only=false", NULL, "\"cleanup_stats\""), 200);
    CHECK(becomes(&s, "completed"));
    CHECK_INT(ask(&s, "PATCH", "/api/v1/training/sessions/1", "{\"name\":\"again\"}", "again"), 200);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/categories/1", NULL, NULL), 400);
    CHECK_INT(ask(&s, "DELETE", "/api/v1/training/sessions/1", NULL, NULL), 204);
    CHECK_INT(ask(&s, "GET", "/api/v1/training/sessions/1", NULL, NULL), 404);
    CHECK_INT(ask(&s, "GET", "/health", NULL, "\"vectors\":10"), 200);
    serving_stop(&s, SIGTERM);
}

TEST(session_folders, "a session is about folders of the library, all of one or some below it")
{
    struct serving s;
    char body[1800];

    if (!serving_open(&s, 2, NULL))
        return;
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", "{\"name\":\"x\",\"rootPath\":\"/etc\",\"categoryId\":1}", NULL), 403);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", "{\"name\":\"x\",\"rootPath\":\"/nowhere\",\"categoryId\":1}", NULL), 400);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", "{\"name\":\"x\",\"rootPath\":\"/nowhere\"}", "categoryId"), 422);
    snprintf(body, sizeof(body), "{\"name\":\"x\",\"rootPath\":\"%s\",\"categoryId\":99}", s.library.photos);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", body, "category 99"), 404);
    snprintf(body, sizeof(body), "{\"name\":\"x\",\"root_path\":\"%s\",\"category_id\":1,\"subdirectories\":[\"../..\"]}", s.library.photos);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", body, NULL), 403);
    serving_stop(&s, SIGTERM);
}

TEST(session_stopped, "D-T5: paused, killed, started again and cancelled: the state is always the last word of the user")
{
    struct serving s;
    char body[900];

    if (!serving_open(&s, 1, NULL))
        return;
    add_pictures(&s, 1, N_PICTURES);
    snprintf(body, sizeof(body), "{\"name\":\"all\",\"rootPath\":\"%s\",\"categoryId\":1}", s.library.photos);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions", body, NULL), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/start", NULL, NULL), 200);
    serving_stop(&s, SIGKILL);
    CHECK(library_sql(&s.library, "UPDATE jobs SET lease_until_us = 1 WHERE state = 'started'"));
    CHECK(serving_start(&s, NULL));
    CHECK(becomes(&s, "completed"));
    CHECK_INT(ask(&s, "GET", "/api/v1/training/sessions/1", NULL, "\"totalImages\":10,\"processedImages\":10,\"failedImages\":0"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/training/sessions/1/restart-training", NULL, NULL), 200);
    CHECK(ask(&s, "POST", "/api/v1/training/sessions/1/cancel", NULL, NULL) == 200 || becomes(&s, "completed"));
    serving_stop(&s, SIGTERM);
    CHECK_INT(library_status(&s.library, "done"), N_PICTURES);
    CHECK_INT(library_status(&s.library, "failed"), 0);
}
