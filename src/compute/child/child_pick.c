/* Which child a device has: found, started, counted, dropped when it is dead.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_split.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define WATCH_MS 10000 /* a driver that no program keeps awake takes seconds for each card */
#define WATCH_PAUSE_NS (300 * UINT64_C(1000000000))

/* No device has this number. Its child computes nothing. */
static const struct ims_device_id watcher = { IMS_DEVICE_CUDA, IMS_MAX_DEVICES };

void ims__split_free_child(struct child *c)
{
    ims__child_stop(c);
    if (c->has_lock)
        ims__lock_release(&c->lock);
    ims__free(c);
}

bool ims__split_goes_to_child(const struct split *s, const struct ims_device_id *device)
{
    return s->arg->isolation == IMS_ISOLATE_ALWAYS || device->kind != IMS_DEVICE_CPU;
}

/* Both with the context's lock held. */
static void drop_dead(struct split *s)
{
    for (struct child **at = &s->children; *at;) {
        struct child *c = *at;

        if (c->n_sessions > 0 || !c->is_dead) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        ims__split_free_child(c);
    }
}

static struct child *find_child(struct split *s, struct ims_device_id device)
{
    for (struct child *c = s->children; c; c = c->next) {
        if (!c->is_dead && ims_device_id_equal(c->device, device))
            return c;
    }
    return NULL;
}

/* Returns it with a session counted; it may not be started yet: then not *out_is_running. */
ims_status ims__split_take_child(struct split *s, struct ims_device_id device, struct child **out,
                             bool *out_is_running, ims_err *err)
{
    struct child *c;
    ims_status st = IMS_OK;

    ims__lock(&s->lock);
    drop_dead(s);
    c = find_child(s, device);
    *out_is_running = c != NULL;
    if (!c) {
        c = ims__zalloc(1, sizeof(*c));
        if (!c || ims__lock_init(&c->lock) != IMS_OK) {
            ims__free(c);
            st = ims_fail(err, IMS_E_NOMEM, "child", 0, "allocating a process");
            goto out;
        }
        c->has_lock = true;
        c->device = device;
        c->sock = c->stderr_fd = -1;
        c->log = &s->log;
        if (ims_device_id_equal(device, watcher))
            snprintf(c->name, sizeof(c->name), "cuda watch");
        else
            ims_device_id_name(device, c->name);
        c->next = s->children;
        s->children = c;
    }
    c->n_sessions++;
    *out = c;
out:
    ims__unlock(&s->lock);
    return st;
}

void ims__split_give_child(struct split *s, struct child *c)
{
    ims__lock(&s->lock);
    c->n_sessions--;
    drop_dead(s);
    ims__unlock(&s->lock);
}

/* With the child's lock held. */
ims_status ims__split_need_started(struct split *s, struct child *c, struct ims_buf *reply,
                               ims_err *err)
{
    struct wire_reader r;
    struct ims_buf body;
    ims_status st;

    if (c->pid || c->is_dead)
        return IMS_OK;
    st = ims__child_start(c, err);
    if (st)
        return st;
    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__wire_str(&body, s->runtime_path);
    ims__wire_str(&body, s->cache_dir);
    ims__wire_u64(&body, s->gpu_mem_limit_bytes);
    st = ims__child_ask(c, CHILD_OPEN_RUNTIME, &body, -1, CHILD_START_MS, reply, err);
    ims__buf_release(&body);
    if (st)
        return st;
    r = (struct wire_reader){ reply->data, reply->len, false };
    st = ims__wire_get_err(&r, err);
    if (st)
        ims__child_kill(c, "it could not load the runtime");
    return st;
}

/* What a child says of the hardware, in timeout_ms. needs_runtime: it is the child that a device will
 * live in, not one that only watches. */
static ims_status ask_facts(struct split *s, struct ims_device_id id, child_kind kind,
                            bool needs_runtime, unsigned timeout_ms, void *out, size_t size,
                            ims_err *err)
{
    struct wire_reader r = { NULL, 0, true };
    struct ims_buf body, reply;
    struct child *c = NULL;
    bool is_running;
    ims_status st;

    ims__buf_init(&body, 1);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    st = ims__split_take_child(s, id, &c, &is_running, err);
    if (!st) {
        ims__lock(&c->lock);
        if (needs_runtime)
            st = ims__split_need_started(s, c, &reply, err);
        else if (!c->pid && !c->is_dead)
            st = ims__child_start(c, err);
        if (!st)
            st = ims__child_ask(c, kind, &body, -1, timeout_ms, &reply, err);
        if (!st)
            r = (struct wire_reader){ reply.data, reply.len, false };
        ims__wire_get_raw(&r, out, size);
        ims__unlock(&c->lock);
        ims__split_give_child(s, c);
    }
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return st;
}

static void cuda_problem(struct ims_cuda_facts *out, const char *text)
{
    memset(out, 0, sizeof(*out));
    out->has_driver = true;
    snprintf(out->problem, sizeof(out->problem), "%.250s", text);
}

/* A driver that does not come back is none. */
void ims__split_probe_cuda(void *ctx, struct ims_cuda_facts *out)
{
    ims_err err = { .text = "" };

    memset(out, 0, sizeof(*out));
    if (!ims_device_has_cuda_driver())
        return;
    if (ask_facts(ctx, (struct ims_device_id){ IMS_DEVICE_CUDA, 0 }, CHILD_PROBE_CUDA, true,
                  CHILD_START_MS, out, sizeof(*out), &err)) {
        cuda_problem(out, err.text);
    }
}

/* A process that does not come back may not even end while its driver holds it: so no other is
 * started for a while. */
void ims__split_watch_cuda(void *ctx, struct ims_cuda_facts *out)
{
    struct split *s = ctx;
    ims_err err = { .text = "" };
    bool is_paused;

    ims__lock(&s->lock);
    is_paused = ims__mono_ns() < s->no_watch_until_ns;
    if (is_paused)
        cuda_problem(out, s->watch_problem);
    ims__unlock(&s->lock);
    if (is_paused || !ask_facts(s, watcher, CHILD_PROBE_CUDA, false, WATCH_MS, out, sizeof(*out), &err))
        return;
    cuda_problem(out, err.text);
    ims__lock(&s->lock);
    s->no_watch_until_ns = ims__mono_ns() + WATCH_PAUSE_NS;
    snprintf(s->watch_problem, sizeof(s->watch_problem), "%.250s", err.text);
    ims__unlock(&s->lock);
}

void ims__split_probe_vulkan(void *ctx, struct ims_vulkan_facts *out)
{
    ims_err err = { .text = "" };

    memset(out, 0, sizeof(*out));
    if (!ims_device_has_vulkan_loader())
        return;
    if (ask_facts(ctx, (struct ims_device_id){ IMS_DEVICE_WEBGPU, 0 }, CHILD_PROBE_VULKAN, true,
                  CHILD_START_MS, out, sizeof(*out), &err)) {
        out->has_loader = true;
        snprintf(out->problem, sizeof(out->problem), "%.120s", err.text);
    }
}
