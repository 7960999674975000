/* What "auto" means for a pack: the precision its vectors have already, or the best one measured.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"
#include "models/clip/clip.h"

/* The precision of which the library has most vectors of this pack; unchanged when it has none. */
static ims_status find_stored(struct ims_engine *e, const struct ims_pack *pack, ims_precision *p,
                              ims_err *err)
{
    int64_t most = 0;
    ims_status st = IMS_OK;

    for (int i = 0; !st && i < IMS_N_PRECISIONS; i++) {
        struct ims_clip_space space;
        int64_t id = 0, n = 0;

        st = ims_clip_space(pack, (ims_precision)i, &space, err);
        if (!st)
            st = ims_store_find_model(e->store, space.name, space.digest, &id, err);
        if (!st && id)
            st = ims_store_vector_count(e->store, id, &n, NULL, err);
        if (!st && n > most) {
            most = n;
            *p = (ims_precision)i;
        }
    }
    return st;
}

ims_status ims__engine_settle_precision(struct ims_engine *e, const struct ims_pack *pack, ims_precision *p,
                                        ims_err *err)
{
    ims_precision found = IMS_PRECISION_AUTO;
    bool is_lent;
    ims_status st;

    if (*p != IMS_PRECISION_AUTO)
        return IMS_OK;
    st = ims__engine_lend_store(e, &is_lent, err);
    if (!st && e->store)
        st = find_stored(e, pack, &found, err);
    ims__engine_return_store(e, is_lent);
    if (!st && found == IMS_PRECISION_AUTO)
        found = ims__agreement_fastest(e, pack);
    if (!st)
        *p = found;
    return st;
}
