/* Finds and loads the library of ONNX Runtime.
 *
 * Order: the caller's path, $ORT_DYLIB_PATH, an installed library, the cache that the set-up script
 * fills. A path that someone named must work; an installed library that is too old is passed over,
 * and remembered for the message when nothing else is found.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* dladdr */
#include "compute/ort/ort_internal.h"

#include "base/fs.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#define LIBRARY_FILE "libonnxruntime.dylib"
static const char *const installed_names[] = { "libonnxruntime.1.dylib", "libonnxruntime.dylib" };
#else
#define LIBRARY_FILE "libonnxruntime.so.1"
static const char *const installed_names[] = { "libonnxruntime.so.1", "libonnxruntime.so" };
#endif

#define ADVICE "run `make setup`, or set ORT_DYLIB_PATH=/path/to/" LIBRARY_FILE

#ifdef IMS_SANITIZED
/* The runtime leaves a few bytes of its own behind, which are not ours to free. Only code of that library
 * is excused, in sanitizer builds only. */
IMS_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libonnxruntime\n";
}
#endif

ims_status ims_compute_runtime_cache_path(char **out, ims_err *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *tail = "imgsearch/onnxruntime/" IMS_ONNXRUNTIME_VERSION "/" LIBRARY_FILE;
    char *path;

    if (cache && cache[0] == '/')
        path = ims__strfmt("%s/%s", cache, tail);
    else if (home && home[0] == '/')
        path = ims__strfmt("%s/.cache/%s", home, tail);
    else
        return ims_fail(err, IMS_E_CONFIG, "ort", 0,
                        "neither XDG_CACHE_HOME nor HOME says where the cache is");
    if (!path)
        return ims_fail(err, IMS_E_NOMEM, "ort", 0, "naming the cache");
    *out = path;
    return IMS_OK;
}

/* "1.30.0" -> 30; anything that is not 1.x gives 0. */
static unsigned minor_version(const char *version)
{
    char *end;
    unsigned long minor;

    if (strncmp(version, "1.", 2) != 0)
        return 0;
    minor = strtoul(version + 2, &end, 10);
    return end != version + 2 && minor < 10000 ? (unsigned)minor : 0;
}

static void report_path(struct ort_library *lib, const void *symbol, const char *fallback)
{
    Dl_info info;
    char *real = NULL;
    const char *path = fallback;

    if (dladdr(symbol, &info) != 0 && info.dli_fname && info.dli_fname[0])
        path = info.dli_fname;
    if (ims__real_path(path, &real, NULL) == IMS_OK)
        path = real;
    snprintf(lib->path, sizeof(lib->path), "%.1023s", path);
    ims__free(real);
}

/* What a loaded file must have to be ONNX Runtime of a usable version. */
static ims_status inspect(struct ort_library *lib, const char *file, ims_err *err)
{
    const struct ort_api_base *(*get_base)(void);
    void *symbol = dlsym(lib->handle, "OrtGetApiBase");

    report_path(lib, symbol, file);
    if (!symbol)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0,
                        "%.300s is not ONNX Runtime: it has no OrtGetApiBase", lib->path);
    memcpy(&get_base, &symbol, sizeof(get_base));
    lib->base = get_base();
    if (!lib->base)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0, "%.300s gives no interface", lib->path);
    snprintf(lib->version, sizeof(lib->version), "%.31s", lib->base->GetVersionString());
    lib->minor = minor_version(lib->version);
    if (lib->minor == 0)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0,
                        "ONNX Runtime %s at %.300s is not of the 1.x series; " ADVICE, lib->version,
                        lib->path);
    if (lib->minor < IMS_ONNXRUNTIME_MIN_MINOR)
        return ims_fail(
            err, IMS_E_RUNTIME, "ort", 0,
            "ONNX Runtime %s at %.300s is too old, 1.%d is the oldest that works; " ADVICE,
            lib->version, lib->path, IMS_ONNXRUNTIME_MIN_MINOR);
    return IMS_OK;
}

/* IMS_E_NOT_FOUND: the dynamic linker does not find it. */
static ims_status load(struct ort_library *out, const char *file, const char *origin, ims_err *err)
{
    struct ort_library lib = { 0 };
    ims_status st;

    lib.handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!lib.handle) {
        const char *why = dlerror();

        return ims_fail(err, IMS_E_NOT_FOUND, "ort", 0, "%.400s", why ? why : file);
    }
    snprintf(lib.origin, sizeof(lib.origin), "%s", origin);
    st = inspect(&lib, file, err);
    if (st) {
        dlclose(lib.handle);
        return st;
    }
    *out = lib;
    return IMS_OK;
}

static ims_status load_named(struct ort_library *out, const char *path, const char *origin,
                             ims_err *err)
{
    ims_err why = { .text = "" };
    ims_status st = load(out, path, origin, &why);

    if (st == IMS_E_NOT_FOUND)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0,
                        "the inference runtime that %s names cannot be loaded: %.300s", origin,
                        why.text);
    if (st)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0, "%.400s", why.text);
    return IMS_OK;
}

ims_status ims__ort_find(struct ort_library *out, const char *path, ims_err *err)
{
    const char *env = getenv("ORT_DYLIB_PATH");
    ims_err why, unusable = { .status = IMS_OK };
    char *cache = NULL;
    ims_status st;

    if (path)
        return load_named(out, path, "the option", err);
    if (env && *env)
        return load_named(out, env, "ORT_DYLIB_PATH", err);
    for (size_t i = 0; i < IMS_ARRAY_LEN(installed_names); i++) {
        st = load(out, installed_names[i], "installed", &why);
        if (!st)
            return IMS_OK;
        if (st == IMS_E_RUNTIME)
            unusable = why;
    }
    st = ims_compute_runtime_cache_path(&cache, err);
    if (st)
        return st;
    st = load(out, cache, "cache", &why);
    if (st == IMS_E_RUNTIME)
        unusable = why;
    if (st && unusable.status != IMS_OK)
        st = ims_fail(err, IMS_E_RUNTIME, "ort", 0, "%s", unusable.text);
    else if (st)
        st = ims_fail(err, IMS_E_RUNTIME, "ort", 0,
                      "no inference runtime: ONNX Runtime (>= 1.%d) is neither installed nor at "
                      "%.250s; " ADVICE,
                      IMS_ONNXRUNTIME_MIN_MINOR, cache);
    ims__free(cache);
    return st;
}
