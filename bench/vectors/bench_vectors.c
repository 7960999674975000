/* The vector index beside hnswlib, faiss and sqlite-vec, in one run on the same drawn rows.
 *
 *   bench_vectors [--n N] [--dim D] [--set c10] [--queries Q] [--miss P] [--work DIR] [--rivals LIST]
 *                 [--only-build] [--only-index] [--skip-rows N] [--shuffle] [--reuse] [--keep] [--one-in LIST]
 *
 *   --rivals   of hnswlib16, hnswlib32, faiss, sqlite-vec, separated by commas; what was not built in is named
 *   --work     where the index's files go, and the rivals' that take long to build, to be taken from there
 *              the next time (default build/bench/vectors)
 *   --only-index  builds, saves, rebuilds and opens the index; no queries
 *   --skip-rows  full segments with so many rows are put in order of likeness (built in: 3 million)
 *   --shuffle  the rows come in an order that has nothing to do with their likeness
 *   --reuse    the index of an earlier run in the same folder is taken as it is, and what its full scans found
 *   --keep     no inserts and removals: the index stays for --reuse
 *   --one-in   one row in how many is allowed, separated by commas (default 1,10,100,1000; 1 = no filter)
 *   IMS_BENCH_SQLITE_VEC   path of the extension vec0
 *
 * One query at a time. Times are milliseconds; the floor is what the codes' bytes take at the bandwidth that
 * was measured before. Recall is over the ten best of all rows, found in full while they are drawn; a rival's effort is
 * raised until it reaches 0.99. Without rivals neither rows nor index need be in memory: ten million take 3 GB and 35 GB
 * of disk while they are put in order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "rivals.h"
#include "synthetic.h"
#include "truth.h"
#include "vectors/vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define K TRUTH_K
#define ENOUGH 0.99
#define BANDWIDTH_BYTES ((size_t)1 << 30)
#define BATCH 8192
#define SLICE ((size_t)65536)      /* rows drawn at once, unless rivals need all of them */
#define SAVE_ROWS ((size_t)1 << 20) /* rows after which the index is saved: it needs memory for so many */

struct bench {
    size_t n;
    uint32_t dim;
    const char *family, *work, *rivals;
    size_t n_queries;
    double miss;
    bool only_build, only_index, is_shuffled, is_reused, is_kept;
    struct ims_vectors_tuning tuning;
    struct synthetic *set;
    float *rows;         /* all of them, for rivals; else NULL */
    float *slice;        /* room for SLICE of them */
    float *queries[2];   /* pictures, texts; one behind the other */
    uint8_t *allowed;    /* of the present filter; NULL = all */
    unsigned filters[TRUTH_FILTERS]; /* one in so many is allowed */
    size_t n_filters;
    struct truth *truth; /* of all queries, pictures first */
    const int64_t *wanted[2]; /* of the present filter: n_queries x K; -1 where there are fewer */
    double gb_per_s[3]; /* on 1 and 2 threads */
};

static const char *const kinds[] = { "image", "text" };

static void die(const char *what)
{
    fprintf(stderr, "bench_vectors: %s\n", what);
    exit(1);
}

static void must(ims_status st, const ims_err *err)
{
    if (st)
        die(err->text);
}

static void *need(size_t n, size_t size)
{
    void *p = ims__aligned_alloc(64, n, size);

    if (!p)
        die("out of memory");
    return p;
}

static double ms_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e6;
}

/* Of a piece of work: what passed, and the processor's time of all threads. */
struct cost {
    double ms, cpu_ms;
};

static struct cost cost_from(void)
{
    return (struct cost){ .ms = (double)ims__mono_ns() / 1e6, .cpu_ms = (double)ims__process_cpu_ns() / 1e6 };
}

static void add_cost(struct cost *sum, struct cost from)
{
    struct cost now = cost_from();

    sum->ms += now.ms - from.ms;
    sum->cpu_ms += now.cpu_ms - from.cpu_ms;
}

static void print_cost(const char *what, struct cost c)
{
    printf("  %-18s %s in %.3f s, %.3f s of processor\n", "imgsearch", what, c.ms / 1e3, c.cpu_ms / 1e3);
    fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* ---- rows and queries ---- */

struct half {
    struct bench *b;
    size_t from, until;
    float *out; /* of row `from` */
    uint64_t sum;
    const uint64_t *words;
    struct ims_thread thread;
};

/* Which row of the set has id i: with --shuffle another one, each once where n has no factor 7919. */
static size_t row_of(const struct bench *b, size_t i)
{
    return b->is_shuffled ? (size_t)((uint64_t)i * 7919 * 7919 % b->n) : i;
}

static void draw_half(void *arg)
{
    struct half *h = arg;

    for (size_t i = h->from; i < h->until; i++)
        synthetic_rows(h->b->set, row_of(h->b, i), 1, h->out + (i - h->from) * h->b->dim);
}

static void sum_half(void *arg)
{
    struct half *h = arg;
    uint64_t sums[8] = { 0 };

    for (size_t i = h->from; i < h->until; i += 8) {
        for (size_t j = 0; j < 8; j++)
            sums[j] += h->words[i + j];
    }
    for (size_t j = 0; j < 8; j++)
        h->sum += sums[j];
}

static void run_halves(struct half *h, unsigned n, void (*fn)(void *))
{
    ims_err err;

    for (unsigned i = 1; i < n; i++)
        must(ims__thread_start(&h[i].thread, "bench", fn, &h[i], &err), &err);
    fn(&h[0]);
    for (unsigned i = 1; i < n; i++)
        ims__thread_join(&h[i].thread);
}

static void draw_part(struct bench *b, size_t from, size_t n, float *out)
{
    size_t half = from + n / 2;
    struct half h[2] = { { .b = b, .from = from, .until = half, .out = out },
                         { .b = b, .from = half, .until = from + n, .out = out + n / 2 * b->dim } };

    run_halves(h, 2, draw_half);
}

static void draw_rows(struct bench *b)
{
    b->rows = need(b->n * b->dim, sizeof(float));
    draw_part(b, 0, b->n, b->rows);
}

/* Up to SLICE rows, drawn now unless all are there. */
static const float *some_rows(struct bench *b, size_t from, size_t n)
{
    if (b->rows)
        return b->rows + from * b->dim;
    draw_part(b, from, n, b->slice);
    return b->slice;
}

static void draw_queries(struct bench *b)
{
    b->queries[0] = need(2 * b->n_queries * b->dim, sizeof(float));
    b->queries[1] = b->queries[0] + b->n_queries * b->dim;
    b->slice = need(SLICE * b->dim, sizeof(float));
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < b->n_queries; i++)
            synthetic_query(b->set, kind == 1, i, b->queries[kind] + i * b->dim);
    }
    b->truth = truth_new(b->queries[0], 2 * b->n_queries, b->dim, b->filters, b->n_filters);
    if (!b->truth)
        die("out of memory");
}

static void measure_bandwidth(struct bench *b)
{
    size_t n = BANDWIDTH_BYTES / 8;
    uint64_t *words = need(n, 8);
    uint64_t sum = 0;

    memset(words, 1, BANDWIDTH_BYTES);
    for (unsigned n_threads = 1; n_threads <= 2; n_threads++) {
        for (int round = 0; round < 5; round++) {
            struct half h[2] = { { .until = n / n_threads, .words = words },
                                 { .from = n / 2, .until = n, .words = words } };
            uint64_t start = ims__mono_ns();
            double rate;

            run_halves(h, n_threads, sum_half);
            rate = (double)BANDWIDTH_BYTES / ms_since(start) / 1e6;
            b->gb_per_s[n_threads] = rate > b->gb_per_s[n_threads] ? rate : b->gb_per_s[n_threads];
            sum += h[0].sum;
        }
    }
    printf("memory     %.1f GB/s on 1 thread, %.1f on 2%s\n", b->gb_per_s[1], b->gb_per_s[2], sum ? "" : "?");
    ims__free(words);
}

/* ---- reporting ---- */

struct series {
    double *ms;
    size_t n, n_found, n_true;
};

static void count_found(struct series *s, const int64_t *truth, const int64_t *got, size_t n)
{
    for (size_t i = 0; i < K && truth[i] >= 0; i++) {
        s->n_true++;
        for (size_t j = 0; j < n; j++)
            s->n_found += got[j] == truth[i];
    }
}

static double recall(const struct series *s)
{
    return s->n_true ? (double)s->n_found / (double)s->n_true : 1.0;
}

static void report(const struct series *s, const char *who, const char *kind, unsigned n_threads, const char *rest)
{
    qsort(s->ms, s->n, sizeof(double), by_value);
    printf("  %-18s %-5s %u thread%s  median %8.3f  p99 %8.3f ms  recall %.4f  %s\n", who, kind, n_threads,
           n_threads == 1 ? " " : "s", s->ms[s->n / 2], s->ms[s->n * 99 / 100], recall(s), rest);
    fflush(stdout);
}

/* ---- our own ---- */

static struct ims_vectors *open_index(struct bench *b, unsigned n_threads, const char *dir)
{
    struct ims_vectors_options o = {
        .dim = b->dim, .n_threads = n_threads, .miss = b->miss, .dir = dir, .key = "bench", .tuning = &b->tuning
    };
    struct ims_vectors *v = NULL;
    ims_err err;

    must(ims_vectors_open(&v, "embedded", &o, &err), &err);
    return v;
}

/* rows: of the ids from .. until - 1 */
static void add_rows(struct bench *b, struct ims_vectors *v, const float *rows, size_t from, size_t until, size_t batch)
{
    int64_t ids[BATCH];
    ims_err err;

    for (size_t n; from < until; from += n, rows += n * b->dim) {
        n = until - from < batch ? until - from : batch;
        for (size_t i = 0; i < n; i++)
            ids[i] = (int64_t)(from + i);
        must(ims_vectors_add(v, ids, rows, n, &err), &err);
    }
}

static struct ims_vectors_filter *make_filter(struct bench *b, unsigned one_in)
{
    struct ims_vectors_filter *f = NULL;
    int64_t *ids = need(b->n, sizeof(*ids));
    size_t n = 0;
    ims_err err;

    ims__free(b->allowed);
    b->allowed = NULL;
    if (one_in > 1) {
        b->allowed = need(b->n, 1);
        for (size_t i = 0; i < b->n; i++) {
            b->allowed[i] = truth_allows(one_in, i);
            if (b->allowed[i])
                ids[n++] = (int64_t)i;
        }
        must(ims_vectors_filter_open(&f, ids, n, &err), &err);
    }
    ims__free(ids);
    return f;
}

/* What was found in full is kept beside the index. */
static char *truth_path(const struct bench *b, unsigned one_in)
{
    char *path = ims__strfmt("%s/truth-%s%s-%zu-%u-%zu-%u", b->work, b->family, b->is_shuffled ? "-shuffled" : "", b->n,
                             b->dim, b->n_queries, one_in);

    if (!path)
        die("out of memory");
    return path;
}

static bool load_truth(struct bench *b)
{
    bool is_there = true;

    for (size_t i = 0; is_there && i < b->n_filters; i++) {
        char *path = truth_path(b, b->filters[i]);

        is_there = truth_load(b->truth, i, path);
        ims__free(path);
    }
    return is_there;
}

static void save_truth(struct bench *b)
{
    for (size_t i = 0; i < b->n_filters; i++) {
        char *path = truth_path(b, b->filters[i]);

        if (!truth_save(b->truth, i, path))
            die("what was found cannot be kept");
        ims__free(path);
    }
}

static void measure_own(struct bench *b, struct ims_vectors *v, unsigned n_threads, struct ims_vectors_filter *f)
{
    double *ms = need(b->n_queries, sizeof(*ms));
    ims_err err;

    for (int kind = 0; kind < 2; kind++) {
        struct series s = { .ms = ms };
        double n_coded = 0, n_bytes = 0, n_skipped = 0, floor_ms;
        struct ims_vectors_hit hits[K];
        struct ims_vectors_result r = { .hits = hits };
        char rest[160];

        for (size_t i = 0; i < b->n_queries; i++) {
            struct ims_vectors_query q = { .vector = b->queries[kind] + i * b->dim, .k = K, .filter = f };
            uint64_t start = ims__mono_ns();
            int64_t got[K];

            must(ims_vectors_search_many(v, &q, 1, &r, &err), &err);
            ms[s.n++] = ms_since(start);
            for (size_t k = 0; k < r.n; k++)
                got[k] = hits[k].id;
            count_found(&s, b->wanted[kind] + i * K, got, r.n);
            n_coded += (double)r.answer.n_coded;
            n_skipped += (double)r.answer.n_skipped;
            n_bytes += (double)r.answer.n_bytes;
        }
        n_coded /= (double)b->n_queries;
        n_bytes /= (double)b->n_queries;
        floor_ms = (n_coded * (b->dim / 8.0 + 8) + n_bytes * b->dim) / b->gb_per_s[n_threads] / 1e6;
        snprintf(rest, sizeof(rest), "%s: %.0f codes, %.0f skipped, %.0f bytes; floor %.3f ms",
                 ims_vectors_plan_name(r.answer.plan), n_coded, n_skipped / (double)b->n_queries, n_bytes, floor_ms);
        report(&s, "imgsearch", kinds[kind], n_threads, rest);
    }
    ims__free(ms);
}

/* Every row passes by once: what the full scan finds is noted, and the row is added to the index (NULL: it is there).
 * Saved as it grows, so that neither the rows nor the index need be in memory. */
static void pass_rows(struct bench *b, struct ims_vectors *v, struct cost *build, struct cost *save)
{
    ims_err err;

    for (size_t from = 0, n; from < b->n; from += n) {
        const float *rows;
        struct cost start;

        n = b->n - from < SLICE ? b->n - from : SLICE;
        rows = some_rows(b, from, n);
        if (!b->only_index)
            truth_pass(b->truth, rows, from, n);
        if (b->n > SAVE_ROWS)
            fprintf(stderr, "\r%zu of %zu rows", from + n, b->n);
        if (!v)
            continue;
        start = cost_from();
        add_rows(b, v, rows, from, from + n, BATCH);
        add_cost(build, start);
        if ((from + n) % SAVE_ROWS && from + n < b->n)
            continue;
        start = cost_from();
        must(ims_vectors_save(v, (int64_t)(from + n), &err), &err);
        add_cost(save, start);
    }
    if (b->n > SAVE_ROWS)
        fprintf(stderr, "\n");
    if (!b->only_index)
        save_truth(b);
}

/* Every file of codes is cut off, as a damaged disk would: the index comes back from its rows. */
static void damage_codes(const char *dir)
{
    DIR *d = opendir(dir);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char *path = ims__path_join(dir, e->d_name);

        if (strncmp(e->d_name, "codes-", 6) == 0 && (!path || truncate(path, 100) != 0))
            die("a file of codes cannot be cut");
        ims__free(path);
    }
    if (d)
        closedir(d);
}

static void measure_rebuild(struct bench *b, const char *dir)
{
    struct cost rebuild = { 0 }, save = { 0 }, start;
    struct ims_vectors *v;
    ims_err err;

    damage_codes(dir);
    start = cost_from();
    v = open_index(b, 2, dir);
    add_cost(&rebuild, start);
    print_cost("rebuilt from rows", rebuild);
    start = cost_from();
    must(ims_vectors_save(v, (int64_t)b->n, &err), &err);
    add_cost(&save, start);
    print_cost("codes saved", save);
    ims_vectors_close(v);
}

static void measure_build(struct bench *b, const char *dir, struct ims_vectors **out)
{
    struct ims_vectors *v = open_index(b, 2, dir);
    struct ims_vectors_info info;
    bool is_there = b->is_reused && ims_vectors_count(v) == b->n;
    struct cost build = { 0 }, save = { 0 }, load = { 0 }, from;
    uint64_t start;
    ims_err err;

    if (!is_there)
        must(ims_vectors_clear(v, &err), &err);
    if (!is_there || !load_truth(b))
        pass_rows(b, is_there ? NULL : v, &build, &save);
    ims_vectors_close(v);
    if (!is_there) {
        print_cost("built", build);
        print_cost("saved", save);
    }
    if (b->only_index)
        measure_rebuild(b, dir);
    from = cost_from();
    v = open_index(b, 2, dir);
    add_cost(&load, from);
    print_cost("opened", load);
    ims_vectors_info(v, &info);
    start = ims__mono_ns();
    ims_vectors_warm(v);
    printf("  %-18s bytes brought into memory in %.1f ms\n", "imgsearch", ms_since(start));
    printf("  %-18s per vector %.1f bytes hot, %.0f on disk, %.0f in memory for all\n", "imgsearch",
           (double)info.code_bytes / (double)info.n_coded, (double)info.disk_bytes / (double)b->n, (double)info.memory_bytes / (double)b->n);
    printf("  %-18s %zu of %zu segments in order of likeness\n", "imgsearch", info.n_ordered, info.n_segments);
    *out = v;
}

static void measure_inserts(struct bench *b, const char *dir)
{
    static const size_t batches[] = { 1, 16, 256, 4096 };
    size_t most = b->n < 60000 ? b->n : 60000;
    const float *rows = some_rows(b, 0, most);
    ims_err err;

    for (size_t i = 0; i < IMS_ARRAY_LEN(batches); i++) {
        struct ims_vectors *v = open_index(b, 1, dir);
        uint64_t start;
        size_t n = 0;

        must(ims_vectors_clear(v, &err), &err);
        start = ims__mono_ns();
        while (ms_since(start) < 1000 && n + batches[i] <= most) {
            add_rows(b, v, rows + n * b->dim, n, n + batches[i], batches[i]);
            n += batches[i];
            must(ims_vectors_save(v, (int64_t)n, &err), &err);
        }
        printf("  %-18s durable inserts in groups of %zu: %.0f/s\n", "imgsearch", batches[i],
               (double)n / ms_since(start) * 1e3);
        must(ims_vectors_clear(v, &err), &err);
        ims_vectors_close(v);
    }
}

static void measure_removal(struct bench *b, struct ims_vectors *v)
{
    int64_t *ids = need(b->n / 2, sizeof(*ids));
    uint64_t start = ims__mono_ns();
    double remove_ms;
    ims_err err;

    for (size_t i = 0; i < b->n / 2; i++)
        ids[i] = (int64_t)(2 * i);
    must(ims_vectors_remove(v, ids, b->n / 2, &err), &err);
    remove_ms = ms_since(start);
    start = ims__mono_ns();
    must(ims_vectors_save(v, 2, &err), &err);
    printf("  %-18s half removed in %.0f ms, written anew without them in %.2f s\n", "imgsearch", remove_ms,
           ms_since(start) / 1e3);
    ims__free(ids);
}

/* ---- rivals ---- */

static struct series run_rival(struct bench *b, struct rival *r, int kind, int effort, unsigned n_threads,
                               size_t n_queries, double *ms)
{
    struct series s = { .ms = ms };

    for (size_t i = 0; i < n_queries; i++) {
        int64_t got[K];
        uint64_t start = ims__mono_ns();
        size_t n = r->search(r->ctx, b->queries[kind] + i * b->dim, K, effort, b->allowed, n_threads, got);

        ms[s.n++] = ms_since(start);
        count_found(&s, b->wanted[kind] + i * K, got, n);
    }
    return s;
}

/* The smallest effort of 16, 24, 32, 48 ... that is enough. */
static void measure_rival(struct bench *b, struct rival *r, unsigned n_threads)
{
    double *ms = need(b->n_queries, sizeof(*ms));

    for (int kind = 0; kind < 2; kind++) {
        size_t n_queries = r->effort_from ? b->n_queries : b->n_queries < 20 ? b->n_queries : 20;
        int effort = r->effort_from;
        struct series s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        char rest[64] = "";

        while (r->effort_from && recall(&s) < ENOUGH && effort < r->effort_until) {
            effort = effort & (effort - 1) ? effort / 3 * 4 : effort / 2 * 3;
            s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        }
        if (r->effort_from)
            snprintf(rest, sizeof(rest), "ef %d", effort);
        report(&s, r->name, kinds[kind], n_threads, rest);
    }
    ims__free(ms);
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    }
    return false;
}

static size_t open_rivals(struct bench *b, struct rival *out)
{
    const char *extension = getenv("IMS_BENCH_SQLITE_VEC");
    size_t n = 0;

    if (has_word(b->rivals, "hnswlib16"))
        n += rival_hnswlib(&out[n], "hnswlib M16", 16);
    if (has_word(b->rivals, "hnswlib32"))
        n += rival_hnswlib(&out[n], "hnswlib M32", 32);
    if (has_word(b->rivals, "faiss"))
        n += rival_faiss(&out[n]);
    if (has_word(b->rivals, "sqlite-vec") && extension)
        n += rival_sqlite_vec(&out[n], extension);
    if (n)
        draw_rows(b);
    for (size_t i = 0; i < n; i++) {
        char *path = ims__strfmt("%s/%s-%s-%zu-%u", b->work, out[i].name, b->family, b->n, b->dim);
        struct ims_file_info file;
        bool was_there = path && ims__stat(path, true, &file, NULL) == IMS_OK;
        uint64_t start = ims__mono_ns();
        clock_t start_cpu = clock();

        if (!path || !out[i].build(out[i].ctx, b->rows, b->n, b->dim, 2, path))
            die("a rival cannot be built");
        printf("  %-18s %s in %.2f s (%.2f s of processor time), %.0f bytes per vector in memory\n", out[i].name,
               was_there ? "loaded" : "built", ms_since(start) / 1e3,
               (double)(clock() - start_cpu) / CLOCKS_PER_SEC, (double)out[i].bytes(out[i].ctx) / (double)b->n);
        fflush(stdout);
        ims__free(path);
    }
    return n;
}

/* ---- the run ---- */

static void measure_filters(struct bench *b, struct ims_vectors *own[3], struct rival *rivals, size_t n_rivals)
{
    for (size_t i = 0; i < b->n_filters; i++) {
        unsigned one_in = b->filters[i];
        struct ims_vectors_filter *f = make_filter(b, one_in);

        b->wanted[0] = truth_of(b->truth, i);
        b->wanted[1] = b->wanted[0] + b->n_queries * K;
        printf("%s %zu x %u, %g %% allowed\n", b->family, b->n, b->dim, 100.0 / one_in);
        for (unsigned n_threads = 1; n_threads <= 2; n_threads++)
            measure_own(b, own[n_threads], n_threads, f);
        for (size_t r = 0; r < n_rivals; r++) {
            if (one_in == 1 || rivals[r].can_filter)
                measure_rival(b, &rivals[r], 1);
            if (one_in == 1 && strncmp(rivals[r].name, "faiss", 5) == 0)
                measure_rival(b, &rivals[r], 2);
        }
        ims_vectors_filter_close(f);
    }
}

static void measure_rival_removal(struct bench *b, struct rival *r)
{
    uint64_t start = ims__mono_ns();

    if (!r->remove)
        return;
    for (size_t i = 0; i < b->n; i += 2)
        (void)r->remove(r->ctx, i);
    printf("  %-18s half marked deleted in %.0f ms; their memory stays\n", r->name, ms_since(start));
}

static void run(struct bench *b)
{
    struct ims_vectors *own[3] = { NULL };
    struct rival rivals[4];
    size_t n_rivals;
    char *dir = ims__strfmt("%s/index", b->work);
    char *scratch = ims__strfmt("%s/inserts", b->work);

    b->set = synthetic_new(b->family, b->dim, b->n, 1);
    if (!b->set || !dir || !scratch)
        die("no such set, or out of memory");
    draw_queries(b);
    printf("%s %zu x %u\n", b->family, b->n, b->dim);
    measure_bandwidth(b);
    n_rivals = open_rivals(b, rivals);
    if (!b->only_build) {
        measure_build(b, dir, &own[2]);
    }
    if (!b->only_build && !b->only_index) {
        own[1] = open_index(b, 1, dir);
        ims_vectors_warm(own[1]);
        measure_filters(b, own, rivals, n_rivals);
        ims_vectors_close(own[1]);
        if (!b->is_kept) {
            measure_inserts(b, scratch);
            measure_removal(b, own[2]);
        }
        for (size_t i = 0; !b->is_kept && i < n_rivals; i++)
            measure_rival_removal(b, &rivals[i]);
    }
    ims_vectors_close(own[2]);
    for (size_t i = 0; i < n_rivals; i++)
        rivals[i].close(rivals[i].ctx);
    synthetic_free(b->set);
    truth_free(b->truth);
    ims__free(b->allowed);
    ims__free(b->slice);
    ims__free(b->queries[0]);
    ims__free(b->rows);
    ims__free(dir);
    ims__free(scratch);
}

static void take_filters(struct bench *b, const char *list)
{
    for (const char *rest = list; rest; rest = strchr(rest, ',') ? strchr(rest, ',') + 1 : NULL) {
        unsigned one_in = (unsigned)strtoul(rest, NULL, 10);

        if (!one_in || b->n_filters == TRUTH_FILTERS)
            die("--one-in takes up to 8 whole numbers above 0");
        b->filters[b->n_filters++] = one_in;
    }
}

int main(int argc, char **argv)
{
    struct bench b = { .n = 100000, .dim = 512, .family = "c10", .n_queries = 200, .work = "build/bench/vectors",
                       .rivals = "hnswlib16,hnswlib32,faiss,sqlite-vec" };
    const char *one_in = "1,10,100,1000";
    ims_err err;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--only-build") == 0) {
            b.only_build = true;
            continue;
        }
        if (strcmp(argv[i], "--shuffle") == 0) {
            b.is_shuffled = true;
            continue;
        }
        if (strcmp(argv[i], "--only-index") == 0) {
            b.only_index = true;
            continue;
        }
        if (strcmp(argv[i], "--reuse") == 0 || strcmp(argv[i], "--keep") == 0) {
            *(argv[i][2] == 'r' ? &b.is_reused : &b.is_kept) = true;
            continue;
        }
        if (strcmp(argv[i], "--n") == 0)
            b.n = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--skip-rows") == 0)
            b.tuning.skip_rows = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--one-in") == 0)
            one_in = value;
        else if (strcmp(argv[i], "--dim") == 0)
            b.dim = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--set") == 0)
            b.family = value;
        else if (strcmp(argv[i], "--queries") == 0)
            b.n_queries = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--miss") == 0)
            b.miss = strtod(value, NULL);
        else if (strcmp(argv[i], "--work") == 0)
            b.work = value;
        else if (strcmp(argv[i], "--rivals") == 0)
            b.rivals = value;
        else
            die("the head of bench/vectors/bench_vectors.c tells the options");
        i++;
    }
    if (!b.n || !b.n_queries || !b.dim || b.dim > 8192)
        die("sizes must be above 0, dimensions at most 8192");
    take_filters(&b, one_in);
    must(ims__mkdir_p(b.work, &err), &err);
    run(&b);
    return 0;
}
