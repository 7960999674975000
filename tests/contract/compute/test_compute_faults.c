/* What happens above a device that fails: at opening, at sessions, at runs, and in the batcher.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/mem.h"
#include "base/thread.h"
#include "compute/batcher.h"

#include <string.h>

#define WIDTH 2 /* of declares_one: y = 2 x */

static struct ims_compute *open_faulty(struct fault_plan *plan)
{
    struct ims_compute_options options = {
        .device = { .flag = "cpu" }, .n_threads = 1, .backend = &fault_backend, .backend_arg = plan
    };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    return test_check_ok(__FILE__, __LINE__, "open", ims_compute_open(&c, &options, &err), &err)
               ? c
               : NULL;
}

static struct ims_compute_session *open_double(struct ims_compute *c)
{
    struct ims_compute_graph graph = { .path = fixture_graph("declares_one") };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };

    return test_check_ok(__FILE__, __LINE__, "session",
                         ims_compute_session_open(c, &s, &graph, NULL, &err), &err)
               ? s
               : NULL;
}

TEST(no_runtime, "a runtime that does not open is closed once, and its error comes back each time")
{
    struct fault_plan plan = { .open_status = IMS_E_RUNTIME };
    struct ims_compute *c = open_faulty(&plan);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };

    CHECK(c);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_RUNTIME, err);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_RUNTIME, err);
    CHECK_STR(err.text, "the plan says: no runtime");
    CHECK_INT(plan.n_opens, 1);
    CHECK_INT(plan.n_closes, 1);
    ims_compute_close(c);
    CHECK_INT(plan.n_closes, 1);
}

TEST(no_session,
     "a device whose session does not open fails its proof, and the half session is closed")
{
    struct fault_plan plan = { .session_status = IMS_E_DEVICE };
    struct ims_compute *c = open_faulty(&plan);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };

    CHECK(c);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_DEVICE, err);
    CHECK(strstr(err.text, "the plan says: no session") != NULL);
    CHECK_INT(plan.n_sessions, plan.n_session_closes);
    ims_compute_close(c);
    CHECK_INT(plan.n_opens, plan.n_closes);
}

TEST(failing_proof, "a device that fails the test run is not chosen")
{
    struct fault_plan plan = { .run_fails_at = 1, .run_status = IMS_E_DEVICE };
    struct ims_compute *c = open_faulty(&plan);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };

    CHECK(c);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_DEVICE, err);
    CHECK(strstr(err.text, "run 1 fails") != NULL);
    ims_compute_close(c);
}

TEST(wrong_numbers, "a device that gives wrong numbers is not chosen")
{
    struct fault_plan plan = { .run_fails_at = 1 };
    struct ims_compute *c = open_faulty(&plan);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };

    CHECK(c);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_DEVICE, err);
    CHECK(strstr(err.text, "wrong numbers") != NULL);
    ims_compute_close(c);
}

TEST(failing_run, "a run that fails leaves the outputs alone, and the next one works")
{
    struct fault_plan plan = { .run_fails_at = 2, .n_failing_runs = 1, .run_status = IMS_E_DEVICE };
    struct ims_compute *c = open_faulty(&plan); /* run 1 is the proof */
    struct ims_compute_session *s = c ? open_double(c) : NULL;
    float x[WIDTH] = { 1, 2 };
    struct ims_compute_value in = fixture_f32("x", 2, (int64_t[]){ 1, WIDTH }, x),
                             out = { .name = "y" };
    ims_err err = { .text = "" };

    CHECK(s);
    CHECK_STATUS(ims_compute_session_run(s, &in, 1, &out, 1, &err), IMS_E_DEVICE, err);
    CHECK(out.tensor.data == NULL);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK(ims_tensor_is_finite(&out.tensor));
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
    ims_compute_close(c);
    CHECK_INT(plan.n_sessions, plan.n_session_closes);
}

/* ---- the batcher over a session ---- */

struct model {
    struct ims_compute_session *s;
    size_t largest;
};

static ims_status run_batch(void *arg, unsigned worker, const void *items, size_t n, void *results,
                            ims_err *err)
{
    struct model *m = arg;
    int64_t shape[] = { (int64_t)n, WIDTH };
    struct ims_compute_value in = fixture_f32("x", 2, shape, items);
    struct ims_compute_value out = fixture_f32("y", 2, shape, results);
    ims_status st;

    (void)worker;
    if (n > m->largest)
        m->largest = n;
    st = ims_compute_session_run(m->s, &in, 1, &out, 1, err);
    if (!st && !ims_tensor_is_finite(&out.tensor))
        st = ims_fail(err, IMS_E_DEVICE, "test", 0, "the device gave numbers that are none");
    return st;
}

struct caller {
    struct ims_batcher *b;
    struct ims_thread thread;
    unsigned number;
    unsigned n_right, n_failed;
    ims_err err;
};

static void call(void *arg)
{
    struct caller *c = arg;

    for (unsigned i = 0; i < 25; i++) {
        float x[WIDTH] = { (float)(c->number * 100 + i), -1 }, y[WIDTH] = { 0 };
        ims_status st = ims_batcher_do(c->b, x, y, &c->err);

        if (st)
            c->n_failed++;
        else if (y[0] == 2 * x[0] && y[1] == -2)
            c->n_right++;
    }
}

/* 8 threads, 25 items each, through a batcher of 16. */
static void run_callers(struct fault_plan *plan, struct caller callers[8],
                        struct ims_batcher_stats *stats, size_t *largest)
{
    struct ims_compute *c = open_faulty(plan);
    struct model m = { .s = c ? open_double(c) : NULL };
    struct ims_batcher_options options = { .name = "test",
                                           .max_batch = 16,
                                           .max_wait_ms = 1,
                                           .item_bytes = WIDTH * sizeof(float),
                                           .result_bytes = WIDTH * sizeof(float),
                                           .run = run_batch,
                                           .arg = &m };
    struct ims_batcher *b = NULL;
    ims_err err = { .text = "" };

    CHECK(m.s);
    CHECK_OK(ims_batcher_new(&b, &options, &err), err);
    for (unsigned i = 0; i < 8; i++) {
        callers[i] = (struct caller){ .b = b, .number = i };
        CHECK_OK(ims__thread_start(&callers[i].thread, "caller", call, &callers[i], &err), err);
    }
    for (unsigned i = 0; i < 8; i++)
        ims__thread_join(&callers[i].thread);
    ims_batcher_stats(b, stats);
    *largest = m.largest;
    ims_batcher_free(b);
    ims_compute_session_close(m.s);
    ims_compute_close(c);
}

TEST(batcher_memory, "a batch that runs out of memory is halved until it fits, and no item is lost")
{
    struct fault_plan plan = { .memory_for = 3 }; /* as large as the proof's batch, no larger */
    struct caller callers[8];
    struct ims_batcher_stats stats = { .n_items = 0 };
    size_t largest = 0;

    run_callers(&plan, callers, &stats, &largest);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_INT(callers[i].n_right, 25);
        CHECK_INT(callers[i].n_failed, 0);
    }
    test_note("largest batch tried %zu, now %zu, %llu halvings", largest, stats.max_batch_now,
              (unsigned long long)stats.n_halvings);
    CHECK_INT(stats.n_items, 200);
    CHECK_INT(stats.n_failed_items, 0);
    CHECK(largest <= 3 || stats.n_halvings > 0);
    CHECK(largest <= 3 || stats.max_batch_now <= 3);
}

TEST(batcher_error, "a device error reaches every caller of the batch, with its text")
{
    struct fault_plan plan = { .run_fails_at = 2,
                               .run_status = IMS_E_DEVICE }; /* after the proof, always */
    struct caller callers[8];
    struct ims_batcher_stats stats = { .n_items = 0 };
    size_t largest = 0;

    run_callers(&plan, callers, &stats, &largest);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_INT(callers[i].n_failed, 25);
        CHECK_INT(callers[i].err.status, IMS_E_DEVICE);
        CHECK(strstr(callers[i].err.text, "the plan says: run") != NULL);
    }
    CHECK_INT(stats.n_failed_items, 200);
    CHECK_INT(stats.max_batch_now, 16);
}

TEST(batcher_nan, "numbers that are none are an error for the batch that has them, and only that")
{
    struct fault_plan plan = { .run_fails_at = 3, .n_failing_runs = 1 };
    struct caller callers[8];
    struct ims_batcher_stats stats = { .n_items = 0 };
    size_t largest = 0;
    unsigned n_failed = 0, n_right = 0;

    run_callers(&plan, callers, &stats, &largest);
    for (unsigned i = 0; i < 8; i++) {
        n_failed += callers[i].n_failed;
        n_right += callers[i].n_right;
    }
    CHECK(n_failed >= 1 && n_failed <= 8);
    CHECK_INT(n_failed + n_right, 200);
    CHECK_INT(stats.n_failed_items, n_failed);
}

TEST_MAIN
