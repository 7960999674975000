/* One loaded ONNX Runtime with its environment, shared by every compute handle of the process.
 *
 * The library keeps one environment per process, counted, with the logger of whoever made it first.
 * So two handles on the same library share one struct ort_runtime, whose log outlives them both.
 * The library itself is never unloaded: it leaves thread-local destructors behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static pthread_mutex_t runtimes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ort_runtime *runtimes; /* guarded by runtimes_lock */

static bool contains_any(const char *text, const char *const *signs, size_t n)
{
    for (const char *s = text; *s; s++) {
        for (size_t i = 0; i < n; i++) {
            if (strncasecmp(s, signs[i], strlen(signs[i])) == 0)
                return true;
        }
    }
    return false;
}

/* Allocation failures have no code of their own in the C API: the text tells. */
static bool is_out_of_memory(const char *text)
{
    static const char *const signs[] = {
        "failed to allocate memory",
        "bad_alloc",
        "out of memory",
        "bad allocation",
        "out_of_memory",
        "available memory of",
        "cuda failure 2:",
        "not enough memory",
    };

    return contains_any(text, signs, IMS_ARRAY_LEN(signs));
}

/* Weights that are missing or too short come with the code for any failure. */
static bool is_about_weights(const char *text)
{
    static const char *const signs[] = { "external data", "external initializer" };

    return contains_any(text, signs, IMS_ARRAY_LEN(signs));
}

static ims_status status_of(int code, const char *text, ims_status otherwise)
{
    if (is_out_of_memory(text))
        return IMS_E_NOMEM;
    if (is_about_weights(text))
        return IMS_E_MODEL;
    switch (code) {
    case ORT_NO_SUCH_FILE:
        return IMS_E_NOT_FOUND;
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
    case ORT_NOT_IMPLEMENTED:
        return IMS_E_MODEL;
    case ORT_EP_FAIL:
    case ORT_DEVICE_RESET:
        return IMS_E_DEVICE;
    default:
        return otherwise;
    }
}

/* "... while running Reshape node. Name:'head/reshape' ..." -> "Reshape 'head/reshape': "; returns
 * the length, 0 when no node is named. */
static size_t name_node(const char *message, char *out, size_t size)
{
    static const char before[] = "while running ", between[] = " node. Name:'";
    const char *op = strstr(message, before), *name = strstr(message, between);
    int op_len, name_len, n;

    if (!op || !name || name < op)
        return 0;
    op += strlen(before);
    op_len = name - op > 40 ? 40 : (int)(name - op);
    name += strlen(between);
    name_len = strcspn(name, "'") > 80 ? 80 : (int)strcspn(name, "'");
    n = snprintf(out, size, "%.*s '%.*s': ", op_len, op, name_len, name);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* What matters of a vendor's message: without the "[ONNXRuntimeError] : 1 : FAIL : " in front of
 * the inner message and the place in the source, on one line; of a long one the end, where the
 * cause stands. */
static void extract_message(const char *message, char *out, size_t size)
{
    const char *start = message, *mark = message;
    size_t len = name_node(message, out, size);

    out += len;
    size -= len;

    while ((mark = strstr(mark, "[ONNXRuntimeError] : ")) != NULL) {
        mark += strlen("[ONNXRuntimeError] : ");
        start = mark;
        for (int i = 0; i < 2 && (mark = strstr(mark, " : ")) != NULL; i++)
            start = mark += 3;
        if (!mark)
            break;
    }
    if (len > 0 && (mark = strstr(start, "Status Message: ")) != NULL)
        start = mark + strlen("Status Message: ");
    if (*start == '/' && (mark = strstr(start, ".cc:")) != NULL &&
        (mark = strchr(mark, ' ')) != NULL)
        start = mark + 1;
    if ((mark = strstr(start, " was false. ")) != NULL)
        start = mark + strlen(" was false. ");
    len = strlen(start);
    if (len < size)
        memcpy(out, start, len + 1);
    else
        snprintf(out, size, "...%s", start + len - (size - 4));
    for (char *c = out; *c; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    for (len = strlen(out); len > 0 && out[len - 1] == ' '; len--)
        out[len - 1] = '\0';
}

ims_status ims__ort_fail(const struct ort_runtime *rt, ort_status *status, ims_status otherwise,
                         ims_err *err, const char *fmt, ...)
{
    char what[160], text[320];
    ims_status st;
    va_list args;
    int code;

    if (!status)
        return IMS_OK;
    code = rt->api.GetErrorCode(status);
    st = status_of(code, rt->api.GetErrorMessage(status), otherwise);
    extract_message(rt->api.GetErrorMessage(status), text, sizeof(text));
    rt->api.ReleaseStatus(status);
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return ims_fail(err, st, "ort", code, "%s: %s", what, text);
}

/* Copies the functions that this version has out of the library's table. */
static void bind_api(struct ort_api *api, const void *table, unsigned minor)
{
    void (*const *slots)(void) = (void (*const *)(void))table;

#define X(slot, since, name, result, params)                                                       \
    if (minor >= (since))                                                                          \
        api->name = (result(*) params)slots[slot];
    ORT_FUNCTIONS(X)
#undef X
}

static ims_status start(struct ort_runtime *rt, const struct ort_library *lib, ims_err *err)
{
    /* The version asked for only guards against a number the library does not know. */
    const void *table = lib->base->GetApi(lib->minor);
    ims_status st;

    if (!table)
        return ims_fail(err, IMS_E_RUNTIME, "ort", 0, "%.300s refuses its own version %s",
                        lib->path, lib->version);
    bind_api(&rt->api, table, lib->minor);
    st = ims__ort_fail(rt,
                       rt->api.CreateEnvWithCustomLogger(ims__ort_log_write, &rt->log,
                                                         ORT_LOG_WARNING, "imgsearch", &rt->env),
                       IMS_E_RUNTIME, err, "starting the inference runtime");
    if (!st)
        st = ims__ort_fail(rt, rt->api.DisableTelemetryEvents(rt->env), IMS_E_RUNTIME, err,
                           "switching telemetry off");
    if (!st)
        st = ims__ort_fail(
            rt,
            rt->api.CreateCpuMemoryInfo(ORT_ALLOCATOR_ARENA, ORT_MEMORY_DEFAULT, &rt->cpu_memory),
            IMS_E_RUNTIME, err, "describing memory");
    if (!st)
        st = ims__ort_fail(rt, rt->api.GetAllocatorWithDefaultOptions(&rt->allocator),
                           IMS_E_RUNTIME, err, "asking for the allocator");
    return st;
}

static void free_runtime(struct ort_runtime *rt)
{
    if (rt->cpu_memory)
        rt->api.ReleaseMemoryInfo(rt->cpu_memory);
    if (rt->env)
        rt->api.ReleaseEnv(rt->env);
    ims__lock_release(&rt->log.lock);
    ims__free(rt);
}

static ims_status new_runtime(struct ort_runtime **out, const struct ort_library *lib, ims_err *err)
{
    struct ort_runtime *rt = ims__zalloc(1, sizeof(*rt));
    ims_status st;

    if (!rt || ims__lock_init(&rt->log.lock) != IMS_OK) {
        ims__free(rt);
        return ims_fail(err, IMS_E_NOMEM, "ort", 0, "allocating the runtime");
    }
    rt->library = lib->handle;
    rt->minor = lib->minor;
    memcpy(rt->version, lib->version, sizeof(rt->version));
    memcpy(rt->path, lib->path, sizeof(rt->path));
    memcpy(rt->origin, lib->origin, sizeof(rt->origin));
    st = start(rt, lib, err);
    if (st) {
        free_runtime(rt);
        return st;
    }
    *out = rt;
    return IMS_OK;
}

ims_status ims__ort_runtime_ref(struct ort_runtime **out, const char *path, ims_err *err)
{
    struct ort_runtime *rt;
    struct ort_library lib;
    ims_status st = ims__ort_find(&lib, path, err);

    if (st)
        return st;
    pthread_mutex_lock(&runtimes_lock);
    for (rt = runtimes; rt && rt->library != lib.handle; rt = rt->next)
        ;
    if (!rt) {
        st = new_runtime(&rt, &lib, err);
        if (!st) {
            rt->next = runtimes;
            runtimes = rt;
        }
    }
    if (!st) {
        rt->n_refs++;
        *out = rt;
    }
    pthread_mutex_unlock(&runtimes_lock);
    return st;
}

void ims__ort_runtime_unref(struct ort_runtime *rt)
{
    if (!rt)
        return;
    pthread_mutex_lock(&runtimes_lock);
    if (--rt->n_refs == 0) {
        struct ort_runtime **link = &runtimes;

        while (*link != rt)
            link = &(*link)->next;
        *link = rt->next;
        free_runtime(rt);
    }
    pthread_mutex_unlock(&runtimes_lock);
}
