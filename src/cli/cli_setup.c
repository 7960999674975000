/* Settings, folders and the engine for a command.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "device/device.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

const char *cli_program;

/* $NAME/imgsearch, or ~/FALLBACK/imgsearch. NULL when neither is known. */
static char *xdg_dir(const char *variable, const char *fallback)
{
    const char *base = getenv(variable), *home = getenv("HOME");

    if (base && base[0] == '/') /* relative ones are to be ignored, says the XDG specification */
        return ims__strfmt("%s/imgsearch", base);
    return home && *home ? ims__strfmt("%s/%s/imgsearch", home, fallback) : NULL;
}

char *cli_config_path(void)
{
    char *dir = xdg_dir("XDG_CONFIG_HOME", ".config");
    char *file = dir ? ims__path_join(dir, "config") : NULL;

    ims__free(dir);
    return file;
}

ims_status cli_load_config(struct cli *cli, ims_err *err)
{
    char *file = cli_config_path();
    struct ims_config_sources sources = { .environ_list = (const char *const *)environ,
                                          .dotenv_path = ".env",
                                          .file_path = file };
    ims_status st = ims__config_load(&cli->config, &sources, err);

    for (size_t i = 0; !st && i < cli->n_given; i++) {
        if (cli->given[i].option->cfg != CLI_NO_CFG)
            st = ims__config_set(cli->config, (ims_cfg)cli->given[i].option->cfg, cli->given[i].value, err);
        if (st == IMS_E_CONFIG)
            st = ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s: %s", cli->given[i].option->name,
                          err ? err->text : "");
    }
    ims__free(file);
    return st;
}

static ims_log_level log_level(const char *name)
{
    static const char *const names[] = { "debug", "info", "warning", "error", "off" };

    for (int i = 0; i < 5; i++) {
        if (strcmp(name, names[i]) == 0)
            return (ims_log_level)i;
    }
    return IMS_LOG_INFO;
}

/* Own packs first, then what is installed beside the program, then the source tree it was built in. */
static ims_status find_model_roots(struct cli *cli, ims_err *err)
{
    char *exe = cli_executable_dir();

    cli->model_roots[cli->n_model_roots++] = ims__path_join(cli->data_dir, "models");
    if (exe) {
        cli->model_roots[cli->n_model_roots++] = ims__path_join(exe, "../share/imgsearch/demo");
        cli->model_roots[cli->n_model_roots++] = ims__path_join(exe, "../../models/demo");
    }
    ims__free(exe);
    for (size_t i = 0; i < cli->n_model_roots; i++) {
        if (!cli->model_roots[i])
            return ims_fail(err, IMS_E_NOMEM, "cli", 0, "starting");
    }
    return IMS_OK;
}

ims_status cli_finish_config(struct cli *cli, ims_err *err)
{
    const char *data = ims__config_str(cli->config, IMS_CFG_DATA);
    ims_status st;

    ims__log_setup(log_level(ims__config_str(cli->config, IMS_CFG_LOG_LEVEL)),
                   strcmp(ims__config_str(cli->config, IMS_CFG_LOG_FORMAT), "json") == 0 ? IMS_LOG_JSON
                                                                                        : IMS_LOG_TEXT);
    cli->data_dir = *data ? ims__strdup(data) : xdg_dir("XDG_DATA_HOME", ".local/share");
    if (!cli->data_dir)
        return ims_fail(err, IMS_E_CONFIG, "cli", 0,
                        "neither HOME nor XDG_DATA_HOME is set: name the data directory with --data or IMS_DATA");
    st = ims__kernels_init(ims__config_str(cli->config, IMS_CFG_CPU), err);
    return st ? st : find_model_roots(cli, err);
}

static uint64_t megapixels(int64_t n)
{
    return (uint64_t)n * 1000000;
}

#define SHOWN_REBUILD 16384 /* vectors; fewer take no time to speak of */

/* A line that is written over; the last one makes room for the answer. */
static void show_rebuild(void *arg, size_t done, size_t total)
{
    (void)arg;
    if (total < SHOWN_REBUILD)
        return;
    fprintf(stderr, "\rvector index: %zu of %zu vectors%s", done, total, done < total ? "" : "\n");
    fflush(stderr);
}

static ims_status open_engine(struct cli *cli, bool is_read_only, bool is_bare, struct ims_engine **out,
                              ims_err *err)
{
    const struct ims_config *c = cli->config;
    struct ims_device_settings device;
    const char *roots[3] = { cli->model_roots[0], cli->model_roots[1], cli->model_roots[2] };
    struct ims_engine_options options = {
        .data_dir = cli->data_dir,
        .database_url = ims__config_str(c, IMS_CFG_DATABASE_URL),
        .is_read_only = is_read_only,
        .is_bare = is_bare,
        .model = ims__config_str(c, IMS_CFG_MODEL),
        .precision = ims__config_str(c, IMS_CFG_PRECISION),
        .clip_model_name = ims__config_str(c, IMS_CFG_CLIP_MODEL_NAME),
        .clip_pretrained = ims__config_str(c, IMS_CFG_CLIP_PRETRAINED),
        .expected_dim = (uint32_t)ims__config_int(c, IMS_CFG_EMBEDDING_DIM),
        .model_roots = roots,
        .n_model_roots = cli->n_model_roots,
        .runtime_path = ims__config_str(c, IMS_CFG_RUNTIME),
        .compute_child = ims__config_str(c, IMS_CFG_COMPUTE_CHILD),
        .compute_deadline_s = (unsigned)ims__config_int(c, IMS_CFG_COMPUTE_DEADLINE),
        .gpu_mem_limit_mib = (unsigned)ims__config_int(c, IMS_CFG_GPU_MEM_LIMIT),
        .prove_again = cli->prove_again,
        .is_one_shot = is_read_only && !is_bare,
        .n_threads = (unsigned)ims__config_int(c, IMS_CFG_THREADS),
        .index_miss = ims__config_real(c, IMS_CFG_SEARCH_MISS),
        .is_exact = ims__config_bool(c, IMS_CFG_SEARCH_EXACT),
        .on_rebuild = cli_is_terminal(STDERR_FILENO) ? show_rebuild : NULL,
        .face_model = ims__config_str(c, IMS_CFG_FACE_MODEL_NAME),
        .min_face_score = ims__config_real(c, IMS_CFG_MIN_FACE_SCORE),
        .min_face_px = (unsigned)ims__config_int(c, IMS_CFG_MIN_FACE_SIZE),
        .batch_size = (unsigned)ims__config_int(c, IMS_CFG_GPU_BATCH_SIZE),
        .thumbnail_px = (unsigned)ims__config_int(c, IMS_CFG_THUMBNAIL_SIZE),
        .max_image_px = megapixels(ims__config_int(c, IMS_CFG_MAX_IMAGE_MPX)),
    };
    ims_status st = ims__config_check(c, err);

    cli_device_settings(cli, &device);
    options.device_flag = device.flag;
    options.device = device.device;
    options.pytorch_device = device.pytorch_device;
    options.force_cpu = device.force_cpu;
    options.onnx_providers = device.onnx_providers;
    return st ? st : ims_engine_open(out, &options, err);
}

ims_status cli_open_engine(struct cli *cli, bool is_read_only, struct ims_engine **out, ims_err *err)
{
    return open_engine(cli, is_read_only, false, out, err);
}

ims_status cli_open_bare_engine(struct cli *cli, struct ims_engine **out, ims_err *err)
{
    return open_engine(cli, true, true, out, err);
}

/* The flag is also in the configuration, as the value of DEVICE: there it would hide what it overrides. */
void cli_device_settings(const struct cli *cli, struct ims_device_settings *out)
{
    const struct ims_config *c = cli->config;
    const char *flag = cli_value(cli, "device");

    *out = (struct ims_device_settings){ .flag = flag,
                                         .device = flag ? NULL : ims__config_str(c, IMS_CFG_DEVICE),
                                         .pytorch_device = ims__config_str(c, IMS_CFG_PYTORCH_DEVICE),
                                         .force_cpu = ims__config_str(c, IMS_CFG_FORCE_CPU),
                                         .onnx_providers = ims__config_str(c, IMS_CFG_ONNX_PROVIDERS) };
}

void cli_release(struct cli *cli)
{
    ims__config_free(cli->config);
    ims__free(cli->data_dir);
    for (size_t i = 0; i < cli->n_model_roots; i++)
        ims__free(cli->model_roots[i]);
}
