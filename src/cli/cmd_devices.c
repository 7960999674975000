/* imgsearch devices: what hardware there is, which device was chosen, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli.h"
#include "compute/compute.h"
#include "device/device.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

struct view {
    struct ims_device_facts facts;
    struct ims_cuda_facts cuda;
    struct ims_compute_info compute;
};

static const char *proof_name(ims_proof_state state)
{
    static const char *const names[] = { "not tried", "passed", "failed", "slower than the CPU" };

    return names[state];
}

static bool is_chosen(const struct view *v, struct ims_device_id id)
{
    for (size_t i = 0; v->compute.has_choice && i < v->compute.choice.n_ids; i++) {
        if (ims_device_id_equal(v->compute.choice.ids[i], id))
            return true;
    }
    return false;
}

/* ---- JSON ---- */

static ims_json *cpu_json(const struct view *v)
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
    if (d->has_usage) {
        (void)ims__json_set(o, "memory_used", ims__json_new_int((int64_t)d->memory_used_bytes));
        (void)ims__json_set(o, "utilisation", ims__json_new_int(d->utilisation_percent));
    }
    return o;
}

static ims_json *runtime_json(const struct ims_compute_info *c)
{
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
        (void)ims__json_set(o, "proof", ims__json_new_str(proof_name(c->proofs[i].state)));
        (void)ims__json_set(o, "detail", ims__json_new_str(c->proofs[i].text));
        (void)ims__json_add(list, o);
    }
    return list;
}

static ims_json *notes_json(const struct ims_compute_info *c)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; c->has_choice && i < c->choice.notes.n; i++)
        (void)ims__json_add(list, ims__json_new_str(c->choice.notes.at[i].text));
    return list;
}

static ims_json *view_json(const struct view *v)
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
    (void)ims__json_set(o, "devices", devices);
    (void)ims__json_set(o, "proofs", proofs_json(c));
    (void)ims__json_set(o, "runtime", runtime_json(c));
    return o;
}

/* ---- text ---- */

static double gib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0 * 1024.0);
}

static void print_hardware(const struct view *v)
{
    const struct ims_device_facts *f = &v->facts;

    printf("machine    %s, %s %s\n", f->os, f->platform, f->machine);
    printf("%s cpu        %s, %u of %u cores usable, %.1f GiB\n", is_chosen(v, (struct ims_device_id){ 0 }) ? "*" : " ",
           f->cpu_model[0] ? f->cpu_model : "processor", f->n_usable_cores, f->n_logical_cores,
           gib(f->memory_usable_bytes));
    for (size_t i = 0; i < v->cuda.n_devices; i++) {
        const struct ims_cuda_device *d = &v->cuda.devices[i];

        printf("%s cuda:%u     %s, %.1f GiB, compute capability %u.%u, driver %s\n",
               is_chosen(v, (struct ims_device_id){ IMS_DEVICE_CUDA, d->index }) ? "*" : " ", d->index, d->name,
               gib(d->memory_bytes), d->compute_major, d->compute_minor, v->cuda.driver_version);
    }
    if (v->cuda.has_driver && v->cuda.problem[0])
        printf("  cuda       %s\n", v->cuda.problem);
}

static void print_choice(const struct ims_compute_info *c)
{
    if (!c->has_runtime) {
        printf("runtime    none: %s\n", c->runtime_err.text);
        return;
    }
    printf("runtime    %s %s, %s (%s)\n", c->runtime_name, c->runtime_version, c->runtime_path, c->runtime_origin);
    printf("providers ");
    for (size_t i = 0; i < c->n_providers; i++)
        printf(" %s", c->providers[i]);
    printf(" (compiled in, not necessarily usable here)\n");
    printf("asked      %s (%s)\n", c->request.asked, ims_device_source_name(c->request.source));
    if (!c->has_choice) {
        printf("selected   none: %s\n", c->choice_err.text);
        return;
    }
    printf("selected  ");
    for (size_t i = 0; i < c->choice.n_ids; i++) {
        char name[IMS_DEVICE_NAME_BYTES];

        ims_device_id_name(c->choice.ids[i], name);
        printf(" %s", name);
    }
    printf(": %s\n", c->choice.reason);
    for (size_t i = 0; i < c->choice.notes.n; i++)
        printf("           %s\n", c->choice.notes.at[i].text);
}

static ims_status look(struct cli *cli, struct view *v, ims_err *err)
{
    struct ims_compute_options o = { .runtime_path = ims__config_str(cli->config, IMS_CFG_RUNTIME),
                                     .n_threads = (unsigned)ims__config_int(cli->config, IMS_CFG_THREADS) };
    struct ims_compute *compute = NULL;
    ims_status st;

    if (!*o.runtime_path)
        o.runtime_path = NULL;
    (void)ims_compute_isolation_read(ims__config_str(cli->config, IMS_CFG_COMPUTE_CHILD), &o.isolation);
    cli_device_settings(cli, &o.device);
    st = ims_compute_open(&compute, &o, err);
    if (st)
        return st;
    ims_device_probe(&v->facts);
    ims_device_probe_cuda(&v->cuda);
    st = ims_compute_describe(compute, true, &v->compute, err);
    ims_compute_close(compute);
    return st;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct view *v = ims__zalloc(1, sizeof(*v));
    ims_status st;

    if (!v)
        return ims_fail(err, IMS_E_NOMEM, "cli", 0, "looking at devices");
    st = look(cli, v, err);
    if (!st && cli->is_json) {
        st = cli_print_json(view_json(v), err);
    } else if (!st) {
        print_hardware(v);
        print_choice(&v->compute);
    }
    if (!st && v->compute.has_runtime && !v->compute.has_choice)
        st = ims_fail(err, v->compute.choice_err.status, "device", v->compute.choice_err.native, "%s",
                      v->compute.choice_err.text);
    ims__free(v);
    return st;
}

const struct cli_command cli_cmd_devices = {
    .name = "devices",
    .summary = "Show the compute devices, which one is chosen, and why.",
    .words = "",
    .details = "A device counts as usable when a test graph gave the right numbers on it. The chosen one has a\n"
               "star. A device asked for by name that is not there is an error; only \"auto\" moves on.",
    .examples = "imgsearch devices\n"
                "imgsearch devices --device cuda:1\n"
                "imgsearch devices --json | jq -r .selected",
    .options = options,
    .run = run,
};
