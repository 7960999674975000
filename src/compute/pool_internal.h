/* What the files of the pool share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_POOL_INTERNAL_H
#define IMS_COMPUTE_POOL_INTERNAL_H

#include "compute/compute_internal.h"
#include "compute/log_ring.h"
#include "compute/pool.h"

#define POOL_MAX_VALUES 16 /* inputs, or outputs, of a graph in a pool */

/* A row whose result is known. */
struct ims_canary {
    bool has_input, is_known;
    bool is_from_cpu; /* otherwise the first device's own first result */
    size_t n_in, n_out;
    struct ims_compute_value in[POOL_MAX_VALUES], out[POOL_MAX_VALUES]; /* allocated */
};

struct ims_pool_slot {
    struct ims_pool_slot_info info; /* guarded by the pool's lock */
    unsigned n_threads;
    char *batch_key;           /* what its batch size is remembered under; NULL = it is not */
    unsigned max_users;        /* runs at once */
    unsigned n_users;          /* guarded by the pool's lock, as is */
    unsigned n_since_open;     /* batches on this session, up to 2; as is */
    bool is_closing;           /* the session goes when the last user is out */
    struct ims_lock open_lock; /* guards what follows */
    bool has_lock;
    struct ims_compute_session *session;
    _Atomic unsigned n_unchecked; /* batches since the remembered row was right */
};

struct ims_pool {
    struct ims_compute *compute;
    struct ims_pool_options o;
    struct ims_health_rules rules;
    char label[64];
    struct ims_compute_graph graph; /* owned copies */
    struct ims_device_choice choice;
    struct ims_lock lock;
    struct ims_cond changed; /* a slot became free */
    bool has_lock, has_cond, has_log, has_canary_lock;
    size_t n_slots, n_primary;
    struct ims_pool_slot slots[IMS_POOL_MAX_SLOTS];
    struct ims_lock canary_lock; /* guards canary; taken after a slot's open_lock */
    struct ims_canary canary;
    struct ims_log_ring log;
};

/* Opens the slot's session if there is none. */
ims_status ims__pool_slot_open(struct ims_pool *p, struct ims_pool_slot *s,
                               ims_err *err) IMS_MUST_CHECK;
/* Rows first .. first + n of in to their places in out, looked at and, when it is time, checked.
 * *out_is_odd: numbers came out that cannot be, by the device's fault or the rows'. */
ims_status ims__pool_slot_run(struct ims_pool *p, struct ims_pool_slot *s,
                              const struct ims_compute_value *in, size_t n_in,
                              const struct ims_compute_value *out, size_t n_out, size_t first,
                              size_t n, bool *out_is_odd, ims_err *err) IMS_MUST_CHECK;
/* With no user left: lets go of the session, and of its process when is_suspect. */
void ims__pool_slot_close(struct ims_pool_slot *s, bool is_suspect);

/* The CPU in this process: the others are compared with it, and what it says of numbers is final.
 */
bool ims__pool_is_trusted(const struct ims_pool_slot *s);

/* What belongs to n rows of a run of total rows, from row first on: a view. */
struct ims_compute_value ims__pool_rows(const struct ims_compute_value *v, size_t total,
                                        size_t first, size_t n);

/* Remembers row first as the canary, unless there is one. */
ims_status ims__canary_take(struct ims_pool *p, const struct ims_compute_value *in, size_t n_in,
                            size_t n_out, size_t first, ims_err *err) IMS_MUST_CHECK;
/* Runs it on a slot's session. IMS_E_DEVICE when the result is not what is known. */
ims_status ims__canary_check(struct ims_pool *p, struct ims_pool_slot *s,
                             ims_err *err) IMS_MUST_CHECK;
void ims__canary_release(struct ims_canary *c);

/* Begins the slot's search for its batch size with what an earlier run found, if one did; with
 * p->o.proof still there. */
ims_status ims__pool_batch_recall(struct ims_pool *p, struct ims_pool_slot *s,
                                  ims_err *err) IMS_MUST_CHECK;
/* Remembers what the search found for the next run. */
void ims__pool_batch_keep(struct ims_pool *p, struct ims_pool_slot *s);

#endif
