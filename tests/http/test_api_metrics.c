/* What the service tells of itself: figures for Prometheus, health, and one line of log a failed request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_FOR(cond)                                                                                               \
    do {                                                                                                             \
        for (struct test_wait w = { 0 }; test_waits(&w) && !(cond);) {                                               \
        }                                                                                                            \
        CHECK(cond);                                                                                                 \
    } while (0)

static int ask(const struct serving *s, const char *method, const char *path, const char *body)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, method, path, body);
    status = r.status;
    http_reply_release(&r);
    return status;
}

/* The figures, held against the form's rules; free() them. */
static char *figures(const struct serving *s)
{
    struct http_reply r;
    char *text;

    http_json(&r, s->port, "GET", "/metrics", NULL);
    if (r.status != 200 || strcmp(http_header(&r, "Content-Type"), "text/plain; version=0.0.4") != 0)
        test_fail(__FILE__, __LINE__, "%d %s", r.status, http_header(&r, "Content-Type"));
    if (exposition_check(r.body) < 100)
        test_fail(__FILE__, __LINE__, "only few figures: %s", r.body);
    text = strdup(r.body);
    http_reply_release(&r);
    return text;
}

static bool is_idle(const struct serving *s)
{
    struct http_reply r;
    bool is;

    http_json(&r, s->port, "GET", "/health", NULL);
    is = strstr(r.body, "\"queue\":{\"queued\":0,\"started\":0") != NULL;
    http_reply_release(&r);
    return is;
}

TEST(metrics_form, "what breaks the form of metrics is noticed by these tests")
{
    static const char *const good[] = { "# HELP a_total x\n# TYPE a_total counter\na_total 1\n",
                                        "# HELP a x\n# TYPE a gauge\na{b=\"c\\\"\\\\\\n\",d=\"\"} -1e5\n" };

    static const char *const bad[] = {
        "a 1\n",
        "# HELP a x\na 1\n",
        "# TYPE a gauge\na 1\n",
        "# HELP a x\n# TYPE a gauge\na 1",
        "# HELP a x\n# TYPE a gauge\na one\n",
        "# HELP a x\n# TYPE a gauge\na 1 \n",
        "# HELP a x\n# TYPE a gauge\na nan\n",
        "# HELP a x\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a x\n# TYPE a gauge\nb 1\n",
        "# HELP a x\n# TYPE a gauge\na_sum 1\n",
        "# HELP a x\n# TYPE a thing\na 1\n",
        "# HELP a x\n# TYPE b gauge\na 1\n",
        "# HELP a x\n# TYPE a gauge\n# HELP a x\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c} 1\n",
        "# HELP a x\n# TYPE a gauge\na{1b=\"c\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"\\c\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\",} 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        "# HELP a x\n# TYPE a histogram\na_bucket 1\n",
    };
    const char *wrong, *line;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK_INT(exposition_check(good[i]), 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)exposition_read(bad[i], &wrong, &line);
        if (!wrong)
            test_fail(__FILE__, __LINE__, "nothing is wrong with %s", bad[i]);
    }
    CHECK(exposition_value("ab 1\na 2\na{b=\"c\"} 3\n", "a") == 2);
    CHECK(exposition_value("a 2\n", "b") == -1);
}

TEST(metrics, "figures keep Prometheus' form and tell what was done: stages, batches, caches, queries, jobs, replies")
{
    struct serving s;
    char *before, *after, body[900];
    static const char *const sent[] = { "{\"query\":\"a red car\"}", "{\"query\":\"a red car\",\"offset\":2}", "{\"query\":\"a boat\"}" };

    if (!serving_open(&s, 3, NULL))
        return;
    before = figures(&s);
    CHECK(exposition_value(before, "imgsearch_query_seconds_count{kind=\"text\"}") == 0);
    CHECK(exposition_value(before, "imgsearch_ingest_stage_items_total{stage=\"embed\"}") == 0);
    CHECK(exposition_value(before, "imgsearch_assets") == 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(ask(&s, "POST", "/api/v1/search", sent[i]), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/search/similar/1", NULL), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/images/1/thumbnail", NULL), 200);
    CHECK_INT(ask(&s, "GET", "/api/v1/assets/999", NULL), 404);
    for (size_t i = 3; i < 8; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s.library, library_demo_jpeg(i), name);
    }
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    CHECK_INT(ask(&s, "POST", "/api/v1/assets/ingest", body), 200);
    WAIT_FOR(is_idle(&s));
    after = figures(&s);
    CHECK(exposition_value(after, "imgsearch_query_seconds_count{kind=\"text\"}") == 3);
    CHECK(exposition_value(after, "imgsearch_query_seconds_count{kind=\"similar\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_query_seconds_sum{kind=\"text\"}") > 0);
    CHECK(exposition_value(after, "imgsearch_query_seconds_bucket{kind=\"text\",le=\"+Inf\"}") == 3);
    CHECK(exposition_value(after, "imgsearch_http_request_seconds_count{operation=\"assetsIngest\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_cache_hits_total{cache=\"text\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_cache_misses_total{cache=\"text\"}") == 2);
    CHECK(exposition_value(after, "imgsearch_cache_hits_total{cache=\"thumbnail\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_ingest_pictures_total{result=\"done\"}") == 5);
    CHECK(exposition_value(after, "imgsearch_ingest_pictures_total{result=\"failed\"}") == 0);
    CHECK(exposition_value(after, "imgsearch_ingest_stage_items_total{stage=\"read\"}") == 5);
    CHECK(exposition_value(after, "imgsearch_ingest_stage_items_total{stage=\"embed\"}") == 5);
    CHECK(exposition_value(after, "imgsearch_ingest_stage_items_total{stage=\"write\"}") == 5);
    CHECK(exposition_value(after, "imgsearch_ingest_stage_seconds_total{stage=\"decode\"}") > 0);
    CHECK(exposition_value(after, "imgsearch_ingest_runs_ended_total") == 1);
    CHECK(exposition_value(after, "imgsearch_device_rows_total{part=\"clip_image\",device=\"cpu\"}") == 5);
    CHECK(exposition_value(after, "imgsearch_device_rows_total{part=\"clip_text\",device=\"cpu\"}") == 2);
    CHECK(exposition_value(after, "imgsearch_device_batches_total{part=\"clip_text\",device=\"cpu\"}") == 2);
    CHECK(exposition_value(after, "imgsearch_device_busy_seconds_total{part=\"clip_image\",device=\"cpu\"}") > 0);
    CHECK(exposition_value(after, "imgsearch_device_faults_total{part=\"clip_image\",device=\"cpu\"}") == 0);
    CHECK(exposition_value(after, "imgsearch_device_is_ready{part=\"clip_image\",device=\"cpu\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_index_is_open") == 1);
    CHECK(exposition_value(after, "imgsearch_index_searches_total") >= 0);
    CHECK(exposition_value(after, "imgsearch_jobs{queue=\"training-normal\",state=\"finished\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_http_replies_total{class=\"4xx\"}") == 1);
    CHECK(exposition_value(after, "imgsearch_process_cpu_seconds_total") > 0);
#if defined(__linux__)
    CHECK(exposition_value(after, "imgsearch_process_resident_bytes") > 1e6);
    CHECK(exposition_value(after, "imgsearch_process_open_files") > 5);
#endif
    free(before);
    free(after);
    serving_stop(&s, SIGTERM);
}

/* What the tests' stand-ins for NVIDIA's libraries are called where the linker looks. */
static void put_card(const char *dir, const char *name, const char *fake)
{
    char path[1100], target[1100];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(target, sizeof(target), "%s", test_build_path(fake));
    if (target[0] != '/' || symlink(target, path) != 0)
        test_fail(__FILE__, __LINE__, "%s cannot be put into %s", fake, dir);
}

#if defined(__linux__)
static bool maps_fakes(const struct serving *s)
{
    char path[64], *text;
    bool is;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)s->pid);
    text = test_read_file(path, NULL);
    is = strstr(text, "fake_cuda") || strstr(text, "fake_nvml");
    free(text);
    return is;
}
#endif

TEST(cards, "what NVIDIA's cards are doing is told each time, and the service never loads their driver")
{
    const char *dir = test_tmp_dir(), *known = getenv("LD_LIBRARY_PATH");
    char path[2048], *text;
    const char *env[] = { path, NULL };
    struct serving s;

    put_card(dir, "libcuda.so.1", "fakes/fake_cuda_2.so");
    put_card(dir, "libnvidia-ml.so.1", "fakes/fake_nvml.so");
    snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s%s%s", dir, known ? ":" : "", known ? known : "");
    if (!serving_open(&s, 1, env))
        return;
    for (int i = 0; i < 2; i++) {
        text = figures(&s);
        CHECK_NEAR(exposition_value(text, "imgsearch_gpu_utilisation_ratio{device=\"cuda:0\",name=\"Test Accelerator 0\"}"),
                   0.7, 1e-9);
        CHECK(exposition_value(text, "imgsearch_gpu_power_watts{device=\"cuda:1\",name=\"Test Accelerator 1\"}") == 30);
        free(text);
    }
#if defined(__linux__)
    CHECK(!maps_fakes(&s));
#endif
    serving_stop(&s, SIGTERM);
}

TEST(health, "health names the devices of every loaded part with its self-test, the index and the queue")
{
    struct serving s;
    struct http_reply r;

    if (!serving_open(&s, 2, NULL))
        return;
    http_json(&r, s.port, "GET", "/health", NULL);
    CHECK(strstr(r.body, "\"devices\":[]"));
    http_reply_release(&r);
    CHECK_INT(ask(&s, "POST", "/api/v1/search", "{\"query\":\"a boat\"}"), 200);
    http_json(&r, s.port, "GET", "/health", NULL);
    CHECK(strstr(r.body, "\"part\":\"clip_text\",\"device\":\"cpu\",\"provider\":\"CPUExecutionProvider\",\"state\":\"ready\","
                         "\"selfTest\":\"passed\""));
    CHECK(strstr(r.body, "\"index\":{\"state\":\"open\",") && strstr(r.body, "\"vectors\":2,\"memoryBytes\":"));
    CHECK(strstr(r.body, "\"queue\":{\"queued\":0,\"started\":0,\"failed\":0}"));
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

/* Lines of the log that have this in them. */
static int count_lines(const struct serving *s, const char *has, char *out_line, size_t size)
{
    char *log = test_read_file(s->log, NULL), *save = NULL;
    int n = 0;

    for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strstr(line, has))
            continue;
        n++;
        snprintf(out_line, size, "%s", line);
    }
    free(log);
    return n;
}

TEST(log_lines, "a failed request is one line of the log, in text or JSON, with the id that its reply carries")
{
    static const char *const json[] = { "IMS_LOG_FORMAT=json", NULL };
    struct serving s;
    struct http_reply r;
    char id[32], line[2000];
    ims_json *v = NULL;
    ims_err err;

    if (!serving_open(&s, 1, json))
        return;
    http_json(&r, s.port, "GET", "/api/v1/assets?page=0", NULL);
    CHECK_INT(r.status, 422);
    snprintf(id, sizeof(id), "%s", http_header(&r, "X-Request-Id"));
    http_reply_release(&r);
    CHECK_INT(ask(&s, "GET", "/api/v1/assets", NULL), 200);
    WAIT_FOR(count_lines(&s, id, line, sizeof(line)) == 1);
    CHECK_OK(ims__json_parse(&v, line, strlen(line), "a line", &err), err);
    CHECK_STR(ims__json_str(ims__json_get(v, "request"), NULL), id);
    CHECK_STR(ims__json_str(ims__json_get(v, "status"), NULL), "422");
    CHECK_STR(ims__json_str(ims__json_get(v, "operation"), NULL), "assetsList");
    CHECK_STR(ims__json_str(ims__json_get(v, "level"), NULL), "info");
    CHECK(strstr(ims__json_str(ims__json_get(v, "reason"), NULL), "query page"));
    ims__json_free(v);
    CHECK_INT(count_lines(&s, "request failed", line, sizeof(line)), 1);
    serving_stop(&s, SIGTERM);
    CHECK(serving_start(&s, NULL));
    CHECK_INT(ask(&s, "GET", "/api/v1/assets/5", NULL), 404);
    WAIT_FOR(count_lines(&s, " path=/api/v1/assets/5 status=404 ", line, sizeof(line)) == 1);
    CHECK(strstr(line, "info http: request failed request=") && strstr(line, "operation=assetGet reason=\"there is no asset 5"));
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
