/* imgsearch devices: what hardware there is, which device was chosen, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/devices_view.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    { "again", 0, NULL, "Prove the devices again, instead of believing what was measured before.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static bool is_chosen(const struct devices_view *v, struct ims_device_id id)
{
    for (size_t i = 0; v->compute.has_choice && i < v->compute.choice.n_ids; i++) {
        if (ims_device_id_equal(v->compute.choice.ids[i], id))
            return true;
    }
    return false;
}

/* ---- text ---- */

static double gib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0 * 1024.0);
}

/* Not devices of their own: what webgpu can choose from. */
static void print_vulkan(const struct ims_vulkan_facts *f)
{
    for (size_t i = 0; i < f->n_adapters; i++) {
        const struct ims_vulkan_adapter *a = &f->adapters[i];

        printf("  vulkan     %s (%s), %.1f GiB, Vulkan %s, driver %s\n", a->name, ims_vulkan_kind_name(a->kind),
               gib(a->memory_bytes), a->api_version, a->driver_version);
    }
    if (f->problem[0])
        printf("  vulkan     %s\n", f->problem);
}

static void print_cuda(const struct devices_view *v, const struct ims_cuda_device *d)
{
    const char *mark = is_chosen(v, (struct ims_device_id){ IMS_DEVICE_CUDA, d->index }) ? "*" : " ";
    const char *between = "";

    if (!d->name[0]) {
        printf("%s cuda:%u     lost\n", mark, d->index);
        return;
    }
    printf("%s cuda:%u     %s, %.1f GiB, compute capability %u.%u, driver %s, CUDA %u.%u\n", mark, d->index, d->name,
           gib(d->memory_bytes), d->compute_major, d->compute_minor,
           v->cuda.driver_version[0] ? v->cuda.driver_version : "of unknown version", v->cuda.cuda_major,
           v->cuda.cuda_minor);
    if (!d->has_memory_used && !d->has_utilisation && !d->temperature_c && !d->power_w)
        return;
    printf("             ");
    if (d->has_memory_used)
        printf("%.1f GiB in use", gib(d->memory_used_bytes)), between = ", ";
    if (d->has_utilisation)
        printf("%s%u %% busy", between, d->utilisation_percent), between = ", ";
    if (d->temperature_c)
        printf("%s%u C", between, d->temperature_c), between = ", ";
    if (d->power_w)
        printf("%s%u W", between, d->power_w);
    printf("\n");
}

static void print_hardware(const struct devices_view *v)
{
    const struct ims_device_facts *f = &v->facts;

    printf("machine    %s, %s %s\n", f->os, f->platform, f->machine);
    printf("%s cpu        %s, %u of %u cores usable, %.1f GiB\n", is_chosen(v, (struct ims_device_id){ 0 }) ? "*" : " ",
           f->cpu_model[0] ? f->cpu_model : "processor", f->n_usable_cores, f->n_logical_cores,
           gib(f->memory_usable_bytes));
    for (size_t i = 0; i < v->cuda.n_devices; i++)
        print_cuda(v, &v->cuda.devices[i]);
    if (v->cuda.has_driver && v->cuda.problem[0])
        printf("  cuda       %s\n", v->cuda.problem);
    print_vulkan(&v->vulkan);
}

static void print_notes(const struct ims_device_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        printf("           %s\n", notes->at[i].text);
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
        print_notes(&c->request.notes);
        return;
    }
    printf("selected  ");
    for (size_t i = 0; i < c->choice.n_ids; i++) {
        char name[IMS_DEVICE_NAME_BYTES];

        ims_device_id_name(c->choice.ids[i], name);
        printf(" %s", name);
    }
    printf(": %s\n", c->choice.reason);
    print_notes(&c->choice.notes);
}

static void print_verdicts(const struct devices_view *v)
{
    char name[IMS_DEVICE_NAME_BYTES], when[40];

    for (size_t i = 0; i < v->n_verdicts; i++) {
        const struct ims_proof_verdict *p = &v->verdicts[i];

        ims_device_id_name(p->device, name);
        ims__format_utc(p->made_us - p->made_us % 1000000, when, sizeof(when));
        printf("proof      %s %s: %s", name, cli_proof_name(p->state), p->text);
        printf(p->is_stored ? " (%s)\n" : "\n", when);
        if (p->batch)
            printf("batch      %s %s: %zu at a time\n", name, p->graph_name, p->batch);
    }
    if (v->model_err.status)
        printf("proof      none with a model: %s\n", v->model_err.text);
}

/* The choice that the model's image tower makes; its text tower is proven too, and may go elsewhere. */
static void ask_model(struct ims_engine *e, struct devices_view *v)
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

static ims_status look(struct cli *cli, struct devices_view *v, ims_err *err)
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
    if (!st)
        st = ims_compute_vulkan(ims_engine_compute(e), &v->vulkan, err);
    if (!st && v->compute.has_choice)
        ask_model(e, v);
    ims_engine_close(e);
    return st;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct devices_view *v = ims__zalloc(1, sizeof(*v));
    ims_status st;

    if (!v)
        return ims_fail(err, IMS_E_NOMEM, "cli", 0, "looking at devices");
    st = look(cli, v, err);
    if (!st && cli->is_json) {
        st = cli_print_json(cli_devices_json(v), err);
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
