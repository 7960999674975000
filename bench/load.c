/* What it costs to bring up a pack: time to load, to the first answer and in steady state, and the
 * memory of each, our own and that of mapped files (Linux).
 *
 *     bench_load [PACK [PRECISION]]
 *
 * Every line is a process of its own. "one query" leaves weights mapped (what `search` does), "many"
 * lets the runtime copy them into the layout its kernels like (`index`, `serve`). Without PACK it
 * makes one of ViT-B/32's true shape with generated weights in a temporary folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_STEADY 10
#define TEXT "a red house in the snow"

static ims_err err;

static void must(ims_status st)
{
    if (st) {
        fprintf(stderr, "bench_load: %s\n", err.text);
        exit(1);
    }
}

static double ms_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e6;
}

static void read_memory(long *own_kib, long *mapped_kib)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];

    *own_kib = *mapped_kib = 0;
    while (f && fgets(line, sizeof(line), f)) {
        (void)sscanf(line, "RssAnon: %ld", own_kib);
        (void)sscanf(line, "RssFile: %ld", mapped_kib);
    }
    if (f)
        (void)fclose(f);
}

struct state {
    const char *name;
    bool has_text, has_image, is_one_shot;
};

static void embed(struct ims_clip *clip, const struct state *s, const uint8_t *pixels, float *out)
{
    static const char *const text = TEXT;

    if (s->has_text)
        must(ims_clip_embed_text(clip, &text, 1, out, &err));
    if (s->has_image)
        must(ims_clip_embed_images(clip, pixels, 1, out, &err));
}

static void run(const char *dir, ims_precision p, const struct state *s, const char *cache)
{
    const struct ims_compute_options options = { .device = { .device = "cpu" }, .cache_dir = cache };
    const struct ims_clip_options o = { .precision = p, .cache_dir = cache, .is_one_shot = s->is_one_shot };
    uint64_t start = ims__mono_ns();
    struct ims_compute *compute = NULL;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    double load_ms, first_ms, best = 1e300;
    uint8_t *pixels;
    float *out;
    long own, mapped;

    must(ims_pack_open(&pack, dir, &err));
    must(ims_compute_open(&compute, &options, &err));
    must(ims_clip_open(&clip, pack, compute, &o, &err));
    if (s->has_text)
        must(ims_clip_load(clip, IMS_CLIP_TEXT, &err));
    if (s->has_image)
        must(ims_clip_load(clip, IMS_CLIP_IMAGE, &err));
    load_ms = ms_since(start);
    pixels = ims__zalloc((size_t)ims_clip_info(clip)->preprocess.width,
                         (size_t)ims_clip_info(clip)->preprocess.height * 3);
    out = ims__alloc(ims_clip_info(clip)->dim, sizeof(*out));
    if (!pixels || !out)
        exit(1);
    embed(clip, s, pixels, out);
    first_ms = ms_since(start);
    for (int i = 0; i < N_STEADY; i++) {
        uint64_t at = ims__mono_ns();
        double ms;

        embed(clip, s, pixels, out);
        ms = ms_since(at);
        best = ms < best ? ms : best;
    }
    read_memory(&own, &mapped);
    printf("  %-24s %8.0f %10.0f %9.1f %9ld %11ld\n", s->name, load_ms, first_ms, best, own / 1024,
           mapped / 1024);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct state states[] = {
        { "text, one query", true, false, true },     { "text and image, one query", true, true, true },
        { "text, many", true, false, false },         { "text and image, many", true, true, false },
    };
    const char *dir = argc > 1 ? argv[1] : test_tmp_dir();
    const char *cache = test_tmp_dir();
    ims_precision p = IMS_PRECISION_FP32;
    struct ims_clip_config config;

    if (argc > 2 && (!ims_precision_read(argv[2], &p) || p == IMS_PRECISION_AUTO)) {
        fprintf(stderr, "bench_load: %s is no precision\n", argv[2]);
        return 2;
    }
    if (argc < 2)
        generated_pack(dir, test_source_path("tests/golden/clip/vit_b_32.config.json"), "F32", NULL,
                       &config);
    printf("%s, %s\n  %-24s %8s %10s %9s %9s %11s\n", dir, ims_precision_name(p), "", "load ms",
           "first ms", "then ms", "own MiB", "mapped MiB");
    (void)fflush(stdout);
    for (size_t round = 0; round < 2; round++) { /* the first one warms the page cache */
        for (size_t i = 0; i < IMS_ARRAY_LEN(states); i++) {
            pid_t pid = fork();

            if (pid == 0) {
                if (round == 0 && !freopen("/dev/null", "w", stdout))
                    _exit(1);
                run(dir, p, &states[i], cache);
                _exit(0);
            }
            if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                return 1;
        }
    }
    return 0;
}
