/* Times the clustering of drawn face vectors, stage by stage, and checks its spanning tree against Prim's.
 *
 *   bench_cluster [-n FACES] [-t THREADS] [-f auto|f32|u8] [-m MIN_SAMPLES] [-a] [-1] [-p] [-w FILE]
 *
 * -a: average linkage too. -1: what one new face costs. -p: Prim's algorithm too, and a comparison of all weights. -w: writes the vectors as n x 512
 * floats and ends. The vectors are meant to be like those of a family's photos: few people with
 * very many faces and many with few, two modes for every tenth person (ages), relatives, blurred faces that share
 * directions, strangers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/cluster/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DIM 512
#define BLURS 20

static uint64_t seed = 1;

static double uniform(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Sum of four uniform numbers, variance 1: near enough to normal. */
static float normal(void)
{
    return (float)((uniform() + uniform() + uniform() + uniform() - 2) * sqrt(3.0));
}

static void draw_direction(float *v)
{
    for (size_t i = 0; i < DIM; i++)
        v[i] = normal();
    ims__kernels()->normalise_f32(v, DIM);
}

static void mix(float *out, const float *a, float wa, const float *b, float wb)
{
    for (size_t i = 0; i < DIM; i++)
        out[i] = wa * a[i] + wb * b[i];
    ims__kernels()->normalise_f32(out, DIM);
}

/* One face of a person: between its two modes, with noise; some blurred towards a common direction. */
static void draw_face(float *out, const float *modes, float (*blurs)[DIM])
{
    float noise[DIM], spread = 0.55f + 0.35f * (float)uniform();
    const float *mode = modes + (uniform() < 0.3 ? DIM : 0);

    draw_direction(noise);
    mix(out, mode, 1.0f, noise, spread);
    if (uniform() < 0.08)
        mix(out, out, 1.0f, blurs[(size_t)(uniform() * BLURS)], 0.5f + 0.5f * (float)uniform());
}

static float *draw_faces(size_t n)
{
    static float blurs[BLURS][DIM];
    float *vectors = ims__alloc(n * DIM, sizeof(*vectors));
    float modes[2 * DIM], before[DIM], other[DIM];
    size_t done = 0, person = 0;

    for (size_t b = 0; b < BLURS; b++)
        draw_direction(blurs[b]);
    memset(before, 0, sizeof(before));
    while (vectors && done < n) {
        /* strangers, then sizes that fall like 1 / u */
        size_t size = uniform() < 0.4 ? 1 : (size_t)(4 / (uniform() + 0.002));

        draw_direction(modes);
        if (uniform() < 0.1 && person)
            mix(modes, modes, 1.0f, before, 0.45f); /* a relative of the one before */
        draw_direction(other);
        mix(modes + DIM, modes, 1.0f, other, uniform() < 0.1 ? 0.9f : 0.2f);
        for (size_t i = 0; i < size && done < n; i++)
            draw_face(vectors + DIM * done++, modes, blurs);
        memcpy(before, modes, sizeof(before));
        person++;
    }
    return vectors;
}

static double seconds_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) * 1e-9;
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* Prim over floats, each pair scored on the fly. */
static void run_prim(const struct ims_graph *g, const float *vectors, unsigned m, const struct ims_tree_edge *tree)
{
    size_t n = g->n, at = 0;
    float *best = ims__alloc(n, sizeof(*best)), *weights = ims__alloc(n, sizeof(*weights));
    float *scores = ims__alloc(n, sizeof(*scores));
    uint64_t start = ims__mono_ns();
    double worst = 0, sum = 0;

    for (size_t i = 0; i < n; i++)
        best[i] = -3;
    for (size_t step = 1; step < n; step++) {
        float core = ims__graph_core(g, at, m), highest = -4;
        size_t next = 0;

        best[at] = -5; /* in the tree */
        ims__kernels()->dot_f32_rows(vectors + at * DIM, vectors, DIM, n, DIM, scores);
        for (size_t j = 0; j < n; j++) {
            float w;

            if (best[j] == -5)
                continue;
            w = fminf(fminf(scores[j], core), ims__graph_core(g, j, m));
            best[j] = fmaxf(best[j], w);
            if (best[j] > highest) {
                highest = best[j];
                next = j;
            }
        }
        weights[step - 1] = highest;
        at = next;
    }
    printf("prim            %8.2f s\n", seconds_since(start));
    qsort(weights, n - 1, sizeof(*weights), falling);
    for (size_t e = 0; e + 1 < n; e++) {
        worst = fmax(worst, fabs((double)weights[e] - (double)tree[e].similarity));
        sum += 1 - (double)tree[e].similarity;
    }
    printf("tree weight %.6f, largest difference of a weight %.2g\n", sum, worst);
    ims__free(best);
    ims__free(weights);
    ims__free(scores);
}

/* What one new face costs: the scan of its bytes against those of all others, and the whole of growing the graph. */
static void run_new_face(const struct ims_points *p, const struct ims_graph_options *options)
{
    struct ims_points before = { p->n - 1, p->dim, p->vectors, p->ids };
    uint8_t *bytes = ims__alloc(p->n, DIM);
    int32_t *scores = ims__alloc(p->n, sizeof(*scores));
    int8_t query[DIM];
    struct ims_graph *g = NULL, *grown = NULL;
    double best = 1e9;
    uint64_t start;
    ims_err err = { 0 };

    for (size_t i = 0; i < p->n * DIM; i++)
        bytes[i] = (uint8_t)(p->vectors[i] * 400 + 128.5f);
    for (size_t i = 0; i < DIM; i++)
        query[i] = (int8_t)(p->vectors[i] * 400);
    for (int round = 0; round < 20; round++) {
        start = ims__mono_ns();
        ims__kernels()->dot_u8_rows(query, bytes, DIM, p->n, DIM, scores);
        best = fmin(best, seconds_since(start));
    }
    printf("new face, scan  %8.2f ms  one thread, best of 20\n", best * 1e3);
    if (ims__graph_build(&g, &before, options, &err) == IMS_OK) {
        start = ims__mono_ns();
        if (ims__graph_extend(&grown, g, p, options, &err) == IMS_OK)
            printf("new face, all   %8.2f ms  vectors to bytes, scan, lists, spanning tree\n", seconds_since(start) * 1e3);
    }
    ims__graph_free(g);
    ims__graph_free(grown);
    ims__free(bytes);
    ims__free(scores);
}

static void run_labels(const struct ims_graph *g, const struct ims_points *p, unsigned m, bool with_average,
                       const struct ims_graph_options *options)
{
    struct ims_labels l = { 0 };
    uint64_t start = ims__mono_ns();
    ims_err err = { 0 };

    if (ims__hdbscan(g, &(struct ims_hdbscan_options){ .min_cluster_size = 3, .min_samples = m }, &l, &err) == IMS_OK)
        printf("hdbscan         %8.3f s   %zu clusters, tree included\n", seconds_since(start), l.n_clusters);
    ims__labels_release(&l);
    start = ims__mono_ns();
    if (ims__dbscan(g, 0.5, m + 1, &l, &err) == IMS_OK)
        printf("dbscan          %8.3f s   %zu clusters, tree included\n", seconds_since(start), l.n_clusters);
    ims__labels_release(&l);
    start = ims__mono_ns();
    if (with_average && ims__average_linkage(g, p, 0.6, options, &l, &err) == IMS_OK)
        printf("average linkage %8.3f s   %zu clusters, tree included\n", seconds_since(start), l.n_clusters);
    ims__labels_release(&l);
}

static bool show(void *arg, const char *phase, double fraction)
{
    struct {
        char phase[16];
        uint64_t start;
    } *last = arg;

    (void)fraction;
    if (strcmp(last->phase, phase) != 0) {
        if (last->phase[0])
            printf("  %-13s %8.2f s\n", last->phase, seconds_since(last->start));
        snprintf(last->phase, sizeof(last->phase), "%s", phase);
        last->start = ims__mono_ns();
    }
    return true;
}

int main(int argc, char **argv)
{
    struct {
        char phase[16];
        uint64_t start;
    } last = { 0 };
    struct ims_graph_options options = { .n_threads = 2, .on_progress = show, .arg = &last };
    struct ims_graph *g = NULL;
    struct ims_tree_edge *tree = NULL;
    struct rusage usage;
    const char *write_to = NULL;
    size_t n = 20000;
    unsigned m = 3;
    bool with_prim = false, with_average = false, with_new = false;
    struct ims_points points;
    int64_t *ids;
    float *vectors;
    uint64_t start;
    ims_err err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-p") == 0)
            with_prim = true;
        else if (strcmp(argv[i], "-a") == 0)
            with_average = true;
        else if (strcmp(argv[i], "-1") == 0)
            with_new = true;
        else if (i + 1 == argc)
            return 2;
        else if (strcmp(argv[i], "-n") == 0)
            n = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-t") == 0)
            options.n_threads = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-m") == 0)
            m = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-k") == 0)
            options.n_neighbours = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-x") == 0)
            options.max_samples = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-w") == 0)
            write_to = argv[++i];
        else if (strcmp(argv[i], "-f") == 0) {
            i++;
            options.filter = argv[i][0] == 'f' ? IMS_GRAPH_FILTER_F32 : argv[i][0] == 'u' ? IMS_GRAPH_FILTER_U8 : 0;
        } else
            return 2;
    }
    vectors = draw_faces(n);
    ids = ims__alloc(n, sizeof(*ids));
    if (!vectors || !ids)
        return 3;
    if (write_to) {
        FILE *f = fopen(write_to, "wb");

        return f && fwrite(vectors, DIM * 4, n, f) == n && fclose(f) == 0 ? 0 : 4;
    }
    for (size_t i = 0; i < n; i++)
        ids[i] = (int64_t)i + 1;
    points = (struct ims_points){ n, DIM, vectors, ids };
    start = ims__mono_ns();
    if (ims__graph_build(&g, &points, &options, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    show(&last, "end", 1);
    printf("graph           %8.2f s   %zu faces, %s, %zu bridges\n", seconds_since(start), n, ims__kernels()->name,
           g->n_bridges);
    start = ims__mono_ns();
    if (ims__graph_tree(g, m, &tree, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("tree            %8.2f s   min_samples %u\n", seconds_since(start), m);
    getrusage(RUSAGE_SELF, &usage);
    printf("memory          %8.0f MiB resident at most, vectors included\n", (double)usage.ru_maxrss / 1024);
    options.on_progress = NULL;
    run_labels(g, &points, m, with_average, &options);
    if (with_new)
        run_new_face(&points, &options);
    if (with_prim)
        run_prim(g, vectors, m, tree);
    ims__free(tree);
    ims__graph_free(g);
    ims__free(ids);
    ims__free(vectors);
    return 0;
}
