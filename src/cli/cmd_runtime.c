/* imgsearch runtime list, use, pull: which ONNX Runtime there is, which one serves, where to get one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"
#include "compute/compute.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_RUNTIMES 32
#define SETTING "runtime"

static const struct cli_option no_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

/* Where people and packages put the library. */
static const char *const places[] = {
#if defined(__APPLE__)
    "/opt/homebrew/lib/libonnxruntime.dylib",
    "/usr/local/lib/libonnxruntime*.dylib",
    "/opt/onnxruntime*/lib/libonnxruntime.dylib",
#else
    "/usr/lib/*/libonnxruntime.so*",
    "/usr/lib/libonnxruntime.so*",
    "/usr/lib64/libonnxruntime.so*",
    "/usr/local/lib/libonnxruntime.so*",
    "/opt/onnxruntime*/lib/libonnxruntime.so*",
    "/usr/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so*",
    "/usr/local/lib/python3*/*-packages/onnxruntime/capi/libonnxruntime.so*",
#endif
};

struct runtimes {
    char *paths[MAX_RUNTIMES]; /* real ones, each once */
    size_t n;
};

static void add_path(struct runtimes *r, const char *path)
{
    char *real = NULL;

    if (r->n == MAX_RUNTIMES || ims__real_path(path, &real, NULL))
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->paths[i], real) == 0) {
            ims__free(real);
            return;
        }
    }
    r->paths[r->n++] = real;
}

static void release(struct runtimes *r)
{
    for (size_t i = 0; i < r->n; i++)
        ims__free(r->paths[i]);
}

/* What can be said about one library; path NULL: the one that serves. */
static ims_status look(const struct cli *cli, const char *path, struct ims_compute_info *info,
                       ims_err *err)
{
    struct ims_compute_options o = { .runtime_path = path };
    struct ims_compute *compute = NULL;
    ims_status st;

    cli_device_settings(cli, &o.device);
    st = ims_compute_open(&compute, &o, err);
    if (!st)
        st = ims_compute_describe(compute, false, info, err);
    ims_compute_close(compute);
    return st;
}

static const char *setting(const struct cli *cli)
{
    const char *path = ims__config_str(cli->config, IMS_CFG_RUNTIME);

    return *path ? path : NULL;
}

static void collect(struct runtimes *r, const char *serving)
{
    char *cache = NULL;

    if (serving[0])
        add_path(r, serving);
    if (ims_compute_runtime_cache_path(&cache, NULL) == IMS_OK)
        add_path(r, cache);
    ims__free(cache);
    for (size_t i = 0; i < IMS_ARRAY_LEN(places); i++) {
        glob_t g;

        if (glob(places[i], 0, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                add_path(r, g.gl_pathv[k]);
        }
        globfree(&g);
    }
}

static ims_json *runtime_json(const char *path, const struct ims_compute_info *info, bool serves)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();

    for (size_t i = 0; info->has_runtime && i < info->n_providers; i++)
        (void)ims__json_add(list, ims__json_new_str(info->providers[i]));
    (void)ims__json_set(o, "path", cli_path_json(path));
    (void)ims__json_set(o, "serves", ims__json_new_bool(serves));
    (void)ims__json_set(o, "usable", ims__json_new_bool(info->has_runtime));
    (void)ims__json_set(o, "version",
                        ims__json_new_str(info->has_runtime ? info->runtime_version : NULL));
    (void)ims__json_set(o, "providers", list);
    (void)ims__json_set(o, "problem",
                        ims__json_new_str(info->has_runtime ? NULL : info->runtime_err.text));
    return o;
}

static void print_runtime(const char *path, const struct ims_compute_info *info, bool serves)
{
    printf("%s ", serves ? "*" : " ");
    cli_print_path(path);
    if (!info->has_runtime) {
        printf("\n    unusable: %s\n", info->runtime_err.text);
        return;
    }
    printf("\n    version %s:", info->runtime_version);
    cli_print_providers(info);
    printf("\n");
}

static ims_status run_list(struct cli *cli, ims_err *err)
{
    struct runtimes all = { .n = 0 };
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    ims_json *list = cli->is_json ? ims__json_new_array() : NULL;
    ims_err none = { 0 };
    char serving[IMS_MAX_PATH_BYTES] = "";
    ims_status st =
        info ? look(cli, setting(cli), info, err) : ims_fail(err, IMS_E_NOMEM, "cli", 0, "listing");

    if (st)
        goto out;
    if (info->has_runtime)
        snprintf(serving, sizeof(serving), "%s", info->runtime_path);
    else
        none = info->runtime_err;
    collect(&all, serving);
    for (size_t i = 0; !st && i < all.n; i++) {
        bool serves = strcmp(all.paths[i], serving) == 0;

        st = look(cli, all.paths[i], info, err);
        if (!st && list)
            (void)ims__json_add(list, runtime_json(all.paths[i], info, serves));
        else if (!st)
            print_runtime(all.paths[i], info, serves);
    }
    if (!st && !serving[0])
        fprintf(stderr, "imgsearch: no runtime serves: %s\n", none.text);
    if (!st && list) {
        st = cli_print_json(list, err);
        list = NULL;
    }
out:
    ims__json_free(list);
    ims__free(info);
    release(&all);
    return st;
}

const struct cli_command cli_cmd_runtime_list = {
    .name = "runtime list",
    .summary = "List the ONNX Runtime libraries on this machine; the one that serves has a star.",
    .words = "",
    .details = "Looks at the one that the settings name, the usual folders of the system, and the "
               "cache that\n"
               "`runtime pull` fills. Which providers a library was built with is listed; whether "
               "they work here,\n"
               "`imgsearch devices` and `imgsearch doctor` say.",
    .examples = "imgsearch runtime list",
    .options = no_options,
    .run = run_list,
};

/* ---- use ---- */

/* The file's lines without those that set the name, then, unless value is NULL, one that does. */
static ims_status rewrite(const char *old, size_t n, const char *value, struct ims_buf *out)
{
    for (const char *p = old; p < old + n;) {
        const char *end = memchr(p, '\n', (size_t)(old + n - p));
        size_t len = end ? (size_t)(end - p) : (size_t)(old + n - p);
        size_t lead = strspn(p, " \t"), name = strlen(SETTING);
        bool is_ours = lead + name <= len && strncmp(p + lead, SETTING, name) == 0 &&
                       strspn(p + lead + name, " \t") < len &&
                       p[lead + name + strspn(p + lead + name, " \t")] == '=';

        if (!is_ours) {
            (void)ims__buf_add(out, p, len);
            (void)ims__buf_add_char(out, '\n');
        }
        p += len + (end != NULL);
    }
    if (value)
        (void)ims__buf_addf(out, SETTING " = \"%s\"\n", value);
    return ims__buf_status(out);
}

static ims_status store_setting(const char *file, const char *value, ims_err *err)
{
    struct ims_buf old, text;
    char *dir = ims__strndup(file, (size_t)(ims__path_base(file) - file) - 1);
    ims_status st;

    ims__buf_init(&text, IMS_MAX_CONFIG_FILE_BYTES);
    ims__buf_init(&old, 0);
    st = ims__read_file(file, IMS_MAX_CONFIG_FILE_BYTES, &old, NULL, err);
    if (st == IMS_E_NOT_FOUND)
        st =
            dir ? ims__mkdir_p(dir, err) : ims_fail(err, IMS_E_NOMEM, "cli", 0, "writing settings");
    if (!st && rewrite(old.data ? old.data : "", old.len, value, &text))
        st = ims_fail(err, ims__buf_status(&text), "cli", 0, "writing settings");
    if (!st)
        st = ims__write_file(file, text.data ? text.data : "", text.len, err);
    ims__buf_release(&old);
    ims__buf_release(&text);
    ims__free(dir);
    return st;
}

/* Only a library that loads becomes the setting. *out_path: absolute, a new string. */
static ims_status prove(const struct cli *cli, const char *path, char **out_path, ims_err *err)
{
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    char *real = NULL;
    ims_status st =
        info ? ims__real_path(path, &real, err) : ims_fail(err, IMS_E_NOMEM, "cli", 0, "looking");

    if (!st)
        st = look(cli, real, info, err);
    if (!st && !info->has_runtime)
        st = ims_fail(err, IMS_E_RUNTIME, "cli", 0, "%s", info->runtime_err.text);
    if (!st && strpbrk(real, "\n\r\""))
        st = ims_fail(err, IMS_E_INVALID, "cli", 0,
                      "a path with quotes or line ends cannot stand in the config file");
    if (!st)
        print_runtime(real, info, true);
    ims__free(info);
    if (st) {
        ims__free(real);
        return st;
    }
    *out_path = real;
    return IMS_OK;
}

static ims_status run_use(struct cli *cli, ims_err *err)
{
    char *file = cli_config_path(), *path = NULL;
    bool is_auto = cli->n_words == 1 && strcmp(cli->words[0], "auto") == 0;
    ims_status st = IMS_OK;

    if (cli->n_words != 1)
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "name the library's file, or auto");
    else if (!file)
        st = ims_fail(err, IMS_E_CONFIG, "cli", 0,
                      "neither HOME nor XDG_CONFIG_HOME says where the config file is");
    else if (!is_auto)
        st = prove(cli, cli->words[0], &path, err);
    if (!st)
        st = store_setting(file, path, err);
    if (!st) {
        printf("%s in ", is_auto ? "the runtime is no longer set" : "set");
        cli_print_path(file);
        printf("\n");
        if (ims__config_source(cli->config, IMS_CFG_RUNTIME) > IMS_CFG_FROM_FILE)
            printf("but the %s sets ORT_DYLIB_PATH, and that wins\n",
                   ims__config_source_name(ims__config_source(cli->config, IMS_CFG_RUNTIME)));
    }
    ims__free(file);
    ims__free(path);
    return st;
}

const struct cli_command cli_cmd_runtime_use = {
    .name = "runtime use",
    .summary = "Choose the ONNX Runtime library, after loading it once.",
    .words = "FILE|auto",
    .details = "Writes the setting `runtime` into the config file. `auto` takes it out again: then "
               "the usual places\n"
               "are looked into.",
    .examples =
        "imgsearch runtime use /opt/onnxruntime-linux-x64-gpu-1.22.0/lib/libonnxruntime.so\n"
        "imgsearch runtime use auto",
    .options = no_options,
    .run = run_use,
};

/* ---- pull ---- */

static ims_status run_script(const char *script, ims_err *err)
{
    int state = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execl(script, script, "runtime", (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &state, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0)
        return ims_fail(err, IMS_E_IO, "cli", errno, "starting %.300s: %s", script,
                        strerror(errno));
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return ims_fail(err, IMS_E_RUNTIME, "cli", 0,
                        "%.300s runtime did not succeed; its own lines above say why", script);
    return IMS_OK;
}

static ims_status pull_cpu(ims_err *err)
{
    char *exe = cli_executable_dir(), *cache = NULL;
    char *script = exe ? ims__path_join(exe, "../../tools/setup") : NULL;
    struct ims_file_info info;
    ims_status st = ims_compute_runtime_cache_path(&cache, err);

    if (st)
        goto out;
    if (ims__stat(cache, true, &info, NULL) == IMS_OK) {
        printf("ONNX Runtime " IMS_ONNXRUNTIME_VERSION " is there already: %s\n", cache);
        goto out;
    }
    if (script && access(script, X_OK) == 0) {
        st = run_script(script, err);
        goto out;
    }
    printf("This program was installed without the set-up script of its source tree. By hand, with "
           "Node.js's npm:\n"
           "  npm pack onnxruntime-node@" IMS_ONNXRUNTIME_VERSION "\n"
           "  tar -xzf onnxruntime-node-" IMS_ONNXRUNTIME_VERSION ".tgz\n"
           "then copy the library of this system from package/bin/napi-v6/ to\n  %s\n"
           "and run `imgsearch doctor`. docs/devices.md has the steps for every platform.\n",
           cache);
    st = ims_fail(err, IMS_E_RUNTIME, "cli", 0, "nothing was fetched");
out:
    ims__free(exe);
    ims__free(script);
    ims__free(cache);
    return st;
}

static ims_status run_pull(struct cli *cli, ims_err *err)
{
    static const char *const others[] = { "cuda",     "tensorrt", "coreml",
                                          "openvino", "webgpu",   "migraphx" };
    const char *what = cli->n_words ? cli->words[0] : "cpu";

    if (cli->n_words > 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "one runtime at a time");
    if (strcmp(what, "cpu") == 0)
        return pull_cpu(err);
    for (size_t i = 0; i < IMS_ARRAY_LEN(others); i++) {
        if (strcmp(what, others[i]) == 0)
            return ims_fail(err, IMS_E_UNSUPPORTED, "cli", 0,
                            "a runtime for %s depends on the driver that is installed, and is not "
                            "fetched by this "
                            "command; \"Getting a runtime\" in docs/devices.md has the steps, "
                            "`imgsearch runtime use FILE` "
                            "is the last of them",
                            what);
    }
    return ims_fail(err, IMS_E_USAGE, "cli", 0,
                    "\"%.60s\" is no kind of runtime; cpu can be fetched", what);
}

const struct cli_command cli_cmd_runtime_pull = {
    .name = "runtime pull",
    .summary = "Fetch ONNX Runtime for the CPU into the cache.",
    .words = "[cpu]",
    .details = "The same build, checked by its sum, that `make setup` fetches: it has the CPU, "
               "WebGPU and, on macOS,\n"
               "Core ML providers. For CUDA, TensorRT, OpenVINO and others see docs/devices.md.",
    .examples = "imgsearch runtime pull cpu",
    .options = no_options,
    .run = run_pull,
};
