/* What a child process costs and how long a device is away after it died: a CLIP pack's image tower
 * in this process and in a child, batch by batch in turn, so that both see the same machine.
 *
 *     bench_isolation [DIR [BATCH [N_DRAWN]]]
 *
 * Without DIR it makes a pack of ViT-B/32's true shape with generated weights. With N_DRAWN so many
 * batches of 1 to BATCH pictures go through the child, for the memory that it holds. Linux
 * only: the child is found and watched through /proc.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "compute/pool.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROUNDS 15
#define N_KILLS 5

static ims_err err;

static void must(ims_status st)
{
    if (st) {
        fprintf(stderr, "bench_isolation: %s\n", err.text);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return v[n / 2];
}

static struct ims_clip *open_clip(const struct ims_pack *pack, ims_isolation isolation,
                                  size_t batch)
{
    struct ims_compute_options options = { .device = { .flag = "cpu" },
                                           .n_threads = 1, /* the other core is for the rest */
                                           .isolation = isolation };
    struct ims_clip_options clip_options = { .max_batch = batch };
    struct ims_compute *compute = NULL; /* lives as long as the program */
    struct ims_clip *clip = NULL;
    uint64_t start = ims__mono_ns();

    must(ims_compute_open(&compute, &options, &err));
    must(ims_clip_open(&clip, pack, compute, &clip_options, &err));
    must(ims_clip_load(clip, IMS_CLIP_IMAGE, &err));
    printf("%s: ready in %.0f ms\n", isolation == IMS_ISOLATE_ALWAYS ? "in a child" : "in here",
           (double)(ims__mono_ns() - start) / 1e6);
    return clip;
}

static double time_batch(struct ims_clip *clip, const uint8_t *pixels, size_t n, float *out)
{
    uint64_t start = ims__mono_ns();

    must(ims_clip_embed_images(clip, pixels, n, out, &err));
    return (double)(ims__mono_ns() - start) / 1e6;
}

static int child_pid(void)
{
    char path[64];
    FILE *f;
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "r");
    if (!f || fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* Minor page faults of a process until now, and its memory that is no file's. */
struct usage {
    unsigned long n_faults, anon_mib;
};

static struct usage usage_of(int pid)
{
    struct usage u = { 0, 0 };
    unsigned long resident, shared;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r"); /* the name, in brackets, is this program's: without blanks */
    if (f && fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %lu", &u.n_faults) != 1)
        u.n_faults = 0;
    if (f)
        fclose(f);
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    f = fopen(path, "r");
    if (f && fscanf(f, "%*u %lu %lu", &resident, &shared) == 2)
        u.anon_mib = (resident - shared) * (unsigned long)sysconf(_SC_PAGESIZE) >> 20;
    if (f)
        fclose(f);
    return u;
}

/* Batches of drawn sizes: the heap that is made of more than one kind of block. */
static void watch_memory(struct ims_clip *there, const uint8_t *pixels, size_t batch, float *out, size_t n)
{
    uint32_t x = 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        (void)time_batch(there, pixels, 1 + (x >> 8) % batch, out);
        if ((i + 1) % (n / 4 ? n / 4 : 1) == 0)
            printf("after %zu batches of 1 to %zu: %lu MiB in the child\n", i + 1, batch,
                   usage_of(child_pid()).anon_mib);
    }
}

static void time_kills(struct ims_clip *clip, const uint8_t *pixels, size_t n, float *out,
                       double usual_ms)
{
    double away[N_KILLS];

    for (size_t i = 0; i < N_KILLS; i++) {
        int pid = child_pid();

        if (pid <= 0 || kill(pid, SIGKILL) != 0) {
            printf("no child was found\n");
            return;
        }
        away[i] = time_batch(clip, pixels, n, out) - usual_ms;
    }
    printf("killed: a batch takes %.0f ms longer (median of %d)\n", median(away, N_KILLS), N_KILLS);
}

/* What is left when nothing is computed: as many bytes as a batch has, doubled as floats. */
static double time_doubling(ims_isolation isolation, size_t n_bytes)
{
    struct ims_compute_options options = { .device = { .flag = "cpu" },
                                           .n_threads = 1,
                                           .isolation = isolation };
    struct ims_compute_graph graph = { .path = test_source_path(
                                           "tests/contract/compute/graphs/declares_one.onnx") };
    int64_t shape[] = { (int64_t)(n_bytes / 8), 2 };
    float *x = ims__zalloc(n_bytes, 1), *y = ims__zalloc(n_bytes, 1);
    struct ims_compute *compute = NULL;
    struct ims_compute_session *s = NULL;
    double best = 1e300;

    if (!x || !y)
        exit(1);
    must(ims_compute_open(&compute, &options, &err));
    must(ims_compute_session_open(compute, &s, &graph, NULL, &err));
    for (unsigned i = 0; i < 200; i++) {
        struct ims_compute_value in = { .tensor =
                                            ims_tensor_view(IMS_DTYPE_F32, 2, shape, x, n_bytes) };
        struct ims_compute_value out = { .tensor =
                                             ims_tensor_view(IMS_DTYPE_F32, 2, shape, y, n_bytes) };
        uint64_t start = ims__mono_ns();
        double ms;

        must(ims_compute_session_run(s, &in, 1, &out, 1, &err));
        ms = (double)(ims__mono_ns() - start) / 1e6;
        best = ms < best ? ms : best;
    }
    ims_compute_session_close(s);
    ims_compute_close(compute);
    ims__free(x);
    ims__free(y);
    return best;
}

static void run(const struct ims_pack *pack, size_t batch, size_t n_drawn)
{
    struct ims_clip *here = open_clip(pack, IMS_ISOLATE_NEVER, batch);
    struct ims_clip *there = open_clip(pack, IMS_ISOLATE_ALWAYS, batch);
    const struct ims_clip_preprocess *p = &ims_clip_info(here)->preprocess;
    const size_t bytes = (size_t)p->width * (size_t)p->height * 3;
    uint8_t *pixels = ims__alloc(batch, bytes);
    float *out = ims__alloc(batch, ims_clip_info(here)->dim * sizeof(*out));
    double here_ms[N_ROUNDS], there_ms[N_ROUNDS], ratio[N_ROUNDS], usual;
    struct usage here_then, there_then, here_now, there_now;

    if (!pixels || !out)
        exit(1);
    for (unsigned k = 0; k < batch; k++)
        generated_picture("bench", k, GENERATED_SIDE, (uint32_t)p->height, (uint32_t)p->width,
                          pixels + k * bytes);
    (void)time_batch(here, pixels, batch, out);
    (void)time_batch(there, pixels, batch, out);
    here_then = usage_of((int)getpid());
    there_then = usage_of(child_pid());
    for (size_t i = 0; i < N_ROUNDS; i++) {
        here_ms[i] = time_batch(here, pixels, batch, out);
        there_ms[i] = time_batch(there, pixels, batch, out);
        ratio[i] = there_ms[i] / here_ms[i];
    }
    here_now = usage_of((int)getpid());
    there_now = usage_of(child_pid());
    usual = median(there_ms, N_ROUNDS);
    printf("batch of %zu, medians of %d: here %.2f ms, in a child %.2f ms; pair by pair %+.2f %%\n",
           batch, N_ROUNDS, median(here_ms, N_ROUNDS), usual,
           100 * (median(ratio, N_ROUNDS) - 1));
    printf("the best of each (sorted now): here %.2f ms, in a child %.2f ms, %+.2f %%\n", here_ms[0],
           there_ms[0], 100 * (there_ms[0] / here_ms[0] - 1));
    printf("page faults a batch: here %lu, in the child %lu; memory: here %lu MiB, in the child %lu MiB\n",
           (here_now.n_faults - here_then.n_faults) / N_ROUNDS,
           (there_now.n_faults - there_then.n_faults) / N_ROUNDS, here_now.anon_mib, there_now.anon_mib);
    watch_memory(there, pixels, batch, out, n_drawn);
    printf("its %.1f MB there and as many back, nothing computed: %.2f ms more (best of 200)\n",
           (double)(batch * bytes) / 1e6,
           time_doubling(IMS_ISOLATE_ALWAYS, batch * bytes / 8 * 8) -
               time_doubling(IMS_ISOLATE_NEVER, batch * bytes / 8 * 8));
    time_kills(there, pixels, batch, out, usual);
    ims_clip_close(here);
    ims_clip_close(there);
    ims__free(pixels);
    ims__free(out);
}

int main(int argc, char **argv)
{
    struct ims_pack *pack = NULL;
    struct ims_clip_config config;
    const char *dir;
    int code;

    if (ims_compute_child_main(argc, argv, NULL, &code))
        return code;
    dir = argc > 1 ? argv[1] : test_tmp_dir();
    if (argc == 1)
        generated_pack(dir, test_source_path("tests/golden/clip/vit_b_32.config.json"), "F32", NULL,
                       &config);
    must(ims_pack_open(&pack, dir, &err));
    run(pack, argc > 2 ? (size_t)atoi(argv[2]) : 16, argc > 3 ? (size_t)atoi(argv[3]) : 0);
    ims_pack_close(pack);
    return 0;
}
