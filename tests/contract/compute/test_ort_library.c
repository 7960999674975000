/* Which inference runtime is found, which is refused, and what the operator is told.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "base/fs.h"
#include "base/mem.h"
#include "compute/ort/ort_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Remembers a variable, so that a test may change it. */
struct saved {
    const char *name;
    char *value;
};

static struct saved save(const char *name)
{
    return (struct saved){ name, ims__strdup(getenv(name)) };
}

static void restore(struct saved *s)
{
    if (s->value)
        setenv(s->name, s->value, 1);
    else
        unsetenv(s->name);
    ims__free(s->value);
}

/* Describes a handle on this path. */
static void describe(const char *path, const char *flag, struct ims_compute_info *out)
{
    struct ims_compute_options options = { .runtime_path = path, .device = { .flag = flag } };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    memset(out, 0, sizeof(*out));
    CHECK_OK(ims_compute_open(&c, &options, &err), err); /* opening never needs the library */
    CHECK_OK(ims_compute_describe(c, true, out, &err), err);
    ims_compute_close(c);
}

static struct ims_compute_info info; /* large for a stack */

static void check_refused(const char *path, const char *says)
{
    describe(path, NULL, &info);
    test_note("%s", info.runtime_err.text);
    CHECK(!info.has_runtime);
    CHECK(!info.has_choice);
    CHECK_INT(info.runtime_err.status, IMS_E_RUNTIME);
    if (!strstr(info.runtime_err.text, says))
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", info.runtime_err.text, says);
}

TEST(found, "the runtime is found, and its version, path, origin and providers are told")
{
    describe(NULL, "cpu", &info);
    CHECK(info.has_runtime);
    test_note("%s %s (%s)", info.runtime_version, info.runtime_path, info.runtime_origin);
    CHECK_STR(info.runtime_name, "onnxruntime");
    CHECK(strncmp(info.runtime_version, "1.", 2) == 0);
    CHECK(info.runtime_path[0] == '/');
    CHECK(access(info.runtime_path, R_OK) == 0);
    CHECK(info.n_providers >= 1);
    CHECK_STR(info.providers[info.n_providers - 1], "CPUExecutionProvider");
    CHECK(info.has_choice);
    CHECK_STR(info.choice.reason, "asked for with --device=cpu");
    CHECK_INT(info.n_proofs, 1);
    CHECK_INT(info.proofs[0].state, IMS_PROOF_PASSED);
    test_note("loaded and proven in %.1f ms", info.load_ms);
}

TEST(lazy, "a handle may be opened and closed where there is no runtime")
{
    struct ims_compute_options options = { .runtime_path = "/nonexistent/libonnxruntime.so" };
    struct ims_compute_graph graph = { .path = fixture_graph("chain") };
    struct ims_compute_session *s = NULL;
    struct ims_device_choice choice;
    struct ims_device_proof proof;
    struct ims_compute *c = NULL;
    char log[64];
    ims_err err = { .text = "" };

    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_INT(ims_compute_runtime_log(c, log, sizeof(log)), 0);
    CHECK_STATUS(ims_compute_session_open(c, &s, &graph, NULL, &err), IMS_E_RUNTIME, err);
    CHECK_STATUS(ims_compute_choose(c, &choice, &err), IMS_E_RUNTIME, err); /* and again */
    CHECK_STATUS(ims_compute_prove(c, (struct ims_device_id){ IMS_DEVICE_CPU, 0 }, &proof, &err),
                 IMS_E_RUNTIME, err);
    CHECK(strstr(err.text, "/nonexistent/libonnxruntime.so") != NULL);
    ims_compute_close(c);
}

TEST(bad_device, "a device name that is none is refused, and where there is a runtime it says what there is")
{
    struct ims_compute_options options = { .runtime_path = "/nonexistent/x",
                                           .device = { .device = "gpu" } };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    CHECK_STATUS(ims_compute_open(&c, &options, &err), IMS_E_CONFIG, err);
    CHECK(c == NULL);
    CHECK(!strstr(err.text, "Here:"));
    options.runtime_path = NULL;
    CHECK_STATUS(ims_compute_open(&c, &options, &err), IMS_E_CONFIG, err);
    CHECK(c == NULL);
    CHECK(strstr(err.text, "Invalid DEVICE 'gpu': valid are auto, cpu, cuda") != NULL);
    CHECK(strstr(err.text, ". Here: cpu") != NULL);
    CHECK(strstr(err.text, "docs/devices.md: what each needs") != NULL);
    options.device = (struct ims_device_settings){ .onnx_providers = "MagicExecutionProvider" };
    CHECK_STATUS(ims_compute_open(&c, &options, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "MagicExecutionProvider") != NULL);
    CHECK(strstr(err.text, ". Here: cpu") != NULL);
}

TEST(not_a_library, "a path that is no library is refused, naming it")
{
    char path[1024];
    ims_err err;

    check_refused("/nonexistent/libonnxruntime.so", "/nonexistent/libonnxruntime.so");
    snprintf(path, sizeof(path), "%s/text.so", test_tmp_dir());
    CHECK_OK(ims__write_file(path, "not a library\n", 14, &err), err);
    check_refused(path, path);
    check_refused("/tmp", "/tmp");
}

TEST(other_library, "a library that is not ONNX Runtime is refused")
{
    check_refused(test_build_path("fakes/not_a_runtime.so"), "it has no OrtGetApiBase");
}

TEST(old_library, "a runtime older than 1.21 is refused, naming version and path")
{
    check_refused(test_build_path("fakes/runtime_1_17.so"), "1.17.3");
    CHECK(strstr(info.runtime_err.text, "fakes/runtime_1_17.so") != NULL);
    CHECK(strstr(info.runtime_err.text, "make setup") != NULL);
    check_refused(test_build_path("fakes/runtime_2_0.so"), "2.0.0");
    check_refused(test_build_path("fakes/runtime_no_api.so"), "refuses its own version");
}

TEST(environment,
     "ORT_DYLIB_PATH is used, and one that does not work is an error and not passed over")
{
    struct saved env = save("ORT_DYLIB_PATH");

    setenv("ORT_DYLIB_PATH", "/nonexistent/from-environment.so", 1);
    check_refused(NULL, "ORT_DYLIB_PATH names");
    CHECK(strstr(info.runtime_err.text, "/nonexistent/from-environment.so") != NULL);
    restore(&env);
}

TEST(cache, "the cache path follows XDG_CACHE_HOME, then HOME")
{
    struct saved xdg = save("XDG_CACHE_HOME"), home = save("HOME");
    ims_err err = { .text = "" };
    char *path = NULL;

    setenv("XDG_CACHE_HOME", "/some/cache", 1);
    CHECK_OK(ims_compute_runtime_cache_path(&path, &err), err);
    CHECK(strstr(path, "/some/cache/imgsearch/onnxruntime/" IMS_ONNXRUNTIME_VERSION
                       "/libonnxruntime") == path);
    ims__free(path);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/home/someone", 1);
    CHECK_OK(ims_compute_runtime_cache_path(&path, &err), err);
    CHECK(strstr(path, "/home/someone/.cache/imgsearch/onnxruntime/") == path);
    ims__free(path);
    setenv("XDG_CACHE_HOME", "relative", 1);
    unsetenv("HOME");
    CHECK_STATUS(ims_compute_runtime_cache_path(&path, &err), IMS_E_CONFIG, err);
    restore(&home);
    restore(&xdg);
}

TEST(nowhere, "with no runtime anywhere the message says what to do")
{
    struct saved env = save("ORT_DYLIB_PATH"), xdg = save("XDG_CACHE_HOME");
    struct ort_library lib;
    ims_err err = { .text = "" };
    ims_status st;

    unsetenv("ORT_DYLIB_PATH");
    setenv("XDG_CACHE_HOME", test_tmp_dir(), 1);
    st = ims__ort_find(&lib, NULL, &err);
    if (st == IMS_OK) { /* this machine has one installed */
        CHECK_STR(lib.origin, "installed");
    } else {
        CHECK_INT(st, IMS_E_RUNTIME);
        test_note("%s", err.text);
        CHECK(strstr(err.text, "make setup") != NULL);
        CHECK(strstr(err.text, "ORT_DYLIB_PATH=/path/to/libonnxruntime") != NULL);
    }
    restore(&xdg);
    restore(&env);
}

TEST(from_cache, "a runtime in the cache is found there")
{
    struct saved env = save("ORT_DYLIB_PATH"), xdg = save("XDG_CACHE_HOME");
    char *path = NULL, *dir;
    struct ort_library lib;
    ims_err err = { .text = "" };
    ims_status st;

    describe(NULL, "cpu", &info); /* the real one, before the environment changes */
    unsetenv("ORT_DYLIB_PATH");
    setenv("XDG_CACHE_HOME", test_tmp_dir(), 1);
    CHECK_OK(ims_compute_runtime_cache_path(&path, &err), err);
    dir = ims__strndup(path, (size_t)(ims__path_base(path) - path));
    CHECK_OK(ims__mkdir_p(dir, &err), err);
    CHECK_INT(symlink(info.runtime_path, path), 0);
    st = ims__ort_find(&lib, NULL, &err);
    CHECK_OK(st, err);
    CHECK(strcmp(lib.origin, "cache") == 0 || strcmp(lib.origin, "installed") == 0);
    ims__free(dir);
    ims__free(path);
    restore(&xdg);
    restore(&env);
}

TEST(two_handles, "two handles share one runtime and may be closed in either order")
{
    struct ims_compute_options options = { .device = { .flag = "cpu" } };
    struct ims_compute *a = NULL, *b = NULL;
    struct ims_device_choice choice;
    char log[256];
    ims_err err = { .text = "" };

    for (int round = 0; round < 3; round++) {
        CHECK_OK(ims_compute_open(&a, &options, &err), err);
        CHECK_OK(ims_compute_open(&b, &options, &err), err);
        CHECK_OK(ims_compute_choose(a, &choice, &err), err);
        CHECK_OK(ims_compute_choose(b, &choice, &err), err);
        ims_compute_close(round % 2 ? a : b);
        (void)ims_compute_runtime_log(round % 2 ? b : a, log, sizeof(log));
        ims_compute_close(round % 2 ? b : a);
    }
}

TEST(missing_provider,
     "an accelerator whose library is missing fails with the file's name, not silently")
{
    static const struct {
        ims_device_kind kind;
        const char *says;
    } cases[] = {
        { IMS_DEVICE_CUDA, "providers_cuda" },
        { IMS_DEVICE_TENSORRT, "providers_tensorrt" },
        { IMS_DEVICE_OPENVINO, "providers_openvino" },
        { IMS_DEVICE_COREML, "CoreML" },
        { IMS_DEVICE_MIGRAPHX, "igraphx" },
    };
    struct ims_compute_options options = { .device = { .flag = "cpu" } };
    struct ims_compute *c = NULL;
    struct ims_device_proof proof;
    ims_err err = { .text = "" };

    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    for (size_t i = 0; i < IMS_ARRAY_LEN(cases); i++) {
        struct ims_device_id id = { cases[i].kind, 0 };

        CHECK_OK(ims_compute_prove(c, id, &proof, &err), err);
        test_note("%s", proof.text);
        if (proof.state == IMS_PROOF_PASSED)
            continue; /* this machine really has it */
        CHECK_INT(proof.state, IMS_PROOF_FAILED);
        CHECK(strstr(proof.text, cases[i].says) != NULL);
    }
    ims_compute_close(c);
}

/* Sends stderr to a file; returns the descriptor to go back to. */
static int redirect_stderr(const char *path)
{
    int saved = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    fflush(stderr);
    if (saved < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0)
        return -1;
    close(file);
    return saved;
}

TEST(quiet, "an automatic choice writes nothing to stderr, and no word of CUDA where there is none")
{
    struct ims_compute_options options = { .n_threads = 1 };
    struct ims_cuda_facts cuda;
    struct ims_device_choice choice;
    struct ims_compute *c = NULL;
    char path[1024], log[4096];
    ims_err err = { .text = "" };
    ims_status st;
    char *text;
    size_t n;
    int saved;

    ims_device_probe_cuda(&cuda);
    if (cuda.has_driver)
        SKIP("this machine has an NVIDIA driver");
    snprintf(path, sizeof(path), "%s/stderr", test_tmp_dir());
    saved = redirect_stderr(path);
    CHECK(saved >= 0);
    st = ims_compute_open(&c, &options, &err);
    if (!st)
        st = ims_compute_choose(c, &choice, &err);
    fflush(stderr);
    CHECK_SOFT(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
    close(saved);
    CHECK_OK(st, err);
    text = test_read_file(path, &n);
    CHECK_SOFT(n == 0);
    free(text);
    (void)ims_compute_runtime_log(c, log, sizeof(log));
    ims_compute_close(c);
    CHECK(!strstr(log, "CUDA") && !strstr(log, "cuda"));
    CHECK_INT(choice.notes.n, 0);
    CHECK(!strstr(choice.reason, "CUDA") && !strstr(choice.reason, "cuda"));
}

TEST_MAIN
