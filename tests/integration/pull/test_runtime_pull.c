/* Tests of `imgsearch runtime pull` with the real npm and a small package registry on this machine. The package
 * is a small one, so a copy of tools/setup that has its sums stands where the program looks for the script.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute.h"
#include "harness/http_server.h"
#include "harness/run.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKAGE "onnxruntime-node"
#define TARBALL "/" PACKAGE "/-/" PACKAGE "-" IMS_ONNXRUNTIME_VERSION ".tgz"

/* $1: a new folder for all of it, $2: the source tree, $3: imgsearch. A linker's cache without libraries hides an
 * installed runtime. */
static const char make_tree[] =
    "set -e\n"
    "cd \"$1\"\n"
    "mkdir -p tools build/x bin cache\n"
    "cp \"$3\" build/x/imgsearch\n"
    "printf '#!/bin/sh\\n' >bin/ldconfig && chmod +x bin/ldconfig\n"
    "head -c 400000 /dev/urandom >library\n"
    "for at in linux/x64/libonnxruntime.so.1 linux/arm64/libonnxruntime.so.1 darwin/arm64/libonnxruntime.1.dylib; do\n"
    "    mkdir -p \"package/bin/napi-v6/${at%/*}\" && cp library \"package/bin/napi-v6/$at\"\n"
    "done\n"
    "echo '{\"name\": \"" PACKAGE "\", \"version\": \"" IMS_ONNXRUNTIME_VERSION "\"}' >package/package.json\n"
    "tar -czf package.tgz package\n"
    "sum() { if command -v sha256sum >/dev/null; then sha256sum \"$1\"; else shasum -a 256 \"$1\"; fi | cut -d ' ' -f 1; }\n"
    "sed -e \"s/^ort_tgz_sha256=.*/ort_tgz_sha256=$(sum package.tgz)/\" -e 's/^ort_space_mb=.*/ort_space_mb=1/' \\\n"
    "    -e \"s/ort_sha256=[0-9a-f][0-9a-f]*/ort_sha256=$(sum library)/\" \"$2/tools/setup\" >tools/setup\n"
    "chmod +x tools/setup\n";

static char root[400], env_registry[200], *package;
static size_t package_bytes;
static struct http_server *registry;
static struct run_result result;

/* A program beside that copy of the script, a cache of its own, a registry that has the package. */
static bool setup(void)
{
    const char *npm[] = { "/bin/sh", "-c", "command -v npm && command -v curl", NULL };
    const char *make[] = { "/bin/sh", "-c", make_tree, "sh", root, test_source_path(""), test_build_path("imgsearch"), NULL };
    char text[900];
    bool has_both;

    run_program(&result, NULL, npm);
    has_both = result.exit_code == 0;
    run_release(&result);
    if (!has_both)
        return false;
    snprintf(root, sizeof(root), "%s", test_tmp_dir());
    run_program(&result, NULL, make);
    if (result.exit_code != 0)
        test_fail(__FILE__, __LINE__, "making the tree: %s", result.err);
    snprintf(text, sizeof(text), "%s/bin:%s", root, getenv("PATH"));
    setenv("PATH", text, 1);
    snprintf(text, sizeof(text), "%s/cache", root);
    setenv("XDG_CACHE_HOME", text, 1);
    unsetenv("ORT_DYLIB_PATH");
    snprintf(text, sizeof(text), "%s/package.tgz", root);
    package = test_read_file(text, &package_bytes);
    registry = http_server_start();
    snprintf(env_registry, sizeof(env_registry), "npm_config_registry=%s/", http_server_url(registry));
    snprintf(text, sizeof(text),
             "{\"name\": \"" PACKAGE "\", \"dist-tags\": {\"latest\": \"" IMS_ONNXRUNTIME_VERSION
             "\"}, \"versions\": {\"" IMS_ONNXRUNTIME_VERSION "\": {\"name\": \"" PACKAGE
             "\", \"version\": \"" IMS_ONNXRUNTIME_VERSION "\", \"dist\": {\"tarball\": \"%s" TARBALL "\"}}}}",
             http_server_url(registry));
    http_server_route(registry, &(struct http_route){ .path = "/" PACKAGE, .headers = "Content-Type: application/json\r\n",
                                                      .body = text, .body_bytes = strlen(text) });
    http_server_route(registry, &(struct http_route){ .path = TARBALL, .body = package, .body_bytes = package_bytes });
    return true;
}

static void teardown(void)
{
    run_release(&result);
    if (registry)
        http_server_stop(registry);
    registry = NULL;
    free(package);
    package = NULL;
}

static void pull(int want)
{
    char program[500];
    const char *argv[] = { program, "runtime", "pull", "cpu", NULL };
    const char *env[] = { env_registry, "npm_config_update_notifier=false", "no_proxy=127.0.0.1", NULL };
    struct run_options o = { .env = env };

    run_release(&result);
    snprintf(program, sizeof(program), "%s/build/x/imgsearch", root);
    run_program(&result, &o, argv);
    if (result.exit_code != want)
        test_fail(__FILE__, __LINE__, "exit code %d, expected %d: %s%s", result.exit_code, want, result.out, result.err);
}

/* Is the library in the cache, and is it the package's? And nothing of the way there is left, whatever happened. */
static bool is_installed(void)
{
    static const char script[] = "cd \"$1\" && [ -z \"$(find cache -name '.fetch*' -o -name 'onnx*.tgz')\" ] || exit 3\n"
                                 "cmp -s library cache/imgsearch/onnxruntime/" IMS_ONNXRUNTIME_VERSION "/libonnxruntime.*";
    const char *argv[] = { "/bin/sh", "-c", script, "sh", root, NULL };
    struct run_result r;
    int rc;

    run_program(&r, NULL, argv);
    rc = r.exit_code;
    run_release(&r);
    CHECK_SOFT(rc != 3);
    return rc == 0;
}

TEST(good, "the runtime is fetched and checked once, and the second call finds it")
{
    size_t n;

    if (!setup())
        SKIP("npm or curl is not installed");
    pull(0);
    CHECK_SOFT(is_installed());
    n = http_server_count(registry, NULL);
    CHECK_SOFT(http_server_count(registry, "GET " TARBALL) == 1);
    pull(0);
    CHECK_SOFT(strstr(result.out, "is there already"));
    CHECK_SOFT(http_server_count(registry, NULL) == n);
    teardown();
}

TEST(wrong_sum, "a package with another sum than the known one is refused and not kept")
{
    if (!setup())
        SKIP("npm or curl is not installed");
    package[package_bytes / 2] ^= 1;
    http_server_route(registry, &(struct http_route){ .path = TARBALL, .body = package, .body_bytes = package_bytes });
    pull(17);
    CHECK_SOFT(strstr(result.err, "its sha256 differs"));
    CHECK_SOFT(!is_installed());
    teardown();
}

static void cut_it(size_t times, bool no_ranges)
{
    http_server_route(registry, &(struct http_route){ .path = TARBALL, .body = package, .body_bytes = package_bytes,
                                                      .cut_times = times, .cut_bytes = package_bytes / 8,
                                                      .no_ranges = no_ranges });
}

TEST(cut, "a cut connection is gone on with from where it was cut, also by the next call")
{
    if (!setup())
        SKIP("npm or curl is not installed");
    cut_it(2, false);
    pull(0);
    CHECK_SOFT(is_installed());
    CHECK_SOFT(http_server_sent(registry) < package_bytes + 4000); /* each byte once, and what npm asks */
    teardown();
    if (!setup())
        return;
    cut_it(6, false);
    pull(17);
    CHECK_SOFT(strstr(result.err, "what has arrived is kept"));
    CHECK_SOFT(!is_installed());
    pull(0);
    CHECK_SOFT(is_installed());
    CHECK_SOFT(http_server_sent(registry) < package_bytes + 4000);
    teardown();
}

TEST(no_ranges, "a registry that cannot go on sends the whole again")
{
    if (!setup())
        SKIP("npm or curl is not installed");
    cut_it(1, true);
    pull(0);
    CHECK_SOFT(is_installed());
    teardown();
}

TEST(page, "a registry that answers with a web page is refused")
{
    if (!setup())
        SKIP("npm or curl is not installed");
    http_server_route(registry, &(struct http_route){ .path = TARBALL, .headers = "Content-Type: text/html\r\n",
                                                      .body = "<html>", .body_bytes = 6 });
    pull(17);
    CHECK_SOFT(!is_installed());
    teardown();
}

TEST(offline, "without a registry each way to a runtime is told, and nothing half-done is left")
{
    if (!setup())
        SKIP("npm or curl is not installed");
    http_server_stop(registry);
    registry = NULL;
    pull(17);
    CHECK_SOFT(strstr(result.err, "could not be fetched (no network?)"));
    CHECK_SOFT(strstr(result.err, "/cache/imgsearch/onnxruntime/" IMS_ONNXRUNTIME_VERSION "/libonnxruntime."));
    CHECK_SOFT(strstr(result.err, "ORT_DYLIB_PATH"));
    CHECK_SOFT(!is_installed());
    teardown();
}

TEST_MAIN
