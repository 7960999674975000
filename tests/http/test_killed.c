/* The server is killed at random moments while it indexes: every file is done once, whatever happened.
 *
 * TEST_KILLS and TEST_FILES make it larger (10 and 120), TEST_FACES=1 looks for faces too; tests/soak/kills does so.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_MS 600
#define LAST_MS 60
#define A_FEW 5 /* fewer than the attempts of a job */

static long setting(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text && atol(text) > 0 ? atol(text) : otherwise;
}

/* A picture of the demo with a comment of its own behind its first marker: another content, the same to look at. */
static void write_picture(struct library *l, size_t i)
{
    static size_t n_demo;
    char name[60], comment[32];
    const char *source;
    size_t len, n_comment;
    char *jpeg, *copy;

    while (library_demo_jpeg(n_demo))
        n_demo++;
    source = test_source_path(library_demo_jpeg(i % n_demo));
    jpeg = test_read_file(source, &len);
    n_comment = (size_t)snprintf(comment + 4, sizeof(comment) - 4, "file %zu", i) + 2;
    memcpy(comment, "\xff\xfe\0", 3);
    comment[3] = (char)n_comment;
    copy = malloc(len + n_comment + 2);
    memcpy(copy, jpeg, 2);
    memcpy(copy + 2, comment, n_comment + 2);
    memcpy(copy + 4 + n_comment, jpeg + 2, len - 2);
    snprintf(name, sizeof(name), "%03zu/p%05zu.jpg", i / 100, i);
    library_write(l, name, copy, len + n_comment + 2);
    free(copy);
    free(jpeg);
}

static int post_ingest(const struct serving *s)
{
    char body[900];
    struct http_reply r;
    int status;

    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s->library.photos);
    http_json(&r, s->port, "POST", "/api/v1/assets/ingest", body);
    status = r.status;
    http_reply_release(&r);
    return status;
}

static bool is_idle(struct serving *s, long long *out_done)
{
    struct http_reply r;
    const char *done;
    bool is_it;

    http_json(&r, s->port, "GET", "/health", NULL);
    is_it = strstr(r.body, "\"queue\":{\"queued\":0,\"started\":0") != NULL;
    done = strstr(r.body, "\"done\":");
    *out_done = done ? atoll(done + strlen("\"done\":")) : -1;
    http_reply_release(&r);
    return is_it;
}

/* However long it takes, as long as pictures are done. */
static bool all_jobs_end(struct serving *s)
{
    long long done, before = -1;

    for (struct test_wait w = { 0 }; test_waits(&w);) {
        if (is_idle(s, &done))
            return true;
        if (done != before)
            w = (struct test_wait){ 0 };
        before = done;
    }
    return false;
}

/* A job that died at each of its attempts without progress is given up. On a busy machine every life may be too short for
 * any, so now and then one lasts until pictures were done and the attempts before it are forgiven. */
static void await_progress(struct serving *s)
{
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        if (library_sql_number(&s->library, "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'started') AND attempts > 1") == 0)
            return;
    }
}

static const char *environment[] = { "IMS_FACES=false", NULL };

/* One life: it starts, is asked to index, and is killed; every fifth time before it can be asked. How much is done by
 * then is chance; where everything is, there is more to do, so that the kill comes while it is at work. */
static void live_and_die(struct serving *s, long i, size_t *n, uint64_t *random)
{
    unsigned ms = (unsigned)(test_random(random) % MOST_MS);
    long long done;

    CHECK(serving_spawn(s, environment));
    if (i % A_FEW) {
        if (!serving_await(s))
            return;
        CHECK_INT(post_ingest(s), 200);
        if (i % A_FEW == 1)
            await_progress(s);
        else
            usleep(ms * 1000);
        if (is_idle(s, &done)) {
            write_picture(&s->library, (*n)++);
            CHECK_INT(post_ingest(s), 200);
        }
        ms = (unsigned)(test_random(random) % LAST_MS);
    }
    usleep(ms * 1000);
    serving_stop(s, SIGKILL);
}

/* What may not differ from a run in peace. */
static void check_counters(struct serving *s, long long n)
{
    struct library *l = &s->library;

    CHECK_INT(library_status(l, "assets"), n);
    CHECK_INT(library_status(l, "done"), n);
    CHECK_INT(library_status(l, "queued"), 0);
    CHECK_INT(library_status(l, "failed"), 0);
    CHECK_INT(library_status(l, "vectors"), library_status(l, "contents"));
    CHECK_INT(library_sql_number(l, "SELECT COUNT(*) FROM jobs WHERE state <> 'finished'"), 0);
    /* none twice: one line of evidence for each picture and model, and no vector was ever replaced */
    CHECK_INT(library_sql_number(l, "SELECT COUNT(*) FROM (SELECT 1 FROM evidence GROUP BY asset_id, task, model_id "
                                    "HAVING COUNT(*) > 1) twice"), 0);
    CHECK_INT(library_sql_number(l, "SELECT COUNT(DISTINCT asset_id) FROM evidence"), n);
    CHECK_INT(library_sql_number(l, "SELECT m.vector_seq - COUNT(*) FROM models m JOIN embeddings e ON e.model_id = m.id "
                                    "GROUP BY m.id, m.vector_seq LIMIT 1"), 0);
    CHECK_INT(library_sql_number(l, "SELECT COUNT(*) FROM work WHERE attempts > 1 AND state = 'failed'"), 0);
}

TEST(killed, "D-C3: a server that is killed at random moments of an ingest loses no file, does none twice and counts right")
{
    size_t n_files = (size_t)setting("TEST_FILES", 120), n = 0;
    long n_kills = setting("TEST_KILLS", 10), n_during = 0;
    uint64_t random = (uint64_t)setting("TEST_SEED", 20261123);
    struct serving s;

    if (setting("TEST_FACES", 0))
        environment[0] = NULL;
    if (!serving_open(&s, 1, environment))
        return;
    for (; n < n_files; n++)
        write_picture(&s.library, n);
    serving_stop(&s, SIGKILL);
    for (long i = 0; i < n_kills; i++) {
        live_and_die(&s, i, &n, &random);
        n_during += library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'started')") > 0;
        write_picture(&s.library, n++); /* there is something to do for the next life */
    }
    test_note("%ld of %ld kills at work, %zu files", n_during, n_kills, n);
    CHECK(n_during > n_kills / 3);
    CHECK(serving_start(&s, environment));
    CHECK(all_jobs_end(&s));
    CHECK_INT(post_ingest(&s), 200); /* the last files came after the last walk, perhaps */
    CHECK(all_jobs_end(&s));
    serving_stop(&s, SIGTERM);
    check_counters(&s, (long long)n + 1);
}

TEST_MAIN
