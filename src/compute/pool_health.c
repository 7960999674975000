/* The state machine of a device's health.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_health.h"

const struct ims_health_rules ims__health_rules = {
    .max_faults = 3,
    .n_probation = 8,
    .n_forget = 256,
    .first_bench_ms = 30 * 1000,
    .longest_bench_ms = 30 * 60 * 1000,
};

static struct ims_health bench(struct ims_health h, const struct ims_health_rules *rules,
                               uint64_t now_ms)
{
    uint64_t ms = h.bench_ms ? h.bench_ms * 2 : rules->first_bench_ms;

    h.bench_ms = ms > rules->longest_bench_ms ? rules->longest_bench_ms : ms;
    h.until_ms = now_ms + h.bench_ms;
    h.state = IMS_HEALTH_BENCHED;
    return h;
}

static struct ims_health good(struct ims_health h, const struct ims_health_rules *rules)
{
    h.n_good++;
    if (h.state !=
        IMS_HEALTH_READY) { /* also one from the bench, used when nothing else was left */
        if (h.n_good < rules->n_probation)
            return h;
        h.state = IMS_HEALTH_READY;
        h.n_faults = 0;
        h.n_good = 0;
    } else if (h.n_good >= rules->n_forget) {
        h.n_faults = 0;
        h.n_good = 0;
        h.bench_ms = 0;
    }
    return h;
}

struct ims_health ims__health_step(struct ims_health h, const struct ims_health_rules *rules,
                                   ims_health_event event, uint64_t now_ms)
{
    switch (event) {
    case IMS_HEALTH_TICK:
        if (h.state == IMS_HEALTH_BENCHED && now_ms >= h.until_ms) {
            h.state = IMS_HEALTH_PROBATION;
            h.n_good = 0;
        }
        return h;
    case IMS_HEALTH_GOOD:
        return good(h, rules);
    case IMS_HEALTH_FAULT:
        h.n_faults++;
        h.n_good = 0;
        if (h.state != IMS_HEALTH_READY || h.n_faults >= rules->max_faults)
            return bench(h, rules, now_ms);
        return h;
    case IMS_HEALTH_FORGIVE:
        if (h.n_faults > 0)
            h.n_faults--;
        if (h.state == IMS_HEALTH_BENCHED && h.n_faults < rules->max_faults) {
            h.state = IMS_HEALTH_READY;
            h.bench_ms = h.bench_ms > rules->first_bench_ms ? h.bench_ms / 2 : 0;
        }
        return h;
    }
    return h;
}

const char *ims__health_name(ims_health_state state)
{
    static const char *const names[] = { "ready", "benched", "probation" };

    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}
