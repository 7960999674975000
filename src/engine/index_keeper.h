/* The thread that brings a service's vector index up, makes it anew and saves it, while searches go on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_INDEX_KEEPER_H
#define IMS_ENGINE_INDEX_KEEPER_H

#include "base/thread.h"
#include "ims/engine.h"

/* A host's. Its lock may be taken while the host's `sharing` is held, not the other way round. */
struct ims_index_keeper {
    struct ims_lock lock; /* of all below, and of writing the host's `vectors` */
    bool has_lock;
    struct ims_thread thread; /* the last one; started and joined under `sharing` */
    bool is_running, is_stopping;
    uint64_t not_before_ns; /* after a failure */
    struct ims_index_state state;
};

ims_status ims__keeper_init(struct ims_engine *host, ims_err *err) IMS_MUST_CHECK;
/* Stops the thread and waits for it. */
void ims__keeper_release(struct ims_engine *host);
/* Starts the thread if it does not run; the host's `sharing` is held. false: not now, it failed a moment ago. */
bool ims__keeper_wake(struct ims_engine *host);
bool ims__keeper_is_running(struct ims_engine *host);

#endif
