/* What the files of the splitting backend share: its context, its sessions, and the child behind them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_CHILD_SPLIT_H
#define IMS_COMPUTE_CHILD_SPLIT_H

#include "compute/child/child_internal.h"

#include "base/limits.h"
#include "base/mem.h"

#define CHILD_START_MS 120000 /* loading the runtime from a cold disk */

struct split {
    const struct ims_child_arg *arg;
    void *inner; /* the inner backend's context */
    bool has_lock, has_log;
    struct ims_lock lock; /* guards children and their n_sessions */
    struct child *children;
    struct ims_log_ring log;
    uint64_t no_watch_until_ns; /* guarded by lock: watching failed a moment ago, */
    char watch_problem[256];    /* for this reason */
    char *runtime_path; /* the file that is loaded here */
    char *cache_dir;
    uint64_t gpu_mem_limit_bytes;
};

struct split_session {
    struct split *ctx;
    void *inner;         /* here, or */
    struct child *child; /* there, under */
    size_t number;
    bool is_open;
    unsigned run_timeout_ms;
    struct ims_arena texts;
    struct ims_compute_port inputs[IMS_MAX_PORTS], outputs[IMS_MAX_PORTS];
    size_t n_inputs, n_outputs;
    struct ims_compute_report report;
};

/* ---- which child (child_pick.c) ---- */

bool ims__split_goes_to_child(const struct split *s, const struct ims_device_id *device);
/* Returns the device's child with a session counted; it may not be started yet: then not
 * *out_is_running. */
ims_status ims__split_take_child(struct split *s, struct ims_device_id device, struct child **out,
                                 bool *out_is_running, ims_err *err) IMS_MUST_CHECK;
void ims__split_give_child(struct split *s, struct child *c);
void ims__split_free_child(struct child *c);
/* Starts it and has it load the runtime, once. With the child's lock held. */
ims_status ims__split_need_started(struct split *s, struct child *c, struct ims_buf *reply,
                                   ims_err *err) IMS_MUST_CHECK;
/* The backend's slots. */
void ims__split_probe_cuda(void *ctx, struct ims_cuda_facts *out);
void ims__split_probe_vulkan(void *ctx, struct ims_vulkan_facts *out);
void ims__split_watch_cuda(void *ctx, struct ims_cuda_facts *out);

/* ---- a session there (child_open.c) ---- */

ims_status ims__split_open_there(struct split_session *ss, const struct ims_compute_graph *graph,
                                 const struct ims_compute_session_options *o,
                                 ims_err *err) IMS_MUST_CHECK;
void ims__split_close_there(struct split_session *ss);
bool ims__split_shrink_there(struct split_session *ss);

/* ---- a run there (child_run.c) ---- */

ims_status ims__split_run_there(struct split_session *ss, const struct ims_compute_binding *in,
                                size_t n_in, const struct ims_compute_binding *out, size_t n_out,
                                ims_err *err) IMS_MUST_CHECK;

#endif
