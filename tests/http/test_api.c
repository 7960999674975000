/* The interface as a client sees it: requests and what must come back. Every reply is held against the contract by
 * the server itself (IMS_CHECK_REPLIES), so a 500 here is a failure of the test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PICTURES 12
#define GPS "12" /* all tell where they were taken */
#define CARS "red car, blue car, green car, white car, black car, yellow car, pink car, grey car, "

#define ASK(s, rows) serving_ask(s, rows, sizeof(rows) / sizeof(rows[0]))

TEST(api_requests, "each operation answers good requests and refuses bad ones as the contract says")
{
    static const struct serving_request rows[] = {
        { "GET", "/health", NULL, 200, "\"status\":\"ok\"" },
        { "GET", "/health", NULL, 200, "\"rebuilding\":" },
        { "GET", "/ready", NULL, 200, "ready" },
        { "GET", "/metrics", NULL, 200, "imgsearch_assets 12\n" },
        { "GET", "/openapi.json", NULL, 200, "\"openapi\":\"3.1.0\"" },
        { "GET", "/docs", NULL, 200, "<h1>The HTTP interface</h1>" },
        { "GET", "/api/v1/assets", NULL, 200, "\"total\":12" },
        { "GET", "/api/v1/assets?page=2&page_size=5", NULL, 200, "\"page\":2,\"pageSize\":5,\"hasMore\":true" },
        { "GET", "/api/v1/assets?page=3&pageSize=5", NULL, 200, "\"hasMore\":false" },
        { "GET", "/api/v1/assets?page=0", NULL, 422, "\"loc\":[\"query\",\"page\"]" },
        { "GET", "/api/v1/assets?from_date=2000-01-01&to_date=2001", NULL, 200, "\"total\":0" },
        { "GET", "/api/v1/assets?from_date=yesterday", NULL, 400, "dates" },
        { "GET", "/api/v1/assets/1", NULL, 200, "\"id\":1" },
        { "GET", "/api/v1/assets/999", NULL, 404, "999" },
        { "GET", "/api/v1/assets/one", NULL, 422, "integer_type" },
        { "GET", "/api/v1/assets/1/training-history", NULL, 200, "\"embeddingChecksum\":\"" },
        { "GET", "/api/v1/assets/999/training-history", NULL, 200, "[]" },
        { "POST", "/api/v1/search", "{\"query\":\"a red car\"}", 200, "\"total\":12" },
        { "POST", "/api/v1/search", "{\"query\":\"a red car\",\"limit\":3,\"offset\":2}", 200, "\"score\":" },
        { "POST", "/api/v1/search", "{\"query\":\"a blue car\",\"limit\":1}", 200, "{\"results\":[{" }, /* first: it is not cut */
        { "POST", "/api/v1/search", "{\"query\":\"" CARS CARS CARS CARS "\"}", 200, "\"queryIsCut\":true" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"limit\":0}", 422, "greater_than_equal" },
        { "POST", "/api/v1/search", "{\"query\":\"\"}", 400, "or else a filter" },
        { "POST", "/api/v1/search", "{\"query\":\"\",\"filters\":{\"categoryId\":\"1\"}}", 200, "\"total\":12" },
        { "POST", "/api/v1/search", "{\"query\":\"\",\"limit\":1,\"filters\":{\"folder\":\"/\"}}", 200, "\"score\":0" },
        { "POST", "/api/v1/search", "{\"query\":\"\",\"filters\":{\"personId\":\"00000000-0000-8002-8000-000000000001\"}}", 200, "\"total\":0" },
        { "POST", "/api/v1/search", "{}", 422, "missing" },
        { "POST", "/api/v1/search", "{\"query\":7}", 422, "string_type" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"dateFrom\":\"1990-01-01\",\"dateTo\":\"1991-01-01\"}}", 200, "\"total\":0" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"from_date\":\"then\"}}", 400, "invalid_request" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"categoryId\":\"1\"}}", 200, "\"total\":12" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"category_id\":77}", 400, "no category 77" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"area\":\"-180,-90,180,90\"}}", 200, "\"total\":" GPS },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"area\":\"1,-90,0,90\"}}", 200, "\"total\":" GPS },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"area\":\"179,-90,-179,90\"}}", 200, "\"total\":0" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"area\":\"2,40,3,41\"}}", 200, "\"total\":0" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"area\":\"0,0,1\"}}", 400, "west,south,east,north" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"personId\":\"00000000-0000-8002-8000-000000000001\"}}", 200, "\"total\":0" },
        { "POST", "/api/v1/search", "{\"query\":\"a\",\"filters\":{\"personId\":\"1,2,3,4,5,6,7,8,9\"}}", 400, "more than 8" },
        { "GET", "/api/v1/assets?area=-180,-90,180,90", NULL, 200, "\"total\":" GPS },
        { "GET", "/api/v1/assets?area=91,91,91,91", NULL, 400, "west,south,east,north" },
        { "GET", "/api/v1/assets?folder=/nowhere", NULL, 200, "\"total\":0" },
        { "GET", "/api/v1/assets?dateFrom=1990-01-01&dateTo=1991-01-01", NULL, 200, "\"total\":0" },
        { "GET", "/api/v1/assets?personId=x", NULL, 200, "\"total\":0" },
        { "GET", "/api/v1/assets?sort=name", NULL, 422, "'entered', 'taken'" },
        { "GET", "/api/v1/assets/failures", NULL, 200, "\"items\":[]" },
        { "GET", "/api/v1/assets/failures?limit=1001", NULL, 422, "less than or equal to 1000" },
        { "GET", "/api/v1/places", NULL, 200, "\"folder\":\"photos\"" },
        { "GET", "/api/v1/places?limit=0", NULL, 422, NULL },
        { "GET", "/api/v1/images/1/preview", NULL, 200, NULL },
        { "GET", "/api/v1/images/1/preview?size=801", NULL, 422, "800, 1600, 2400" },
        { "GET", "/api/v1/images/999/preview", NULL, 404, NULL },
        { "GET", "/api/v1/search/similar/2?area=179,-90,-179,90", NULL, 200, "\"total\":0" },
        { "GET", "/api/v1/search/similar/2?limit=3", NULL, 200, "\"total\":11" },
        { "GET", "/api/v1/search/similar/2?limit=3&exclude_self=false", NULL, 200, "\"total\":12" },
        { "GET", "/api/v1/search/similar/999", NULL, 404, "not_found" },
        { "POST", "/api/v1/search/image", "{}", 422, "missing" },
        { "POST", "/api/v1/images/thumbnails/batch", "{\"assetIds\":[1,2,999]}", 200, "\"notFound\":[999]" },
        { "POST", "/api/v1/images/thumbnails/batch", "{\"asset_ids\":[1]}", 200, "data:image/jpeg;base64," },
        { "POST", "/api/v1/images/thumbnails/batch", "{\"assetIds\":[]}", 422, "too_short" },
        { "POST", "/api/v1/images/1/thumbnail/generate", NULL, 200, "\"status\":\"generated\"" },
        { "GET", "/api/v1/categories", NULL, 200, "\"isDefault\":true" },
        { "POST", "/api/v1/categories", "{\"name\":\"Trips\",\"color\":\"#aa00ff\"}", 201, "\"id\":2" },
        { "POST", "/api/v1/categories", "{\"name\":\"Trips\"}", 409, "already" },
        { "POST", "/api/v1/categories", "{\"name\":\"X\",\"color\":\"red\"}", 422, "pattern" },
        { "GET", "/api/v1/categories/2", NULL, 200, "Trips" },
        { "PATCH", "/api/v1/categories/2", "{\"name\":\"Journeys\",\"color\":null}", 200, "\"color\":null" },
        { "PATCH", "/api/v1/categories/2", "{\"name\":\"General\"}", 409, NULL },
        { "PATCH", "/api/v1/categories/99", "{\"name\":\"Y\"}", 404, NULL },
        { "DELETE", "/api/v1/categories/1", NULL, 400, "default" },
        { "DELETE", "/api/v1/categories/2", NULL, 204, NULL },
        { "DELETE", "/api/v1/categories/2", NULL, 404, NULL },
        { "GET", "/api/v1/queues", NULL, 200, "\"totalWorkers\":1" },
        { "GET", "/api/v1/queues/training-high", NULL, 200, "\"startedJobs\":[]" },
        { "GET", "/api/v1/queues/none", NULL, 404, "QUEUE_NOT_FOUND" },
        { "GET", "/api/v1/jobs/77", NULL, 404, "JOB_NOT_FOUND" },
        { "GET", "/api/v1/jobs/x", NULL, 404, "JOB_NOT_FOUND" },
        { "GET", "/api/v1/workers", NULL, 200, "\"state\":\"idle\"" },
        { "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"/etc\"}", 403, NULL },
        { "POST", "/api/v1/assets/ingest", "{\"rootPath\":\"/nowhere\"}", 400, NULL },
        { "GET", "/api/v1/nothing", NULL, 404, "Not Found" },
    };
    struct serving s;

    if (!serving_open(&s, N_PICTURES, NULL))
        return;
    ASK(&s, rows);
    serving_stop(&s, SIGTERM);
}

/* Waits until the newest job is in that state. */
static bool job_becomes(const struct serving *s, const char *state)
{
    char want[64];

    snprintf(want, sizeof(want), "\"status\":\"%s\"", state);
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_there;

        http_json(&r, s->port, "GET", "/api/v1/jobs/1", NULL);
        is_there = strstr(r.body, want) != NULL;
        http_reply_release(&r);
        if (is_there)
            return true;
    }
    return false;
}

TEST(api_ingest, "a folder that grew is indexed by a job, while searches are answered")
{
    struct serving s;
    struct http_reply r;
    char body[900];

    if (!serving_open(&s, 4, NULL))
        return;
    for (size_t i = 4; i < N_PICTURES; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s.library, library_demo_jpeg(i), name);
    }
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\",\"dryRun\":true}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_STR(r.body, "{\"discovered\":12,\"enqueued\":0,\"skipped\":4}");
    http_reply_release(&r);
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_STR(r.body, "{\"discovered\":12,\"enqueued\":8,\"skipped\":4}");
    http_reply_release(&r);
    http_json(&r, s.port, "POST", "/api/v1/search", "{\"query\":\"a house\"}");
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    CHECK(job_becomes(&s, "finished"));
    http_json(&r, s.port, "POST", "/api/v1/search", "{\"query\":\"a house\"}");
    CHECK(strstr(r.body, "\"total\":12"));
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

TEST(api_killed, "a job whose server was killed is done by the next one")
{
    struct serving s;
    struct http_reply r;
    char body[900];

    if (!serving_open(&s, 1, NULL))
        return;
    for (size_t i = 1; i < N_PICTURES; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s.library, library_demo_jpeg(i), name);
    }
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    serving_stop(&s, SIGKILL);
    /* the lease of a minute: let it have run out */
    CHECK(library_sql(&s.library, "UPDATE jobs SET lease_until_us = 1 WHERE state = 'started'"));
    CHECK(serving_start(&s, NULL));
    CHECK(job_becomes(&s, "finished"));
    serving_stop(&s, SIGTERM);
    CHECK_INT(library_status(&s.library, "done"), N_PICTURES);
    CHECK_INT(library_status(&s.library, "vectors"), N_PICTURES);
}

TEST(api_workers, "D-T17: a server without workers queues; a worker of its own process, pinned to a device, does the job")
{
    static const char *const none[] = { "TEST_NO_WORKER=1", NULL };
    struct serving s;
    struct http_reply r;
    char body[900];
    pid_t worker;

    if (!serving_open(&s, 1, none))
        return;
    library_copy(&s.library, library_demo_jpeg(1), "p01.jpg");
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/api/v1/workers", NULL);
    CHECK(strstr(r.body, "\"total\":0"));
    http_reply_release(&r);
    worker = serving_beside(&s, "worker\n--device\ncpu");
    CHECK(job_becomes(&s, "finished"));
    http_json(&r, s.port, "GET", "/api/v1/workers", NULL);
    CHECK(strstr(r.body, "\"successfulJobCount\":1"));
    http_reply_release(&r);
    serving_end(worker);
    http_json(&r, s.port, "GET", "/api/v1/workers", NULL);
    CHECK(strstr(r.body, "\"total\":0"));
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

TEST(api_token, "off loopback the server does not start without a token, and with one nothing is answered without it")
{
    static const char *const with_token[] = { "IMS_TOKEN=0123456789abcdef0123", NULL };
    struct serving s;
    struct http_reply r;
    struct run_options o = { 0 };
    struct run_result run;

    if (!serving_open(&s, 1, with_token))
        return;
    http_json(&r, s.port, "GET", "/api/v1/assets", NULL);
    CHECK_INT(r.status, 401);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/health", NULL); /* for everybody, but without a path */
    CHECK(r.status == 200 && strstr(r.body, "\"status\":\"ok\"") && strstr(r.body, "\"database\":null"));
    CHECK(!strchr(s.library.data, '"') && !strstr(r.body, s.library.data));
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/health", "Authorization: Bearer 0123456789abcdef0123\r\n", NULL, 0);
    CHECK(r.status == 200 && strstr(r.body, "\"database\":\""));
    http_reply_release(&r);
    http_json(&r, s.port, "POST", "/api/v1/login", "{\"token\":\"wrong\"}");
    CHECK_INT(r.status, 401);
    http_reply_release(&r);
    http_json(&r, s.port, "POST", "/api/v1/login", "{\"token\":\"0123456789abcdef0123\"}");
    CHECK_INT(r.status, 204);
    CHECK(strstr(http_header(&r, "Set-Cookie"), "HttpOnly"));
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
    library_run_with(&s.library, &o, &run, "serve\n--host\n0.0.0.0\n--port\n0");
    CHECK(run.exit_code != 0 && strstr(run.err, "IMS_TOKEN"));
    run_release(&run);
}

TEST_MAIN
