/* The compute handle: settings, lazy loading of the backend, and what is told about both.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ims_compute_isolation_read(const char *text, ims_isolation *out)
{
    static const char *const names[] = {
        [IMS_ISOLATE_AUTO] = "auto",
        [IMS_ISOLATE_ALWAYS] = "always",
        [IMS_ISOLATE_NEVER] = "never",
    };

    for (unsigned i = 0; i < IMS_ARRAY_LEN(names); i++) {
        if (strcmp(text && *text ? text : names[0], names[i]) == 0) {
            *out = (ims_isolation)i;
            return true;
        }
    }
    return false;
}

static bool is_complete(const struct ims_compute_backend *b)
{
    return b->abi == IMS_COMPUTE_ABI && b->name && b->ctx_size && b->session_size && b->open &&
           b->close && b->describe && b->session_open && b->session_close && b->session_ports &&
           b->session_report && b->session_run;
}

static ims_status copy_text(char **out, const char *text, ims_err *err)
{
    *out = ims__strdup(text && *text ? text : NULL);
    if (!*out && text && *text)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "copying the settings");
    return IMS_OK;
}

/* ONNX Runtime 1.30 starts a thread that reports its use to its maker, and its switch for that
 * (DisableTelemetryEvents) does not stop it. This variable does; it is read when the library is loaded,
 * which is later than any handle is opened. Whoever wants it otherwise has set it before. */
static void forbid_telemetry(void)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
}

/* TensorRT rounds float32 to TF32 unless it is told otherwise, and its provider has no option for
 * that. NVIDIA's libraries read this variable; whoever wants it otherwise has set it before. */
static void forbid_tf32(void)
{
    setenv("NVIDIA_TF32_OVERRIDE", "0", 0);
}

/* An error about the settings also says what could be asked for here, as far as a runtime can tell. */
static ims_status read_request(struct ims_compute *c, const struct ims_device_settings *settings,
                               ims_err *err)
{
    char here[160];
    ims_err why;
    ims_status st = ims_device_request_read(&c->request, settings, &why);

    if (!st)
        return IMS_OK;
    c->request = (struct ims_device_request){ .is_auto = true }; /* asks for all there is */
    ims__lock(&c->lock);
    if (ims__compute_load(c, NULL) || ims__compute_inventory(c, NULL)) {
        if (err)
            *err = why;
    } else {
        ims_device_list_here(c->inventory, NULL, 0, here, sizeof(here));
        (void)ims_fail(err, st, "device", 0, "%.320s. Here: %s (docs/devices.md: what each needs)",
                       why.text, here);
    }
    ims__unlock(&c->lock);
    return st;
}

ims_status ims_compute_open(struct ims_compute **out, const struct ims_compute_options *options,
                            ims_err *err)
{
    const struct ims_compute_backend *backend =
        options->backend ? options->backend : &ims__compute_ort;
    struct ims_compute *c = NULL;
    bool is_split;
    ims_status st;

    if (!is_complete(backend))
        return ims_fail(err, IMS_E_INTERNAL, "compute", 0, "the compute backend lacks a function");
    if (options->isolation == IMS_ISOLATE_ALWAYS && !ims__child_is_possible())
        return ims_fail(err, IMS_E_UNSUPPORTED, "compute", 0,
                        "this program cannot start children of itself");
    c = ims__zalloc(1, sizeof(*c));
    if (!c)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "allocating the handle");
    forbid_telemetry();
    forbid_tf32();
    c->child_arg = (struct ims_child_arg){ backend, options->backend_arg, options->isolation };
    is_split = options->isolation != IMS_ISOLATE_NEVER && ims__child_is_possible();
    c->backend = is_split ? &ims__compute_split : backend;
    c->backend_arg = is_split ? &c->child_arg : options->backend_arg;
    c->deadline_ms = options->deadline_ms;
    c->gpu_mem_limit_bytes = options->gpu_mem_limit_bytes;
    c->prove_again = options->prove_again;
    c->n_threads = options->n_threads ? options->n_threads : ims_device_usable_cores();
    st = copy_text(&c->runtime_path, options->runtime_path, err);
    if (!st)
        st = copy_text(&c->cache_dir, options->cache_dir, err);
    if (!st && ims__lock_init(&c->lock) != IMS_OK)
        st = ims_fail(err, IMS_E_NOMEM, "compute", 0, "creating a lock");
    if (st)
        goto out;
    c->has_lock = true;
    if (ims__lock_init(&c->proof_lock) != IMS_OK) {
        st = ims_fail(err, IMS_E_NOMEM, "compute", 0, "creating a lock");
        goto out;
    }
    c->has_proof_lock = true;
    st = read_request(c, &options->device, err);
    if (st)
        goto out;

    *out = c;
    c = NULL;
out:
    ims_compute_close(c); /* NULL after success */
    return st;
}

void ims_compute_close(struct ims_compute *c)
{
    if (!c)
        return;
    if (c->ctx) {
        c->backend->close(c->ctx);
        ims__free(c->ctx);
    }
    if (c->has_proof_lock)
        ims__lock_release(&c->proof_lock);
    if (c->has_lock)
        ims__lock_release(&c->lock);
    ims__free(c->inventory);
    ims__free(c->cuda);
    ims__free(c->vulkan);
    ims__free(c->verdicts);
    ims__free(c->runtime_path);
    ims__free(c->cache_dir);
    ims__free(c);
}

ims_status ims__compute_load(struct ims_compute *c, ims_err *err)
{
    struct ims_compute_backend_options options = { c->runtime_path, c->cache_dir, c->backend_arg,
                                                   c->gpu_mem_limit_bytes };
    uint64_t start = ims__mono_ns();
    void *ctx;

    if (c->ctx)
        return IMS_OK;
    if (c->load_err.status != IMS_OK) {
        if (err)
            *err = c->load_err;
        return c->load_err.status;
    }
    ctx = ims__zalloc(1, c->backend->ctx_size);
    if (!ctx)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "allocating the runtime's context");
    if (c->backend->open(ctx, &options, &c->load_err) != IMS_OK) {
        c->backend->close(ctx);
        ims__free(ctx);
        if (err)
            *err = c->load_err;
        return c->load_err.status;
    }
    c->ctx = ctx;
    c->load_ms += (double)(ims__mono_ns() - start) / 1e6;
    return IMS_OK;
}

bool ims__compute_is_isolated(const struct ims_compute *c, struct ims_device_id id)
{
    return c->backend == &ims__compute_split &&
           (id.kind != IMS_DEVICE_CPU || c->child_arg.isolation == IMS_ISOLATE_ALWAYS);
}

bool ims__compute_may_use_cpu(const struct ims_compute *c)
{
    for (size_t i = 0; i < c->request.n_allowed; i++) {
        if (c->request.allowed[i] == IMS_DEVICE_CPU)
            return true;
    }
    return !c->request.has_permission;
}

ims_status ims_compute_describe(struct ims_compute *c, bool choose, struct ims_compute_info *out,
                                ims_err *err)
{
    ims_status st;

    (void)err; /* every problem is part of the description */
    memset(out, 0, sizeof(*out));
    ims__lock(&c->lock);
    out->request = c->request;
    out->n_threads = c->n_threads;
    st = ims__compute_load(c, &out->runtime_err);
    if (!st) {
        out->has_runtime = true;
        c->backend->describe(c->ctx, out);
        out->has_choice =
            (choose || c->is_chosen) && ims__compute_settle(c, &out->choice_err) == IMS_OK;
        if (out->has_choice)
            out->choice = c->choice;
        out->n_proofs = c->n_proofs;
        memcpy(out->proofs, c->proofs, sizeof(out->proofs));
        out->load_ms = c->load_ms;
    }
    ims__unlock(&c->lock);
    return IMS_OK;
}

size_t ims_compute_runtime_log(struct ims_compute *c, char *out, size_t size)
{
    size_t n = 0;

    if (size == 0)
        return 0;
    out[0] = '\0';
    ims__lock(&c->lock);
    if (c->ctx && c->backend->log_tail)
        n = c->backend->log_tail(c->ctx, out, size);
    ims__unlock(&c->lock);
    return n;
}
