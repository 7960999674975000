/* Reads back which provider took how many nodes of a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The count of a provider; NULL when there are too many providers. */
static struct ims_compute_share *find_share(struct ims_compute_report *r, const char *provider)
{
    size_t i = 0;

    while (i < r->n_shares && strcmp(r->shares[i].provider, provider) != 0)
        i++;
    if (i == IMS_MAX_PROVIDERS)
        return NULL;
    if (i == r->n_shares) {
        snprintf(r->shares[i].provider, sizeof(r->shares[i].provider), "%.47s", provider);
        r->n_shares++;
    }
    return &r->shares[i];
}

static void raise_share(struct ims_compute_report *r, const char *provider, size_t n_nodes)
{
    struct ims_compute_share *share = find_share(r, provider);

    if (share && n_nodes > share->n_nodes)
        share->n_nodes = n_nodes;
}

/* "... placed on [CPUExecutionProvider]. Number of nodes: 5" */
static void read_line(struct ims_compute_report *r, const char *message)
{
    const char *name = strstr(message, "laced on [");
    const char *count = strstr(message, "Number of nodes: ");
    char provider[IMS_PROVIDER_BYTES];

    if (!name || !count)
        return;
    name += strlen("laced on [");
    snprintf(provider, sizeof(provider), "%.*s", (int)strcspn(name, "]"), name);
    raise_share(r, provider, strtoul(count + strlen("Number of nodes: "), NULL, 10));
}

/* Verbose lines are read while the session opens, on the opening thread; what matters is kept
 * always. */
static void listen(void *param, int severity, const char *category, const char *log_id,
                   const char *location, const char *message)
{
    struct ort_impl *s = param;

    if (severity >= ORT_LOG_WARNING)
        ims__ort_log_write(&s->rt->log, severity, category, log_id, location, message);
    else if (!s->is_open && message)
        read_line(&s->report, message);
}

ims_status ims__ort_placement_listen(struct ort_impl *s, ims_err *err)
{
    ims_status st = ims__ort_fail(s->rt, s->rt->api.SetUserLoggingFunction(s->options, listen, s),
                                  IMS_E_RUNTIME, err, "setting the session's log");

    if (!st)
        st =
            ims__ort_fail(s->rt, s->rt->api.SetSessionLogSeverityLevel(s->options, ORT_LOG_VERBOSE),
                          IMS_E_RUNTIME, err, "setting the log level");
    return st;
}

static ims_status read_slots(struct ort_impl *s, struct ims_compute_report *out, ims_err *err)
{
    const struct ort_api *api = &s->rt->api;
    const ort_assigned_subgraph *const *parts = NULL;
    size_t n_parts = 0;
    ims_status st;

    st = ims__ort_fail(s->rt, api->Session_GetEpGraphAssignmentInfo(s->session, &parts, &n_parts),
                       IMS_E_RUNTIME, err, "asking where the nodes went");
    for (size_t i = 0; !st && i < n_parts; i++) {
        const ort_assigned_node *const *nodes = NULL;
        struct ims_compute_share *share;
        const char *provider = NULL;
        size_t n_nodes = 0;

        st = ims__ort_fail(s->rt, api->EpAssignedSubgraph_GetEpName(parts[i], &provider),
                           IMS_E_RUNTIME, err, "asking for a provider");
        if (!st)
            st = ims__ort_fail(s->rt, api->EpAssignedSubgraph_GetNodes(parts[i], &nodes, &n_nodes),
                               IMS_E_RUNTIME, err, "asking for a provider's nodes");
        share = st ? NULL : find_share(out, provider);
        if (share)
            share->n_nodes += n_nodes;
    }
    return st;
}

/* A runtime that does not tell is no error: it is "unknown". */
ims_status ims__ort_placement_read(struct ort_impl *s, ims_err *err)
{
    struct ims_compute_report from_slots = { .n_shares = 0 };
    ims_status st;

    if (s->rt->api.Session_GetEpGraphAssignmentInfo && s->rt->api.EpAssignedSubgraph_GetNodes) {
        st = read_slots(s, &from_slots, err);
        if (st)
            return st;
    }
    for (size_t i = 0; i < from_slots.n_shares; i++)
        raise_share(&s->report, from_slots.shares[i].provider, from_slots.shares[i].n_nodes);
    s->report.is_assignment_known = s->report.n_shares > 0;
    return IMS_OK;
}
