/* Background jobs: order, leases, retries, wishes; on every database.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/thread.h"
#include "store/jobs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static int64_t push(struct library *l, const char *queue, const char *func, const char *key)
{
    struct ims_store_job j = { .queue = queue, .func = func, .key = key };
    int64_t id = 0;

    if (ims_store_push_job(l->store, &j, &id, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return id;
}

/* The function of the next job, "" for none; takes it. */
static const char *take(struct library *l, const char *worker, struct ims_store_job *out)
{
    if (ims_store_take_job(l->store, worker, &l->arena, out, &l->err)) {
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
        return "";
    }
    return out->id ? out->func : "";
}

static bool end(struct library *l, const struct ims_store_job *j, const char *worker, ims_store_outcome outcome,
                const char *text)
{
    ims_status st = ims_store_end_job(l->store, worker, j->id, outcome, text, &l->err);

    if (st)
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return !st;
}

static struct ims_store_job look(struct library *l, int64_t id)
{
    struct ims_store_job j = { 0 };

    if (ims_store_job(l->store, id, &l->arena, &j, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return j;
}

TEST(jobs_order, "jobs come by the priority of their queue, then by age; a job that is not due waits")
{
    struct library l;
    struct ims_store_job j, later = { .queue = "training-high", .func = "later", .delay_us = 3600 * (int64_t)1000000 };
    int64_t id;

    if (!library_open(&l))
        return;
    push(&l, "default", "d", NULL);
    push(&l, "training-low", "l", NULL);
    push(&l, "training-high", "h1", NULL);
    push(&l, "training-high", "h2", NULL);
    CHECK_OK(ims_store_push_job(l.store, &later, &id, &l.err), l.err);
    CHECK_STR(take(&l, "w1", &j), "h1");
    CHECK_INT(j.attempts, 1);
    CHECK_STR(j.args_json, "{}");
    CHECK_STR(take(&l, "w2", &j), "h2");
    CHECK_STR(take(&l, "w1", &j), "l");
    CHECK_STR(take(&l, "w1", &j), "d");
    CHECK_STR(take(&l, "w1", &j), "");
    later.queue = "none";
    CHECK_STATUS(ims_store_push_job(l.store, &later, &id, &l.err), IMS_E_INVALID, l.err);
    library_close(&l);
}

TEST(jobs_keys, "of a key there is one unfinished job at a time")
{
    struct library l;
    struct ims_store_job j, again = { .queue = "default", .func = "f", .key = "session:1" };
    int64_t first, id = 0;

    if (!library_open(&l))
        return;
    first = push(&l, "default", "f", "session:1");
    CHECK_STATUS(ims_store_push_job(l.store, &again, &id, &l.err), IMS_E_EXISTS, l.err);
    CHECK_INT(id, first);
    CHECK_STR(take(&l, "w", &j), "f");
    CHECK_STATUS(ims_store_push_job(l.store, &again, &id, &l.err), IMS_E_EXISTS, l.err);
    CHECK(end(&l, &j, "w", IMS_JOB_FINISHED, "{\"n\":1}"));
    CHECK_OK(ims_store_push_job(l.store, &again, &id, &l.err), l.err);
    CHECK(id > first);
    CHECK_OK(ims_store_job_of(l.store, "session:1", &l.arena, &j, &l.err), l.err);
    CHECK_INT(j.id, id);
    CHECK_STR(look(&l, first).result_json, "{\"n\":1}");
    CHECK_STR(look(&l, first).state, "finished");
    library_close(&l);
}

TEST(jobs_lease, "a job whose worker died goes to another; the dead one's word counts no more")
{
    struct library l;
    struct ims_store_job j, k;
    ims_store_wish wish;

    if (!library_open(&l))
        return;
    push(&l, "default", "f", NULL);
    CHECK_STR(take(&l, "w1", &j), "f");
    CHECK_STR(take(&l, "w2", &k), "");
    CHECK_OK(ims_store_beat_job(l.store, "w1", j.id, "{\"done\":3}", &wish, &l.err), l.err);
    CHECK_INT(wish, IMS_JOB_GO_ON);
    CHECK_STR(look(&l, j.id).progress_json, "{\"done\":3}");
    CHECK(sql_exec(&l, "UPDATE jobs SET lease_until_us = 1"));
    CHECK_STR(take(&l, "w2", &k), "f");
    CHECK_INT(k.attempts, 2);
    CHECK_STATUS(ims_store_beat_job(l.store, "w1", j.id, NULL, &wish, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_STATUS(ims_store_end_job(l.store, "w1", j.id, IMS_JOB_FINISHED, NULL, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK(sql_exec(&l, "UPDATE jobs SET lease_until_us = 1"));
    CHECK_STR(take(&l, "w1", &k), "f");
    CHECK(sql_exec(&l, "UPDATE jobs SET lease_until_us = 1"));
    CHECK_STR(take(&l, "w1", &k), ""); /* the third worker died over it: enough */
    CHECK_STR(look(&l, j.id).state, "failed");
    CHECK(strstr(look(&l, j.id).error, "died"));
    library_close(&l);
}

TEST(jobs_buried, "what a dead worker had is due at once, and only deaths without progress wear a job out")
{
    struct library l;
    struct ims_store_job j;
    int64_t id;

    if (!library_open(&l))
        return;
    id = push(&l, "default", "f", NULL);
    for (int i = 0; i < 6; i++) { /* twice as often as attempts without progress are allowed */
        CHECK_OK(ims_store_beat_worker(l.store, "w1", &l.err), l.err);
        CHECK_STR(take(&l, "w1", &j), "f");
        CHECK_OK(ims_store_job_gets_on(l.store, "w2", id, &l.err), l.err); /* not its job */
        CHECK_INT(look(&l, id).attempts, i ? 2 : 1);
        CHECK_OK(ims_store_job_gets_on(l.store, "w1", id, &l.err), l.err);
        CHECK_INT(look(&l, id).attempts, 1);
        CHECK_OK(ims_store_bury_worker(l.store, "w2", &l.err), l.err);
        CHECK_STR(take(&l, "w3", &j), ""); /* w1 lives */
        CHECK_OK(ims_store_bury_worker(l.store, "w1", &l.err), l.err);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_STR(take(&l, "w1", &j), "f");
        CHECK_OK(ims_store_bury_worker(l.store, "w1", &l.err), l.err);
    }
    CHECK_STR(take(&l, "w1", &j), "");
    CHECK_STR(look(&l, id).state, "failed");
    library_close(&l);
}

TEST(jobs_retry, "a failed attempt comes again later, longer each time, and fails for good at the last")
{
    struct library l;
    struct ims_store_job j;
    int64_t id, gap[3] = { 0 };

    if (!library_open(&l))
        return;
    id = push(&l, "default", "f", NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_STR(take(&l, "w", &j), "f");
        CHECK(end(&l, &j, "w", IMS_JOB_TRY_AGAIN, "no luck"));
        j = look(&l, id);
        CHECK_STR(j.error, "no luck");
        if (i == 2)
            break;
        CHECK_STR(j.state, "queued");
        CHECK_STR(take(&l, "w", &j), ""); /* not due */
        gap[i] = look(&l, id).due_us - look(&l, id).started_us;
        CHECK(sql_exec(&l, "UPDATE jobs SET due_us = 1"));
    }
    CHECK_STR(j.state, "failed");
    CHECK(gap[1] > gap[0] + 4000000);
    library_close(&l);
}

TEST(jobs_given_back, "a job that a shutdown gives back is taken again at once and has lost no attempt")
{
    struct library l;
    struct ims_store_job j;

    if (!library_open(&l))
        return;
    push(&l, "default", "f", NULL);
    for (int i = 0; i < 5; i++) {
        CHECK_STR(take(&l, "w", &j), "f");
        CHECK_INT(j.attempts, 1);
        CHECK(end(&l, &j, "w", IMS_JOB_GIVEN_BACK, NULL));
    }
    library_close(&l);
}

TEST(jobs_wait, "a job that finds another process in its way is taken a little later, any number of times, and loses no attempt")
{
    struct library l;
    struct ims_store_job j;

    if (!library_open(&l))
        return;
    push(&l, "default", "f", NULL);
    for (int i = 0; i < 5; i++) {
        CHECK_STR(take(&l, "w", &j), "f");
        CHECK_INT(j.attempts, 1);
        CHECK(end(&l, &j, "w", IMS_JOB_WAITS, "busy"));
        CHECK_STR(take(&l, "w", &j), "");
        CHECK(sql_exec(&l, "UPDATE jobs SET due_us = 0"));
    }
    CHECK_INT(sql_int(&l, "SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND attempts = 0"), 1);
    library_close(&l);
}

TEST(jobs_wishes, "cancelling ends a waiting job at once and is heard by one at work; pausing likewise")
{
    struct library l;
    struct ims_store_job j;
    ims_store_wish wish;
    bool found;
    int64_t id;

    if (!library_open(&l))
        return;
    id = push(&l, "default", "waits", NULL);
    CHECK_OK(ims_store_ask_job(l.store, id, IMS_JOB_CANCEL, &found, &l.err), l.err);
    CHECK(found);
    CHECK_STR(look(&l, id).state, "canceled");
    CHECK_OK(ims_store_ask_job(l.store, id, IMS_JOB_CANCEL, &found, &l.err), l.err);
    CHECK(!found);
    push(&l, "default", "works", "k");
    CHECK_STR(take(&l, "w", &j), "works");
    CHECK_OK(ims_store_ask_job_of(l.store, "k", IMS_JOB_PAUSE, &found, &l.err), l.err);
    CHECK(found);
    CHECK_OK(ims_store_beat_job(l.store, "w", j.id, NULL, &wish, &l.err), l.err);
    CHECK_INT(wish, IMS_JOB_PAUSE);
    CHECK_OK(ims_store_ask_job(l.store, j.id, IMS_JOB_CANCEL, &found, &l.err), l.err);
    CHECK_OK(ims_store_beat_job(l.store, "w", j.id, NULL, &wish, &l.err), l.err);
    CHECK_INT(wish, IMS_JOB_CANCEL);
    CHECK(end(&l, &j, "w", IMS_JOB_CANCELED, NULL));
    CHECK_STR(look(&l, j.id).state, "canceled");
    CHECK_OK(ims_store_ask_job_of(l.store, "k", IMS_JOB_PAUSE, &found, &l.err), l.err);
    CHECK(!found);
    library_close(&l);
}

TEST(jobs_counts, "counts, lists and workers tell what is there")
{
    struct library l;
    struct ims_store_job j, *list;
    struct ims_store_job_counts c[IMS_N_QUEUES];
    struct ims_store_worker *w;
    size_t n;

    if (!library_open(&l))
        return;
    CHECK_OK(ims_store_beat_worker(l.store, "w1", &l.err), l.err);
    for (int i = 0; i < 5; i++)
        push(&l, "training-normal", "f", NULL);
    CHECK_STR(take(&l, "w1", &j), "f");
    CHECK_OK(ims_store_workers(l.store, &l.arena, &w, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_INT(w[0].job_id, j.id);
    CHECK_STR(w[0].job_func, "f");
    CHECK(end(&l, &j, "w1", IMS_JOB_FINISHED, NULL));
    CHECK_STR(take(&l, "w1", &j), "f");
    CHECK(end(&l, &j, "w1", IMS_JOB_FAILED, "bad"));
    CHECK_STR(take(&l, "w1", &j), "f");
    CHECK_OK(ims_store_count_jobs(l.store, c, &l.err), l.err);
    CHECK_STR(c[1].queue, "training-normal");
    CHECK(c[1].queued == 2 && c[1].started == 1 && c[1].finished == 1 && c[1].failed == 1 && c[0].queued == 0);
    CHECK_OK(ims_store_list_jobs(l.store, "training-normal", "queued", 1, 10, &l.arena, &list, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_OK(ims_store_workers(l.store, &l.arena, &w, &n, &l.err), l.err);
    CHECK(w[0].n_succeeded == 1 && w[0].n_failed == 1 && w[0].job_id == j.id);
    CHECK_OK(ims_store_purge_jobs(l.store, INT64_MAX, &l.err), l.err);
    CHECK_OK(ims_store_count_jobs(l.store, c, &l.err), l.err);
    CHECK(c[1].queued == 2 && c[1].finished == 0);
    CHECK_OK(ims_store_leave_worker(l.store, "w1", &l.err), l.err);
    CHECK_OK(ims_store_workers(l.store, &l.arena, &w, &n, &l.err), l.err);
    CHECK_INT(n, 0);
    library_close(&l);
}

/* ---- many workers ---- */

#define N_JOBS 60

static atomic_int n_taken[N_JOBS + 1];

static void work(void *arg)
{
    struct ims_store *s = NULL;
    struct ims_arena arena;
    struct ims_store_job j;
    char name[32];
    ims_err err;

    ims__arena_init(&arena, 0);
    snprintf(name, sizeof(name), "w%p", (void *)&s);
    if (ims_store_open(&s, arg, NULL, &err))
        return;
    while (ims_store_take_job(s, name, &arena, &j, &err) == IMS_OK && j.id) {
        int number = 0;

        if (sscanf(j.args_json, "{\"n\":%d}", &number) == 1 && number >= 0 && number < N_JOBS)
            atomic_fetch_add(&n_taken[number], 1);
        if (ims_store_end_job(s, name, j.id, IMS_JOB_FINISHED, NULL, &err))
            break;
    }
    ims__arena_release(&arena);
    ims_store_close(s);
}

TEST(jobs_once, "four workers at a time take each job once")
{
    struct library l;
    struct ims_thread threads[4] = { 0 };

    if (!library_open(&l))
        return;
    for (int i = 0; i < N_JOBS; i++) {
        char args[32];
        struct ims_store_job j = { .queue = "default", .func = "f", .args_json = args };
        int64_t id;

        snprintf(args, sizeof(args), "{\"n\":%d}", i);
        CHECK_OK(ims_store_push_job(l.store, &j, &id, &l.err), l.err);
    }
    for (int i = 0; i < 4; i++)
        CHECK_OK(ims__thread_start(&threads[i], "worker", work, (void *)(uintptr_t)l.url, &l.err), l.err);
    for (int i = 0; i < 4; i++)
        ims__thread_join(&threads[i]);
    for (int i = 0; i < N_JOBS; i++) {
        if (atomic_load(&n_taken[i]) != 1)
            test_fail(__FILE__, __LINE__, "job %d was taken %d times", i, atomic_load(&n_taken[i]));
        atomic_store(&n_taken[i], 0);
    }
    library_close(&l);
}
