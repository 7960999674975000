/* A GPU build of the runtime that lacks something: the message names the very file.
 *
 * The real runtime, linked into a folder of its own, with stand-ins for its side libraries beside it; its
 * own loader opens them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__

static char folder[1024];

static void copy_file(const char *from, const char *to)
{
    size_t n;
    char *bytes = test_read_file(from, &n);
    ims_err err;

    CHECK_OK(ims__write_file(to, bytes, n, &err), err);
    free(bytes);
}

static void put(const char *name, const char *from)
{
    char path[1200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (link(from, path) != 0) /* not a symbolic link: the linker would tell the other folder's name */
        copy_file(from, path);
}

static bool put_runtime(void)
{
    const char *named = getenv("ORT_DYLIB_PATH");
    char *cached = NULL;
    bool is_there;

    snprintf(folder, sizeof(folder), "%s", test_tmp_dir());
    if (ims_compute_runtime_cache_path(&cached, NULL))
        cached = NULL;
    is_there = (named && *named) || (cached && access(cached, R_OK) == 0);
    if (is_there)
        put("libonnxruntime.so.1", named && *named ? named : cached);
    ims__free(cached);
    return is_there;
}

static void check_device(ims_device_kind kind, const char *text)
{
    char path[1200];
    struct ims_compute_options options = { .runtime_path = path, .n_threads = 1 };
    struct ims_device_proof proof;
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    snprintf(path, sizeof(path), "%s/libonnxruntime.so.1", folder);
    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_OK(ims_compute_prove(c, (struct ims_device_id){ kind, 0 }, &proof, &err), err);
    CHECK_INT(proof.state, IMS_PROOF_FAILED);
    if (!strstr(proof.text, text))
        test_fail(__FILE__, __LINE__, "%s", proof.text);
    ims_compute_close(c);
}

TEST(named, "whatever keeps an accelerator's provider from loading is named, one after the other")
{
    char path[1200];

    if (!put_runtime())
        SKIP("the runtime is neither in the cache nor named by ORT_DYLIB_PATH");
    check_device(IMS_DEVICE_CUDA, "libonnxruntime_providers_cuda.so is missing beside the runtime");
    check_device(IMS_DEVICE_TENSORRT, "libonnxruntime_providers_tensorrt.so is missing beside");
    check_device(IMS_DEVICE_OPENVINO, "libonnxruntime_providers_openvino.so is missing beside");
    put("libonnxruntime_providers_cuda.so", test_build_path("fakes/libfake_needy.so"));
    check_device(IMS_DEVICE_CUDA,
                 "libonnxruntime_providers_cuda.so needs what is not installed: libfake_middle.so; the "
                 "GPU build of the same version brings it, and needs CUDA 12 and cuDNN 9");
    put("libfake_middle.so", test_build_path("fakes/libfake_middle.so"));
    check_device(IMS_DEVICE_CUDA, "needs what is not installed: libfake_absent.so; ");
    snprintf(path, sizeof(path), "%s/libonnxruntime_providers_cuda.so", folder);
    CHECK(unlink(path) == 0);
    put("libonnxruntime_providers_cuda.so", test_build_path("fakes/fake_cuda_0.so"));
    check_device(IMS_DEVICE_CUDA, "libonnxruntime_providers_shared.so is missing beside the runtime");
    put("libonnxruntime_providers_shared.so", test_build_path("fakes/fake_cuda_0.so"));
    check_device(IMS_DEVICE_CUDA, "CUDAExecutionProvider: "); /* all there, and no provider: the loader's words */
}

#endif

TEST_MAIN
