/* Following a background job: its progress key, once and as events. The test is the worker.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include "harness/http_client.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORKER "the test"
#define EVENTS "/api/v1/job-progress/events?progress_key="
#define STATUS "/api/v1/job-progress/status?progress_key="
#define KEY "job:$J1:progress"

static struct serving_people sp;

static void push(const char *func, const char *args)
{
    const struct ims_store_job job = { .queue = "default", .func = func, .args_json = args, .max_attempts = 1 };
    int64_t id = 0;

    CHECK_OK(ims_store_push_job(sp.p.s, &job, &id, &sp.p.err), sp.p.err);
}

static void take(void)
{
    struct ims_store_job job;

    CHECK_OK(ims_store_beat_worker(sp.p.s, WORKER, &sp.p.err), sp.p.err);
    CHECK_OK(ims_store_take_job(sp.p.s, WORKER, &sp.p.arena, &job, &sp.p.err), sp.p.err);
    CHECK(job.id);
}

static void beat(const char *progress)
{
    ims_store_wish wish;

    CHECK_OK(ims_store_beat_job(sp.p.s, WORKER, 1, progress, &wish, &sp.p.err), sp.p.err);
}

/* Opens the stream of key; last_id: what the client heard last, or NULL. */
static int watch(const char *key, const char *last_id)
{
    char head[800];
    int fd = http_connect(sp.s.port);

    snprintf(head, sizeof(head), "GET " EVENTS "%s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
             serving_people_text(&sp, key), last_id ? "Last-Event-ID: " : "", last_id ? last_id : "", last_id ? "\r\n" : "");
    if (!http_send_text(fd, head))
        test_fail(__FILE__, __LINE__, "the server is not there");
    return fd;
}

/* Reads on until text came; all that was read is in out. */
static bool hears(int fd, char *out, size_t size, const char *text)
{
    size_t n = strlen(out);

    while (!strstr(out, text)) {
        size_t got = n < size - 1 ? http_read_some(fd, out + n, size - n, TEST_PATIENCE_MS) : 0;

        if (!got) {
            test_fail(__FILE__, __LINE__, "expected %s; heard %s", text, out);
            return false;
        }
        n += got;
    }
    return true;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

TEST(progress_once, "the state of a job is there from the moment it is queued until an hour after its end")
{
    static const struct serving_request queued[] = {
        { "GET", STATUS KEY, NULL, 200, "\"phase\":\"queued\"" },
        { "GET", STATUS "find_more:progress:$P7:$J1", NULL, 200, "\"person_id\":\"$P7\"" },
        { "GET", STATUS "find_more:progress:$P8:$J1", NULL, 404, "Job not found or expired" },
        { "GET", STATUS "find_more_centroid:progress:$P7:$J1", NULL, 404, NULL },
        { "GET", STATUS "job:$J2:progress", NULL, 404, "\"detail\":\"Job not found or expired\"" },
        { "GET", STATUS "job:1:progress", NULL, 404, NULL },
        { "GET", STATUS "nonsense", NULL, 404, NULL },
        { "GET", "/api/v1/job-progress/status", NULL, 422, "progress_key" },
        { "GET", EVENTS "job:$J2:progress", NULL, 404, "Job not found or expired" },
        { "GET", "/api/v1/job-progress/events?progress_key=", NULL, 422, "progress_key" },
    };
    static const struct serving_request at_work[] = {
        { "GET", STATUS KEY, NULL, 200, "\"phase\":\"searching\",\"current\":4,\"total\":10,\"message\":\"looking\"" } };
    static const struct serving_request done[] = {
        { "GET", STATUS KEY, NULL, 200, "\"phase\":\"completed\",\"message\":\"done\",\"suggestionsCreated\":3,\"current\":10,\"total\":10" } };
    static const struct serving_request gone[] = { { "GET", STATUS KEY, NULL, 404, NULL } };

    if (!serving_people_open(&sp) || !serving_people_start(&sp, false))
        return;
    push("find_more", "{\"person\":7}");
    ASK_PEOPLE(&sp, queued);
    take();
    beat("{\"phase\":\"searching\",\"current\":4,\"total\":10,\"message\":\"looking\"}");
    ASK_PEOPLE(&sp, at_work);
    CHECK_OK(ims_store_end_job(sp.p.s, WORKER, 1, IMS_JOB_FINISHED, "{\"suggestionsCreated\":3}", &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, done);
    CHECK(library_sql(&sp.p.l, "UPDATE jobs SET ended_us = ended_us - 3599000000"));
    ASK_PEOPLE(&sp, done);
    CHECK(library_sql(&sp.p.l, "UPDATE jobs SET ended_us = ended_us - 2000000"));
    ASK_PEOPLE(&sp, gone);
    serving_people_close(&sp);
}

TEST(progress_events, "a watched job tells each change once, and its end; who comes back hears only what is new")
{
    char heard[8000] = "", again[8000] = "", id[32] = "";
    int fd, fd2;

    if (!serving_people_open(&sp) || !serving_people_start(&sp, false))
        return;
    push("find_more", "{\"person\":7}");
    fd = watch("find_more:progress:$P7:$J1", NULL);
    if (!hears(fd, heard, sizeof(heard), "\"phase\":\"queued\""))
        return;
    CHECK(strstr(heard, "HTTP/1.1 200") && strstr(heard, "Content-Type: text/event-stream") &&
          strstr(heard, "Cache-Control: no-cache") && strstr(heard, "X-Accel-Buffering: no"));
    take();
    beat("{\"phase\":\"searching\",\"current\":1,\"total\":2}");
    CHECK(hears(fd, heard, sizeof(heard), "\"phase\":\"searching\""));
    beat("{\"phase\":\"searching\",\"current\":1,\"total\":2}"); /* no change */
    for (const char *at = heard; (at = strstr(at, "\nid: ")); at++)
        (void)sscanf(at, "\nid: %31[0-9a-f]", id);
    CHECK_INT((int)strlen(id), 16);
    fd2 = watch("find_more:progress:$P7:$J1", id);
    beat("{\"phase\":\"creating\",\"current\":2,\"total\":2}");
    CHECK(hears(fd, heard, sizeof(heard), "\"phase\":\"creating\""));
    CHECK(hears(fd2, again, sizeof(again), "\"phase\":\"creating\""));
    CHECK_OK(ims_store_end_job(sp.p.s, WORKER, 1, IMS_JOB_FINISHED,
                               "{\"suggestionsCreated\":3,\"prototypesUsed\":4,\"candidatesFound\":5,\"duplicatesSkipped\":2}",
                               &sp.p.err),
             sp.p.err);
    CHECK(hears(fd, heard, sizeof(heard), "\r\n0\r\n")); /* the server ends the stream */
    CHECK(hears(fd2, again, sizeof(again), "\r\n0\r\n"));
    CHECK_INT(count(heard, "event: progress\ndata: {"), 3);
    CHECK_INT(count(again, "event: progress\ndata: {"), 1);
    CHECK_INT(count(heard, "event: complete\ndata: {\"phase\":\"completed\""), 1);
    CHECK(strstr(heard, "\"suggestionsCreated\":3,\"prototypesUsed\":4,\"candidatesFound\":5,\"duplicatesSkipped\":2"));
    CHECK_INT(count(heard, "\n\n"), 5);
    close(fd);
    close(fd2);
    serving_people_close(&sp);
}

TEST(busy_D_T17, "D-T17: a job at work shows in its queue and at its worker; one that ends with an error is failed, not finished")
{
    static const struct serving_request busy[] = {
        { "GET", "/api/v1/queues", NULL, 200, "\"name\":\"default\",\"count\":0,\"isEmpty\":true,\"startedCount\":1,\"failedCount\":0" },
        { "GET", "/api/v1/queues", NULL, 200, "\"workersBusy\":1" },
        { "GET", "/api/v1/queues/default", NULL, 200, "\"startedJobs\":[{\"id\":\"$J1\"" },
        { "GET", "/api/v1/workers", NULL, 200, "\"state\":\"busy\"" },
        { "GET", "/api/v1/workers", NULL, 200, "\"currentJob\":{\"jobId\":\"$J1\",\"funcName\":\"find_more\",\"startedAt\":\"2" },
        { "GET", "/api/v1/jobs/$J1", NULL, 200, "\"status\":\"started\"" },
    };
    static const struct serving_request over[] = {
        { "GET", "/api/v1/queues", NULL, 200, "\"startedCount\":0,\"failedCount\":1" },
        { "GET", "/api/v1/queues/default", NULL, 200, "\"failedJobs\":[{\"id\":\"$J1\"" },
        { "GET", "/api/v1/workers", NULL, 200, "\"currentJob\":null" },
        { "GET", "/api/v1/workers", NULL, 200, "\"successfulJobCount\":0,\"failedJobCount\":1" },
        { "GET", "/api/v1/jobs/$J1", NULL, 200, "\"status\":\"failed\"" },
    };

    if (!serving_people_open(&sp) || !serving_people_start(&sp, false))
        return;
    push("find_more", "{\"person\":7}");
    take();
    ASK_PEOPLE(&sp, busy);
    CHECK_OK(ims_store_end_job(sp.p.s, WORKER, 1, IMS_JOB_FAILED, "nobody is left", &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, over);
    serving_people_close(&sp);
}

TEST(progress_end_D_F5, "D-F5: a job that fails, is cancelled or vanishes ends its stream at once with an error that says why")
{
    char heard[8000] = "";
    bool found;
    int fd;

    if (!serving_people_open(&sp) || !serving_people_start(&sp, false))
        return;
    push("find_more", "{\"person\":7}");
    fd = watch(KEY, NULL);
    CHECK(hears(fd, heard, sizeof(heard), "queued"));
    take();
    CHECK_OK(ims_store_end_job(sp.p.s, WORKER, 1, IMS_JOB_FAILED, "nobody is left", &sp.p.err), sp.p.err);
    CHECK(hears(fd, heard, sizeof(heard), "\r\n0\r\n"));
    CHECK(strstr(heard, "event: error\ndata: {\"phase\":\"failed\",\"error\":\"nobody is left\",\"message\":\"nobody is left\""));
    close(fd);

    push("find_more", "{\"person\":7}");
    heard[0] = '\0';
    fd = watch("job:$J2:progress", NULL);
    CHECK(hears(fd, heard, sizeof(heard), "queued"));
    CHECK_OK(ims_store_ask_job(sp.p.s, 2, IMS_JOB_CANCEL, &found, &sp.p.err), sp.p.err);
    CHECK(hears(fd, heard, sizeof(heard), "\r\n0\r\n"));
    CHECK(strstr(heard, "event: error") && strstr(heard, "cancelled"));
    close(fd);

    push("find_more", "{\"person\":7}");
    heard[0] = '\0';
    fd = watch("job:$J3:progress", NULL);
    CHECK(hears(fd, heard, sizeof(heard), "queued"));
    CHECK(library_sql(&sp.p.l, "DELETE FROM jobs WHERE id = 3"));
    CHECK(hears(fd, heard, sizeof(heard), "\r\n0\r\n"));
    CHECK(strstr(heard, "event: error\ndata: {\"error\":\"Job not found or expired\""));
    close(fd);
    serving_people_close(&sp);
}

TEST_MAIN
