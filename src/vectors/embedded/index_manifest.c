/* The manifest of an index folder: reading and replacing it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/index_dir.h"

#include "base/limits.h"
#include "base/mem.h"

#include <math.h>

#define MAGIC "imsvec1" /* with its NUL; read as bytes, so another byte order is another magic below */
#define BYTE_ORDER_MARK UINT32_C(0x01020304)
#define MAX_SEGMENTS 65536
#define MAX_MANIFEST_BYTES (2 * IMS_GIB)

struct head {
    char magic[8];
    uint32_t byte_order;
    uint32_t crc; /* of all that follows */
    uint64_t n_bytes; /* of the file */
    uint32_t dim;
    uint32_t n_segments;
    uint32_t n_epochs;
    uint32_t n_bitmaps;
    uint64_t generation;
    int64_t seq;
    uint64_t next_number;
    char key[IMS_INDEX_KEY_BYTES];
};

struct segment_entry {
    uint64_t number, epoch_number;
    uint32_t n_rows, n_dead, flags;
    float spread, byte_scale, length;
};

_Static_assert(sizeof(struct head) == 128, "the head of a manifest has no gaps");
_Static_assert(sizeof(struct segment_entry) == 40, "an entry of a manifest has no gaps");

#define SEALED 1u
#define LEVEL_SHIFT 1
#define LEVEL_MASK 7u
#define READ_WHOLE 16u
_Static_assert(IMS_MAX_ORDER_LEVEL == LEVEL_MASK, "a level fits its bits");
#define CRC_FROM 16 /* behind crc */

static size_t epoch_bytes(uint32_t dim)
{
    return 8 + (size_t)dim * 4;
}

static size_t size_of(uint32_t dim, size_t n_segments, size_t n_epochs, size_t n_bitmaps)
{
    return sizeof(struct head) + n_segments * sizeof(struct segment_entry) + n_epochs * epoch_bytes(dim) +
           n_bitmaps * sizeof(uint32_t) * IMS_SEGMENT_WORDS;
}

void ims__index_manifest_release(struct ims_index_manifest *m)
{
    for (size_t i = 0; m->dead && i < m->n_segments; i++)
        ims__dead_unref(m->dead[i]);
    for (size_t i = 0; m->epochs && i < m->n_epochs; i++)
        ims__epoch_unref(m->epochs[i]);
    ims__free(m->segments);
    ims__free(m->dead);
    ims__free(m->epochs);
    *m = (struct ims_index_manifest){ 0 };
}

static ims_status corrupt(ims_err *err, const char *what)
{
    return ims_fail(err, IMS_E_CORRUPT, "vectors", 0, "the manifest of the vector index %s", what);
}

static ims_status check_head(const uint8_t *data, size_t n, struct head *h, ims_err *err)
{
    if (n < sizeof(*h))
        return corrupt(err, "is cut off");
    memcpy(h, data, sizeof(*h));
    if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || h->byte_order != BYTE_ORDER_MARK)
        return corrupt(err, "is of another version");
    if (h->n_bytes != n || ims__kernels()->crc32c(0, data + CRC_FROM, n - CRC_FROM) != h->crc)
        return corrupt(err, "does not agree with its checksum");
    if (!h->dim || h->dim > IMS_MAX_EMBEDDING_DIM || h->n_segments > MAX_SEGMENTS ||
        h->n_epochs > MAX_SEGMENTS || h->n_bitmaps > h->n_segments || h->key[IMS_INDEX_KEY_BYTES - 1] ||
        h->seq < 0 || size_of(h->dim, h->n_segments, h->n_epochs, h->n_bitmaps) != n)
        return corrupt(err, "contradicts itself");
    return IMS_OK;
}

/* A checksum does not make the content right: everything that is used as a size or place is looked at. */
static bool is_plausible(const struct segment_entry *e, const struct head *h)
{
    return e->number && e->number < h->next_number && e->n_rows && e->n_rows <= IMS_SEGMENT_SLOTS &&
           e->n_dead <= e->n_rows && e->flags <= (SEALED | LEVEL_MASK << LEVEL_SHIFT | READ_WHOLE) &&
           (e->flags <= SEALED || (e->flags & SEALED)) &&
           (e->flags || e->n_rows < IMS_SEGMENT_SLOTS) &&
           isfinite(e->spread) && isfinite(e->byte_scale) && isfinite(e->length);
}

static bool has_epoch(const struct ims_index_manifest *m, uint64_t number)
{
    for (size_t i = 0; i < m->n_epochs; i++) {
        if (m->epochs[i] && m->epochs[i]->number == number)
            return true;
    }
    return number == 0;
}

static ims_status read_epochs(const uint8_t *p, struct ims_index_manifest *m, ims_err *err)
{
    for (size_t i = 0; i < m->n_epochs; i++, p += epoch_bytes(m->dim)) {
        const struct ims_epoch *before = i ? m->epochs[i - 1] : NULL;
        uint64_t number;
        float *centre = ims__memdup(p + 8, (size_t)m->dim * 4);

        memcpy(&number, p, 8);
        if (centre)
            m->epochs[i] = ims__epoch_load(m->dim, centre, number);
        ims__free(centre);
        if (!m->epochs[i])
            return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "reading the vector index");
        if (!number || number >= m->next_number || (before && before->number >= number) ||
            !isfinite(m->epochs[i]->norm_square))
            return corrupt(err, "contradicts itself");
    }
    return IMS_OK;
}

static ims_status read_bitmap(const uint8_t *p, const struct ims_saved_segment *s, struct ims_dead **out,
                              ims_err *err)
{
    struct ims_dead *d = ims__dead_copy(NULL);
    uint32_t n = 0;

    if (!d)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "reading the vector index");
    memcpy(d->bits, p, sizeof(d->bits));
    for (uint32_t i = 0; i < IMS_SEGMENT_SLOTS; i++)
        n += i < s->n_rows && ims__is_dead(d, i);
    d->n = n;
    *out = d;
    return n == s->n_dead ? IMS_OK : corrupt(err, "contradicts itself");
}

static ims_status read_entries(const uint8_t *data, const struct head *h, struct ims_index_manifest *m, ims_err *err)
{
    const uint8_t *p = data + sizeof(*h);
    const uint8_t *epochs = p + m->n_segments * sizeof(struct segment_entry);
    const uint8_t *bitmaps = epochs + m->n_epochs * epoch_bytes(m->dim);
    size_t n_bitmaps = 0;
    ims_status st = read_epochs(epochs, m, err);

    for (size_t i = 0; !st && i < m->n_segments; i++, p += sizeof(struct segment_entry)) {
        struct segment_entry e;

        memcpy(&e, p, sizeof(e));
        if (!is_plausible(&e, h) || !has_epoch(m, e.epoch_number) || (!(e.flags & SEALED) && i + 1 < m->n_segments))
            return corrupt(err, "contradicts itself");
        m->segments[i] = (struct ims_saved_segment){ .number = e.number,
                                                     .epoch_number = e.epoch_number,
                                                     .n_rows = e.n_rows,
                                                     .n_dead = e.n_dead,
                                                     .is_sealed = e.flags & SEALED,
                                                     .level = (uint8_t)(e.flags >> LEVEL_SHIFT & LEVEL_MASK),
                                                     .is_read_whole = (e.flags & READ_WHOLE) != 0,
                                                     .spreads = { e.spread, e.byte_scale, e.length } };
        for (size_t before = 0; before < i; before++) {
            if (m->segments[before].number == e.number)
                return corrupt(err, "contradicts itself");
        }
        if (e.n_dead && n_bitmaps == h->n_bitmaps)
            return corrupt(err, "contradicts itself");
        if (e.n_dead)
            st = read_bitmap(bitmaps + n_bitmaps++ * sizeof(uint32_t) * IMS_SEGMENT_WORDS, &m->segments[i],
                             &m->dead[i], err);
    }
    return st || n_bitmaps == h->n_bitmaps ? st : corrupt(err, "contradicts itself");
}

ims_status ims__index_manifest_parse(const uint8_t *data, size_t n, struct ims_index_manifest *out, ims_err *err)
{
    struct ims_index_manifest m = { 0 };
    struct head h;
    ims_status st = check_head(data, n, &h, err);

    if (st)
        return st;
    m.dim = h.dim;
    m.generation = h.generation;
    m.seq = h.seq;
    m.next_number = h.next_number;
    memcpy(m.key, h.key, sizeof(m.key));
    m.n_segments = h.n_segments;
    m.n_epochs = h.n_epochs;
    m.segments = ims__zalloc(h.n_segments, sizeof(*m.segments));
    m.dead = ims__zalloc(h.n_segments, sizeof(*m.dead));
    m.epochs = ims__zalloc(h.n_epochs, sizeof(*m.epochs));
    st = m.segments && m.dead && m.epochs
             ? read_entries(data, &h, &m, err)
             : ims_fail(err, IMS_E_NOMEM, "vectors", 0, "reading the vector index");
    if (st)
        ims__index_manifest_release(&m);
    else
        *out = m;
    return st;
}

ims_status ims__index_manifest_read(const char *dir, struct ims_index_manifest *out, ims_err *err)
{
    struct ims_buf file = { 0 };
    char *path = ims__path_join(dir, "manifest");
    ims_status st = path ? ims__read_file(path, MAX_MANIFEST_BYTES, &file, NULL, err)
                         : ims_fail(err, IMS_E_NOMEM, "vectors", 0, "reading the vector index");

    if (!st)
        st = ims__index_manifest_parse((const uint8_t *)file.data, file.len, out, err);
    ims__buf_release(&file);
    ims__free(path);
    return st;
}

static void fill(const struct ims_index_manifest *m, uint8_t *data, size_t n, size_t n_bitmaps)
{
    struct head h = { .magic = MAGIC,
                      .byte_order = BYTE_ORDER_MARK,
                      .n_bytes = n,
                      .dim = m->dim,
                      .n_segments = (uint32_t)m->n_segments,
                      .n_epochs = (uint32_t)m->n_epochs,
                      .n_bitmaps = (uint32_t)n_bitmaps,
                      .generation = m->generation,
                      .seq = m->seq,
                      .next_number = m->next_number };
    uint8_t *p = data + sizeof(h);

    memcpy(h.key, m->key, sizeof(h.key));
    for (size_t i = 0; i < m->n_segments; i++, p += sizeof(struct segment_entry)) {
        const struct ims_saved_segment *s = &m->segments[i];
        uint32_t flags = (s->is_sealed ? SEALED : 0u) | (uint32_t)s->level << LEVEL_SHIFT | (s->is_read_whole ? READ_WHOLE : 0u);
        struct segment_entry e = { s->number,    s->epoch_number,   s->n_rows,
                                   s->n_dead,    flags, s->spreads.spread,
                                   s->spreads.byte_scale, s->spreads.length };

        memcpy(p, &e, sizeof(e));
    }
    for (size_t i = 0; i < m->n_epochs; i++, p += epoch_bytes(m->dim)) {
        memcpy(p, &m->epochs[i]->number, 8);
        memcpy(p + 8, m->epochs[i]->centre, (size_t)m->dim * 4);
    }
    for (size_t i = 0; i < m->n_segments; i++) {
        if (!m->segments[i].n_dead)
            continue;
        memcpy(p, m->dead[i]->bits, sizeof(m->dead[i]->bits));
        p += sizeof(m->dead[i]->bits);
    }
    memcpy(data, &h, sizeof(h));
    h.crc = ims__kernels()->crc32c(0, data + CRC_FROM, n - CRC_FROM);
    memcpy(data, &h, sizeof(h));
}

ims_status ims__index_manifest_write(const char *dir, const struct ims_index_manifest *m, ims_err *err)
{
    char *path = ims__path_join(dir, "manifest");
    uint8_t *data = NULL;
    size_t n_bitmaps = 0, n;
    ims_status st;

    for (size_t i = 0; i < m->n_segments; i++)
        n_bitmaps += m->segments[i].n_dead != 0;
    n = size_of(m->dim, m->n_segments, m->n_epochs, n_bitmaps);
    data = ims__zalloc(1, n);
    if (path && data) {
        fill(m, data, n, n_bitmaps);
        st = ims__write_file(path, data, n, err);
    } else {
        st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "writing the vector index");
    }
    ims__free(path);
    ims__free(data);
    return st;
}
