/* The index's own doubt: some searches are answered again by the full scan, and the two compared.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_AUDIT_H
#define IMS_VECTORS_EMBEDDED_AUDIT_H

#include "vectors/embedded/pass.h"

#define IMS_AUDIT_HITS 100 /* of one search at most */

struct ims_audit {
    struct ims_passes *passes;
    uint32_t dim;
    unsigned every;
    struct ims_lock lock; /* of all below */
    struct ims_cond changed;
    bool has_lock, has_cond, is_stopping, has_sample;
    struct ims_thread thread;
    float *vector; /* of the sample */
    size_t n_hits;
    int64_t hits[IMS_AUDIT_HITS];
    struct ims_vectors_audit counts;
};

/* every 0: no thread, only what is asked for. Closing accepts what opening left half done. */
ims_status ims__audit_open(struct ims_audit *a, struct ims_passes *passes, uint32_t dim, unsigned every,
                           ims_err *err) IMS_MUST_CHECK;
void ims__audit_close(struct ims_audit *a);
/* Looks at an answered search: leaves a sample to the thread, or compares at once when that was asked for. */
ims_status ims__audit_note(struct ims_audit *a, const struct ims_vectors_query *q,
                           const struct ims_vectors_result *r, ims_err *err) IMS_MUST_CHECK;
void ims__audit_counts(struct ims_audit *a, struct ims_vectors_audit *out);

#endif
