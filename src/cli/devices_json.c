/* imgsearch devices --json.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/devices_view.h"

#include <stdio.h>
#include <string.h>

const char *cli_proof_name(ims_proof_state state)
{
    static const char *const names[] = { "not tried", "passed", "failed", "slower than the CPU" };

    return names[state];
}

static ims_json *cpu_json(const struct devices_view *v)
{
    const struct ims_device_facts *f = &v->facts;
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "name", ims__json_new_str("cpu"));
    (void)ims__json_set(o, "model", ims__json_new_str(f->cpu_model));
    (void)ims__json_set(o, "features", ims__json_new_str(f->cpu_features));
    (void)ims__json_set(o, "cores", ims__json_new_int(f->n_logical_cores));
    (void)ims__json_set(o, "usable_cores", ims__json_new_int(f->n_usable_cores));
    (void)ims__json_set(o, "memory", ims__json_new_int((int64_t)f->memory_bytes));
    (void)ims__json_set(o, "usable_memory", ims__json_new_int((int64_t)f->memory_usable_bytes));
    return o;
}

static ims_json *cuda_json(const struct ims_cuda_device *d)
{
    ims_json *o = ims__json_new_object();
    char name[IMS_DEVICE_NAME_BYTES], capability[24];

    ims_device_id_name((struct ims_device_id){ IMS_DEVICE_CUDA, d->index }, name);
    snprintf(capability, sizeof(capability), "%u.%u", d->compute_major, d->compute_minor);
    (void)ims__json_set(o, "name", ims__json_new_str(name));
    (void)ims__json_set(o, "model", ims__json_new_str(d->name));
    (void)ims__json_set(o, "uuid", ims__json_new_str(d->uuid));
    (void)ims__json_set(o, "compute_capability", ims__json_new_str(capability));
    (void)ims__json_set(o, "memory", ims__json_new_int((int64_t)d->memory_bytes));
    if (d->has_memory_used)
        (void)ims__json_set(o, "memory_used", ims__json_new_int((int64_t)d->memory_used_bytes));
    if (d->has_utilisation)
        (void)ims__json_set(o, "utilisation", ims__json_new_int(d->utilisation_percent));
    if (d->temperature_c)
        (void)ims__json_set(o, "temperature_c", ims__json_new_int(d->temperature_c));
    if (d->power_w)
        (void)ims__json_set(o, "power_w", ims__json_new_int(d->power_w));
    return o;
}

/* The driver of NVIDIA's devices; NULL where there is none. */
static ims_json *driver_json(const struct ims_cuda_facts *f)
{
    ims_json *o;
    char speaks[24];

    if (!f->has_driver)
        return ims__json_new_null();
    o = ims__json_new_object();
    snprintf(speaks, sizeof(speaks), "%u.%u", f->cuda_major, f->cuda_minor);
    (void)ims__json_set(o, "driver_version", ims__json_new_str(f->driver_version));
    (void)ims__json_set(o, "cuda_version", ims__json_new_str(f->cuda_major ? speaks : ""));
    (void)ims__json_set(o, "devices", ims__json_new_int((int64_t)f->n_devices));
    (void)ims__json_set(o, "has_nvml", ims__json_new_bool(f->has_nvml));
    (void)ims__json_set(o, "problem", f->problem[0] ? ims__json_new_str(f->problem) : ims__json_new_null());
    return o;
}

static ims_json *adapters_json(const struct ims_vulkan_facts *f)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < f->n_adapters; i++) {
        const struct ims_vulkan_adapter *a = &f->adapters[i];
        ims_json *o = ims__json_new_object();

        (void)ims__json_set(o, "name", ims__json_new_str(a->name));
        (void)ims__json_set(o, "type", ims__json_new_str(ims_vulkan_kind_name(a->kind)));
        (void)ims__json_set(o, "vendor_id", ims__json_new_int(a->vendor_id));
        (void)ims__json_set(o, "device_id", ims__json_new_int(a->device_id));
        (void)ims__json_set(o, "driver_version", ims__json_new_str(a->driver_version));
        (void)ims__json_set(o, "driver_build", ims__json_new_str(a->driver_build));
        (void)ims__json_set(o, "api_version", ims__json_new_str(a->api_version));
        (void)ims__json_set(o, "memory", ims__json_new_int((int64_t)a->memory_bytes));
        (void)ims__json_add(list, o);
    }
    return list;
}

/* What the runtime lists was compiled into it; whether it works here is another question. */
static const char *provider_state(const struct devices_view *v, const char *provider)
{
    const struct ims_compute_info *c = &v->compute;
    ims_device_kind kind;

    if (!ims_device_kind_from_provider(provider, &kind))
        return "compiled in, not used";
    for (size_t i = 0; i < c->n_proofs; i++) {
        if (c->proofs[i].id.kind == kind && c->proofs[i].state == IMS_PROOF_PASSED)
            return "usable";
    }
    if ((kind == IMS_DEVICE_CUDA || kind == IMS_DEVICE_TENSORRT) && v->cuda.n_devices == 0)
        return "compiled in, no device";
    if (kind == IMS_DEVICE_WEBGPU && v->vulkan.n_adapters == 0 && !v->facts.is_apple_silicon &&
        strcmp(v->facts.platform, "Linux") == 0)
        return "compiled in, no device";
    for (size_t i = 0; i < c->n_proofs; i++) {
        if (c->proofs[i].id.kind == kind)
            return "compiled in, failed its proof";
    }
    return "compiled in, not tried";
}

static ims_json *states_json(const struct devices_view *v)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < v->compute.n_providers; i++) {
        const char *name = v->compute.providers[i];
        ims_json *o = ims__json_new_object();

        (void)ims__json_set(o, "name", ims__json_new_str(name));
        (void)ims__json_set(o, "state", ims__json_new_str(provider_state(v, name)));
        (void)ims__json_add(list, o);
    }
    return list;
}

static ims_json *runtime_json(const struct devices_view *v)
{
    const struct ims_compute_info *c = &v->compute;
    ims_json *o, *providers;

    if (!c->has_runtime)
        return ims__json_new_null();
    o = ims__json_new_object();
    providers = ims__json_new_array();
    for (size_t i = 0; i < c->n_providers; i++)
        (void)ims__json_add(providers, ims__json_new_str(c->providers[i]));
    (void)ims__json_set(o, "name", ims__json_new_str(c->runtime_name));
    (void)ims__json_set(o, "version", ims__json_new_str(c->runtime_version));
    (void)ims__json_set(o, "build", ims__json_new_str(c->runtime_build));
    (void)ims__json_set(o, "path", cli_path_json(c->runtime_path));
    (void)ims__json_set(o, "found_by", ims__json_new_str(c->runtime_origin));
    (void)ims__json_set(o, "providers", providers);
    (void)ims__json_set(o, "provider_states", states_json(v));
    (void)ims__json_set(o, "threads", ims__json_new_int(c->n_threads));
    (void)ims__json_set(o, "load_ms", ims__json_new_num(c->load_ms));
    return o;
}

static ims_json *proofs_json(const struct ims_compute_info *c)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < c->n_proofs; i++) {
        ims_json *o = ims__json_new_object();
        char name[IMS_DEVICE_NAME_BYTES];

        ims_device_id_name(c->proofs[i].id, name);
        (void)ims__json_set(o, "name", ims__json_new_str(name));
        (void)ims__json_set(o, "proof", ims__json_new_str(cli_proof_name(c->proofs[i].state)));
        (void)ims__json_set(o, "detail", ims__json_new_str(c->proofs[i].text));
        (void)ims__json_add(list, o);
    }
    return list;
}

static ims_json *verdict_json(const struct ims_proof_verdict *v)
{
    ims_json *o = ims__json_new_object();
    char name[IMS_DEVICE_NAME_BYTES];

    ims_device_id_name(v->device, name);
    (void)ims__json_set(o, "name", ims__json_new_str(name));
    (void)ims__json_set(o, "model", ims__json_new_str(v->model));
    (void)ims__json_set(o, "graph", ims__json_new_str(v->graph_name));
    (void)ims__json_set(o, "precision", ims__json_new_str(ims_precision_name(v->precision)));
    (void)ims__json_set(o, "proof", ims__json_new_str(cli_proof_name(v->state)));
    (void)ims__json_set(o, "detail", ims__json_new_str(v->text));
    if (v->has_numbers) {
        (void)ims__json_set(o, "cosine", ims__json_new_num(v->min_cosine));
        (void)ims__json_set(o, "difference", ims__json_new_num(v->max_difference));
    }
    if (v->rows_per_s > 0) {
        (void)ims__json_set(o, "per_second", ims__json_new_num(v->rows_per_s));
        (void)ims__json_set(o, "cpu_per_second", ims__json_new_num(v->cpu_rows_per_s));
    }
    if (v->batch) {
        (void)ims__json_set(o, "batch", ims__json_new_int((int64_t)v->batch));
        (void)ims__json_set(o, "batch_per_second", ims__json_new_num(v->batch_rows_per_s));
    }
    (void)ims__json_set(o, "proven_at", cli_time_json(v->made_us));
    (void)ims__json_set(o, "from_cache", ims__json_new_bool(v->is_stored));
    return o;
}

static ims_json *verdicts_json(const struct devices_view *v)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < v->n_verdicts; i++)
        (void)ims__json_add(list, verdict_json(&v->verdicts[i]));
    return list;
}

static ims_json *notes_json(const struct ims_compute_info *c)
{
    const struct ims_device_notes *notes = c->has_choice ? &c->choice.notes : &c->request.notes;
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < notes->n; i++)
        (void)ims__json_add(list, ims__json_new_str(notes->at[i].text));
    return list;
}

ims_json *cli_devices_json(const struct devices_view *v)
{
    const struct ims_compute_info *c = &v->compute;
    ims_json *o = ims__json_new_object(), *selected = ims__json_new_array(), *devices = ims__json_new_array();
    char name[IMS_DEVICE_NAME_BYTES];

    for (size_t i = 0; c->has_choice && i < c->choice.n_ids; i++) {
        ims_device_id_name(c->choice.ids[i], name);
        (void)ims__json_add(selected, ims__json_new_str(name));
    }
    (void)ims__json_add(devices, cpu_json(v));
    for (size_t i = 0; i < v->cuda.n_devices; i++)
        (void)ims__json_add(devices, cuda_json(&v->cuda.devices[i]));
    if (c->has_choice) {
        ims_device_id_name(c->choice.ids[0], name);
        (void)ims__json_set(o, "selected", ims__json_new_str(name));
        (void)ims__json_set(o, "reason", ims__json_new_str(c->choice.reason));
    } else {
        (void)ims__json_set(o, "selected", ims__json_new_null());
        (void)ims__json_set(o, "reason",
                            ims__json_new_str(c->has_runtime ? c->choice_err.text : c->runtime_err.text));
    }
    (void)ims__json_set(o, "selected_all", selected);
    (void)ims__json_set(o, "asked", ims__json_new_str(c->request.asked));
    (void)ims__json_set(o, "asked_by", ims__json_new_str(ims_device_source_name(c->request.source)));
    (void)ims__json_set(o, "notes", notes_json(c));
    (void)ims__json_set(o, "platform", ims__json_new_str(v->facts.platform));
    (void)ims__json_set(o, "machine", ims__json_new_str(v->facts.machine));
    (void)ims__json_set(o, "os", ims__json_new_str(v->facts.os));
    (void)ims__json_set(o, "kernel", ims__json_new_str(v->facts.kernel));
    (void)ims__json_set(o, "apple_silicon", ims__json_new_bool(v->facts.is_apple_silicon));
    (void)ims__json_set(o, "devices", devices);
    (void)ims__json_set(o, "cuda", driver_json(&v->cuda));
    (void)ims__json_set(o, "vulkan_adapters", adapters_json(&v->vulkan));
    if (v->vulkan.problem[0])
        (void)ims__json_set(o, "vulkan_problem", ims__json_new_str(v->vulkan.problem));
    (void)ims__json_set(o, "proofs", proofs_json(c));
    (void)ims__json_set(o, "model", v->model[0] ? ims__json_new_str(v->model) : ims__json_new_null());
    if (v->model_err.status)
        (void)ims__json_set(o, "model_problem", ims__json_new_str(v->model_err.text));
    (void)ims__json_set(o, "model_proofs", verdicts_json(v));
    (void)ims__json_set(o, "runtime", runtime_json(v));
    return o;
}
