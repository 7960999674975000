/* imgsearch verify: a sample of the stored vectors computed again, perhaps on another device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ims/verify.h"

#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct cli_option options[] = {
    { "sample", 0, "N", "How many pictures, spread evenly over the library (default 32).", CLI_NO_CFG },
    { "min-cosine", 0, "C", "What counts as drift; default: 0.99999, less where a device computes in halves.",
      CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

struct watch {
    bool is_terminal;
};

static void on_note(void *arg, const char *path, const char *reason, const char *text)
{
    char shown[1024];

    (void)arg;
    ims__log(IMS_LOG_WARN, "verify", "%s: %s: %s", ims__shown(shown, sizeof(shown), path), reason, text);
}

static bool on_progress(void *arg, size_t done, size_t total)
{
    const struct watch *w = arg;

    if (w->is_terminal)
        fprintf(stderr, "\r%zu of %zu pictures\033[K", done, total);
    return !cli_is_interrupted();
}

static ims_json *report_json(const struct ims_verify_report *r)
{
    ims_json *o = ims__json_new_object(), *origins = ims__json_new_object();

    for (size_t i = 0; i < r->n_origins; i++)
        (void)ims__json_set(origins, r->origins[i].device, ims__json_new_int((int64_t)r->origins[i].n));
    (void)ims__json_set(o, "model", ims__json_new_str(r->model));
    (void)ims__json_set(o, "device", ims__json_new_str(r->device[0] ? r->device : NULL));
    (void)ims__json_set(o, "provider", ims__json_new_str(r->provider[0] ? r->provider : NULL));
    (void)ims__json_set(o, "runtime", ims__json_new_str(r->runtime[0] ? r->runtime : NULL));
#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int((int64_t)r->field))
    COUNT("vectors", n_vectors);
    COUNT("sampled", n_sampled);
    COUNT("compared", n_compared);
    COUNT("gone", n_gone);
    COUNT("changed", n_changed);
    COUNT("unreadable", n_unreadable);
    COUNT("damaged", n_damaged);
    COUNT("equal_checksums", n_equal);
#undef COUNT
    (void)ims__json_set(o, "min_cosine", r->n_compared ? ims__json_new_num(r->min_cosine) : ims__json_new_null());
    (void)ims__json_set(o, "mean_cosine", r->n_compared ? ims__json_new_num(r->mean_cosine) : ims__json_new_null());
    (void)ims__json_set(o, "max_difference",
                        r->n_compared ? ims__json_new_num(r->max_difference) : ims__json_new_null());
    (void)ims__json_set(o, "floor", r->n_compared ? ims__json_new_num(r->floor) : ims__json_new_null());
    (void)ims__json_set(o, "drift", ims__json_new_bool(r->has_drift));
    (void)ims__json_set(o, "computed_on", origins);
    return o;
}

static void print_report(const struct ims_verify_report *r)
{
    printf("%zu of %zu vectors of %s computed again", r->n_compared, r->n_vectors, r->model);
    if (r->n_compared)
        printf(" on %s (%s, %s)", r->device, r->provider, r->runtime);
    printf("\n");
    for (size_t i = 0; i < r->n_origins; i++)
        printf("  %zu of the stored ones were made on %s\n", r->origins[i].n, r->origins[i].device);
    if (r->n_compared) {
        printf("  cosine at least %.6f, %.6f on average; largest difference of a number %.2g\n", r->min_cosine,
               r->mean_cosine, r->max_difference);
        printf("  %zu are equal bit for bit\n", r->n_equal);
    }
    if (r->n_gone)
        printf("  %zu files are gone\n", r->n_gone);
    if (r->n_changed)
        printf("  %zu files have another content than was indexed; `imgsearch index` does them again\n", r->n_changed);
    if (r->n_unreadable)
        printf("  %zu files could not be read\n", r->n_unreadable);
}

static ims_status verdict(const struct ims_verify_report *r, ims_err *err)
{
    if (r->n_damaged)
        return ims_fail(err, IMS_E_CORRUPT, "verify", 0,
                        "%zu stored vectors are not those whose checksums were recorded", r->n_damaged);
    if (r->n_compared == 0)
        return ims_fail(err, IMS_E_NOT_FOUND, "verify", 0,
                        "nothing could be compared: of %zu files %zu are gone, %zu changed, %zu cannot be read",
                        r->n_sampled, r->n_gone, r->n_changed, r->n_unreadable);
    if (r->has_drift)
        return ims_fail(err, IMS_E_DEVICE, "verify", 0,
                        "the vectors drift: cosine %.6f where at least %g is expected", r->min_cosine, r->floor);
    return IMS_OK;
}

static ims_status read_options(struct cli *cli, struct ims_verify_options *o, ims_err *err)
{
    const char *floor = cli_value(cli, "min-cosine");
    int64_t sample;
    char *end = NULL;
    ims_status st;

    if (cli->n_words)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "verify takes no words, only options");
    st = cli_number(cli, "sample", 1, 100000000, 32, &sample, err);
    if (st)
        return st;
    o->sample = (size_t)sample;
    if (!floor)
        return IMS_OK;
    o->min_cosine = strtod(floor, &end);
    if (!*floor || *end || !(o->min_cosine > 0 && o->min_cosine <= 1))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--min-cosine is a number above 0, at most 1");
    return IMS_OK;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct watch watch = { .is_terminal = cli_is_terminal(STDERR_FILENO) && !cli->is_json };
    struct ims_verify_options o = { .on_note = on_note, .on_progress = on_progress, .arg = &watch };
    struct ims_verify_report report;
    struct ims_engine *e = NULL;
    ims_status st = read_options(cli, &o, err);

    if (!st)
        st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = ims_engine_verify(e, &o, &report, err);
    if (watch.is_terminal)
        fprintf(stderr, "\r\033[K");
    if (!st && cli->is_json)
        st = cli_print_json(report_json(&report), err);
    else if (!st)
        print_report(&report);
    if (!st)
        st = verdict(&report, err);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_verify = {
    .name = "verify",
    .summary = "Compute a sample of the vectors again and compare them with what is stored.",
    .words = "",
    .details = "Nothing is changed. With --device the sample is computed on another device than the one that made\n"
               "the vectors: the report is the drift between both. The exit code is 0 when all agree, 16 when the\n"
               "least cosine is below the floor, 13 when a stored vector is not the one that was recorded.",
    .examples = "imgsearch verify\n"
                "imgsearch verify --device cuda --sample 500\n"
                "imgsearch verify --device cpu --json",
    .options = options,
    .run = run,
};
