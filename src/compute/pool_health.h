/* When a device is used, put on the bench and taken back: a pure function over what happened to it.
 *
 *     READY --max_faults faults--> BENCHED --time--> PROBATION --n good batches--> READY
 *                                     ^--------- one fault --------'
 *
 * The time on the bench doubles each time up to a limit. It falls back to the first value only
 * after as many good batches as make old faults forgotten, so a device that fails now and then is
 * not tried in short turns for ever. SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_POOL_HEALTH_H
#define IMS_COMPUTE_POOL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ims_health_state {
    IMS_HEALTH_READY,
    IMS_HEALTH_BENCHED,
    IMS_HEALTH_PROBATION
} ims_health_state;

typedef enum ims_health_event {
    IMS_HEALTH_TICK,   /* time went by */
    IMS_HEALTH_GOOD,   /* a batch came out right */
    IMS_HEALTH_FAULT,  /* a batch, or the start, failed by the device's fault */
    IMS_HEALTH_FORGIVE /* one fault turned out to be the batch's own */
} ims_health_event;

struct ims_health_rules {
    unsigned max_faults;       /* that put a ready device on the bench; 3 */
    unsigned n_probation;      /* good batches that make it ready again; 8 */
    unsigned n_forget;         /* good batches that make old faults forgotten; 256 */
    uint64_t first_bench_ms;   /* 30 s */
    uint64_t longest_bench_ms; /* 30 min */
};
extern const struct ims_health_rules ims__health_rules;

/* All zero is a device that nothing happened to. */
struct ims_health {
    ims_health_state state;
    unsigned n_faults; /* not forgotten yet */
    unsigned n_good;   /* batches since the last fault or change of state */
    uint64_t bench_ms; /* the last time on the bench; 0 = never, or forgotten */
    uint64_t until_ms; /* BENCHED: when it ends */
};
struct ims_health ims__health_step(struct ims_health h, const struct ims_health_rules *rules,
                                   ims_health_event event, uint64_t now_ms);
const char *ims__health_name(ims_health_state state); /* "ready", "benched", "probation" */

#endif
