/* One graph on every device of the choice: batches go to whichever is free, and a device that fails
 * costs time, never a result.
 *
 *     ims_pool_open(&p, compute, &graph, &options, err)
 *     ims_pool_run(p, in, n_in, out, n_out, slots, err)      any number of threads at once
 *     ims_pool_close(p)
 *
 * A run is rows: every input has them as its first dimension, and so has every output, except that
 * a row of the run may make several of an output (a detector's candidates). They are computed in
 * batches, on several devices at once when there are several, and arrive in the caller's memory in
 * their places. What a device gives is looked at before it counts: numbers that are none, one
 * result for different inputs, or a remembered row that comes out differently are faults like an
 * error, a dead process or a missed deadline. After a fault the device is started anew and the
 * batch tried again; a device that goes on failing is put on the bench (pool_health.h) and the next
 * one, at last the CPU where settings permit it, does its work. For a batch that is out of memory the
 * runtime is made to give back what it keeps; then the batch is halved, and the size that worked is
 * kept. How many rows a batch has is measured for each device while it works (pool_batch.h) where the
 * options ask for it, and remembered beside the verdicts of its proof.
 *
 * Thread-safe, except open and close.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_POOL_H
#define IMS_COMPUTE_POOL_H

#include "compute/compute.h"
#include "compute/model_proof.h"
#include "compute/pool_batch.h"
#include "compute/pool_health.h"

#define IMS_POOL_MAX_SLOTS (IMS_MAX_DEVICES + 1) /* the last may be the CPU in reserve */
#define IMS_POOL_NO_CHECKS UINT32_MAX

struct ims_pool;

struct ims_pool_options {
    const char *label; /* names the model in messages */
    /* (optional) What a device must pass besides the test graph to be chosen; a loan for the open. */
    const struct ims_proof_set *proof;
    const struct ims_compute_dim *dims; /* fixed at opening; a loan that outlives the pool */
    size_t n_dims;
    const struct ims_compute_dim *static_dims; /* of the session options; a loan likewise */
    size_t n_static_dims;
    bool no_prepacking, keep_memory;
    size_t max_rows;           /* of one batch; 0 = 64 */
    bool measures_rows;        /* look for the size that gives most rows a second; else max_rows */
    unsigned deadline_ms;      /* of one batch; 0 = the compute's. Kept by devices in children */
    unsigned open_deadline_ms; /* of opening a session; 0 = 10 min: some compile the model */
    /* After so many batches a remembered row is computed again, before the batch is given out.
     * 0 = 64. It is the first row ever given, and on accelerators first compared with the CPU. */
    unsigned check_every;
    double min_cosine;                    /* of that row; 0 = 0.999 */
    const struct ims_health_rules *rules; /* NULL = ims__health_rules */
    /* (optional) Looks at the ports of the first session that opens; its error is the open's. */
    ims_status (*on_open)(void *arg, const struct ims_compute_session *s, ims_err *err);
    /* (optional) Can these results be? Called for each batch, from any thread. */
    ims_status (*look)(void *arg, const struct ims_compute_value *out, size_t n_out, ims_err *err);
    void *arg;
    uint64_t (*clock_ns)(void); /* that batches are timed by, per thread; NULL = monotonic */
};
/* compute is a loan that outlives the pool; graph is copied. Opens a session on the first device.
 * When that fails, a device asked for by name is an error; auto goes on to the CPU. */
ims_status ims_pool_open(struct ims_pool **out, struct ims_compute *compute,
                         const struct ims_compute_graph *graph,
                         const struct ims_pool_options *options, ims_err *err) IMS_MUST_CHECK;
void ims_pool_close(struct ims_pool *p);
/* Batches have at most max_rows rows (1 or more) from now on; before the first run. For a graph
 * whose ports, once known, say that it cannot take as many as the options allow. */
void ims_pool_limit_rows(struct ims_pool *p, size_t max_rows);

/* Which devices, and why. */
void ims_pool_choice(const struct ims_pool *p, struct ims_device_choice *out);

/* How many devices are meant to work at once, the reserve not counted: so many batches are worth
 * giving in one call. 1 for NULL. */
size_t ims_pool_n_devices(const struct ims_pool *p);

/* Where a row was computed: the slot's number, and how many rows the batch had. */
struct ims_pool_place {
    uint16_t slot;
    uint16_t batch;
};

/* in and out: every value has data. The first dimension of the inputs is n rows, that of an output n
 * or a multiple of it: the same number of results for each row, in their order. Results stand in out only
 * where all is well; on failure its contents are undefined. places: NULL, or n that receive where each
 * row was computed. Errors: those of a session's run. IMS_E_MODEL also
 * when every device gave numbers that cannot be: then the rows or the model are to blame. */
ims_status ims_pool_run(struct ims_pool *p, const struct ims_compute_value *in, size_t n_in,
                        struct ims_compute_value *out, size_t n_out, struct ims_pool_place *places,
                        ims_err *err) IMS_MUST_CHECK;

/* One device of the pool, and what happened to it. */
struct ims_pool_slot_info {
    struct ims_device_id device;
    char name[IMS_DEVICE_NAME_BYTES];
    bool is_reserve;  /* the CPU, for when the others fail */
    bool is_isolated; /* in a child process */
    bool has_report;  /* a session was opened */
    struct ims_compute_report report;
    struct ims_health health;
    struct ims_batch_plan batch; /* rows at a time: now, and at most after halvings */
    bool is_batch_kept;          /* batch.best was found by an earlier run */
    double rows_per_s;
    uint64_t n_rows, n_batches, n_faults, n_restarts, n_halvings, n_shrinks, n_checks;
    uint64_t busy_ns;                   /* in batches that were computed, summed over the threads that gave them */
    double last_recovery_ms;            /* from the fault until the batch was there */
    char reason[IMS_DEVICE_TEXT_BYTES]; /* the last fault; "" = none */
};
struct ims_pool_info {
    size_t n_slots;
    struct ims_pool_slot_info slots[IMS_POOL_MAX_SLOTS];
};
/* false, and no slots, for NULL. */
bool ims_pool_describe(struct ims_pool *p, struct ims_pool_info *out);
/* Of where the next batch would go first: the first slot that has a session and is not benched.
 * false while no session has been opened, and for NULL. */
bool ims_pool_report(struct ims_pool *p, struct ims_compute_report *out);
/* Of a slot that ims_pool_run named. */
bool ims_pool_slot_report(struct ims_pool *p, size_t slot, struct ims_compute_report *out);
/* The last faults and recoveries, oldest first, one a line; bytes written. */
size_t ims_pool_log(struct ims_pool *p, char *out, size_t size);

#endif
