/* Times a face pack: loading, preparing a photo, detector and recogniser by batch, memory.
 *
 *     bench_face DIR [THREADS]
 *
 * bench/make_face_pack writes a pack of buffalo_l's true shapes. Each figure is the best of a few
 * runs; "core ms" is processor time, which holds on a busy machine too.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "golden/face/pictures.h"
#include "models/face/face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_RUNS 4
#define FACES_PER_PHOTO 2 /* of the floor that is printed at the end */

static ims_err err;

static void must(ims_status st)
{
    if (st) {
        fprintf(stderr, "bench_face: %s\n", err.text);
        exit(1);
    }
}

static double cpu_ms(void)
{
    return (double)clock() * 1000.0 / CLOCKS_PER_SEC;
}

static void print_memory(const char *when)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long now = 0, peak = 0;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        (void)sscanf(line, "VmRSS: %ld", &now);
        (void)sscanf(line, "VmHWM: %ld", &peak);
    }
    (void)fclose(f);
    printf("  memory %-22s %5ld MiB, peak %5ld MiB\n", when, now / 1024, peak / 1024);
}

struct timing {
    double wall_ms, core_ms;
};

static void keep_best(struct timing *best, uint64_t start_ns, double start_cpu, size_t n)
{
    double wall = (double)(ims__mono_ns() - start_ns) / 1e6 / (double)n;
    double core = (cpu_ms() - start_cpu) / (double)n;

    if (best->wall_ms == 0 || wall < best->wall_ms)
        best->wall_ms = wall;
    if (best->core_ms == 0 || core < best->core_ms)
        best->core_ms = core;
}

static void print_timing(const char *what, struct timing t, const char *unit)
{
    printf("  %-34s %8.2f ms, %8.2f core ms, %7.1f %s/s\n", what, t.wall_ms, t.core_ms,
           1000 / t.wall_ms, unit);
}

static struct timing time_prepare(struct ims_face_models *m, const struct ims_rgb_view *view)
{
    struct timing best = { 0 };

    for (int r = 0; r < N_RUNS; r++) {
        struct ims_face_input in;
        uint64_t start = ims__mono_ns();
        double cpu = cpu_ms();
        must(ims_face_prepare(m, view, &in, &err));
        keep_best(&best, start, cpu, 1);
        ims_face_input_release(&in);
    }
    return best;
}

static struct timing time_detect(struct ims_face_models *m, const struct ims_rgb_view *view)
{
    struct timing best = { 0 };
    struct ims_face_input in;
    struct ims_face_list l = { 0 };

    must(ims_face_prepare(m, view, &in, &err));
    for (int r = 0; r < N_RUNS; r++) {
        uint64_t start = ims__mono_ns();
        double cpu = cpu_ms();
        must(ims_face_detect(m, &in, 1, &l, NULL, &err));
        keep_best(&best, start, cpu, 1);
        ims_face_list_release(&l);
    }
    ims_face_input_release(&in);
    return best;
}

static struct timing time_crop(const struct ims_rgb_view *view)
{
    static const float points[5][2] = {
        { 1500, 1200 }, { 1640, 1190 }, { 1575, 1290 }, { 1520, 1370 }, { 1630, 1365 }
    };
    struct ims_face f = { .has_points = true, .width = 300, .height = 300 };
    static uint8_t crop[112 * 112 * 3];
    struct timing best = { 0 };

    memcpy(f.points, points, sizeof(points));
    for (int r = 0; r < N_RUNS; r++) {
        uint64_t start = ims__mono_ns();
        double cpu = cpu_ms();
        for (int i = 0; i < 50; i++)
            must(ims_face_crop(IMS_FACE_EMBED, view, &f, crop, NULL, &err));
        keep_best(&best, start, cpu, 50);
    }
    return best;
}

static struct timing time_embed(struct ims_face_models *m, const uint8_t *crops, size_t n)
{
    static float unit[64 * IMS_FACE_DIM];
    struct timing best = { 0 };

    for (int r = 0; r < N_RUNS; r++) {
        uint64_t start = ims__mono_ns();
        double cpu = cpu_ms();
        must(ims_face_embed(m, crops, n, unit, NULL, NULL, &err));
        keep_best(&best, start, cpu, n);
    }
    return best;
}

static void time_pack(const struct ims_face_pack *pack, struct ims_compute *compute,
                      const struct ims_rgb_view *view, bool no_second_scale)
{
    const struct ims_face_options o = { .no_second_scale = no_second_scale };
    static const size_t batches[] = { 1, 8, 32 };
    uint8_t *crops = draw_test_picture("noise", 5, 112, 112 * 32);
    struct ims_face_models *m;
    struct timing t = { 0 }, detect;
    uint64_t start = ims__mono_ns();

    must(ims_face_models_open(&m, pack, compute, &o, &err));
    must(ims_face_load(m, IMS_FACE_DETECT, &err));
    printf("%s\n  detector loaded in %.0f ms\n",
           no_second_scale ? "one scale (640)" : "two scales (128 and 640)",
           (double)(ims__mono_ns() - start) / 1e6);
    print_timing("prepare a photo of 12 megapixels", time_prepare(m, view), "photos");
    detect = time_detect(m, view);
    print_timing("detect", detect, "photos");
    print_memory("after detecting");
    if (!no_second_scale) {
        start = ims__mono_ns();
        must(ims_face_load(m, IMS_FACE_EMBED, &err));
        printf("  recogniser loaded in %.0f ms\n", (double)(ims__mono_ns() - start) / 1e6);
        print_timing("cut a face out", time_crop(view), "faces");
        for (size_t i = 0; i < IMS_ARRAY_LEN(batches); i++) {
            char what[32];
            (void)snprintf(what, sizeof(what), "recognise, batch %zu", batches[i]);
            t = time_embed(m, crops, batches[i]);
            print_timing(what, t, "faces");
        }
        print_memory("after recognising");
        printf("  floor of a photo with %d faces: %.1f ms, %.2f photos/s\n", FACES_PER_PHOTO,
               detect.wall_ms + FACES_PER_PHOTO * t.wall_ms,
               1000 / (detect.wall_ms + FACES_PER_PHOTO * t.wall_ms));
    }
    ims_face_models_close(m);
    ims__free(crops);
}

int main(int argc, char **argv)
{
    struct ims_compute_options o = { .device.device = "cpu",
                                     .n_threads =
                                         argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0 };
    uint8_t *rgb = draw_test_picture("mixed", 1, 4032, 3024);
    const struct ims_rgb_view view = { rgb, 4032, 3024, 4032 * 3 };
    struct ims_compute *compute;
    struct ims_face_pack *pack;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_face DIR [THREADS]\n");
        return 2;
    }
    must(ims_compute_open(&compute, &o, &err));
    must(ims_face_pack_open(&pack, argv[1], &err));
    time_pack(pack, compute, &view, true);
    time_pack(pack, compute, &view, false);
    ims_face_pack_close(pack);
    ims_compute_close(compute);
    ims__free(rgb);
    return 0;
}
