/* imgsearch index: folders into the library, with a progress line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>

static const struct cli_option options[] = {
    { "category", 'c', "NAME", "Put new pictures into this category; it is created when missing.", CLI_NO_CFG },
    { "retry-failed", 0, NULL, "Try again what failed before, even if the file did not change.", CLI_NO_CFG },
    { "no-thumbnails", 0, NULL, "Do not store thumbnails.", CLI_NO_CFG },
    { "no-faces", 0, NULL, "Do not look for faces.", CLI_NO_CFG },
    CLI_FACE_OPTIONS,
    { "batch", 'b', "N", "Most pictures per inference batch, or auto (GPU_BATCH_SIZE).", IMS_CFG_GPU_BATCH_SIZE },
    { "quiet", 'q', NULL, "No progress, no summary.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

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
    cli_start_ingest(cli, &progress, o);
    st = ims_engine_index(e, o, &summary, err);
    return cli_end_ingest(cli, e, &progress, st, &summary, model.name, err);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_index_options o = { .category = cli_value(cli, "category"),
                                   .retry_failed = cli_has(cli, "retry-failed"),
                                   .no_thumbnails = cli_has(cli, "no-thumbnails"),
                                   .no_faces = cli_has(cli, "no-faces") ||
                                               !ims__config_bool(cli->config, IMS_CFG_FACES) };
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
        "embedded, and the faces in it are found. Running it again takes only what is new or changed, finds moved files by their\n"
        "content, and marks what is gone. Interrupting loses nothing: run it again to go on.\n"
        "Links and hidden folders are not followed.",
    .examples = "imgsearch index ~/Pictures\n"
                "imgsearch index --category Holidays /photos/2023 /photos/2024\n"
                "imgsearch index --json ~/Pictures > summary.json",
    .options = options,
    .run = run,
};
