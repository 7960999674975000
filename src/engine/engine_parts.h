/* Parts of the engine for the layers above it inside this program.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_ENGINE_PARTS_H
#define IMS_ENGINE_ENGINE_PARTS_H

#include "ims/engine.h"
#include "store/deletions.h"
#include "store/sessions.h"
#include "store/store.h"

/* The engine's own connection: a loan, for the engine's thread. */
struct ims_store *ims__engine_store(struct ims_engine *e);

void ims__asset_from_store(struct ims_asset *out, const struct ims_store_asset *in);

/* The number of the picture model that serves; 0 = the library has never seen it. */
ims_status ims_engine_serving_model(struct ims_engine *e, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

/* How many pictures of a training session are done with the serving model; of a completed one: were, then. */
ims_status ims_engine_count_done(struct ims_engine *e, const struct ims_store_session *session,
                                 struct ims_store_session_counts *out, ims_err *err) IMS_MUST_CHECK;

/* Empties the library (store/deletions.h) and removes the thumbnails; the photos stay. IMS_E_BUSY while somebody
 * indexes. */
ims_status ims_engine_delete_all(struct ims_engine *e, const char *reason, struct ims_store_reset *out, ims_err *err)
    IMS_MUST_CHECK;

#endif
