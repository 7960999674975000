/* Times a CLIP pack: opening, session creation, pictures a second, texts by length, memory.
 *
 *     bench_clip [DIR]
 *
 * Without DIR it makes a pack of ViT-B/32's true shape with generated weights in a temporary
 * folder. Each figure is the best of several runs; "per core-second" divides by processor time
 * instead of the clock, so it holds on a busy machine too.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"
#include "models/clip/clip_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_RUNS 6

static ims_err err;

static void must(ims_status st)
{
    if (st) {
        fprintf(stderr, "bench_clip: %s\n", err.text);
        exit(1);
    }
}

static double ms_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e6;
}

/* Resident memory: our own, and pages of mapped files (Linux; silent elsewhere). */
static void print_memory(const char *when)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long own = 0;
    long mapped = 0;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        (void)sscanf(line, "RssAnon: %ld", &own);
        (void)sscanf(line, "RssFile: %ld", &mapped);
    }
    (void)fclose(f);
    printf("  memory %-28s %5ld MiB own, %5ld MiB of mapped files\n", when, own / 1024,
           mapped / 1024);
}

static void time_images(struct ims_clip *clip, size_t batch)
{
    const struct ims_clip_preprocess *p = &ims_clip_info(clip)->preprocess;
    const size_t bytes = (size_t)p->width * (size_t)p->height * 3;
    uint8_t *pixels = ims__alloc(batch, bytes);
    float *out = ims__alloc(batch, ims_clip_info(clip)->dim * sizeof(*out));
    double best = 1e300;
    double best_cpu = 1e300;

    if (!pixels || !out)
        exit(1);
    for (unsigned k = 0; k < batch; k++)
        generated_picture("bench", k, GENERATED_SIDE, (uint32_t)p->height, (uint32_t)p->width,
                          pixels + k * bytes);
    for (unsigned i = 0; i < N_RUNS; i++) {
        uint64_t start = ims__mono_ns();
        uint64_t cpu = ims__process_cpu_ns();
        double took, took_cpu;
        must(ims_clip_embed_images(clip, pixels, batch, out, &err));
        took = ms_since(start);
        took_cpu = (double)(ims__process_cpu_ns() - cpu) / 1e6;
        best = took < best ? took : best;
        best_cpu = took_cpu < best_cpu ? took_cpu : best_cpu;
    }
    printf("  batch %2zu: %6.1f images/s, %6.1f per core-second\n", batch,
           (double)batch / best * 1e3, (double)batch / best_cpu * 1e3);
    ims__free(pixels);
    ims__free(out);
}

static void time_texts(struct ims_clip *clip)
{
    static const size_t lengths[] = { 4, 8, 12, 16, 32, 77 };
    const uint32_t vocab = ims_clip_info(clip)->vocab_size;
    float *out = ims__alloc(ims_clip_info(clip)->dim, sizeof(*out));
    int32_t ids[77];

    if (!out)
        exit(1);
    for (size_t k = 0; k < IMS_ARRAY_LEN(lengths); k++) {
        double best = 1e300;
        if (lengths[k] > ims_clip_info(clip)->context_length)
            continue;
        generated_text("bench", 0, (uint32_t)lengths[k], vocab, 0, lengths[k], ids);
        for (unsigned i = 0; i < 3 * N_RUNS; i++) {
            uint64_t start = ims__mono_ns();
            double took;
            must(ims__clip_embed_ids(clip, ids, 1, lengths[k], out, &err));
            took = ms_since(start);
            best = took < best ? took : best;
        }
        printf("  text of %2zu tokens: %6.1f ms\n", lengths[k], best);
    }
    ims__free(out);
}

/* ---- clients at once: each its own text, or those that wait together ---- */

#define MAX_CLIENTS 8
#define N_TEXTS 8 /* of each */
#define N_TURNS 3
#define CLIENT_TOKENS 8

struct client {
    struct ims_clip *clip;
    bool gathers;
    int32_t ids[CLIENT_TOKENS];
    struct ims_thread thread;
    float *out;
};

static void ask(void *arg)
{
    const struct client *me = arg;

    for (unsigned i = 0; i < N_TEXTS; i++)
        must(me->gathers ? ims__clip_embed_gathered(me->clip, me->ids, CLIENT_TOKENS, me->out, NULL)
                         : ims__clip_embed_ids(me->clip, me->ids, 1, CLIENT_TOKENS, me->out, NULL));
}

/* Texts a second. */
static double ask_all(struct client *clients, size_t n, bool gathers)
{
    uint64_t start = ims__mono_ns();

    for (size_t i = 0; i < n; i++) {
        clients[i].gathers = gathers;
        must(ims__thread_start(&clients[i].thread, "client", ask, &clients[i], &err));
    }
    for (size_t i = 0; i < n; i++)
        ims__thread_join(&clients[i].thread);
    return (double)(n * N_TEXTS) * 1e3 / ms_since(start);
}

static void time_company(struct ims_clip *clip)
{
    const uint32_t vocab = ims_clip_info(clip)->vocab_size, dim = ims_clip_info(clip)->dim;
    float *out = ims__alloc((size_t)MAX_CLIENTS * dim, sizeof(*out));
    static struct client clients[MAX_CLIENTS];

    if (!out)
        exit(1);
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        clients[i].clip = clip;
        clients[i].out = out + i * dim;
        generated_text("bench", (uint32_t)i, CLIENT_TOKENS, vocab, 0, CLIENT_TOKENS,
                       clients[i].ids);
    }
    must(ims_clip_gather_texts(clip, &err));
    for (size_t n = 1; n <= MAX_CLIENTS; n *= 2) {
        double apart = 0, together = 0;

        for (unsigned i = 0; i < N_TURNS; i++) { /* by turns, so that both meet the same machine */
            double a = ask_all(clients, n, false), b = ask_all(clients, n, true);

            apart = a > apart ? a : apart;
            together = b > together ? b : together;
        }
        printf("  %zu clients, texts of %d tokens: %.0f/s each by itself, %.0f/s gathered\n", n,
               CLIENT_TOKENS, apart, together);
    }
    ims__free(out);
}

static struct ims_clip *open_clip(const struct ims_pack *pack, struct ims_compute *compute)
{
    struct ims_clip *clip = NULL;
    uint64_t start = ims__mono_ns();

    must(ims_clip_open(&clip, pack, compute, NULL, &err));
    printf("  model opened in %.1f ms\n", ms_since(start));
    return clip;
}

static void time_threads(const struct ims_pack *pack, unsigned n_threads)
{
    const struct ims_compute_options options = { .device = { .device = "cpu" },
                                                 .n_threads = n_threads };
    struct ims_compute *compute = NULL;
    struct ims_device_choice choice;
    struct ims_clip *clip;
    uint64_t start;

    printf("%u thread%s\n", n_threads, n_threads == 1 ? "" : "s");
    must(ims_compute_open(&compute, &options, &err));
    start = ims__mono_ns();
    must(ims_compute_choose(compute, &choice, &err));
    printf("  runtime loaded and proven in %.0f ms\n", ms_since(start));
    clip = open_clip(pack, compute);
    print_memory("before any session");
    start = ims__mono_ns();
    must(ims_clip_load(clip, IMS_CLIP_TEXT, &err));
    printf("  text session in %.0f ms\n", ms_since(start));
    time_texts(clip);
    time_company(clip);
    print_memory("with the text tower");
    start = ims__mono_ns();
    must(ims_clip_load(clip, IMS_CLIP_IMAGE, &err));
    printf("  image session in %.0f ms\n", ms_since(start));
    print_memory("with both towers");
    time_images(clip, 1);
    time_images(clip, 16);
    print_memory("after the last batch");
    ims_clip_close(clip);
    ims_compute_close(compute);
}

int main(int argc, char **argv)
{
    struct ims_pack *pack = NULL;
    struct ims_clip_config config;
    const char *dir = argc > 1 ? argv[1] : test_tmp_dir();
    uint64_t start;

    if (argc == 1)
        generated_pack(dir, test_source_path("tests/golden/clip/vit_b_32.config.json"), "F32", NULL,
                       &config);
    start = ims__mono_ns();
    must(ims_pack_open(&pack, dir, &err));
    printf("pack %s: %llu MiB, opened in %.1f ms\n", pack->name,
           (unsigned long long)(pack->size_bytes >> 20), ms_since(start));
    for (unsigned n = 1; n <= 2; n++)
        time_threads(pack, n);
    ims_pack_close(pack);
    return 0;
}
