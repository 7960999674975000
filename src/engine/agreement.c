/* How far other precisions agree with fp32 on a user's pictures: vectors, rankings, speed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/engine_internal.h"
#include "engine/walk.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PICTURES 200
#define MAX_FOUND 1000000
#define TOP 10

static const char *const words[] = {
    "a dog",         "a cat",          "a person smiling",  "a group of people", "a red car",
    "a beach",       "a mountain",     "snow",              "a forest",          "a city at night",
    "a sunset",      "a house",        "a boat on a lake",  "food on a table",   "a drawing",
    "a close-up",    "a rainy day",    "something yellow",  "a child playing",   "a bicycle",
};

/* The pictures, and their vectors by the precision in hand and by fp32. */
struct measure {
    struct ims_engine *e;
    const struct ims_agreement_options *o;
    struct ims_clip *clip;
    struct ims_clip_info info; /* of fp32: sizes and preprocessing */
    char **paths;
    size_t n_paths, cap_paths;
    uint8_t *pixels;
    size_t px_bytes, n, n_unreadable;
    float *pictures, *words, *exact_pictures, *exact_words;
};

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "engine", 0, "measuring the agreement");
}

static ims_status report(const struct measure *m, const char *what, size_t done, size_t total, ims_err *err)
{
    if (!m->o->on_progress || m->o->on_progress(m->o->arg, what, done, total))
        return IMS_OK;
    return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "measuring was ended");
}

/* ---- pictures ---- */

static ims_status on_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct measure *m = arg;
    char *copy = ims__strdup(path);

    (void)size_bytes;
    (void)mtime_us;
    if (!copy || !ims__grow((void **)&m->paths, &m->cap_paths, m->n_paths, sizeof(*m->paths), MAX_FOUND)) {
        ims__free(copy);
        return no_memory(err);
    }
    m->paths[m->n_paths++] = copy;
    return IMS_OK;
}

static void on_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)why;
    (void)err;
    return IMS_OK; /* what can be read is enough for a measurement */
}

static bool is_stopped(void *arg)
{
    const struct measure *m = arg;

    return m->o->on_progress && !m->o->on_progress(m->o->arg, "looking for pictures", m->n_paths, 0);
}

static ims_status find_pictures(struct measure *m, ims_err *err)
{
    const struct ims_walk_sink sink = {
        .arg = m, .on_file = on_file, .on_odd = on_odd, .on_failed_dir = on_failed_dir, .is_stopped = is_stopped
    };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < m->o->n_dirs; i++) {
        struct ims_walk_counts counts = { 0 };
        char *real = NULL;

        st = ims__real_path(m->o->dirs[i], &real, err);
        if (!st)
            st = ims__walk(real, &sink, &counts, err);
        ims__free(real);
    }
    return st;
}

/* One picture to the model's pixels; false: it cannot be read or decoded. */
static bool read_picture(struct measure *m, const char *path, uint8_t *out)
{
    struct ims_image *image = NULL;
    struct ims_buf bytes;
    bool is_good;

    if (ims__read_file(path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, NULL))
        return false;
    is_good = ims_media_decode(m->e->media, (const uint8_t *)bytes.data, bytes.len, NULL, &image, NULL) ==
                  IMS_OK &&
              ims__model_pixels(m->e->media, &m->info, image, out, NULL) == IMS_OK;
    ims_image_unref(image);
    ims__buf_release(&bytes);
    return is_good;
}

/* Evenly from the whole list, so that one album does not stand for all. */
static ims_status read_pictures(struct measure *m, ims_err *err)
{
    size_t most = m->o->max_pictures ? m->o->max_pictures : DEFAULT_PICTURES;
    size_t n = m->n_paths < most ? m->n_paths : most;
    ims_status st = ims__engine_need_media(m->e, err);

    m->px_bytes = (size_t)m->info.preprocess.width * (size_t)m->info.preprocess.height * 3;
    m->pixels = st ? NULL : ims__alloc(n + 1, m->px_bytes);
    if (!st && !m->pixels)
        st = no_memory(err);
    for (size_t i = 0; !st && i < n; i++) {
        if (read_picture(m, m->paths[i * m->n_paths / n], m->pixels + m->n * m->px_bytes))
            m->n++;
        else
            m->n_unreadable++;
        st = report(m, "reading pictures", i + 1, n, err);
    }
    if (!st && m->n < IMS_AGREEMENT_MIN_PICTURES)
        st = ims_fail(err, IMS_E_INVALID, "engine", 0,
                      "%zu pictures could be read there; at least %d are needed for a judgement", m->n,
                      IMS_AGREEMENT_MIN_PICTURES);
    return st;
}

/* ---- vectors ---- */

static ims_status open_precision(struct measure *m, ims_precision p, ims_err *err)
{
    struct ims_clip_options options = { .max_batch = m->e->options.batch_size, .precision = p };
    char *cache = ims__path_join(m->e->options.data_dir, "cache");
    ims_status st;

    options.cache_dir = cache;
    ims_clip_close(m->clip);
    m->clip = NULL;
    st = cache ? ims_clip_open(&m->clip, m->e->pack, m->e->compute, &options, err) : no_memory(err);
    ims__free(cache);
    return st;
}

static ims_status embed(struct measure *m, ims_precision p, double *out_rate, ims_err *err)
{
    const size_t batch = m->e->options.batch_size, dim = m->info.dim;
    uint64_t start;
    ims_status st = open_precision(m, p, err);

    if (!st) /* the first batch pays for the session */
        st = ims_clip_embed_images(m->clip, m->pixels, m->n < batch ? m->n : batch, m->pictures, err);
    start = ims__mono_ns();
    for (size_t at = 0, n; !st && at < m->n; at += n) {
        n = m->n - at < batch ? m->n - at : batch;
        st = ims_clip_embed_images(m->clip, m->pixels + at * m->px_bytes, n, m->pictures + at * dim, err);
        if (!st)
            st = report(m, ims_precision_name(p), at + n, m->n, err);
    }
    *out_rate = (double)m->n / ((double)(ims__mono_ns() - start) / 1e9);
    if (!st)
        st = ims_clip_embed_text(m->clip, words, IMS_ARRAY_LEN(words), m->words, err);
    return st;
}

/* ---- rankings ---- */

/* The TOP best of the pictures for a query, best first; self is left out. Returns how many. */
static size_t rank(const struct measure *m, const float *pictures, const float *query, size_t self,
                   size_t best[TOP])
{
    float scores[TOP];
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        float s = ims__kernels()->dot_f32(query, pictures + i * m->info.dim, m->info.dim);
        size_t at = n < TOP ? n : TOP;

        if (i == self)
            continue;
        while (at > 0 && scores[at - 1] < s)
            at--;
        if (at == TOP)
            continue;
        n = n < TOP ? n + 1 : TOP;
        for (size_t k = n - 1; k > at; k--) {
            scores[k] = scores[k - 1];
            best[k] = best[k - 1];
        }
        scores[at] = s;
        best[at] = i;
    }
    return n;
}

struct tally {
    double top1, top10;
};

/* Queries exact[i] among the exact pictures, and rounded[i] among the rounded ones. */
static struct tally compare(const struct measure *m, const float *exact, const float *rounded, size_t n,
                            bool is_self)
{
    struct tally t = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        size_t a[TOP], b[TOP], n_same = 0;
        size_t self = is_self ? i : m->n;
        size_t k = rank(m, m->exact_pictures, exact + i * m->info.dim, self, a);

        (void)rank(m, m->pictures, rounded + i * m->info.dim, self, b);
        for (size_t x = 0; x < k; x++) {
            for (size_t y = 0; y < k; y++)
                n_same += a[x] == b[y];
        }
        t.top1 += a[0] == b[0];
        t.top10 += (double)n_same / (double)k;
    }
    t.top1 /= (double)n;
    t.top10 /= (double)n;
    return t;
}

static void fill_row(const struct measure *m, struct ims_agreement_row *r)
{
    struct tally pictures = compare(m, m->exact_pictures, m->pictures, m->n, true);
    struct tally by_words = compare(m, m->exact_words, m->words, IMS_ARRAY_LEN(words), false);
    double sum = 0;

    r->min_cosine = 1;
    for (size_t i = 0; i < m->n; i++) {
        double c = (double)ims__kernels()->dot_f32(m->pictures + i * m->info.dim,
                                                   m->exact_pictures + i * m->info.dim, m->info.dim);
        sum += c;
        r->min_cosine = c < r->min_cosine ? c : r->min_cosine;
    }
    r->mean_cosine = sum / (double)m->n;
    r->picture_top1 = pictures.top1;
    r->picture_top10 = pictures.top10;
    r->word_top1 = by_words.top1;
    r->word_top10 = by_words.top10;
    r->is_good = r->picture_top1 >= IMS_AGREEMENT_MIN_TOP1 && r->picture_top10 >= IMS_AGREEMENT_MIN_TOP10;
}

static ims_status allocate(struct measure *m, ims_err *err)
{
    const size_t dim = m->info.dim;

    m->pictures = ims__alloc(m->n * dim, sizeof(float));
    m->exact_pictures = ims__alloc(m->n * dim, sizeof(float));
    m->words = ims__alloc(IMS_ARRAY_LEN(words) * dim, sizeof(float));
    m->exact_words = ims__alloc(IMS_ARRAY_LEN(words) * dim, sizeof(float));
    return m->pictures && m->exact_pictures && m->words && m->exact_words ? IMS_OK : no_memory(err);
}

static ims_status measure_all(struct measure *m, struct ims_agreement *a, ims_err *err)
{
    ims_status st = allocate(m, err);

    for (int p = 0; !st && p < IMS_N_PRECISIONS; p++) {
        struct ims_agreement_row *r = &a->rows[a->n_rows++];

        (void)snprintf(r->precision, sizeof(r->precision), "%s", ims_precision_name((ims_precision)p));
        st = embed(m, (ims_precision)p, &r->images_per_s, err);
        if (st)
            break;
        if (p == IMS_PRECISION_FP32) {
            memcpy(m->exact_pictures, m->pictures, m->n * m->info.dim * sizeof(float));
            memcpy(m->exact_words, m->words, IMS_ARRAY_LEN(words) * m->info.dim * sizeof(float));
        }
        fill_row(m, r);
        r->speed = r->images_per_s / a->rows[0].images_per_s;
    }
    return st;
}

static ims_status describe(const struct measure *m, struct ims_agreement *a, ims_err *err)
{
    struct ims_device_used used;
    double most = 0;
    ims_status st = ims_engine_device_chosen(m->e, &used, err);

    if (st)
        return st;
    (void)snprintf(a->model, sizeof(a->model), "%s", m->e->pack->name);
    memcpy(a->digest, m->e->pack->digest, sizeof(a->digest));
    memcpy(a->device, used.device, sizeof(a->device));
    memcpy(a->runtime, used.runtime, sizeof(a->runtime));
    a->n_pictures = m->n;
    a->n_unreadable = m->n_unreadable;
    a->n_words = IMS_ARRAY_LEN(words);
    for (size_t i = 0; i < a->n_rows; i++) {
        if (a->rows[i].is_good && a->rows[i].images_per_s > most) {
            most = a->rows[i].images_per_s;
            memcpy(a->fastest, a->rows[i].precision, sizeof(a->fastest));
        }
    }
    return IMS_OK;
}

static void release(struct measure *m)
{
    ims_clip_close(m->clip);
    for (size_t i = 0; i < m->n_paths; i++)
        ims__free(m->paths[i]);
    ims__free(m->paths);
    ims__free(m->pixels);
    ims__free(m->pictures);
    ims__free(m->words);
    ims__free(m->exact_pictures);
    ims__free(m->exact_words);
}

ims_status ims_engine_agreement(struct ims_engine *e, const struct ims_agreement_options *options,
                                struct ims_agreement *out, ims_err *err)
{
    struct measure m = { .e = e, .o = options };
    struct ims_agreement a = { 0 };
    ims_status st = ims__engine_need_pack(e, err);

    if (!st)
        st = find_pictures(&m, err);
    if (!st)
        st = open_precision(&m, IMS_PRECISION_FP32, err);
    if (!st) {
        m.info = *ims_clip_info(m.clip);
        m.info.name = m.info.digest = NULL; /* of a handle that will be closed */
        st = read_pictures(&m, err);
    }
    if (!st)
        st = measure_all(&m, &a, err);
    if (!st)
        st = describe(&m, &a, err);
    if (!st)
        st = ims__agreement_keep(e, &a, err);
    if (!st)
        *out = a;
    release(&m);
    return st;
}
