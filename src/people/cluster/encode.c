/* A neighbour graph as bytes: a header, the arrays, a SHA-256 of all before it. In the machine's byte order, which the
 * header shows: the file is derived and never travels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/graph.h"

#include "people/cluster/internal.h"

#include "base/hash.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC 0x0131485052474d49u /* "IMGRPH1" and a 1, little-endian */

struct header {
    uint64_t magic;
    uint8_t key[IMS_SHA256_BYTES]; /* of what the caller says it was made of */
    uint64_t generation;
    uint64_t n, dim, k, max_samples, n_bridges;
};

static size_t body_bytes(const struct header *h)
{
    return (size_t)(h->n * (sizeof(int64_t) + sizeof(float) + h->k * (sizeof(uint32_t) + sizeof(float))) +
                    h->n_bridges * sizeof(struct ims_graph_edge));
}

ims_status ims__graph_encode(const struct ims_graph *g, const char *key, uint64_t generation, struct ims_buf *out,
                             ims_err *err)
{
    struct header h = { .magic = MAGIC, .generation = generation, .n = g->n, .dim = g->dim, .k = g->k,
                        .max_samples = g->max_samples, .n_bridges = g->n_bridges };
    uint8_t sum[IMS_SHA256_BYTES];
    ims_status st = ims__sha256(key, strlen(key), h.key, err);

    if (st)
        return st;
    ims__buf_init(out, sizeof(h) + body_bytes(&h) + sizeof(sum) + 1);
    (void)ims__buf_reserve(out, sizeof(h) + body_bytes(&h) + sizeof(sum));
    (void)ims__buf_add(out, &h, sizeof(h));
    (void)ims__buf_add(out, g->ids, g->n * sizeof(*g->ids));
    (void)ims__buf_add(out, g->bounds, g->n * sizeof(*g->bounds));
    (void)ims__buf_add(out, g->neighbours, g->n * g->k * sizeof(*g->neighbours));
    (void)ims__buf_add(out, g->similarities, g->n * g->k * sizeof(*g->similarities));
    (void)ims__buf_add(out, g->bridges, g->n_bridges * sizeof(*g->bridges));
    st = ims__buf_status(out);
    if (st)
        return ims_fail(err, st, "cluster", 0, "writing a neighbour graph of %zu faces", g->n);
    st = ims__sha256(out->data, out->len, sum, err);
    if (!st) {
        st = ims__buf_add(out, sum, sizeof(sum));
        if (st)
            st = ims_fail(err, st, "cluster", 0, "writing a neighbour graph of %zu faces", g->n);
    }
    if (st)
        ims__buf_release(out);
    return st;
}

static ims_status check_header(const struct header *h, size_t n_bytes, const char *key, ims_err *err)
{
    uint8_t wanted[IMS_SHA256_BYTES];
    ims_status st = ims__sha256(key, strlen(key), wanted, err);

    if (st)
        return st;
    if (h->magic != MAGIC || memcmp(h->key, wanted, sizeof(wanted)) != 0)
        return ims_fail(err, IMS_E_VERSION, "cluster", 0, "the neighbour graph was made by another program or of other vectors");
    if (h->n > IMS_GRAPH_MAX_POINTS || h->dim == 0 || h->dim > IMS_TILE_U8_MAX || h->n_bridges > n_bytes ||
        h->k > 65536 || (h->n ? h->k >= h->n : h->k > 0) || h->max_samples > h->k ||
        n_bytes != sizeof(*h) + body_bytes(h) + IMS_SHA256_BYTES)
        return ims_fail(err, IMS_E_CORRUPT, "cluster", 0, "the neighbour graph's sizes do not agree");
    return IMS_OK;
}

/* The checksum says what was written; this, that it was sound. */
static bool is_sound(const struct ims_graph *g)
{
    for (size_t i = 1; i < g->n; i++) {
        if (g->ids[i] <= g->ids[i - 1])
            return false;
    }
    for (size_t i = 0; i < g->n * g->k; i++) {
        if (g->neighbours[i] >= g->n || !(g->similarities[i] >= -1 && g->similarities[i] <= 1))
            return false;
    }
    for (size_t i = 0; i < g->n_bridges; i++) {
        if (g->bridges[i].a >= g->n || g->bridges[i].b >= g->n ||
            !(g->bridges[i].similarity >= -1 && g->bridges[i].similarity <= 1))
            return false;
    }
    return true;
}

static const uint8_t *take(void *to, const uint8_t *from, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

ims_status ims__graph_decode(struct ims_graph **out, const void *bytes, size_t n, const char *key,
                             uint64_t *out_generation, ims_err *err)
{
    const uint8_t *p = bytes;
    uint8_t sum[IMS_SHA256_BYTES];
    struct ims_graph *g = NULL;
    struct header h;
    ims_status st;

    if (n < sizeof(h) + sizeof(sum))
        return ims_fail(err, IMS_E_CORRUPT, "cluster", 0, "the neighbour graph ends too early");
    p = take(&h, p, sizeof(h));
    st = check_header(&h, n, key, err);
    if (!st)
        st = ims__sha256(bytes, n - sizeof(sum), sum, err);
    if (!st && memcmp(sum, (const uint8_t *)bytes + n - sizeof(sum), sizeof(sum)) != 0)
        st = ims_fail(err, IMS_E_CORRUPT, "cluster", 0, "the neighbour graph's checksum is wrong");
    if (!st)
        st = ims__graph_new(&g, (size_t)h.n, (size_t)h.dim, (size_t)h.k, (size_t)h.max_samples, err);
    if (st)
        return st;
    g->n_bridges = (size_t)h.n_bridges;
    g->bridges = ims__alloc(g->n_bridges, sizeof(*g->bridges));
    if (!g->bridges) {
        ims__graph_free(g);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "a neighbour graph of %" PRIu64 " faces", h.n);
    }
    p = take(g->ids, p, g->n * sizeof(*g->ids));
    p = take(g->bounds, p, g->n * sizeof(*g->bounds));
    p = take(g->neighbours, p, g->n * g->k * sizeof(*g->neighbours));
    p = take(g->similarities, p, g->n * g->k * sizeof(*g->similarities));
    (void)take(g->bridges, p, g->n_bridges * sizeof(*g->bridges));
    if (!is_sound(g)) {
        ims__graph_free(g);
        return ims_fail(err, IMS_E_CORRUPT, "cluster", 0, "the neighbour graph's content does not agree");
    }
    *out = g;
    *out_generation = h.generation;
    return IMS_OK;
}
