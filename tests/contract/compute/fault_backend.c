/* The wrapping backend of fault_backend.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fault_backend.h"

#include "base/mem.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PLAN_VARIABLE "IMS_TEST_FAULT_PLAN"

struct fault_ctx {
    struct fault_plan *plan;
    const struct ims_compute_backend *inner;
    void *inner_ctx;
};

struct fault_session {
    struct fault_ctx *ctx;
    void *inner;
    bool is_meant; /* its runs count */
    struct ims_device_id device;
};

static struct fault_plan *map_plan(const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    void *p = MAP_FAILED;

    if (fd >= 0 && (!flags || ftruncate(fd, sizeof(struct fault_plan)) == 0))
        p = mmap(NULL, sizeof(struct fault_plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return p == MAP_FAILED ? NULL : p;
}

struct fault_plan *fault_plan_share(const char *path)
{
    setenv(PLAN_VARIABLE, path, 1);
    return map_plan(path, O_CREAT | O_TRUNC);
}

static ims_status fault_open(void *ctx_, const struct ims_compute_backend_options *options,
                             ims_err *err)
{
    struct fault_ctx *ctx = ctx_;

    ctx->plan = options->arg;
    if (!ctx->plan && getenv(PLAN_VARIABLE))
        ctx->plan = map_plan(getenv(PLAN_VARIABLE), 0);
    if (!ctx->plan)
        return ims_fail(err, IMS_E_INTERNAL, "fault", 0, "there is no plan");
    ctx->plan->n_opens++;
    ctx->plan->gpu_mem_limit_bytes = options->gpu_mem_limit_bytes;
    if (ctx->plan->open_status)
        return ims_fail(err, ctx->plan->open_status, "fault", 0, "the plan says: no runtime");
    ctx->inner = ctx->plan->inner ? ctx->plan->inner : &ims__compute_ort;
    ctx->inner_ctx = ims__zalloc(1, ctx->inner->ctx_size);
    if (!ctx->inner_ctx)
        return ims_fail(err, IMS_E_NOMEM, "fault", 0, "allocating");
    return ctx->inner->open(ctx->inner_ctx, options, err);
}

static void fault_close(void *ctx_)
{
    struct fault_ctx *ctx = ctx_;

    if (ctx->plan)
        ctx->plan->n_closes++;
    if (ctx->inner_ctx)
        ctx->inner->close(ctx->inner_ctx);
    ims__free(ctx->inner_ctx);
}

static void fault_describe(void *ctx_, struct ims_compute_info *out)
{
    struct fault_ctx *ctx = ctx_;

    ctx->inner->describe(ctx->inner_ctx, out);
    if (ctx->plan->lists_cuda && out->n_providers < IMS_MAX_PROVIDERS)
        snprintf(out->providers[out->n_providers++], IMS_PROVIDER_BYTES, "CUDAExecutionProvider");
}

static void fault_probe_cuda(void *ctx_, struct ims_cuda_facts *out)
{
    const struct fault_ctx *ctx = ctx_;

    if (ctx->plan->n_cuda == 0) {
        ims_device_probe_cuda(out);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->has_driver = true;
    out->n_devices = ctx->plan->n_cuda;
    for (unsigned i = 0; i < ctx->plan->n_cuda; i++) {
        out->devices[i].index = i;
        snprintf(out->devices[i].name, sizeof(out->devices[i].name), "Planned %u", i);
    }
}

static void fault_probe_vulkan(void *ctx_, struct ims_vulkan_facts *out)
{
    const struct fault_ctx *ctx = ctx_;

    memset(out, 0, sizeof(*out));
    if (!ctx->plan->vulkan_driver)
        return;
    out->has_loader = true;
    out->n_adapters = 1;
    snprintf(out->adapters[0].name, sizeof(out->adapters[0].name), "Planned");
    snprintf(out->adapters[0].driver_version, sizeof(out->adapters[0].driver_version), "%s",
             ctx->plan->vulkan_driver);
}

static ims_status fault_session_open(void *ctx_, void *session,
                                     const struct ims_compute_graph *graph,
                                     const struct ims_compute_session_options *options,
                                     ims_err *err)
{
    struct fault_ctx *ctx = ctx_;
    struct fault_session *s = session;
    struct ims_device_id cpu = { IMS_DEVICE_CPU, 0 };
    struct ims_compute_session_options inner = *options;

    s->ctx = ctx;
    s->device = *options->device;
    s->is_meant =
        (!ctx->plan->label[0] || strcmp(ctx->plan->label, options->label) == 0) &&
        (!ctx->plan->has_device || ims_device_id_equal(ctx->plan->device, *options->device));
    ctx->plan->n_sessions++;
    if (ctx->plan->session_status)
        return ims_fail(err, ctx->plan->session_status, "fault", 0, "the plan says: no session");
    s->inner = ims__zalloc(1, ctx->inner->session_size);
    if (!s->inner)
        return ims_fail(err, IMS_E_NOMEM, "fault", 0, "allocating");
    if (ctx->plan->lists_cuda)
        inner.device = &cpu;
    return ctx->inner->session_open(ctx->inner_ctx, s->inner, graph, &inner, err);
}

static void fault_session_close(void *session)
{
    struct fault_session *s = session;

    s->ctx->plan->n_session_closes++;
    if (s->inner)
        s->ctx->inner->session_close(s->inner);
    ims__free(s->inner);
}

static void fault_session_ports(const void *session, struct ims_compute_ports *out)
{
    const struct fault_session *s = session;

    s->ctx->inner->session_ports(s->inner, out);
}

static void fault_session_report(const void *session, struct ims_compute_report *out)
{
    const struct fault_session *s = session;

    s->ctx->inner->session_report(s->inner, out);
}

/* What a failing run's results become. */
static float spoilt(enum fault_kind kind, float x, size_t k)
{
    if (kind == FAULT_CONSTANT)
        return 0.5f;
    if (kind == FAULT_WRONG)
        return k % 2 ? x * 1.25f : x;
    if (kind == FAULT_SLIGHT || kind == FAULT_IN_BATCHES)
        return k % 2 ? x * 1.01f : x;
    return NAN;
}

static void swap_floats(float *a, float *b)
{
    float t = *a;

    *a = *b;
    *b = t;
}

/* Moves rows, or the numbers of each row, on by one. */
static void permute(enum fault_kind kind, struct ims_tensor *t)
{
    size_t n_rows = (size_t)t->shape[0], n = ims_tensor_count(t) / n_rows;
    float *p = t->data;

    for (size_t r = 0; r < n_rows; r++) {
        for (size_t k = 0; k < n; k++) {
            if (kind == FAULT_PERMUTED_ROWS && r > 0)
                swap_floats(&p[k], &p[r * n + k]);
            if (kind == FAULT_PERMUTED_NUMBERS && k > 0)
                swap_floats(&p[r * n], &p[r * n + k]);
        }
    }
}

static void spoil(enum fault_kind kind, const struct ims_compute_binding *out, size_t n_out)
{
    for (size_t i = 0; i < n_out; i++) {
        struct ims_tensor *t = out[i].tensor;
        float *p = t->data;

        if (t->dtype != IMS_DTYPE_F32 || kind == FAULT_SLOW ||
            (kind == FAULT_IN_BATCHES && t->shape[0] < 2))
            continue;
        if (kind == FAULT_PERMUTED_ROWS || kind == FAULT_PERMUTED_NUMBERS) {
            permute(kind, t);
            continue;
        }
        for (size_t k = 0; k < ims_tensor_count(t); k++)
            p[k] = spoilt(kind, p[k], k);
    }
}

/* The faults that a process does not survive, or not in time. */
static void die(enum fault_kind kind)
{
    if (kind == FAULT_ABORT)
        abort();
    if (kind == FAULT_KILL)
        raise(SIGKILL);
    while (kind == FAULT_HANG)
        pause();
    if (kind == FAULT_SLOW)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static bool is_due(struct fault_plan *plan)
{
    unsigned number = ++plan->n_runs;

    return plan->run_fails_at && number >= plan->run_fails_at &&
           (plan->n_failing_runs == 0 || number < plan->run_fails_at + plan->n_failing_runs);
}

static void note_rows(struct fault_plan *plan, int64_t n)
{
    if (plan->most_rows == 0 || n < plan->least_rows)
        plan->least_rows = n;
    if (n > plan->most_rows)
        plan->most_rows = n;
}

static ims_status fault_session_run(void *session, const struct ims_compute_binding *in,
                                    size_t n_in, const struct ims_compute_binding *out,
                                    size_t n_out, ims_err *err)
{
    struct fault_session *s = session;
    struct fault_plan *plan = s->ctx->plan;
    bool fails = s->is_meant && is_due(plan);
    ims_status st;

    plan->pid = (int)getpid();
    plan->n_meant += s->is_meant;
    if (s->is_meant && in[0].tensor->rank > 0)
        note_rows(plan, in[0].tensor->shape[0]);
    if (s->is_meant && plan->memory_for && in[0].tensor->rank > 0 &&
        in[0].tensor->shape[0] > plan->memory_for)
        return ims_fail(err, IMS_E_NOMEM, "fault", 2, "the plan says: no memory for %lld",
                        (long long)in[0].tensor->shape[0]);
    if (plan->on_run && in[0].tensor->rank > 0)
        plan->on_run(s->device, (size_t)in[0].tensor->shape[0]);
    if (fails && plan->run_kind == FAULT_STATUS && plan->run_status)
        return ims_fail(err, plan->run_status, "fault", 1, "the plan says: run %u fails",
                        (unsigned)plan->n_runs);
    if (fails)
        die(plan->run_kind);
    st = s->ctx->inner->session_run(s->inner, in, n_in, out, n_out, err);
    if (!st && fails)
        spoil(plan->run_kind, out, n_out);
    return st;
}

static bool fault_session_shrink(void *session)
{
    const struct fault_session *s = session;
    struct fault_plan *plan = s->ctx->plan;

    plan->n_shrinks++;
    if (plan->shrunk_memory_for)
        plan->memory_for = plan->shrunk_memory_for;
    return plan->shrunk_memory_for != 0;
}

static bool fault_wants_static_shapes(void *ctx_, ims_device_kind kind)
{
    const struct fault_ctx *ctx = ctx_;

    return (ctx->plan->static_kinds >> kind & 1) ||
           (ctx->inner->wants_static_shapes &&
            ctx->inner->wants_static_shapes(ctx->inner_ctx, kind));
}

static bool fault_compiles_shapes(void *ctx_, ims_device_kind kind)
{
    const struct fault_ctx *ctx = ctx_;

    return ctx->inner->compiles_shapes && ctx->inner->compiles_shapes(ctx->inner_ctx, kind);
}

const struct ims_compute_backend fault_backend = {
    .abi = IMS_COMPUTE_ABI,
    .name = "fault",
    .ctx_size = sizeof(struct fault_ctx),
    .session_size = sizeof(struct fault_session),
    .open = fault_open,
    .close = fault_close,
    .describe = fault_describe,
    .session_open = fault_session_open,
    .session_close = fault_session_close,
    .session_ports = fault_session_ports,
    .session_report = fault_session_report,
    .session_run = fault_session_run,
    .probe_cuda = fault_probe_cuda,
    .probe_vulkan = fault_probe_vulkan,
    .session_shrink = fault_session_shrink,
    .wants_static_shapes = fault_wants_static_shapes,
    .compiles_shapes = fault_compiles_shapes,
};
