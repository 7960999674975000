/* A pool finds each device's batch size, remembers it, and says what it ran.
 *
 * Three devices that are planned (CUDA's name, the CPU's work), whose time is planned too: a clock
 * that stands still but for what their batches cost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "compute/pool.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WIDTH 2 /* of declares_one: y = 2 x */
#define N_ROWS 256
#define LIMIT 32

static const struct ims_device_id third = { IMS_DEVICE_CUDA, 2 };

/* ---- devices that cost ---- */

static _Thread_local uint64_t now_ns;
static _Atomic double slowness[3]; /* 0 = none */

static uint64_t planned_clock(void)
{
    return now_ns;
}

/* Microseconds of the planned clock: the first is best with 4 rows at a time, the others with many. */
static void spend(struct ims_device_id device, size_t n)
{
    static const struct {
        double call, row, crowd;
        size_t room;
    } devices[3] = { { 100, 10, 60, 4 }, { 100, 5, 40, 16 }, { 100, 5, 0, LIMIT } };
    size_t i = device.kind == IMS_DEVICE_CUDA ? device.index : 0;
    double us = devices[i].call + devices[i].row * (double)n;

    if (n > devices[i].room)
        us += devices[i].crowd * (double)(n - devices[i].room);
    now_ns += (uint64_t)(us * 1000 * (slowness[i] > 0 ? slowness[i] : 1));
    /* As a device at work does: the other threads get to theirs. */
    nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
}

/* ---- a model to be proven ---- */

static ims_status fill_rows(void *arg, const struct ims_compute_session *s, size_t which,
                            struct ims_compute_value *in, size_t *out_n, ims_err *err)
{
    ims_status st;

    (void)arg;
    (void)s;
    (void)which;
    in->tensor =
        (struct ims_tensor){ .dtype = IMS_DTYPE_F32, .rank = 2, .shape = { 4, WIDTH } };
    st = ims_tensor_alloc(&in->tensor, err);
    for (int i = 0; !st && i < 4 * WIDTH; i++)
        ((float *)in->tensor.data)[i] = (float)(i * i + 1);
    *out_n = 1;
    return st;
}

static struct ims_proof_set model(const char *digest)
{
    return (struct ims_proof_set){ .model = "double",
                                   .digest = digest,
                                   .graph_name = "image",
                                   .graph = { .path = fixture_graph("declares_one") },
                                   .version = 1,
                                   .has_rows = true,
                                   .n_cases = 1,
                                   .fill = fill_rows };
}

/* ---- a pool and its runs ---- */

struct world {
    struct fault_plan plan;
    struct ims_compute *c;
    struct ims_pool *p;
    struct ims_pool_info info;
};

struct setting {
    const char *devices, *cache_dir, *digest;
    size_t limit;
    bool again, is_fixed;
};

static void open_world(struct world *w, struct setting s)
{
    struct ims_compute_options options = { .device = { .flag = s.devices },
                                           .n_threads = 2,
                                           .cache_dir = s.cache_dir,
                                           .prove_again = s.again,
                                           .isolation = IMS_ISOLATE_NEVER,
                                           .backend = &fault_backend,
                                           .backend_arg = &w->plan };
    struct ims_proof_set set = model(s.digest ? s.digest : "0123");
    struct ims_pool_options pool = { .label = "double",
                                     .proof = &set,
                                     .max_rows = s.limit ? s.limit : LIMIT,
                                     .measures_rows = !s.is_fixed,
                                     .clock_ns = planned_clock };
    ims_err err = { .text = "" };

    memset(w, 0, sizeof(*w));
    w->plan = (struct fault_plan){ .lists_cuda = true, .n_cuda = 3, .on_run = spend };
    w->plan.has_device = true;
    w->plan.device = third;
    w->plan.memory_for = 8;
    CHECK_OK(ims_compute_open(&w->c, &options, &err), err);
    CHECK_OK(ims_pool_open(&w->p, w->c, &set.graph, &pool, &err), err);
    ims_pool_describe(w->p, &w->info);
}

static void close_world(struct world *w)
{
    ims_pool_close(w->p);
    ims_compute_close(w->c);
}

/* Every row is right, in its place, and was in a batch that its device can have had. */
static void run_rows(struct world *w)
{
    static float x[N_ROWS * WIDTH], y[N_ROWS * WIDTH];
    static struct ims_pool_place places[N_ROWS];
    const int64_t shape[] = { N_ROWS, WIDTH };
    struct ims_compute_value in, out;
    size_t n_in_batches[IMS_POOL_MAX_SLOTS][N_ROWS + 1] = { { 0 } };
    const struct ims_pool_info before = w->info;
    ims_err err = { .text = "" };

    for (size_t i = 0; i < N_ROWS * WIDTH; i++)
        x[i] = (float)i + 1;
    memset(places, 0xff, sizeof(places));
    in = fixture_f32("x", 2, shape, x);
    out = fixture_f32("y", 2, shape, y);
    CHECK_OK(ims_pool_run(w->p, &in, 1, &out, 1, places, &err), err);
    for (size_t i = 0; i < N_ROWS * WIDTH; i++)
        CHECK_NEAR(y[i], 2 * x[i], 1e-4);
    ims_pool_describe(w->p, &w->info);
    for (size_t i = 0; i < N_ROWS; i++) {
        CHECK(places[i].slot < w->info.n_slots);
        CHECK(places[i].batch >= 1 && places[i].batch <= LIMIT);
        n_in_batches[places[i].slot][places[i].batch]++;
    }
    for (size_t s = 0; s < w->info.n_slots; s++) {
        uint64_t n_batches = before.slots[s].n_batches;

        for (size_t n = 1; n <= N_ROWS; n++) {
            CHECK_INT(n_in_batches[s][n] % n, 0); /* whole ones */
            n_batches += n_in_batches[s][n] / n;
        }
        CHECK_INT(n_batches, w->info.slots[s].n_batches);
    }
}

static bool are_settled(const struct world *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!w->info.slots[i].batch.is_settled)
            return false;
    }
    return true;
}

static void run_until_settled(struct world *w, size_t n)
{
    for (unsigned i = 0; i < 10000 && !are_settled(w, n); i++)
        run_rows(w);
    CHECK(are_settled(w, n));
}

TEST(sizes, "three devices in one pool each come to the size that is best on them")
{
    struct world w;

    open_world(&w, (struct setting){ .devices = "cuda:0,cuda:1,cuda:2" });
    CHECK_INT(ims_pool_n_devices(w.p), 3);
    CHECK_INT(w.info.slots[0].batch.rows, 1);
    run_until_settled(&w, 3);
    CHECK_INT(w.info.slots[0].batch.rows, 4);
    CHECK_INT(w.info.slots[1].batch.rows, 16);
    CHECK_INT(w.info.slots[2].batch.rows, 8);
    CHECK(w.info.slots[2].n_halvings >= 1);
    CHECK_INT(w.info.slots[2].n_faults, 0);
    for (size_t i = 0; i < 3; i++)
        CHECK(!w.info.slots[i].is_batch_kept);
    close_world(&w);
}

TEST(slower, "a device that slows down for good is measured again, with the rows it is given")
{
    struct world w;
    double before;

    open_world(&w, (struct setting){ .devices = "cuda:1" });
    run_until_settled(&w, 1);
    before = w.info.slots[0].batch.best_rate;
    slowness[1] = 4;
    for (unsigned i = 0; i < 1000 && w.info.slots[0].batch.best_rate > before / 3; i++)
        run_rows(&w);
    run_until_settled(&w, 1);
    slowness[1] = 0;
    CHECK_INT(w.info.slots[0].batch.rows, 16);
    CHECK_NEAR(w.info.slots[0].batch.best_rate, before / 4, before / 100);
    close_world(&w);
}

TEST(shares, "two shares of the CPU are measured each by itself")
{
    struct world w;

    open_world(&w, (struct setting){ .devices = "cpu,cpu" });
    run_until_settled(&w, 1);
    CHECK_INT(ims_pool_n_devices(w.p), 2);
    CHECK_INT(w.info.slots[0].batch.rows, 4);
    for (unsigned i = 0; i < 10000 && !are_settled(&w, 2); i++)
        run_rows(&w);
    CHECK_INT(w.info.slots[1].batch.rows, 4);
    close_world(&w);
}

TEST(fixed, "a pool that is not to measure gives as many as it may")
{
    struct world w;

    open_world(&w, (struct setting){ .devices = "cuda:0", .limit = 16, .is_fixed = true });
    for (unsigned i = 0; i < 10; i++)
        run_rows(&w);
    CHECK_INT(w.info.slots[0].batch.rows, 16);
    CHECK_INT(w.info.slots[0].n_batches, 10 * N_ROWS / 16);
    close_world(&w);
}

/* ---- remembered ---- */

static char *kept_file(const char *cache_dir)
{
    char dir[1100];
    char *found = NULL;
    const struct dirent *entry;
    DIR *d;

    snprintf(dir, sizeof(dir), "%s/proofs", cache_dir);
    d = opendir(dir);
    while (d && (entry = readdir(d)) != NULL) {
        if (strstr(entry->d_name, ".batch") && !found)
            found = ims__path_join(dir, entry->d_name);
    }
    if (d)
        closedir(d);
    return found;
}

static struct setting with_cache(const char *dir)
{
    return (struct setting){ .devices = "cuda:1", .cache_dir = dir };
}

TEST(kept, "the next run begins with what this one found, for the same device and model only")
{
    const char *dir = test_tmp_dir();
    struct setting s = with_cache(dir);
    struct ims_proof_verdict v[4];
    struct world w;

    open_world(&w, s);
    run_until_settled(&w, 1);
    close_world(&w);

    open_world(&w, s);
    CHECK(w.info.slots[0].is_batch_kept);
    CHECK(w.info.slots[0].batch.is_settled);
    CHECK_INT(w.info.slots[0].batch.rows, 16);
    CHECK_INT(ims_compute_verdicts(w.c, v, 4), 1);
    CHECK_INT(v[0].batch, 16);
    CHECK(v[0].batch_rows_per_s > 0);
    run_rows(&w);
    CHECK_INT(w.info.slots[0].n_batches, N_ROWS / 16);
    close_world(&w);

    s.digest = "4567"; /* another model */
    open_world(&w, s);
    CHECK(!w.info.slots[0].is_batch_kept);
    CHECK_INT(w.info.slots[0].batch.rows, 1);
    close_world(&w);

    s = with_cache(dir);
    s.devices = "cuda:0"; /* another device */
    open_world(&w, s);
    CHECK_INT(w.info.slots[0].batch.rows, 1);
    close_world(&w);

    s = with_cache(dir);
    s.limit = 8; /* less is allowed */
    open_world(&w, s);
    CHECK_INT(w.info.slots[0].batch.rows, 8);
    close_world(&w);
}

TEST(open_end, "a size that only the setting stopped is looked for again when the setting is raised")
{
    struct setting s = with_cache(test_tmp_dir());
    struct world w;

    s.limit = 8;
    open_world(&w, s);
    run_until_settled(&w, 1);
    CHECK_INT(w.info.slots[0].batch.rows, 8);
    close_world(&w);
    open_world(&w, s);
    CHECK(w.info.slots[0].is_batch_kept);
    close_world(&w);
    s.limit = LIMIT;
    open_world(&w, s);
    CHECK(!w.info.slots[0].is_batch_kept);
    run_until_settled(&w, 1);
    CHECK_INT(w.info.slots[0].batch.rows, 16);
    close_world(&w);
}

TEST(again, "who has devices proven again has their batch sizes found again")
{
    struct setting s = with_cache(test_tmp_dir());
    struct world w;

    open_world(&w, s);
    run_until_settled(&w, 1);
    close_world(&w);
    s.again = true;
    open_world(&w, s);
    CHECK_INT(w.info.slots[0].batch.rows, 1);
    close_world(&w);
    CHECK(kept_file(s.cache_dir) == NULL);
}

/* With the file changed so, a pool begins with so many rows. */
static void check_change(const char *cache_dir, const char *path, const char *from, const char *to,
                         size_t rows)
{
    struct ims_buf text, changed;
    struct world w;
    size_t n = strlen(from);
    const char *at;
    ims_err err;

    CHECK_OK(ims__read_file(path, 65536, &text, NULL, &err), err);
    ims__buf_init(&changed, 65536);
    at = strstr(text.data, from);
    CHECK(at != NULL);
    (void)ims__buf_add(&changed, text.data, (size_t)(at - text.data));
    (void)ims__buf_add(&changed, to, strlen(to));
    (void)ims__buf_add(&changed, at + n, text.len - (size_t)(at - text.data) - n);
    CHECK_OK(ims__write_derived(path, changed.data, changed.len, &err), err);
    open_world(&w, with_cache(cache_dir));
    CHECK_INT(w.info.slots[0].batch.rows, rows);
    close_world(&w);
    CHECK_OK(ims__write_derived(path, text.data, text.len, &err), err);
    ims__buf_release(&text);
    ims__buf_release(&changed);
}

TEST(damaged, "a file that is damaged, of something else or old is as good as none")
{
    const char *dir = test_tmp_dir();
    struct world w;
    char *path;

    open_world(&w, with_cache(dir));
    run_until_settled(&w, 1);
    close_world(&w);
    path = kept_file(dir);
    CHECK(path != NULL);
    check_change(dir, path, "\"rows\": 16", "\"rows\": 2", 2); /* it is what counts */
    check_change(dir, path, "\"rows\": 16", "\"rows\": 0", 1);
    check_change(dir, path, "\"rows\": 16", "\"rows\": -3", 1);
    check_change(dir, path, "\"rows\": 16", "\"rows\": 70000", 1);
    check_change(dir, path, "\"rows\": 16", "\"rows\" 16", 1);
    check_change(dir, path, "threads", "thread", 1);
    check_change(dir, path, "\"made_us\": 1", "\"made_us\": -1", 1);
    check_change(dir, path, "\"made_us\": ", "\"made_us\": 9", 1); /* in the future */
    ims__free(path);
}

TEST_MAIN
