/* imgsearch index: folders into the library, with a progress line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    { "category", 'c', "NAME", "Put new pictures into this category; it is created when missing.", CLI_NO_CFG },
    { "retry-failed", 0, NULL, "Try again what failed before, even if the file did not change.", CLI_NO_CFG },
    { "no-thumbnails", 0, NULL, "Do not store thumbnails.", CLI_NO_CFG },
    { "batch", 'b', "N", "Pictures per inference batch (GPU_BATCH_SIZE).", IMS_CFG_GPU_BATCH_SIZE },
    { "quiet", 'q', NULL, "No progress, no summary.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static bool on_progress(void *arg, const struct ims_index_progress *p)
{
    cli_progress_show(arg, p);
    return !cli_is_interrupted();
}

static void on_note(void *arg, const char *path, const char *reason, const char *text)
{
    char shown[1024];

    (void)arg;
    ims__log(IMS_LOG_WARN, "index", "%s: %s: %s", ims__shown(shown, sizeof(shown), path), reason, text);
}

static ims_json *summary_json(const struct ims_index_summary *s, const struct ims_model_facts *model)
{
    ims_json *o = ims__json_new_object();

#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int((int64_t)s->field))
#define REAL(key, field) (void)ims__json_set(o, key, ims__json_new_num(s->field))
    COUNT("processed", processed);
    COUNT("errors", errors);
    COUNT("unchanged", unchanged);
    COUNT("duplicates", duplicates);
    COUNT("found", found);
    COUNT("known_failures", known_failures);
    COUNT("moved", moved);
    COUNT("deleted", deleted);
    COUNT("skipped_links", skipped_links);
    COUNT("skipped_other", skipped_other);
    COUNT("failed_folders", failed_folders);
    (void)ims__json_set(o, "total_faces", ims__json_new_int(0));
    (void)ims__json_set(o, "cancelled", ims__json_new_bool(s->is_cancelled));
    REAL("throughput", throughput);
    REAL("elapsed_time", elapsed_s);
    REAL("io_time", io_s);
    REAL("decode_time", decode_s);
    REAL("gpu_time", compute_s);
    REAL("compute_time", compute_s);
    REAL("write_time", write_s);
    REAL("wait_decode_time", wait_decode_s);
    REAL("wait_compute_time", wait_compute_s);
    REAL("efficiency", efficiency);
    COUNT("cores", cores);
    COUNT("batches", batches);
    COUNT("peak_rss_bytes", peak_rss_bytes);
#undef COUNT
#undef REAL
    (void)ims__json_set(o, "model", ims__json_new_str(model->name));
    (void)ims__json_set(o, "device", ims__json_new_str(s->device[0] ? s->device : NULL));
    (void)ims__json_set(o, "provider", ims__json_new_str(s->provider[0] ? s->provider : NULL));
    (void)ims__json_set(o, "device_faults", ims__json_new_int((int64_t)s->device_faults));
    (void)ims__json_set(o, "device_fault", ims__json_new_str(s->device_fault[0] ? s->device_fault : NULL));
    return o;
}

static void print_if(uint64_t n, const char *what)
{
    if (n)
        printf("  %llu %s\n", (unsigned long long)n, what);
}

static void print_summary(const struct ims_index_summary *s, const struct ims_model_facts *model)
{
    printf("%s %llu of %llu pictures in %.1f s", s->is_cancelled ? "Stopped after" : "Indexed",
           (unsigned long long)s->processed, (unsigned long long)s->found, s->elapsed_s);
    if (s->processed && s->elapsed_s > 0)
        printf(" (%.1f/s)", s->throughput);
    printf(", model %s", model->name);
    if (s->device[0])
        printf(", device %s", s->device);
    printf("\n");
    if (s->device_faults)
        printf("  %llu batches were computed again after a fault, the last of %s\n",
               (unsigned long long)s->device_faults, s->device_fault);
    print_if(s->unchanged, "were in the library already");
    print_if(s->duplicates, "have the same content as another");
    print_if(s->errors, "failed; `imgsearch status --failures` tells why");
    print_if(s->known_failures, "failed before and were not tried again (--retry-failed)");
    print_if(s->moved, "were moved");
    print_if(s->deleted, "are gone");
    print_if(s->skipped_links, "links were not followed");
    print_if(s->failed_folders, "folders could not be read");
    if (s->processed >= 20)
        printf("  core-seconds: decode %.1f, inference %.1f, write %.1f; %.0f %% of %u cores busy\n", s->decode_s,
               s->compute_s, s->write_s, 100.0 * s->efficiency, s->cores);
    if (s->is_cancelled)
        printf("Run the same command again to go on.\n");
}

static ims_status collect_dirs(struct cli *cli, struct ims_index_options *o, const char **fallback, ims_err *err)
{
    o->dirs = cli->words;
    o->n_dirs = cli->n_words;
    if (cli->n_words)
        return IMS_OK;
    *fallback = ims__config_str(cli->config, IMS_CFG_IMAGE_ROOT_DIR);
    if (!**fallback)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the folders to index (or set IMAGE_ROOT_DIR)");
    o->dirs = fallback;
    o->n_dirs = 1;
    return IMS_OK;
}

static ims_status run_index(struct cli *cli, struct ims_engine *e, struct ims_index_options *o, ims_err *err)
{
    struct cli_progress progress;
    struct ims_index_summary summary;
    struct ims_model_facts model;
    ims_status st = ims_engine_model(e, &model, err);

    if (st)
        return st;
    if (!cli_has(cli, "quiet"))
        cli_note_demo(cli, &model);
    fflush(stdout);
    cli_progress_init(&progress, cli_is_terminal(STDERR_FILENO), cli_has(cli, "quiet"));
    o->on_progress = on_progress;
    o->on_note = on_note;
    o->arg = &progress;
    st = ims_engine_index(e, o, &summary, err);
    cli_progress_end(&progress);
    if (st)
        return st;
    cli_note_device(e);
    if (cli->is_json)
        st = cli_print_json(summary_json(&summary, &model), err);
    else if (!cli_has(cli, "quiet"))
        print_summary(&summary, &model);
    if (!st && summary.is_cancelled)
        st = ims_fail(err, IMS_E_CANCELLED, "cli", 0, "interrupted; what was finished is kept");
    return st;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_index_options o = { .category = cli_value(cli, "category"),
                                   .retry_failed = cli_has(cli, "retry-failed"),
                                   .no_thumbnails = cli_has(cli, "no-thumbnails") };
    struct ims_engine *e = NULL;
    const char *fallback;
    ims_status st = collect_dirs(cli, &o, &fallback, err);

    if (st)
        return st;
    st = cli_open_engine(cli, false, &e, err);
    if (st)
        return st;
    cli_catch_signals();
    st = run_index(cli, e, &o, err);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_index = {
    .name = "index",
    .summary = "Read folders of pictures into the library.",
    .words = "DIR...",
    .details =
        "Every picture (JPEG, PNG, WebP, GIF, TIFF, HEIC, AVIF) below the folders is decoded once and\n"
        "embedded. Running it again takes only what is new or changed, finds moved files by their\n"
        "content, and marks what is gone. Interrupting loses nothing: run it again to go on.\n"
        "Links and hidden folders are not followed.",
    .examples = "imgsearch index ~/Pictures\n"
                "imgsearch index --category Holidays /photos/2023 /photos/2024\n"
                "imgsearch index --json ~/Pictures > summary.json",
    .options = options,
    .run = run,
};
