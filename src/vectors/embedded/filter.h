/* Which slots of a snapshot a filter allows: one bit each, kept for as long as the segments stay.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_FILTER_H
#define IMS_VECTORS_EMBEDDED_FILTER_H

#include "vectors/embedded/snapshot.h"

struct ims_filter_part {
    unsigned refs; /* under the lock of whoever keeps it */
    uint64_t segment_number;
    uint32_t n_rows; /* decided so far */
    uint32_t n_set;
    uint16_t *slots; /* where few are set: which, ascending; else NULL */
    uint16_t starts[IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS + 1]; /* of each unit's first among them */
    uint32_t bits[IMS_SEGMENT_WORDS];
};

/* One part per view of a snapshot; NULL where nothing is allowed. */
struct ims_filter_bits {
    unsigned refs;
    uint64_t generation; /* of the snapshot */
    size_t n_views;
    struct ims_filter_part *parts[];
};

/* ids: ascending, no repeats. former (may be NULL): bits of an earlier snapshot under the same ids; what
 * still holds is shared. NULL when memory is short. One reference. Calls that share parts one at a time. */
struct ims_filter_bits *ims__filter_resolve(const struct ims_snapshot *s, const int64_t *ids, size_t n,
                                            const struct ims_filter_bits *former);
void ims__filter_bits_unref(struct ims_filter_bits *f);

#endif
