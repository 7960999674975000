/* imgsearch bench: what the model does on each usable device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli_bench.h"
#include "compute/compute.h"
#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 16
#define MAX_ARGS 64

static const struct cli_option options[] = {
    { "batch", 'b', "LIST", "Pictures or faces at a time, up to eight sizes (default 1,4,16).", CLI_NO_CFG },
    { "agreement", 0, "FOLDER", "How far fp16 and int8 agree with fp32 on the pictures in there.", CLI_NO_CFG },
    { "pictures", 'n', "N", "For --agreement: of so many pictures, 12 to 5000 (default 200).", CLI_NO_CFG },
    { "compare", 0, NULL, "Show two files of bench --json side by side.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

/* What is to be measured: each device in each precision, every pair in a process of its own. */
struct plan {
    char devices[MAX_COLUMNS][24];
    size_t n_devices;
    const char *precisions[4];
    size_t n_precisions;
    unsigned batches[IMS_BENCH_MAX_BATCHES];
    size_t n_batches;
};

/* ---- what is asked for ---- */

static ims_status read_batches(const struct cli *cli, struct plan *p, ims_err *err)
{
    const char *text = cli_value(cli, "batch");

    text = text ? text : "1,4,16";
    while (*text) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (end == text || n < 1 || n > 1024 || (*end && *end != ',') || p->n_batches == IMS_BENCH_MAX_BATCHES)
            return ims_fail(err, IMS_E_USAGE, "cli", 0,
                            "--batch takes up to %d numbers from 1 to 1024, like 1,4,16",
                            IMS_BENCH_MAX_BATCHES);
        p->batches[p->n_batches++] = (unsigned)n;
        text = *end ? end + 1 : end;
    }
    return p->n_batches ? IMS_OK : ims_fail(err, IMS_E_USAGE, "cli", 0, "--batch is empty");
}

static ims_status read_given(const struct cli *cli, struct plan *p, ims_err *err)
{
    for (size_t i = 0; i < cli->n_given; i++) {
        const char *name = cli->given[i].option->name, *value = cli->given[i].value;

        if (strcmp(name, "device") == 0) {
            if (p->n_devices == MAX_COLUMNS || strlen(value) >= sizeof(p->devices[0]))
                return ims_fail(err, IMS_E_USAGE, "cli", 0, "too many devices, or too long a name");
            snprintf(p->devices[p->n_devices++], sizeof(p->devices[0]), "%s", value);
        } else if (strcmp(name, "precision") == 0) {
            if (p->n_precisions == IMS_ARRAY_LEN(p->precisions))
                return ims_fail(err, IMS_E_USAGE, "cli", 0, "too many precisions");
            p->precisions[p->n_precisions++] = value;
        }
    }
    if (p->n_precisions == 0)
        p->precisions[p->n_precisions++] = ims__config_str(cli->config, IMS_CFG_PRECISION);
    return read_batches(cli, p, err);
}

static void add_device(struct plan *p, struct ims_device_id id)
{
    char name[IMS_DEVICE_NAME_BYTES];

    ims_device_id_name(id, name);
    for (size_t i = 0; i < p->n_devices; i++) {
        if (strcmp(p->devices[i], name) == 0)
            return;
    }
    if (p->n_devices < MAX_COLUMNS)
        snprintf(p->devices[p->n_devices++], sizeof(p->devices[0]), "%s", name);
}

/* The devices of the choice, and whatever else of this runtime gives right numbers here. */
static void add_usable(struct plan *p, struct ims_compute *c, const struct ims_compute_info *info)
{
    for (size_t i = 0; info->has_choice && i < info->choice.n_ids; i++)
        add_device(p, info->choice.ids[i]);
    for (size_t i = 0; i < info->n_providers; i++) {
        struct ims_device_id id = { 0 };
        struct ims_device_proof proof;

        if (ims_device_kind_from_provider(info->providers[i], &id.kind) &&
            ims_compute_prove(c, id, &proof, NULL) == IMS_OK && proof.state == IMS_PROOF_PASSED)
            add_device(p, id);
    }
}

static ims_status find_usable(struct cli *cli, struct plan *p, ims_err *err)
{
    struct ims_compute_options o = { .runtime_path = ims__config_str(cli->config, IMS_CFG_RUNTIME) };
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    struct ims_compute *c = NULL;
    ims_status st = info ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "cli", 0, "looking for devices");

    cli_device_settings(cli, &o.device);
    if (!*o.runtime_path)
        o.runtime_path = NULL;
    if (!st)
        st = ims_compute_open(&c, &o, err);
    if (!st)
        st = ims_compute_describe(c, true, info, err);
    if (!st && !info->has_choice)
        st = ims_fail(err, info->has_runtime ? info->choice_err.status : info->runtime_err.status, "cli", 0, "%s",
                      info->has_runtime ? info->choice_err.text : info->runtime_err.text);
    if (!st)
        add_usable(p, c, info);
    ims_compute_close(c);
    ims__free(info);
    return st;
}

/* ---- one measurement ---- */

static void on_step(void *arg, const char *device, unsigned batch)
{
    (void)arg;
    (void)device;
    if (cli_is_terminal(2))
        fprintf(stderr, "\r\033[Kbatches of %u ...\r", batch);
}

static ims_json *rates_json(const struct ims_bench_rate *rates, size_t n, const char *key)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < n; i++) {
        ims_json *row = ims__json_new_object();

        (void)ims__json_set(row, "batch", ims__json_new_int(rates[i].batch));
        (void)ims__json_set(row, key, ims__json_new_num(rates[i].per_s));
        (void)ims__json_add(list, row);
    }
    return list;
}

/* The rates lie beside those of pictures, so that a table and a comparison treat all alike. */
static void add_faces(ims_json *o, const struct ims_bench_faces *f)
{
    if (!*f->model)
        return;
    (void)ims__json_set(o, "face_model", ims__json_new_str(f->model));
    (void)ims__json_set(o, "face_device", ims__json_new_str(f->device));
    (void)ims__json_set(o, "face_side_px", ims__json_new_int(f->side_px));
    (void)ims__json_set(o, "face_load_ms", ims__json_new_num(f->load_ms));
    (void)ims__json_set(o, "detections", rates_json(f->detections, f->n_detections, "images_per_s"));
    (void)ims__json_set(o, "recognitions", rates_json(f->recognitions, f->n_recognitions, "faces_per_s"));
}

static ims_json *result_json(const struct ims_bench *b)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "device", ims__json_new_str(b->device));
    (void)ims__json_set(o, "provider", ims__json_new_str(b->provider));
    (void)ims__json_set(o, "precision", ims__json_new_str(b->precision));
    (void)ims__json_set(o, "model", ims__json_new_str(b->model));
    (void)ims__json_set(o, "digest", ims__json_new_str(b->digest));
    (void)ims__json_set(o, "runtime", ims__json_new_str(b->runtime));
    (void)ims__json_set(o, "threads", ims__json_new_int(b->n_threads));
    (void)ims__json_set(o, "images", rates_json(b->batches, b->n_batches, "images_per_s"));
    if (b->batch)
        (void)ims__json_set(o, "batch", ims__json_new_int((int64_t)b->batch));
    (void)ims__json_set(o, "texts_per_s", ims__json_new_num(b->texts_per_s));
    (void)ims__json_set(o, "open_ms", ims__json_new_num(b->open_ms));
    (void)ims__json_set(o, "text_load_ms", ims__json_new_num(b->text_load_ms));
    (void)ims__json_set(o, "text_first_ms", ims__json_new_num(b->text_first_ms));
    (void)ims__json_set(o, "image_load_ms", ims__json_new_num(b->image_load_ms));
    (void)ims__json_set(o, "image_first_ms", ims__json_new_num(b->image_first_ms));
    (void)ims__json_set(o, "host_peak_mb", ims__json_new_num((double)b->peak_rss_bytes / 1e6));
    (void)ims__json_set(o, "device_process_peak_mb",
                        b->peak_child_bytes ? ims__json_new_num((double)b->peak_child_bytes / 1e6)
                                            : ims__json_new_null());
    (void)ims__json_set(o, "device_memory_mb",
                        b->device_used_bytes ? ims__json_new_num((double)b->device_used_bytes / 1e6)
                                             : ims__json_new_null());
    (void)ims__json_set(o, "min_cosine", ims__json_new_num(b->min_cosine));
    add_faces(o, &b->faces);
    return o;
}

static ims_status measure_here(struct cli *cli, const struct plan *p, ims_json *results, ims_err *err)
{
    struct ims_bench_options o = { .batches = p->batches, .n_batches = p->n_batches, .on_step = on_step };
    struct ims_engine *e = NULL;
    struct ims_bench b;
    ims_status st = cli_open_bare_engine(cli, &e, err);

    if (!st)
        st = ims_engine_bench(e, &o, &b, err);
    ims_engine_close(e);
    if (st)
        return st;
    if (*b.faces.note)
        fprintf(stderr, "imgsearch: no rates of faces: %s\n", b.faces.note);
    (void)ims__json_add(results, result_json(&b));
    return IMS_OK;
}

/* The same command for one device and precision, in a process of its own. */
static ims_status measure_apart(struct cli *cli, const char *device, const char *precision, ims_json *results,
                                ims_err *err)
{
    const char *argv[MAX_ARGS] = { "imgsearch", "--json", "--device", device, "--precision", precision, "bench" };
    char names[CLI_MAX_OPTIONS][40];
    struct ims_buf text;
    ims_json *root = NULL;
    size_t n = 7;
    int code = 0;
    ims_status st;

    for (size_t i = 0; i < cli->n_given && n + 3 < MAX_ARGS; i++) {
        const char *name = cli->given[i].option->name;

        if (strcmp(name, "device") == 0 || strcmp(name, "precision") == 0 || strcmp(name, "json") == 0)
            continue;
        snprintf(names[i], sizeof(names[i]), "--%s", name);
        argv[n++] = names[i];
        if (cli->given[i].option->value)
            argv[n++] = cli->given[i].value;
    }
    ims__buf_init(&text, IMS_MIB);
    st = cli_run_self(argv, &text, &code, err);
    if (!st && code == 0) {
        const ims_json *list;

        st = ims__json_parse(&root, text.data ? text.data : "", text.len, "the measurement", err);
        list = ims__json_get(root, "results");
        if (!st && ims__json_len(list) == 1)
            st = ims__json_add(results, ims__json_dup(ims__json_at(list, 0)));
    } else if (!st) {
        fprintf(stderr, "imgsearch: %s with %s could not be measured (above is why)\n", device, precision);
    }
    ims__json_free(root);
    ims__buf_release(&text);
    return st;
}

/* ---- all of it ---- */

static ims_json *machine_json(void)
{
    struct ims_device_facts *f = ims__zalloc(1, sizeof(*f));
    ims_json *o = ims__json_new_object();

    if (f) {
        ims_device_probe(f);
        (void)ims__json_set(o, "platform", ims__json_new_str(f->platform));
        (void)ims__json_set(o, "machine", ims__json_new_str(f->machine));
        (void)ims__json_set(o, "cpu", ims__json_new_str(f->cpu_model));
        (void)ims__json_set(o, "cores", ims__json_new_int(f->n_usable_cores));
    }
    ims__free(f);
    return o;
}

static ims_status measure_all(struct cli *cli, const struct plan *p, ims_json *results, ims_err *err)
{
    ims_status st = IMS_OK;

    if (p->n_devices * p->n_precisions == 1)
        return measure_here(cli, p, results, err);
    for (size_t i = 0; !st && i < p->n_devices; i++) {
        for (size_t k = 0; !st && k < p->n_precisions; k++) {
            const char *precision = *p->precisions[k] ? p->precisions[k] : "fp32";

            if (!cli->is_json)
                fprintf(stderr, "%s, %s ...\n", p->devices[i], precision);
            st = measure_apart(cli, p->devices[i], precision, results, err);
        }
    }
    if (!st && ims__json_len(results) == 0)
        st = ims_fail(err, IMS_E_DEVICE, "cli", 0, "nothing could be measured");
    return st;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct plan p = { .n_devices = 0 };
    ims_json *root, *results;
    ims_status st = IMS_OK;

    if (cli_has(cli, "compare"))
        return cli_bench_compare(cli, err);
    if (cli->n_words)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "bench takes words only with --compare");
    if (cli_value(cli, "agreement"))
        return cli_bench_agreement(cli, cli_value(cli, "agreement"), err);
    st = read_given(cli, &p, err);
    if (!st && p.n_devices == 0)
        st = find_usable(cli, &p, err);
    if (st)
        return st;
    results = ims__json_new_array();
    st = measure_all(cli, &p, results, err);
    if (st || !cli->is_json) {
        if (!st)
            cli_bench_print(results);
        ims__json_free(results);
        return st;
    }
    root = ims__json_new_object();
    (void)ims__json_set(root, "format", ims__json_new_str("imgsearch bench 1"));
    (void)ims__json_set(root, "machine", machine_json());
    (void)ims__json_set(root, "results", results);
    return cli_print_json(root, err);
}

const struct cli_command cli_cmd_bench = {
    .name = "bench",
    .summary = "Measure the model on each usable device.",
    .words = "[A.json B.json]",
    .details =
        "Images a second by batch, short queries a second, load times, first answers, memory, and the least\n"
        "cosine with what the CPU computes in fp32. With face models also the pictures a second that are\n"
        "searched for faces, and the faces a second that are recognised. --device and --precision may be\n"
        "given several times. Each pair runs in a process of its own.\n"
        "\n"
        "--agreement FOLDER embeds your own pictures in fp32, fp16 and int8 and compares the rankings: each\n"
        "picture as a query for the others, and twenty simple queries by words. A precision is good when the\n"
        "best hit is the same for at least 90 % of the pictures, and 90 % of the best ten. `--precision auto`\n"
        "takes the fastest good one from then on.",
    .examples = "imgsearch bench\n"
                "imgsearch bench --device cpu --precision fp32 --precision int8\n"
                "imgsearch bench --json > before.json\n"
                "imgsearch bench --compare before.json after.json\n"
                "imgsearch bench --agreement ~/Pictures",
    .options = options,
    .run = run,
};
