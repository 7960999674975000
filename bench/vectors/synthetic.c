/* Drawing sets of vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "synthetic.h"

#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PER_EVENT 100
#define PER_BURST 5

/* Shares of the variance around the mean, and of a text's length. Chosen so that a million of them are as CLIP's
 * vectors are: cosines of random pictures 0.56 +- 0.09, of a picture's ten nearest 0.89, of a text and random pictures
 * 0.17 +- 0.05, of its ten nearest 0.37. A text means something of an event and its topic and something that no event
 * means, so its ten nearest lie in several events, at the tail of all rows' scores and not in a group of their own: a
 * text that meant one event alone would be far easier for a graph than texts are. */
#define TOPIC 0.48f
#define EVENT 0.15f
#define BURST 0.13f
#define PICTURE 0.24f
#define OFFSET 0.556f /* of the squared length */
#define MEANS_TOPIC 0.25f /* of a text's meaning, squared */
#define MEANS_EVENT 0.25f
#define MEANS_OTHER 0.50f
#define TEXT_GAP 0.80f
#define TEXT_MEANING 0.40f
#define TEXT_REST 0.45f
#define TEXT_ALONG 0.28f /* cosine of the texts' mean and the pictures' */

struct synthetic {
    uint32_t dim;
    size_t n, n_events, n_topics;
    uint64_t seed;
    bool is_uniform, has_topics;
    float *energy;    /* of each principal direction, square roots, unit sum of squares */
    float *mean, *gap; /* unit length */
    float *signs;     /* principal directions to dimensions: signs and Hadamard transforms */
    float *topics, *events;
};

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The number of ones among 64 random bits: normal enough, mean 0 and variance 1. */
static void add_normals(uint64_t seed, uint32_t n, float size, float *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] += size * (float)(__builtin_popcountll(next_random(&seed)) - 32) * 0.25f;
}

static uint64_t seed_of(const struct synthetic *s, uint64_t kind, uint64_t i)
{
    uint64_t state = s->seed ^ kind << 56 ^ i * UINT64_C(0xd1342543de82ef95);

    return next_random(&state);
}

static float *fill_table(const struct synthetic *s, uint64_t kind, size_t n, float size)
{
    float *table = calloc(n * s->dim, sizeof(float));

    for (size_t i = 0; table && i < n; i++)
        add_normals(seed_of(s, kind, i), s->dim, size, table + i * s->dim);
    return table;
}

/* From principal directions to dimensions: orthonormal. */
static void turn(const struct synthetic *s, float *v)
{
    uint32_t power = 1, rest;
    float factor;

    while (power <= s->dim / 2)
        power *= 2;
    rest = s->dim - power;
    factor = 1.0f / sqrtf((float)power);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < s->dim; i++)
            v[i] *= s->signs[round * s->dim + i];
        ims__kernels()->hadamard_f32(v, power);
        for (uint32_t i = 0; i < power; i++)
            v[i] *= factor;
        if (!rest)
            continue;
        ims__kernels()->hadamard_f32(v + rest, power);
        for (uint32_t i = rest; i < s->dim; i++)
            v[i] *= factor;
    }
}

static void fill_energy(struct synthetic *s, double slope)
{
    double sum = 0;

    for (uint32_t i = 0; i < s->dim; i++)
        sum += pow(i + 1.0, -slope);
    for (uint32_t i = 0; i < s->dim; i++)
        s->energy[i] = (float)sqrt(pow(i + 1.0, -slope) / sum);
}

/* Two dimensions stand out, as in CLIP. The texts' mean has a given cosine to the pictures'. */
static void fill_means(struct synthetic *s)
{
    float along;

    add_normals(seed_of(s, 1, 0), s->dim, 1, s->mean);
    s->mean[s->dim / 4] += 0.5f * sqrtf((float)s->dim);
    s->mean[s->dim / 2] -= 0.35f * sqrtf((float)s->dim);
    ims__kernels()->normalise_f32(s->mean, s->dim);
    add_normals(seed_of(s, 2, 0), s->dim, 1, s->gap);
    along = ims__kernels()->dot_f32(s->gap, s->mean, s->dim);
    for (uint32_t i = 0; i < s->dim; i++)
        s->gap[i] -= along * s->mean[i];
    ims__kernels()->normalise_f32(s->gap, s->dim);
    for (uint32_t i = 0; i < s->dim; i++)
        s->gap[i] = TEXT_ALONG * s->mean[i] + sqrtf(1 - TEXT_ALONG * TEXT_ALONG) * s->gap[i];
}

struct synthetic *synthetic_new(const char *family, uint32_t dim, size_t n, uint64_t seed)
{
    bool is_clip = strcmp(family, "c10") == 0 || strcmp(family, "c06") == 0;
    struct synthetic *s = calloc(1, sizeof(*s));

    if (!s || !dim || (!is_clip && strcmp(family, "g") != 0 && strcmp(family, "u") != 0)) {
        free(s);
        return NULL;
    }
    *s = (struct synthetic){ .dim = dim, .n = n, .seed = seed, .has_topics = is_clip };
    s->is_uniform = strcmp(family, "u") == 0;
    s->n_events = n / PER_EVENT + 1;
    s->n_topics = (size_t)(2 * sqrt((double)s->n_events)) + 1;
    s->energy = calloc(dim, sizeof(float));
    s->mean = calloc(dim, sizeof(float));
    s->gap = calloc(dim, sizeof(float));
    s->signs = calloc((size_t)2 * dim, sizeof(float));
    if (is_clip)
        s->topics = fill_table(s, 3, s->n_topics, sqrtf(TOPIC));
    if (!s->is_uniform)
        s->events = fill_table(s, 4, s->n_events, is_clip ? sqrtf(EVENT) : 1.0f);
    if (!s->energy || !s->mean || !s->gap || !s->signs || (is_clip && !s->topics) ||
        (!s->is_uniform && !s->events)) {
        synthetic_free(s);
        return NULL;
    }
    add_normals(seed_of(s, 5, 0), 2 * dim, 1, s->signs);
    for (uint32_t i = 0; i < 2 * dim; i++)
        s->signs[i] = s->signs[i] < 0 ? -1.0f : 1.0f;
    fill_energy(s, strcmp(family, "c10") == 0 ? 1.0 : strcmp(family, "c06") == 0 ? 0.6 : 0.0);
    fill_means(s);
    return s;
}

void synthetic_free(struct synthetic *s)
{
    if (!s)
        return;
    free(s->energy);
    free(s->mean);
    free(s->gap);
    free(s->signs);
    free(s->topics);
    free(s->events);
    free(s);
}

static size_t topic_of(const struct synthetic *s, size_t event)
{
    return (size_t)(seed_of(s, 6, event) % s->n_topics);
}

/* What an event and its topic mean, in principal directions, before the energies. */
static void add_event(const struct synthetic *s, size_t event, float by_event, float by_topic, float *v)
{
    const float *own = s->events + event * s->dim;
    const float *topic = s->has_topics ? s->topics + topic_of(s, event) * s->dim : NULL;

    for (uint32_t i = 0; i < s->dim; i++)
        v[i] += by_event * own[i] + (topic ? by_topic * topic[i] : 0.0f);
}

static void draw_picture(const struct synthetic *s, size_t event, uint64_t burst, uint64_t picture, float *out)
{
    const struct ims_kernels *k = ims__kernels();

    memset(out, 0, s->dim * sizeof(float));
    if (s->is_uniform) {
        add_normals(picture, s->dim, 1, out);
        k->normalise_f32(out, s->dim);
        return;
    }
    add_event(s, event, 1, 1, out);
    if (s->has_topics)
        add_normals(burst, s->dim, sqrtf(BURST), out);
    add_normals(picture, s->dim, s->has_topics ? sqrtf(PICTURE) : 0.93f, out);
    for (uint32_t i = 0; i < s->dim; i++)
        out[i] *= s->energy[i] * sqrtf(1 - OFFSET) * (s->has_topics ? 1.0f : 0.73f);
    turn(s, out);
    for (uint32_t i = 0; i < s->dim; i++)
        out[i] += sqrtf(OFFSET) * s->mean[i];
    k->normalise_f32(out, s->dim);
}

void synthetic_rows(const struct synthetic *s, size_t from, size_t n, float *out)
{
    for (size_t i = from; i < from + n; i++)
        draw_picture(s, i / PER_EVENT, seed_of(s, 7, i / PER_BURST), seed_of(s, 8, i), out + (i - from) * s->dim);
}

static void draw_text(const struct synthetic *s, size_t event, uint64_t i, float *out)
{
    const struct ims_kernels *k = ims__kernels();
    float rest[8192] = { 0 };

    memset(out, 0, s->dim * sizeof(float));
    add_event(s, event, sqrtf(MEANS_EVENT / EVENT), sqrtf(MEANS_TOPIC / TOPIC), out);
    if (s->has_topics)
        add_normals(seed_of(s, 13, i), s->dim, sqrtf(MEANS_OTHER), out);
    for (uint32_t d = 0; d < s->dim; d++)
        out[d] *= s->energy[d];
    turn(s, out);
    k->normalise_f32(out, s->dim);
    add_normals(seed_of(s, 10, i), s->dim, 1, rest);
    k->normalise_f32(rest, s->dim);
    for (uint32_t d = 0; d < s->dim; d++)
        out[d] = TEXT_MEANING * out[d] + TEXT_GAP * s->gap[d] + TEXT_REST * rest[d];
    k->normalise_f32(out, s->dim);
}

void synthetic_query(const struct synthetic *s, bool is_text, uint64_t i, float *out)
{
    size_t event = (size_t)(seed_of(s, 9, i) % (s->n / PER_EVENT + (s->n < PER_EVENT)));
    size_t burst = event * (PER_EVENT / PER_BURST) + (size_t)(seed_of(s, 11, i) % (PER_EVENT / PER_BURST));

    if (is_text && !s->is_uniform)
        draw_text(s, event, i, out);
    else
        draw_picture(s, event, seed_of(s, 7, burst), seed_of(s, 12, i), out);
}
