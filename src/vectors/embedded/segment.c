/* Segments: room, rows, codes, finding an id.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/segment.h"

#include "base/mem.h"
#include "vectors/embedded/cells.h"

#include <math.h>
#include <stdlib.h>

#define RECORD_TAIL 16

struct ims_segment *ims__segment_shell(uint32_t dim, uint64_t number, uint32_t n_slots)
{
    struct ims_segment *s = ims__zalloc(1, sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct ims_segment){ .number = number, .refs = 1, .dim = dim, .n_slots = n_slots };
    s->n_bytes = (dim + 7) / 8;
    s->byte_stride = (dim + 15) / 16 * 16;
    s->row_stride = (dim * 4 + RECORD_TAIL + 15) / 16 * 16;
    return s;
}

/* Large blocks come from the kernel page by page when they are first written: an empty segment costs little, and on huge
 * pages a full one is filled in a third of the time. */
static void *room_for(struct ims_segment *s, size_t i, size_t n, size_t size)
{
    return s->memory[i] = ims__large_alloc(n, size);
}

static void clear_parts(struct ims_segment *s)
{
    if (s->parts)
        memset(s->parts, 0, ims__n_parts(s->n_slots) * sizeof(*s->parts));
    if (s->part_bytes)
        memset(s->part_bytes, 0, ims__n_parts(s->n_slots) * (size_t)s->byte_stride);
}

static struct ims_segment *new_segment(uint32_t dim, uint64_t number, uint32_t n_slots, bool has_rows)
{
    struct ims_segment *s = ims__segment_shell(dim, number, n_slots);
    size_t i = 0;

    if (!s)
        return NULL;
    n_slots = ims__whole_blocks(n_slots);
    s->ids = room_for(s, i++, n_slots, sizeof(*s->ids));
    if (has_rows)
        s->records = room_for(s, i++, n_slots, s->row_stride);
    if (dim >= IMS_MIN_CODED_DIM) {
        s->codes = room_for(s, i++, n_slots, s->n_bytes);
        s->scale = room_for(s, i++, n_slots, sizeof(*s->scale));
        s->centre = room_for(s, i++, n_slots, sizeof(*s->centre));
        s->bytes = room_for(s, i++, n_slots, s->byte_stride);
        s->byte_scale = room_for(s, i++, n_slots, sizeof(*s->byte_scale));
        s->parts = room_for(s, i++, ims__n_parts(n_slots), sizeof(*s->parts));
        s->part_bytes = room_for(s, i++, ims__n_parts(n_slots), s->byte_stride);
        clear_parts(s);
    }
    while (i > 0) {
        if (!s->memory[--i]) {
            ims__segment_unref(s);
            return NULL;
        }
    }
    return s;
}

struct ims_segment *ims__segment_new(uint32_t dim, uint64_t number, uint32_t n_slots)
{
    return new_segment(dim, number, n_slots, true);
}

struct ims_segment *ims__segment_new_codes(uint32_t dim, uint64_t number, uint32_t n_slots)
{
    return new_segment(dim, number, n_slots, false);
}

static void free_order(struct ims_segment *s)
{
    ims__free(s->own_order);
    s->own_order = NULL;
    s->order = NULL;
}

static void free_cells(struct ims_segment *s)
{
    ims__free(s->own_cells);
    ims__free(s->own_cell_codes);
    ims__free(s->own_cell_bytes);
    s->own_cells = s->own_cell_codes = s->own_cell_bytes = NULL;
    s->cells = NULL;
    s->cell_codes = NULL;
    s->cell_bytes = NULL;
    s->n_cells = 0;
}

void ims__segment_reset(struct ims_segment *s, uint64_t number)
{
    s->number = number;
    ims__epoch_unref(s->epoch);
    s->epoch = NULL;
    free_order(s);
    free_cells(s);
    clear_parts(s);
}

void ims__segment_unref(struct ims_segment *s)
{
    if (!s || --s->refs)
        return;
    for (size_t i = 0; i < IMS_ARRAY_LEN(s->memory); i++)
        ims__free(s->memory[i]);
    free_order(s);
    free_cells(s);
    ims__map_close(&s->code_map);
    ims__map_close(&s->row_map);
    ims__epoch_unref(s->epoch);
    ims__free(s);
}

static uint8_t *record_tail(const struct ims_segment *s, uint32_t slot)
{
    return s->records + (size_t)(slot + 1) * s->row_stride - RECORD_TAIL;
}

static uint32_t record_crc(const struct ims_segment *s, uint32_t slot)
{
    const struct ims_kernels *k = ims__kernels();

    return k->crc32c(k->crc32c(0, ims__segment_row(s, slot), (size_t)s->dim * 4), record_tail(s, slot), 8);
}

bool ims__record_is_sound(const struct ims_segment *s, uint32_t slot)
{
    uint32_t crc;

    memcpy(&crc, record_tail(s, slot) + 8, 4);
    return crc == record_crc(s, slot);
}

int64_t ims__record_id(const struct ims_segment *s, uint32_t slot)
{
    int64_t id;

    memcpy(&id, record_tail(s, slot), 8);
    return id;
}

void ims__segment_put_row(struct ims_segment *s, uint32_t slot, const float *row)
{
    uint8_t *record = s->records + (size_t)slot * s->row_stride, *tail = record_tail(s, slot);
    uint32_t crc;

    memset(record + (size_t)s->dim * 4, 0, s->row_stride - (size_t)s->dim * 4);
    memcpy(record, row, (size_t)s->dim * 4);
    ims__kernels()->normalise_f32((float *)(void *)record, s->dim);
    memcpy(tail, &s->ids[slot], 8);
    crc = record_crc(s, slot);
    memcpy(tail + 8, &crc, 4);
}

bool ims__segment_take(struct ims_segment *s, uint32_t slot, const struct ims_segment *from)
{
    if (!ims__record_is_sound(from, slot))
        return false;
    s->ids[slot] = ims__record_id(from, slot);
    if (s != from)
        memcpy(s->records + (size_t)slot * s->row_stride, from->records + (size_t)slot * s->row_stride, s->row_stride);
    return true;
}

void ims__segment_copy(struct ims_segment *s, uint32_t slot, const struct ims_segment *from, uint32_t from_slot)
{
    memcpy(s->records + (size_t)slot * s->row_stride, from->records + (size_t)from_slot * s->row_stride,
           s->row_stride);
    s->ids[slot] = from->ids[from_slot];
}

void ims__put_code(uint8_t *codes, uint32_t n_bytes, uint32_t at, const uint8_t *code)
{
    uint8_t *block = codes + (size_t)(at / IMS_CODE_BLOCK) * n_bytes * IMS_CODE_BLOCK;

    for (uint32_t c = 0; c < n_bytes; c++)
        block[(size_t)c * IMS_CODE_BLOCK + at % IMS_CODE_BLOCK] = code[c];
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

void ims__segment_encode(struct ims_segment *s, const struct ims_rotation *r, uint32_t from,
                         uint32_t until, float *room, struct ims_spreads *spreads)
{
    uint8_t *code = (uint8_t *)(void *)(room + s->dim);

    until -= until % IMS_CODE_BLOCK;
    for (uint32_t slot = from; slot < until; slot++) {
        int8_t *bytes = s->bytes + (size_t)slot * s->byte_stride;
        struct ims_coded c;

        ims__rotate(r, ims__segment_row(s, slot), room);
        memset(bytes + s->dim, 0, s->byte_stride - s->dim);
        c = ims__encode(s->epoch, room, code, bytes);
        ims__put_code(s->codes, s->n_bytes, slot, code);
        s->scale[slot] = c.scale;
        s->centre[slot] = c.centre;
        s->byte_scale[slot] = c.byte_scale;
        spreads->spread = larger(spreads->spread, c.spread);
        spreads->byte_scale = larger(spreads->byte_scale, c.byte_scale);
        spreads->length = larger(spreads->length, c.length);
    }
}

void ims__part_sum_up(const struct ims_segment *s, uint32_t from, uint32_t until, float *mean, struct ims_part *out,
                      int8_t *out_bytes)
{
    const struct ims_kernels *k = ims__kernels();
    float n = (float)(until - from), centre = 0, square = 0, most = 0, own;

    memset(mean, 0, s->dim * sizeof(float));
    memset(out_bytes, 0, s->byte_stride);
    for (uint32_t slot = from; slot < until; slot++) {
        const int8_t *bytes = s->bytes + (size_t)slot * s->byte_stride;
        float scale = s->byte_scale[slot];

        k->add_i8(mean, bytes, scale, s->dim);
        square += scale * scale * (float)k->dot_i8(bytes, bytes, s->dim);
        centre += s->centre[slot];
    }
    for (uint32_t i = 0; i < s->dim; i++) {
        mean[i] /= n;
        most = fabsf(mean[i]) > most ? fabsf(mean[i]) : most;
    }
    own = k->dot_f32(mean, mean, s->dim);
    k->quantise_i8(mean, s->dim, most > 0 ? 127.0f / most : 0.0f, out_bytes);
    *out = (struct ims_part){ .centre = centre / n,
                              .byte_scale = most / 127.0f,
                              .spread = sqrtf(square / n > own ? square / n - own : 0),
                              .from = from,
                              .n_coded = until - from };
}

void ims__segment_sum_up(struct ims_segment *s, uint32_t from, uint32_t until, float *room)
{
    for (uint32_t end; from < until; from = end) {
        uint32_t i = from / IMS_UNIT_SLOTS;

        end = from + IMS_UNIT_SLOTS < until ? from + IMS_UNIT_SLOTS : until;
        ims__part_sum_up(s, from, end, room, &s->parts[i], s->part_bytes + (size_t)i * s->byte_stride);
        s->parts[i].cell = ims__cell_between(s, from, 0, s->n_cells);
    }
}

struct keyed {
    int64_t id;
    uint32_t slot;
};

static int by_id(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->slot < y->slot ? -1 : 1;
}

bool ims__segment_seal(struct ims_segment *s, uint32_t n)
{
    struct keyed *keys;
    uint16_t *order = ims__alloc(n, sizeof(*order));
    bool is_ascending = true;

    if (!order)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = (uint16_t)i;
        is_ascending = is_ascending && (i == 0 || s->ids[i - 1] <= s->ids[i]);
    }
    if (!is_ascending) {
        keys = ims__alloc(n, sizeof(*keys));
        if (!keys) {
            ims__free(order);
            return false;
        }
        for (uint32_t i = 0; i < n; i++)
            keys[i] = (struct keyed){ .id = s->ids[i], .slot = i };
        qsort(keys, n, sizeof(*keys), by_id);
        for (uint32_t i = 0; i < n; i++)
            order[i] = (uint16_t)keys[i].slot;
        ims__free(keys);
    }
    free_order(s); /* of a sealing that came to nothing */
    s->own_order = s->order = order;
    return true;
}

uint32_t ims__segment_find(const struct ims_segment *s, uint32_t n, int64_t id)
{
    uint32_t low = 0, high = n;

    while (low < high) { /* the first place whose id is larger */
        uint32_t mid = low + (high - low) / 2;

        if (s->ids[s->order[mid]] <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 && s->ids[s->order[low - 1]] == id ? s->order[low - 1] : IMS_NO_SLOT;
}

struct ims_dead *ims__dead_copy(const struct ims_dead *d)
{
    struct ims_dead *copy = d ? ims__memdup(d, sizeof(*d)) : ims__zalloc(1, sizeof(*copy));

    if (copy)
        copy->refs = 1;
    return copy;
}

void ims__dead_unref(struct ims_dead *d)
{
    if (d && --d->refs == 0)
        ims__free(d);
}
