/* Tests of `imgsearch runtime use`: the choice is a line of the config file, and the other lines stay.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "compute/compute.h"
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct library library;
static struct run_result result;
static char config[800], env_config[800], runtime[1100];

static bool setup(void)
{
    struct ims_compute_options o = { .n_threads = 1 };
    struct ims_compute *compute = NULL;
    struct ims_compute_info *info = calloc(1, sizeof(*info));
    bool is_there;

    library_init(&library);
    snprintf(env_config, sizeof(env_config), "XDG_CONFIG_HOME=%s/conf", library.photos);
    snprintf(config, sizeof(config), "%s/conf/imgsearch/config", library.photos);
    library_add_env(&library, env_config);
    is_there = !ims_compute_open(&compute, &o, NULL) &&
               !ims_compute_describe(compute, false, info, NULL) && info->has_runtime;
    if (is_there)
        snprintf(runtime, sizeof(runtime), "%s", info->runtime_path);
    ims_compute_close(compute);
    free(info);
    if (!is_there)
        test_fail(__FILE__, __LINE__, "the tests need a runtime");
    return is_there;
}

static void run(int want, const char *words)
{
    struct run_options o = { 0 };

    run_release(&result);
    library_run_with(&library, &o, &result, words);
    if (result.exit_code != want)
        test_fail(__FILE__, __LINE__, "exit code %d, expected %d, of %s: %s%s", result.exit_code,
                  want, words, result.out, result.err);
}

static bool config_has(const char *text)
{
    char *data = test_read_file(config, NULL);
    bool has = strstr(data, text) != NULL;

    free(data);
    return has;
}

TEST(use, "a runtime that loads is written into the config file, and taken out again")
{
    static const char before[] = "# mine\nthreads = 1\nruntime = /old/lib.so\n";
    char words[1400];
    ims_err err;

    if (!setup())
        return;
    CHECK_OK(ims__write_derived(config, before, strlen(before), &err), err);
    snprintf(words, sizeof(words), "runtime\nuse\n%s", runtime);
    run(0, words);
    CHECK(config_has("# mine\nthreads = 1\n"));
    CHECK(config_has(runtime));
    CHECK(!config_has("/old/lib.so"));
    run(0, "config\n--json");
    CHECK(strstr(result.out, "config file"));
    run(0, "runtime\nlist\n--json");
    CHECK(strstr(result.out, "\"serves\": true") || strstr(result.out, "\"serves\":true"));
    run(0, "runtime\nuse\nauto");
    CHECK(!config_has("runtime ="));
    CHECK(config_has("threads = 1"));
    run_release(&result);
}

TEST(refuse, "a file that is no runtime changes nothing")
{
    char words[1400];

    if (!setup())
        return;
    snprintf(words, sizeof(words), "runtime\nuse\n%s", test_source_path("README.md"));
    run(17, words);
    run(5, "runtime\nuse\n/nowhere/libonnxruntime.so");
    CHECK(access(config, F_OK) != 0);
    run_release(&result);
}

TEST(wins, "a variable of the environment wins, and the command says so")
{
    static char variable[1200];
    char words[1400];

    if (!setup())
        return;
    snprintf(variable, sizeof(variable), "ORT_DYLIB_PATH=%s", runtime);
    library_add_env(&library, variable);
    snprintf(words, sizeof(words), "runtime\nuse\n%s", runtime);
    run(0, words);
    CHECK(strstr(result.out, "that wins"));
    run_release(&result);
}

TEST_MAIN
