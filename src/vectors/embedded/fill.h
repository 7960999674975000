/* Filling a segment: rows come in and are coded while they are in the cache, on two threads where that pays.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_FILL_H
#define IMS_VECTORS_EMBEDDED_FILL_H

#include "vectors/embedded/embedded.h"

/* Slots from .. until - 1, none of which a reader sees as coded. Whole blocks of them are coded when the segment has an
 * epoch. Of rows and file at most one is set; neither: the rows are there. */
struct ims_fill {
    struct ims_segment *segment;
    uint32_t from, until;      /* from: a multiple of IMS_CODE_BLOCK */
    uint32_t first_new;        /* >= from; slots before it have their rows */
    const float *const *rows;  /* of first_new and those after it, to be brought to unit length; their ids are there */
    const struct ims_segment *file; /* whose records are checked and give the ids; if it is not `segment` they are copied */
    struct ims_spreads spreads; /* raised by what is coded */
};
/* The lock is held. IMS_E_CORRUPT: a record of `file` does not agree with its checksum. */
ims_status ims__embedded_fill(struct ims_embedded *e, struct ims_fill *fill, ims_err *err) IMS_MUST_CHECK;
/* Codes the rows that are there, from .. until - 1. */
void ims__embedded_encode(struct ims_embedded *e, struct ims_segment *s, uint32_t from, uint32_t until,
                          struct ims_spreads *spreads);
/* ims__segment_sum_up on two threads. */
void ims__embedded_sum_up(struct ims_embedded *e, struct ims_segment *s, uint32_t n_coded);
/* Codes all rows of a segment's cells anew; spreads->spread becomes theirs. */
void ims__embedded_encode_cells(struct ims_embedded *e, struct ims_segment *s, struct ims_spreads *spreads);

#endif
