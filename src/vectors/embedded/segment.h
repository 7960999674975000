/* A segment of the embedded index: up to 65,536 rows with their codes, in memory or mapped from files.
 *
 * Slots are filled in order and never reused; a row that is replaced or removed is marked dead in a
 * bitmap beside the segment. What lies below a view's counts never changes, so readers need no lock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_SEGMENT_H
#define IMS_VECTORS_EMBEDDED_SEGMENT_H

#include "base/fs.h"
#include "kernels/kernels.h"
#include "vectors/embedded/quantiser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IMS_SEGMENT_SLOTS 65536u
#define IMS_UNIT_SLOTS 1024u /* of a segment, scanned by one thread at a time */
#define IMS_UNIT_WORDS (IMS_UNIT_SLOTS / 32)
#define IMS_SEGMENT_WORDS (IMS_SEGMENT_SLOTS / 32)
#define IMS_NO_SLOT UINT32_MAX
#define IMS_MIN_CODED_DIM 64 /* below it a row is small, and the errors of codes are not normal */

/* The largest values of the coded rows of a segment: what bounds their errors. */
struct ims_spreads {
    float spread;     /* of struct ims_coded */
    float byte_scale;
    float length;
};

/* Neighbouring rows of a full segment as one, a unit or a cell: they lie around their mean. */
struct ims_part {
    float centre;     /* mean <c,x> */
    float byte_scale; /* of the mean of r */
    float spread;     /* root of the mean squared distance of r from it */
    uint32_t from;    /* the first slot */
    uint32_t n_coded; /* rows that it is of */
    uint32_t cell;    /* of a unit: where its first row is, if there are cells */
    float scale, error; /* of a cell's mean: f and f t of its code (quantiser.h) */
};

struct ims_segment {
    uint64_t number; /* never used twice in one index */
    unsigned refs;   /* the writer's business */
    uint32_t dim;
    uint32_t n_bytes;     /* of a one-bit code */
    uint32_t byte_stride; /* of a row in bytes */
    uint32_t row_stride;  /* of a record, in bytes */
    uint32_t n_slots;     /* room */
    struct ims_epoch *epoch; /* one reference; NULL: rows only. The writer's: readers ask the view */

    /* All by slot. */
    uint8_t *codes;     /* blocks of IMS_CODE_BLOCK slots */
    float *scale;
    float *centre;
    int8_t *bytes;
    float *byte_scale;
    uint8_t *records; /* dim floats, ..., at the end 16 bytes: id, CRC-32C of floats and id, 0 */
    int64_t *ids;
    uint16_t *order; /* when sealed: the slots by (id, slot) */
    struct ims_part *parts; /* when sealed and coded: what the coded rows of each unit have in common, */
    int8_t *part_bytes;     /* and their mean, in steps of its byte_scale; byte_stride each */
    /* cells.h; of a segment in order of likeness, else 0: its codes and `scale` are then of r less the cell's mean */
    uint32_t n_cells;
    struct ims_part *cells;
    uint8_t *cell_codes; /* of their means, in whole blocks */
    int8_t *cell_bytes;

    struct ims_map code_map, row_map; /* the files it lies in; then the pointers above are into them */
    void *memory[9];                   /* else: what to free, */
    void *own_order, *own_cells, *own_cell_codes, *own_cell_bytes; /* and these */
};

/* Slots marked dead. Shared by snapshots, immutable once in one; counted by the writer. */
struct ims_dead {
    unsigned refs;
    uint32_t n;
    uint32_t bits[IMS_SEGMENT_WORDS];
};

/* An empty segment in memory, one reference; room for n_slots. NULL when memory is short. */
struct ims_segment *ims__segment_new(uint32_t dim, uint64_t number, uint32_t n_slots);
/* The same but for the rows, which lie elsewhere. */
struct ims_segment *ims__segment_new_codes(uint32_t dim, uint64_t number, uint32_t n_slots);
/* Makes one of full room, in memory and with no other reference, empty again: pages that are there already cost nothing. */
void ims__segment_reset(struct ims_segment *s, uint64_t number);
/* Sizes only: for a segment whose arrays come from files. */
struct ims_segment *ims__segment_shell(uint32_t dim, uint64_t number, uint32_t n_slots);
void ims__segment_unref(struct ims_segment *s);

static inline const float *ims__segment_row(const struct ims_segment *s, uint32_t slot)
{
    return (const float *)(const void *)(s->records + (size_t)slot * s->row_stride);
}

/* Writes the record of row, brought to unit length, and of the slot's id, at a slot that no view holds yet. */
void ims__segment_put_row(struct ims_segment *s, uint32_t slot, const float *row);
/* Takes the record of another segment's slot, or of this one's own, if it agrees with its checksum, and its id. */
bool ims__segment_take(struct ims_segment *s, uint32_t slot, const struct ims_segment *from);
/* Copies the row and id of another segment's slot. */
void ims__segment_copy(struct ims_segment *s, uint32_t slot, const struct ims_segment *from, uint32_t from_slot);
bool ims__record_is_sound(const struct ims_segment *s, uint32_t slot);
int64_t ims__record_id(const struct ims_segment *s, uint32_t slot);
/* Codes the whole blocks from slot `from` (a multiple of IMS_CODE_BLOCK) up to `until`, raising
 * *spreads. room: 2 * dim floats. */
void ims__segment_encode(struct ims_segment *s, const struct ims_rotation *r, uint32_t from,
                         uint32_t until, float *room, struct ims_spreads *spreads);
/* What the coded rows from .. until - 1 have in common, and their mean: byte_stride bytes. room: dim floats. */
void ims__part_sum_up(const struct ims_segment *s, uint32_t from, uint32_t until, float *room, struct ims_part *out,
                      int8_t *out_bytes);
/* Makes `parts` of the coded rows from .. until - 1; from is a multiple of IMS_UNIT_SLOTS. room: dim floats. */
void ims__segment_sum_up(struct ims_segment *s, uint32_t from, uint32_t until, float *room);
static inline uint32_t ims__n_parts(uint32_t n_rows)
{
    return (n_rows + IMS_UNIT_SLOTS - 1) / IMS_UNIT_SLOTS;
}
/* Puts the code of number `at` into its block among codes of n_bytes. */
void ims__put_code(uint8_t *codes, uint32_t n_bytes, uint32_t at, const uint8_t *code);
static inline uint32_t ims__whole_blocks(uint32_t n_rows)
{
    return (n_rows + IMS_CODE_BLOCK - 1) / IMS_CODE_BLOCK * IMS_CODE_BLOCK;
}
/* Makes `order` for n rows: after that no row is added. false when memory is short. */
bool ims__segment_seal(struct ims_segment *s, uint32_t n);
/* The last slot of id in a sealed segment of n rows, dead or not; IMS_NO_SLOT. */
uint32_t ims__segment_find(const struct ims_segment *s, uint32_t n, int64_t id);

struct ims_dead *ims__dead_copy(const struct ims_dead *d); /* NULL: none dead. One reference. */
void ims__dead_unref(struct ims_dead *d);

static inline bool ims__is_dead(const struct ims_dead *d, uint32_t slot)
{
    return d && (d->bits[slot / 32] >> slot % 32 & 1u);
}

#endif
