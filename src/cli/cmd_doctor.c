/* imgsearch doctor: checks every part and says what to do about what is missing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cli_doctor.h"
#include "compute/compute.h"
#include "device/device.h"
#include "kernels/kernels.h"
#include "media/media.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    { "steps", 0, NULL, "Check the steps to every device, not only to the one that is asked for.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

typedef enum verdict { FINE, WARNING, BROKEN } verdict;

struct doctor {
    struct cli *cli;
    ims_json *checks;
    ims_err worst; /* the first thing that is broken */
};

static void report(struct doctor *d, const char *part, verdict v, const char *text)
{
    static const char *const words[] = { "ok", "warning", "broken" };
    static const char *const marks[] = { "ok  ", "warn", "FAIL" };
    ims_json *o;

    if (!d->cli->is_json) {
        printf("%s  %-18s %s\n", marks[v], part, text);
        return;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "part", ims__json_new_str(part));
    (void)ims__json_set(o, "verdict", ims__json_new_str(words[v]));
    (void)ims__json_set(o, "text", ims__json_new_str(text));
    (void)ims__json_add(d->checks, o);
}

static void broken(struct doctor *d, const char *part, const ims_err *err)
{
    report(d, part, BROKEN, err->text);
    if (!d->worst.status)
        d->worst = *err;
}

static void check_settings(struct doctor *d)
{
    ims_err err;

    if (ims__config_check(d->cli->config, &err))
        broken(d, "settings", &err);
    else
        report(d, "settings", FINE, "understood; `imgsearch config` lists them");
}

/* Looks only: the folder and the database are made by the first `index`. */
static void check_data(struct doctor *d)
{
    const char *dir = d->cli->data_dir;
    char text[600];

    if (access(dir, F_OK) != 0) {
        snprintf(text, sizeof(text), "%s does not exist yet; `imgsearch index FOLDER` makes it", dir);
        report(d, "data", FINE, text);
    } else if (access(dir, W_OK) != 0) {
        snprintf(text, sizeof(text), "%s is not writable for this user: nothing can be indexed", dir);
        report(d, "data", WARNING, text);
    } else {
        report(d, "data", FINE, dir);
    }
}

static void check_library(struct doctor *d)
{
    struct ims_library_status s;
    struct ims_engine *e = NULL;
    char text[400];
    ims_err err;
    ims_status st = cli_open_engine(d->cli, true, &e, &err);

    if (!st)
        st = ims_engine_status(e, &s, &err);
    if (st == IMS_E_NOT_FOUND) {
        report(d, "library", WARNING, err.text);
    } else if (st) {
        broken(d, "library", &err);
    } else {
        snprintf(text, sizeof(text), "%lld pictures, %lld failed, %s", (long long)s.assets, (long long)s.failed,
                 s.database_version);
        report(d, "library", FINE, text);
    }
    ims_engine_close(e);
}

static void check_media(struct doctor *d)
{
    struct ims_media *media = NULL;
    char text[300] = "";
    ims_err err;

    if (ims_media_open(&media, NULL, &err)) {
        broken(d, "pictures", &err);
        return;
    }
    for (int f = IMS_MEDIA_UNKNOWN + 1; f < IMS_MEDIA_N_FORMATS; f++) {
        if (!ims_media_can_decode(media, (ims_media_format)f)) {
            snprintf(text, sizeof(text), "libvips %s has no loader for %s: install libheif and its plug-ins",
                     ims_media_vips_version(media), ims_media_format_name((ims_media_format)f));
            report(d, "pictures", WARNING, text);
        }
    }
    if (!text[0]) {
        snprintf(text, sizeof(text), "libvips %s: JPEG, PNG, WebP, GIF, TIFF, HEIC, AVIF",
                 ims_media_vips_version(media));
        report(d, "pictures", FINE, text);
    }
    ims_media_close(media);
}

static void check_model(struct doctor *d)
{
    struct ims_engine *e = NULL;
    struct ims_model_facts m;
    float *vector = NULL;
    uint32_t dim;
    char text[400];
    ims_err err;
    ims_status st = cli_open_bare_engine(d->cli, &e, &err);

    if (!st)
        st = ims_engine_model(e, &m, &err);
    if (!st)
        st = ims_engine_embed_text(e, "a test", &vector, &dim, &err);
    if (st) {
        broken(d, "model", &err);
    } else {
        snprintf(text, sizeof(text), "%s, %u dimensions, gave a vector%s", m.name, m.dim,
                 m.is_demo ? "; it knows only drawn scenes: install a real one for photographs" : "");
        report(d, "model", m.is_demo ? WARNING : FINE, text);
    }
    ims_engine_free(vector);
    ims_engine_close(e);
}

/* The device that the model gets; which one the test graph alone would give when there is no model. */
static void check_device(struct doctor *d, struct ims_engine *e)
{
    struct ims_device_choice choice;
    struct ims_model_facts model;
    ims_err err;
    bool has_model = ims_engine_model(e, &model, NULL) == IMS_OK;
    ims_status st = has_model ? ims_engine_choose(e, true, &choice, &err)
                              : ims_compute_choose(ims_engine_compute(e), &choice, &err);

    if (st) {
        broken(d, "device", &err);
        return;
    }
    report(d, "device", FINE, choice.reason);
    for (size_t i = 0; i < choice.notes.n; i++)
        report(d, "device", choice.notes.at[i].is_warning ? WARNING : FINE, choice.notes.at[i].text);
}

/* A step that is not done is a warning: whether the device works is for its test to say. */
static void report_step(void *arg, const char *line, bool is_done, const char *text)
{
    report(arg, line, is_done ? FINE : WARNING, text);
}

static void check_steps(struct doctor *d, struct ims_engine *e, const struct ims_compute_info *info)
{
    const struct ims_device_request *r = &info->request;
    struct ims_cuda_facts cuda = { .has_driver = false };
    struct ims_vulkan_facts vulkan = { .has_loader = false };
    struct cli_steps steps = { .info = info, .cuda = &cuda, .vulkan = &vulkan, .report = report_step, .arg = d };
    ims_err err;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < r->n_ids; i++)
        steps.kinds[r->ids[i].kind] = true;
    for (size_t k = 0; k < IMS_DEVICE_KINDS; k++)
        steps.kinds[k] |= cli_has(d->cli, "steps") || (r->is_cuda_all && k == IMS_DEVICE_CUDA);
    if (steps.kinds[IMS_DEVICE_CUDA] || steps.kinds[IMS_DEVICE_TENSORRT])
        st = ims_compute_cuda(ims_engine_compute(e), &cuda, &err);
    if (!st && steps.kinds[IMS_DEVICE_WEBGPU])
        st = ims_compute_vulkan(ims_engine_compute(e), &vulkan, &err);
    if (st)
        broken(d, "device", &err);
    else
        cli_check_steps(&steps);
}

static void check_compute(struct doctor *d)
{
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    struct ims_engine *e = NULL;
    char text[1400];
    ims_err err;
    ims_status st = info ? cli_open_bare_engine(d->cli, &e, &err)
                         : ims_fail(&err, IMS_E_NOMEM, "doctor", 0, "checking");

    if (!st)
        st = ims_compute_describe(ims_engine_compute(e), false, info, &err);
    if (st) {
        broken(d, "device", &err);
        goto out;
    }
    if (!info->has_runtime) {
        broken(d, "runtime", &info->runtime_err);
    } else {
        snprintf(text, sizeof(text), "%s %s, %s", info->runtime_name, info->runtime_version, info->runtime_path);
        report(d, "runtime", FINE, text);
    }
    check_steps(d, e, info);
    if (info->has_runtime)
        check_device(d, e);
out:
    ims_engine_close(e);
    ims__free(info);
}

static void check_kernels(struct doctor *d)
{
    char text[300];

    snprintf(text, sizeof(text), "%s loops (processor: %s)", ims__kernels()->name, ims__cpu_features());
    report(d, "cpu", FINE, text);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct doctor d = { .cli = cli, .checks = ims__json_new_array() };
    ims_json *o;
    ims_status st = IMS_OK;

    check_settings(&d);
    check_data(&d);
    check_library(&d);
    check_media(&d);
    check_kernels(&d);
    check_compute(&d);
    check_model(&d);
    if (cli->is_json) {
        o = ims__json_new_object();
        (void)ims__json_set(o, "healthy", ims__json_new_bool(!d.worst.status));
        (void)ims__json_set(o, "checks", d.checks);
        st = cli_print_json(o, err);
    } else {
        ims__json_free(d.checks);
    }
    if (!st && d.worst.status)
        st = ims_fail(err, d.worst.status, "doctor", d.worst.native, "something is broken: %s", d.worst.text);
    return st;
}

const struct cli_command cli_cmd_doctor = {
    .name = "doctor",
    .summary = "Check every part and say what to do about what is missing.",
    .words = "",
    .details = "Nothing is changed. The exit code is 0 when nothing is broken. With --device NAME each step to that\n"
               "device (docs/devices.md) is a line that says done or not done, and what to do.",
    .examples = "imgsearch doctor\n"
                "imgsearch doctor --device cuda\n"
                "imgsearch doctor --steps\n"
                "imgsearch doctor --json",
    .options = options,
    .run = run,
};
