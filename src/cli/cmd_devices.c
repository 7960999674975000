/* imgsearch devices: what hardware there is, which device was chosen, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "compute/compute.h"
#include "compute/model_proof.h"
#include "device/device.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    { "again", 0, NULL, "Prove the devices again, instead of believing what was measured before.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

struct view {
    struct ims_device_facts facts;
    struct ims_cuda_facts cuda;
    struct ims_compute_info compute;
    char model[160]; /* that the devices were proven with; "" = none */
    ims_err model_err; /* why not */
    size_t n_verdicts;
    struct ims_proof_verdict verdicts[IMS_PROOF_MAX_VERDICTS];
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
        (void)ims__json_set(o, "temperature_c", ims__json_new_int(d->temperature_c));
        (void)ims__json_set(o, "power_w", ims__json_new_int(d->power_w));
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

static ims_json *verdict_json(const struct ims_proof_verdict *v)
{
    ims_json *o = ims__json_new_object();
    char name[IMS_DEVICE_NAME_BYTES];

    ims_device_id_name(v->device, name);
    (void)ims__json_set(o, "name", ims__json_new_str(name));
    (void)ims__json_set(o, "model", ims__json_new_str(v->model));
    (void)ims__json_set(o, "graph", ims__json_new_str(v->graph_name));
    (void)ims__json_set(o, "precision", ims__json_new_str(ims_precision_name(v->precision)));
    (void)ims__json_set(o, "proof", ims__json_new_str(proof_name(v->state)));
    (void)ims__json_set(o, "detail", ims__json_new_str(v->text));
    if (v->has_numbers) {
        (void)ims__json_set(o, "cosine", ims__json_new_num(v->min_cosine));
        (void)ims__json_set(o, "difference", ims__json_new_num(v->max_difference));
    }
    if (v->rows_per_s > 0) {
        (void)ims__json_set(o, "per_second", ims__json_new_num(v->rows_per_s));
        (void)ims__json_set(o, "cpu_per_second", ims__json_new_num(v->cpu_rows_per_s));
    }
    (void)ims__json_set(o, "proven_at", cli_time_json(v->made_us));
    (void)ims__json_set(o, "from_cache", ims__json_new_bool(v->is_stored));
    return o;
}

static ims_json *verdicts_json(const struct view *v)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < v->n_verdicts; i++)
        (void)ims__json_add(list, verdict_json(&v->verdicts[i]));
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
    (void)ims__json_set(o, "model", v->model[0] ? ims__json_new_str(v->model) : ims__json_new_null());
    if (v->model_err.status)
        (void)ims__json_set(o, "model_problem", ims__json_new_str(v->model_err.text));
    (void)ims__json_set(o, "model_proofs", verdicts_json(v));
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
    cli_print_providers(c);
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

static void print_verdicts(const struct view *v)
{
    char name[IMS_DEVICE_NAME_BYTES], when[40];

    for (size_t i = 0; i < v->n_verdicts; i++) {
        const struct ims_proof_verdict *p = &v->verdicts[i];

        ims_device_id_name(p->device, name);
        ims__format_utc(p->made_us - p->made_us % 1000000, when, sizeof(when));
        printf("proof      %s %s: %s", name, proof_name(p->state), p->text);
        printf(p->is_stored ? " (%s)\n" : "\n", when);
    }
    if (v->model_err.status)
        printf("proof      none with a model: %s\n", v->model_err.text);
}

/* The choice that the model's image tower makes; its text tower is proven too, and may go elsewhere. */
static void ask_model(struct ims_engine *e, struct view *v)
{
    struct ims_device_choice image, text;
    struct ims_model_facts model;
    ims_err err;
    ims_status st = ims_engine_model(e, &model, &v->model_err);

    if (st)
        return;
    snprintf(v->model, sizeof(v->model), "%s", model.name);
    st = ims_engine_choose(e, true, &image, &v->model_err);
    if (!st)
        v->compute.choice = image;
    else if (st == IMS_E_DEVICE) {
        v->compute.has_choice = false;
        v->compute.choice_err = v->model_err;
        v->model_err = (ims_err){ 0 };
    }
    if (!st && ims_engine_choose(e, false, &text, &err))
        v->model_err = err;
    v->n_verdicts = ims_compute_verdicts(ims_engine_compute(e), v->verdicts, IMS_PROOF_MAX_VERDICTS);
}

static ims_status look(struct cli *cli, struct view *v, ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_status st;

    cli->prove_again = cli_has(cli, "again");
    st = cli_open_bare_engine(cli, &e, err);
    if (st)
        return st;
    ims_device_probe(&v->facts);
    st = ims_compute_describe(ims_engine_compute(e), true, &v->compute, err);
    if (!st)
        st = ims_compute_cuda(ims_engine_compute(e), &v->cuda, err);
    if (!st && v->compute.has_choice)
        ask_model(e, v);
    ims_engine_close(e);
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
        print_verdicts(v);
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
    .details = "A device counts as usable when a test graph and then the serving model gave the right numbers on\n"
               "it. What the model's proof found is kept in the data directory until the model, the runtime or the\n"
               "driver changes. The chosen one has a star. A device asked for by name that is not there is an error;\n"
               "only \"auto\" moves on.",
    .examples = "imgsearch devices\n"
                "imgsearch devices --device cuda:1\n"
                "imgsearch devices --again\n"
                "imgsearch devices --json | jq -r .selected",
    .options = options,
    .run = run,
};
