/* Indexing while the process that computes is killed again and again: nothing is lost, nothing is done
 * twice, and the vectors are those of an undisturbed run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute.h"
#include "harness/test.h"
#include "ims/engine.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_KILLS 4
#define N_GRAPHS 3 /* in the one process: pictures, faces found, faces recognised */

static unsigned n_kills;

/* The first child of any thread of this process; 0 = none. */
static int find_child(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int pid = 0;

    while (tasks && pid == 0 && (entry = readdir(tasks))) {
        char path[320];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/self/task/%s/children", entry->d_name);
        f = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (f && fscanf(f, "%d", &pid) != 1)
            pid = 0;
        if (f)
            fclose(f);
    }
    if (tasks)
        closedir(tasks);
    return pid;
}

/* Never twice without a picture done in between: a batch that ends its process twice is given up. */
static bool kill_child(void *arg, const struct ims_index_progress *p)
{
    static uint64_t done_at_kill;
    int pid = p->done > done_at_kill && n_kills < MAX_KILLS ? find_child() : 0;

    (void)arg;
    if (pid > 0 && kill(pid, SIGKILL) == 0) {
        n_kills++;
        done_at_kill = p->done + 4; /* the queue behind the device may hold results still */
    }
    return true;
}

static struct ims_engine *open_engine(const char *data, const char *compute_child)
{
    char root[1100];
    const char *roots[] = { root };
    struct ims_engine_options options = { .data_dir = data,
                                          .model_roots = roots,
                                          .n_model_roots = 1,
                                          .batch_size = 1, /* slow enough for several kills */
                                          .device_flag = "cpu",
                                          .compute_child = compute_child };
    struct ims_engine *e = NULL;
    ims_err err = { .text = "" };

    snprintf(root, sizeof(root), "%s", test_source_path("models/demo"));
    test_check_ok(__FILE__, __LINE__, "open", ims_engine_open(&e, &options, &err), &err);
    return e;
}

static void index_demo(struct ims_engine *e, ims_index_progress_fn on_progress,
                       struct ims_index_summary *out)
{
    char dir[1100];
    const char *dirs[] = { dir };
    struct ims_index_options index = {
        .dirs = dirs, .n_dirs = 1, .no_thumbnails = true, .on_progress = on_progress
    };
    ims_err err = { .text = "" };

    snprintf(dir, sizeof(dir), "%s", test_source_path("demo"));
    test_check_ok(__FILE__, __LINE__, "index", ims_engine_index(e, &index, out, &err), &err);
}

/* The same words find the same pictures with the same scores. */
static void check_same(struct ims_engine *a, struct ims_engine *b)
{
    struct ims_search_query query = { .text = "a red car", .limit = 200 };
    struct ims_search_results x, y;
    ims_err err = { .text = "" };

    CHECK_OK(ims_engine_search(a, &query, &x, &err), err);
    CHECK_OK(ims_engine_search(b, &query, &y, &err), err);
    CHECK_INT(x.n, y.n);
    for (size_t i = 0; i < x.n; i++) {
        CHECK_STR(x.hits[i].asset.path, y.hits[i].asset.path);
        CHECK_NEAR(x.hits[i].score, y.hits[i].score, 1e-5);
    }
    ims_search_results_release(&x);
    ims_search_results_release(&y);
}

TEST(killed, "an index run whose computing process is killed again and again ends like any other")
{
    char calm_dir[1100], wild_dir[1100];
    struct ims_engine *calm, *wild;
    struct ims_index_summary calm_sum = { .found = 0 }, wild_sum = { .found = 0 };

    if (access("/proc/self/task", R_OK) != 0)
        SKIP("children are found through /proc");
    snprintf(calm_dir, sizeof(calm_dir), "%s/calm", test_tmp_dir());
    snprintf(wild_dir, sizeof(wild_dir), "%s/wild", test_tmp_dir());
    calm = open_engine(calm_dir, "never");
    wild = open_engine(wild_dir, "always");
    CHECK(calm && wild);
    index_demo(calm, NULL, &calm_sum);
    index_demo(wild, kill_child, &wild_sum);
    test_note("%u kills, %llu batches computed again, %s; %.1f s instead of %.1f s", n_kills,
              (unsigned long long)wild_sum.device_faults, wild_sum.device_fault, wild_sum.elapsed_s,
              calm_sum.elapsed_s);
    CHECK(n_kills > 0);
    CHECK_INT(wild_sum.processed, calm_sum.processed);
    CHECK_INT(wild_sum.errors, calm_sum.errors);
    CHECK(calm_sum.total_faces > 100);
    CHECK_INT(wild_sum.total_faces, calm_sum.total_faces);
    CHECK_INT(calm_sum.device_faults, 0);
    CHECK(wild_sum.device_faults <= (uint64_t)n_kills * N_GRAPHS);
    check_same(calm, wild);
    ims_engine_close(calm);
    ims_engine_close(wild);
}

int main(int argc, char **argv)
{
    int code;

    if (ims_compute_child_main(argc, argv, NULL, &code))
        return code;
    return test_main(argc, argv);
}
