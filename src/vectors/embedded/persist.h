/* The embedded index and its folder. The writer's lock is held, except for verifying.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_PERSIST_H
#define IMS_VECTORS_EMBEDDED_PERSIST_H

#include "vectors/embedded/embedded.h"
#include "vectors/embedded/index_dir.h"

/* Takes the folder's lock if it is free and publishes what the folder holds. Damage is no failure: the index
 * is then empty or made again from its rows, and e->note says so. */
ims_status ims__embedded_load(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
/* Gives up dead rows, then, if this handle has the lock, makes the folder say what the index says. */
ims_status ims__embedded_save(struct ims_embedded *e, int64_t seq, ims_err *err) IMS_MUST_CHECK;
/* Writes the full segments of a staged index and maps them; its folder does not speak of them. */
ims_status ims__embedded_spill(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
/* The same for one full segment that no snapshot holds yet. */
ims_status ims__embedded_spill_view(struct ims_embedded *e, struct ims_view *v, ims_err *err) IMS_MUST_CHECK;
/* order.c: puts the rows of full segments in order of likeness once enough of them are not. */
ims_status ims__embedded_order(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
/* trial.c: searches with and without skipping in the segments of a level that are read whole, and lets them be skipped if that misses no
 * more than is stated. */
ims_status ims__embedded_try_order(struct ims_embedded *e, unsigned level, ims_err *err) IMS_MUST_CHECK;
ims_status ims__embedded_tidy(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
/* Reads every mapped byte against its checksum. No lock needed. */
ims_status ims__embedded_verify(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
/* Empties the index and what the folder says. */
ims_status ims__embedded_clear(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;
void ims__embedded_info(struct ims_embedded *e, struct ims_vectors_info *out);
/* Touches every page of the mapped bytes. No lock needed. */
void ims__embedded_warm(struct ims_embedded *e);
void ims__embedded_leave_dir(struct ims_embedded *e);

#endif
