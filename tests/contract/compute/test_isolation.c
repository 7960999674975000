/* Devices in child processes, and the pool above them, when everything that can go wrong does.
 *
 * The child is this program again, with the fault backend around ONNX Runtime; the plan of what
 * fails lies in a file that both map. $IMS_TEST_DEVICE: cpu (in a child, too) or webgpu.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "compute/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 2 /* of declares_one: y = 2 x */
#define N_ROWS 64
#define BATCH 16
#define DEADLINE_MS 4000 /* where one is to pass: longer than a busy machine lets a small batch wait */
#define NO_DEADLINE_MS 600000
#define LABEL "double"

static const struct ims_health_rules rules = {
    .max_faults = 3,
    .n_probation = 2,
    .n_forget = 64,
    .first_bench_ms = 50,
    .longest_bench_ms = 400,
};

/* A plan that only this test's children see. */
static struct fault_plan *new_plan(void)
{
    static unsigned number;
    static char path[1024]; /* of the last one; the environment has a copy */
    struct fault_plan *plan;

    snprintf(path, sizeof(path), "%s/plan%u", test_tmp_dir(), number++);
    plan = fault_plan_share(path);
    if (plan)
        snprintf(plan->label, sizeof(plan->label), LABEL);
    else
        test_fail(__FILE__, __LINE__, "no plan in %s", path);
    return plan;
}

static struct ims_compute *open_compute(const char *device, ims_isolation isolation)
{
    struct ims_compute_options options = { .device = { .flag = device },
                                           .n_threads = 2,
                                           .isolation = isolation };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    test_check_ok(__FILE__, __LINE__, "open", ims_compute_open(&c, &options, &err), &err);
    return c;
}

static struct ims_pool *open_pool_until(struct ims_compute *c, unsigned check_every, unsigned deadline_ms)
{
    struct ims_compute_graph graph = { .path = fixture_graph("declares_one") };
    struct ims_pool_options options = { .label = LABEL,
                                        .max_rows = BATCH,
                                        .deadline_ms = deadline_ms,
                                        .check_every = check_every,
                                        .rules = &rules };
    struct ims_pool *p = NULL;
    ims_err err = { .text = "" };

    test_check_ok(__FILE__, __LINE__, "pool", ims_pool_open(&p, c, &graph, &options, &err), &err);
    return p;
}

static struct ims_pool *open_pool(struct ims_compute *c, unsigned check_every)
{
    return open_pool_until(c, check_every, NO_DEADLINE_MS);
}

struct batch {
    float x[N_ROWS * WIDTH], y[N_ROWS * WIDTH];
    struct ims_pool_place places[N_ROWS];
    ims_status status;
    ims_err err;
    double ms;
};

static void run_rows(struct ims_pool *p, struct batch *b, size_t n)
{
    int64_t shape[] = { (int64_t)n, WIDTH };
    struct ims_compute_value in, out;
    uint64_t start = ims__mono_ns();

    for (size_t i = 0; i < n * WIDTH; i++) {
        b->x[i] = (float)i + 1;
        b->y[i] = -1;
    }
    memset(b->places, 0xff, sizeof(b->places));
    memset(&b->err, 0, sizeof(b->err));
    in = fixture_f32("x", 2, shape, b->x);
    out = fixture_f32("y", 2, shape, b->y);
    b->status = ims_pool_run(p, &in, 1, &out, 1, b->places, &b->err);
    b->ms = (double)(ims__mono_ns() - start) / 1e6;
}

/* Every row is there, once, in its place, and the slots that are said to have computed it exist. */
static void check_rows(const struct batch *b, size_t n, size_t n_slots)
{
    CHECK_OK(b->status, b->err);
    for (size_t i = 0; i < n * WIDTH; i++)
        CHECK_NEAR(b->y[i], 2 * b->x[i], 1e-4);
    for (size_t i = 0; i < n; i++)
        CHECK(b->places[i].slot < n_slots);
}

static void show_log(struct ims_compute *c, struct ims_pool *p)
{
    char text[8192], *line, *rest;

    (void)ims_pool_log(p, text, sizeof(text));
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        test_note("pool: %s", line);
    if (!test_has_failed())
        return;
    (void)ims_compute_runtime_log(c, text, sizeof(text));
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        test_note("log: %s", line);
}

/* One fault in the n-th batch: it is noticed, the process is another one afterwards, every row is
 * right and nothing runs on another device. */
static void survive(enum fault_kind kind, ims_status status, unsigned check_every)
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    unsigned deadline_ms = kind == FAULT_HANG ? DEADLINE_MS : NO_DEADLINE_MS;
    struct ims_pool *p = c ? open_pool_until(c, check_every, deadline_ms) : NULL;
    struct ims_pool_info info;
    struct batch b;
    int first_pid;

    if (!p || !plan) {
        ims_compute_close(c);
        return;
    }
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    first_pid = plan->pid;
    plan->run_kind = kind;
    plan->run_status = status;
    plan->n_failing_runs = 1;
    plan->run_fails_at = plan->n_runs + 2;
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    test_note("recovered %.0f ms after the fault was noticed; the run took %.0f ms",
              info.slots[0].last_recovery_ms, b.ms);
    show_log(c, p);
    CHECK_SOFT(info.slots[0].n_faults == 1);
    CHECK_SOFT(info.slots[0].n_restarts == 1);
    CHECK_SOFT(info.slots[0].health.state == IMS_HEALTH_READY);
    CHECK_SOFT(plan->pid != first_pid && first_pid != (int)getpid());
    CHECK_SOFT(kind == FAULT_HANG ? b.ms >= DEADLINE_MS : b.ms < NO_DEADLINE_MS); /* else its end is what is noticed */
    for (size_t i = 0; i < N_ROWS; i++)
        CHECK_SOFT(b.places[i].slot == 0);
    ims_pool_close(p);
    ims_compute_close(c);
}

TEST(abort, "a child that aborts costs a batch, which is computed again")
{
    survive(FAULT_ABORT, IMS_OK, IMS_POOL_NO_CHECKS);
}

TEST(killed, "a child that is killed costs a batch, which is computed again")
{
    survive(FAULT_KILL, IMS_OK, IMS_POOL_NO_CHECKS);
}

TEST(hang, "a child that hangs is ended at the deadline")
{
    survive(FAULT_HANG, IMS_OK, IMS_POOL_NO_CHECKS);
}

TEST(proof_hangs, "a device that hangs in the test graph is given up at the deadline, and not chosen")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute_options options = { .device = { .flag = fixture_device() },
                                           .n_threads = 2,
                                           .isolation = IMS_ISOLATE_ALWAYS,
                                           .deadline_ms = DEADLINE_MS };
    struct ims_compute *c = NULL;
    struct ims_device_choice choice;
    ims_err err = { .text = "" };

    CHECK(plan);
    snprintf(plan->label, sizeof(plan->label), "test graph");
    plan->run_kind = FAULT_HANG;
    plan->run_fails_at = 1;
    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_DEVICE, err);
    CHECK(strstr(err.text, "did not answer in time") != NULL);
    ims_compute_close(c);
}

TEST(error, "a device that gives an error is started anew")
{
    survive(FAULT_STATUS, IMS_E_DEVICE, IMS_POOL_NO_CHECKS);
}

TEST(nan, "numbers that are none never reach the caller")
{
    survive(FAULT_STATUS, IMS_OK, IMS_POOL_NO_CHECKS);
}

TEST(constant, "one result for different inputs never reaches the caller")
{
    survive(FAULT_CONSTANT, IMS_OK, IMS_POOL_NO_CHECKS);
}

/* With check_every 1 each batch is followed by a check, so every second run is one: the plan's
 * fault hits a check or, for two runs, a batch and its check. */
TEST(wrong, "numbers that are only wrong are found by the remembered row")
{
    survive(FAULT_WRONG, IMS_OK, 1);
}

TEST(wrong_batch, "a device that turns wrong gives nothing out from then on")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_pool *p = c ? open_pool(c, 1) : NULL;
    struct ims_pool_info info;
    struct batch b;

    CHECK(p && plan);
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    plan->run_kind = FAULT_WRONG;
    plan->n_failing_runs = 2; /* the batch and its check */
    plan->run_fails_at = plan->n_runs + 3;
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    show_log(c, p);
    CHECK_INT(info.slots[0].n_faults, 1);
    CHECK(strstr(info.slots[0].reason, "wrong numbers") != NULL);
    ims_pool_close(p);
    ims_compute_close(c);
}

TEST(memory,
     "a batch that is out of memory is halved in its child, and the size that worked is kept")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    struct ims_pool_info info;
    struct batch b;

    CHECK(p && plan);
    plan->memory_for = 5;
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    CHECK_INT(info.slots[0].batch.limit, 4);
    CHECK_INT(info.slots[0].n_halvings, 2);
    CHECK_INT(info.slots[0].n_faults, 0);
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    CHECK_INT(info.slots[0].n_halvings, 2);
    ims_pool_close(p);
    ims_compute_close(c);
}

TEST(shrink, "before a batch is halved, the runtime gives back what it keeps, and the batch is tried again")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    struct ims_pool_info info;
    struct batch b;

    CHECK(p && plan);
    plan->memory_for = 1;
    plan->shrunk_memory_for = BATCH; /* enough */
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    CHECK_INT(info.slots[0].n_shrinks, 1);
    CHECK_INT(plan->n_shrinks, 1);
    CHECK_INT(info.slots[0].n_halvings, 0);
    CHECK_INT(info.slots[0].batch.limit, BATCH);
    plan->memory_for = 1;
    plan->shrunk_memory_for = BATCH / 2; /* not enough for all of it */
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_describe(p, &info);
    CHECK_INT(info.slots[0].n_shrinks, 2);
    CHECK_INT(info.slots[0].n_halvings, 1);
    CHECK_INT(info.slots[0].batch.limit, BATCH / 2);
    CHECK_INT(info.slots[0].n_faults, 0);
    ims_pool_close(p);
    ims_compute_close(c);
}

/* ---- NVIDIA's driver ---- */

#ifdef __linux__
static bool maps_name(const char *name)
{
    char line[1024];
    bool is_found = false;
    FILE *f = fopen("/proc/self/maps", "re");

    while (f && fgets(line, sizeof(line), f))
        is_found = is_found || strstr(line, name) != NULL;
    if (f)
        fclose(f);
    return is_found;
}

/* A folder where the linker of children finds fake as name. */
static void put_library(const char *dir, const char *name, const char *fake)
{
    char path[1100], target[1100];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(target, sizeof(target), "%s", test_build_path(fake));
    (void)unlink(path);
    if (target[0] != '/' || symlink(target, path) != 0)
        test_fail(__FILE__, __LINE__, "%s cannot be put into %s", fake, dir);
    setenv("LD_LIBRARY_PATH", dir, 1);
}

TEST(driver, "NVIDIA's driver is found, started and asked in a child, and never loaded here")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu", IMS_ISOLATE_AUTO);
    struct ims_cuda_facts facts;
    ims_err err;

    CHECK(c && plan);
    put_library(test_tmp_dir(), "libcuda.so.1", "fakes/fake_cuda_2.so");
    CHECK(ims_device_has_cuda_driver());
    CHECK_OK(ims_compute_cuda(c, &facts, &err), err);
    unsetenv("LD_LIBRARY_PATH");
    CHECK_STR(facts.problem, "");
    CHECK_INT(facts.n_devices, 2);
    CHECK_STR(facts.devices[1].name, "Test Accelerator 1");
    CHECK(!maps_name("fake_cuda"));
    CHECK(!maps_name("libcuda"));
    ims_compute_close(c);
}

TEST(watched, "what NVIDIA's cards are doing is asked in a process of its own, however often")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu", IMS_ISOLATE_AUTO);
    const char *dir = test_tmp_dir();
    struct ims_cuda_facts facts;
    ims_err err;

    CHECK(c && plan);
    put_library(dir, "libcuda.so.1", "fakes/fake_cuda_2.so");
    put_library(dir, "libnvidia-ml.so.1", "fakes/fake_nvml.so");
    for (int i = 0; i < 3; i++) {
        memset(&facts, 0xff, sizeof(facts));
        CHECK_OK(ims_compute_watch_cuda(c, &facts, &err), err);
        CHECK_STR(facts.problem, "");
        CHECK_INT(facts.n_devices, 2);
        CHECK(facts.devices[0].has_utilisation);
        CHECK_INT(facts.devices[0].utilisation_percent, 70);
        CHECK_INT(facts.devices[1].temperature_c, 31);
    }
    unsetenv("LD_LIBRARY_PATH");
    CHECK(!maps_name("fake_cuda") && !maps_name("libcuda"));
    CHECK(!maps_name("fake_nvml") && !maps_name("libnvidia-ml"));
    ims_compute_close(c);
}

TEST(watch_fails, "a driver that ends the process that watches it is told, and left in peace for a while")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu", IMS_ISOLATE_AUTO);
    const char *dir = test_tmp_dir();
    struct ims_cuda_facts facts;
    ims_err err;

    CHECK(c && plan);
    put_library(dir, "libcuda.so.1", "fakes/fake_cuda_aborting.so");
    CHECK_OK(ims_compute_watch_cuda(c, &facts, &err), err);
    CHECK(strstr(facts.problem, "signal 6") != NULL);
    CHECK(facts.has_driver);
    CHECK_INT(facts.n_devices, 0);
    put_library(dir, "libcuda.so.1", "fakes/fake_cuda_2.so"); /* which nobody asks now */
    CHECK_OK(ims_compute_watch_cuda(c, &facts, &err), err);
    CHECK(strstr(facts.problem, "signal 6") != NULL);
    CHECK_INT(facts.n_devices, 0);
    unsetenv("LD_LIBRARY_PATH");
    ims_compute_close(c);
}

TEST(adapters, "Vulkan's drivers are found, started and asked in a child, and never loaded here")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu", IMS_ISOLATE_AUTO);
    struct ims_vulkan_facts facts;
    ims_err err;

    CHECK(c && plan);
    put_library(test_tmp_dir(), "libvulkan.so.1", "fakes/fake_vulkan_2.so");
    CHECK(ims_device_has_vulkan_loader());
    CHECK_OK(ims_compute_vulkan(c, &facts, &err), err);
    unsetenv("LD_LIBRARY_PATH");
    CHECK_STR(facts.problem, "");
    CHECK_INT(facts.n_adapters, 2);
    CHECK_STR(facts.adapters[1].name, "Test Adapter 1 ??");
    CHECK(!maps_name("fake_vulkan"));
    ims_compute_close(c);
}
#endif

TEST(memory_limit, "a limit of GPU memory is told to the runtime in the child")
{
    struct fault_plan *plan = new_plan();
    const uint64_t limit = (uint64_t)5 << 32;
    struct ims_compute_options options = { .device = { .flag = "cpu" },
                                           .isolation = IMS_ISOLATE_ALWAYS,
                                           .gpu_mem_limit_bytes = limit };
    struct ims_device_proof proof;
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    CHECK(plan);
    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_OK(ims_compute_prove(c, (struct ims_device_id){ IMS_DEVICE_CPU, 0 }, &proof, &err), err);
    CHECK_INT(plan->n_opens, 1);
    CHECK(plan->gpu_mem_limit_bytes == limit);
    ims_compute_close(c);
}

/* ---- several devices ---- */

/* The device under test and one more: a second share of the CPU, or the CPU in reserve. */
static const char *two_devices(void)
{
    return strcmp(fixture_device(), "cpu") == 0 ? "cpu,cpu" : fixture_device();
}

static ims_isolation two_isolation(void)
{
    return strcmp(fixture_device(), "cpu") == 0 ? IMS_ISOLATE_ALWAYS : IMS_ISOLATE_AUTO;
}

TEST(demotion, "a device that goes on failing is benched, the next one works, and it climbs back")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(two_devices(), two_isolation());
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    struct ims_pool_info info;
    struct batch b;
    struct test_wait w = { 0 }, w2 = { 0 };

    CHECK(p && plan);
    plan->has_device = true;
    CHECK_INT((ims_pool_describe(p, &info), info.n_slots), 2);
    plan->device = info.slots[0].device;
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    plan->run_kind = FAULT_ABORT;
    plan->run_fails_at = plan->n_runs + 1; /* from now on, always */
    do {
        run_rows(p, &b, N_ROWS);
        check_rows(&b, N_ROWS, 2);
        ims_pool_describe(p, &info);
    } while (info.slots[0].health.state != IMS_HEALTH_BENCHED && test_waits(&w));
    CHECK_INT(info.slots[0].health.state, IMS_HEALTH_BENCHED);
    CHECK(strstr(info.slots[0].reason, "signal 6") != NULL);
    CHECK(b.places[N_ROWS - 1].slot == 1);
    plan->run_fails_at = 0; /* the device is well again */
    while (info.slots[0].health.state != IMS_HEALTH_READY && test_waits(&w2)) {
        run_rows(p, &b, N_ROWS);
        check_rows(&b, N_ROWS, 2);
        ims_pool_describe(p, &info);
    }
    CHECK_INT(info.slots[0].health.state, IMS_HEALTH_READY);
    run_rows(p, &b, BATCH / 2);
    check_rows(&b, BATCH / 2, 2);
    show_log(c, p);
    ims_pool_close(p);
    ims_compute_close(c);
}

/* As a device at work does: the other threads get to theirs. */
static void take_time(struct ims_device_id device, size_t n)
{
    (void)device;
    (void)n;
    nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
}

TEST(both, "two devices share a run, and the rows arrive in order")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu,cpu", IMS_ISOLATE_NEVER);
    struct ims_pool *p = c ? open_pool(c, 0) : NULL;
    struct ims_pool_info info;
    struct batch b;

    CHECK(p && plan);
    plan->on_run = take_time;
    CHECK_INT(ims_pool_n_devices(p), 2);
    for (unsigned i = 0; i < 50; i++) {
        run_rows(p, &b, N_ROWS);
        check_rows(&b, N_ROWS, 2);
    }
    ims_pool_describe(p, &info);
    CHECK_STR(info.slots[0].name, "cpu");
    CHECK_STR(info.slots[1].name, "cpu:1");
    CHECK_INT(info.slots[0].n_rows + info.slots[1].n_rows, 50 * N_ROWS);
    CHECK(info.slots[0].n_rows > 0 && info.slots[1].n_rows > 0);
    ims_pool_close(p);
    ims_compute_close(c);
}

TEST(only_one, "a device that is benched and the only one is still tried")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute("cpu", IMS_ISOLATE_ALWAYS);
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    struct batch b;

    CHECK(p && plan);
    plan->run_kind = FAULT_KILL;
    plan->n_failing_runs = 1;
    for (unsigned i = 0; i < 8; i++) {
        plan->run_fails_at = plan->n_runs + 1;
        run_rows(p, &b, BATCH);
        check_rows(&b, BATCH, 1);
    }
    plan->run_fails_at = plan->n_runs + 1;
    plan->n_failing_runs = 0; /* always */
    run_rows(p, &b, BATCH);
    CHECK_INT(b.status, IMS_E_DEVICE);
    CHECK(strstr(b.err.text, "signal 9") != NULL);
    ims_pool_close(p);
    ims_compute_close(c);
}

struct caller {
    struct ims_pool *p;
    struct ims_thread thread;
    struct batch b;
    unsigned n_wrong;
};

static void call(void *arg)
{
    struct caller *me = arg;

    for (unsigned i = 0; i < 10; i++) {
        run_rows(me->p, &me->b, 1 + (size_t)(i * 7) % N_ROWS);
        for (size_t k = 0; k < (1 + (size_t)(i * 7) % N_ROWS) * WIDTH; k++)
            me->n_wrong += me->b.status || me->b.y[k] != 2 * me->b.x[k];
    }
}

TEST(callers, "many threads on a device that dies again and again each get their own rows")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(two_devices(), two_isolation());
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    static struct caller callers[4];
    ims_err err;

    CHECK(p && plan);
    plan->run_kind = FAULT_KILL;
    plan->n_failing_runs = 2;
    plan->run_fails_at = 8;
    for (size_t i = 0; i < 4; i++) {
        callers[i] = (struct caller){ .p = p };
        CHECK_OK(ims__thread_start(&callers[i].thread, "caller", call, &callers[i], &err), err);
    }
    for (size_t i = 0; i < 4; i++)
        ims__thread_join(&callers[i].thread);
    show_log(c, p);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(callers[i].n_wrong, 0);
    CHECK(plan->n_runs > 8);
    ims_pool_close(p);
    ims_compute_close(c);
}

TEST(guilty,
     "rows that make every device give no numbers are the model's error, and nobody's fault")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_pool *p = c ? open_pool(c, IMS_POOL_NO_CHECKS) : NULL;
    struct ims_pool_info info;
    struct batch b;

    CHECK(p && plan);
    plan->run_fails_at = 1; /* NaN, always */
    run_rows(p, &b, 4);
    CHECK_INT(b.status, IMS_E_MODEL);
    ims_pool_describe(p, &info);
    CHECK_INT(info.slots[0].health.n_faults, 0);
    CHECK_INT(info.slots[0].health.state, IMS_HEALTH_READY);
    plan->run_fails_at = 0;
    run_rows(p, &b, N_ROWS);
    check_rows(&b, N_ROWS, 2);
    ims_pool_close(p);
    ims_compute_close(c);
}

/* ---- the child itself ---- */

TEST(shapes, "results whose size nobody knows before come out of a child whole")
{
    struct ims_compute *c;
    struct ims_compute_graph graph = { .path = fixture_graph("nonzero") };
    struct ims_compute_session *s = NULL;
    struct ims_compute_value in, out = { .name = NULL };
    const int64_t n = 400000; /* the result is 3 MB, more than the first region */
    float *x = ims__zalloc((size_t)n, sizeof(*x));
    ims_err err = { .text = "" };

    CHECK(new_plan() && x);
    c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    CHECK(c);
    for (int64_t i = 0; i < n; i++)
        x[i] = 1;
    CHECK_OK(ims_compute_session_open(c, &s, &graph, NULL, &err), err);
    CHECK_STR(ims_compute_session_output(s, 0)->symbol[1], "found");
    in = fixture_f32("x", 1, (int64_t[]){ n }, x);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[1], n);
    CHECK_INT(((int64_t *)out.tensor.data)[n - 1], n - 1);
    ims_tensor_release(&out.tensor);
    x[0] = 0;
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[1], n - 1);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
    ims_compute_close(c);
    ims__free(x);
}

TEST(refusals, "what a child's runtime refuses comes back as the error it would be here")
{
    static const char garbage[] = "this is no graph";
    struct ims_compute *c;
    struct ims_compute_graph graph = { .bytes = garbage, .n_bytes = sizeof(garbage) };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };

    CHECK(new_plan());
    c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    CHECK(c);
    for (unsigned i = 0; i < 70; i++) /* and a refused session leaves nothing behind */
        CHECK_STATUS(ims_compute_session_open(c, &s, &graph, NULL, &err), IMS_E_MODEL, err);
    graph = (struct ims_compute_graph){ .path = "/nowhere/x.onnx" };
    CHECK_STATUS(ims_compute_session_open(c, &s, &graph, NULL, &err), IMS_E_NOT_FOUND, err);
    ims_compute_close(c);
}

TEST(idle, "a child that died while nothing was asked of it is replaced without anybody noticing")
{
    struct fault_plan *plan = new_plan();
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_compute_graph graph = { .path = fixture_graph("declares_one") };
    struct ims_compute_session *first = NULL, *second = NULL;
    ims_err err = { .text = "" };

    CHECK(plan && c);
    CHECK_OK(ims_compute_session_open(c, &first, &graph, NULL, &err), err);
    CHECK(kill(plan->pid, SIGKILL) == 0); /* of the proof's run */
    CHECK_OK(ims_compute_session_open(c, &second, &graph, NULL, &err), err);
    CHECK_INT(plan->n_opens, 2);
    ims_compute_session_close(second);
    ims_compute_session_close(first);
    ims_compute_close(c);
}

static bool is_gone(int pid)
{
    char path[64], text[512] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return kill(pid, 0) != 0 && errno == ESRCH;
    if (!fgets(text, sizeof(text), f))
        text[0] = '\0';
    fclose(f);
    return !text[0] || strstr(text, ") Z ") || strstr(text, ") X ");
}

static bool becomes_true(bool (*is_so)(int), int arg)
{
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        if (is_so(arg))
            return true;
    }
    return false;
}

static struct fault_plan *orphan_plan;

static bool is_hanging(int arg)
{
    (void)arg;
    return orphan_plan->n_runs > 0;
}

/* A process with a child that hangs. Does not return. */
static void be_a_parent(void)
{
    struct ims_compute *c = open_compute(fixture_device(), IMS_ISOLATE_ALWAYS);
    struct ims_compute_graph graph = { .path = fixture_graph("declares_one") };
    struct ims_compute_session_options o = { .label = LABEL };
    struct ims_compute_session *s = NULL;
    float x[WIDTH] = { 1, 2 };
    struct ims_compute_value in = fixture_f32("x", 2, (int64_t[]){ 1, WIDTH }, x);
    struct ims_compute_value out = { .name = NULL };
    ims_err err;

    if (c && ims_compute_session_open(c, &s, &graph, &o, &err) == IMS_OK)
        (void)!ims_compute_session_run(s, &in, 1, &out, 1, &err);
    _exit(1);
}

TEST(orphan, "a child that hangs does not outlive a parent that was killed")
{
    pid_t parent;

    orphan_plan = new_plan();
    CHECK(orphan_plan);
    orphan_plan->run_fails_at = 1;
    orphan_plan->run_kind = FAULT_HANG;
    fflush(stdout);
    parent = fork();
    if (parent == 0)
        be_a_parent();
    CHECK(becomes_true(is_hanging, 0));
    CHECK(!is_gone(orphan_plan->pid));
    kill(parent, SIGKILL);
    CHECK(waitpid(parent, NULL, 0) == parent);
    CHECK(becomes_true(is_gone, orphan_plan->pid));
}

int main(int argc, char **argv)
{
    int code = 0;

    if (ims_compute_child_main(argc, argv, &fault_backend, &code))
        return code;
    if (!fixture_prepare(fixture_device(), &code))
        return code;
    return test_main(argc, argv);
}
