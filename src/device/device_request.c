/* Reads what was asked for: --device, DEVICE, PYTORCH_DEVICE, FORCE_CPU and ONNX_PROVIDERS.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define VALID_NAMES                                                                                \
    "valid are auto, cpu, cuda, cuda:N, mps, coreml, webgpu, openvino, tensorrt, migraphx, a "     \
    "list like cuda:0,cuda:1 and cuda:all"

/* Provider names of the runtime that this program has no use for: they are passed over, not
 * refused, because a list may be shared with other programs. */
static const char *const foreign_providers[] = {
    "DmlExecutionProvider",   "ROCMExecutionProvider",          "XnnpackExecutionProvider",
    "QNNExecutionProvider",   "NvTensorRTRTXExecutionProvider", "DnnlExecutionProvider",
    "AzureExecutionProvider", "VitisAIExecutionProvider",       "ACLExecutionProvider",
    "CANNExecutionProvider",  "NnapiExecutionProvider",         "SNPEExecutionProvider",
    "JsExecutionProvider",    "WebNNExecutionProvider",         "RknpuExecutionProvider",
};

static bool is_set(const char *s)
{
    return s && *s;
}

static bool is_auto(const char *s)
{
    return ims__strcasecmp_ascii(s, "auto") == 0;
}

static ims_status refuse(ims_device_source source, const char *value, const char *why, ims_err *err)
{
    char clean[64];

    return ims_fail(err, source == IMS_DEVICE_FROM_FLAG ? IMS_E_USAGE : IMS_E_CONFIG, "device", 0,
                    "Invalid %s '%s': %s", ims_device_source_name(source),
                    ims__device_clean(value, clean, sizeof(clean)), why);
}

/* "3" -> 3: digits only, so neither a sign nor a space passes. */
static bool read_index(const char *s, size_t n, unsigned *out)
{
    unsigned value = 0;

    if (n == 0 || n > 4)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        value = value * 10 + (unsigned)(s[i] - '0');
    }
    *out = value;
    return true;
}

/* One name of a list. Returns NULL and fills *out, or says what is wrong. */
static const char *read_name(const char *s, size_t n, struct ims_device_id *out)
{
    static const struct {
        const char *name;
        ims_device_kind kind;
    } names[] = {
        { "cpu", IMS_DEVICE_CPU },           { "cuda", IMS_DEVICE_CUDA },
        { "mps", IMS_DEVICE_COREML },        { "coreml", IMS_DEVICE_COREML },
        { "webgpu", IMS_DEVICE_WEBGPU },     { "openvino", IMS_DEVICE_OPENVINO },
        { "tensorrt", IMS_DEVICE_TENSORRT }, { "migraphx", IMS_DEVICE_MIGRAPHX },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].name) == n && memcmp(s, names[i].name, n) == 0) {
            *out = (struct ims_device_id){ names[i].kind, 0 };
            return NULL;
        }
    }
    if (n >= 5 && memcmp(s, "cuda:", 5) == 0) {
        unsigned index;

        if (!read_index(s + 5, n - 5, &index))
            return "Invalid CUDA device ID; it is a number, as in cuda:0";
        *out = (struct ims_device_id){ IMS_DEVICE_CUDA, index };
        return NULL;
    }
    return VALID_NAMES;
}

static ims_status read_devices(struct ims_device_request *r, ims_device_source source,
                               const char *text, ims_err *err)
{
    r->source = source;
    ims__device_clean(text, r->asked, sizeof(r->asked));
    if (strcmp(text, "cuda:all") == 0) {
        r->is_cuda_all = true;
        return IMS_OK;
    }
    for (const char *s = text;;) {
        size_t n = strcspn(s, ",");
        struct ims_device_id id;
        const char *why = read_name(s, n, &id);

        if (why)
            return refuse(source, text, why, err);
        for (size_t i = 0; i < r->n_ids; i++) {
            if (!ims_device_id_equal(r->ids[i], id))
                continue;
            if (id.kind != IMS_DEVICE_CPU)
                return refuse(source, text, "a device is named twice", err);
            id.index++;
        }
        if (r->n_ids == IMS_MAX_DEVICES)
            return refuse(source, text, "too many devices", err);
        r->ids[r->n_ids++] = id;
        if (s[n] == '\0')
            return IMS_OK;
        s += n + 1;
    }
}

static ims_status read_force_cpu(const char *text, bool *out, ims_err *err)
{
    *out = false;
    if (!is_set(text) || ims__parse_bool(text, out))
        return IMS_OK;
    return refuse(IMS_DEVICE_FROM_FORCE_CPU, text, "it is true, 1 or yes, or else false, 0 or no",
                  err);
}

static bool is_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof(foreign_providers) / sizeof(foreign_providers[0]); i++) {
        if (strcmp(name, foreign_providers[i]) == 0)
            return true;
    }
    return false;
}

static ims_status add_provider(struct ims_device_request *r, const char *name, ims_err *err)
{
    ims_device_kind kind;
    char clean[64];

    if (is_foreign(name)) {
        ims__device_note(&r->notes, true, "ONNX_PROVIDERS: %s is not used by this program", name);
        return IMS_OK;
    }
    if (!ims_device_kind_from_provider(name, &kind))
        return ims_fail(
            err, IMS_E_CONFIG, "device", 0,
            "Invalid ONNX_PROVIDERS entry '%s': valid are CPUExecutionProvider, "
            "CUDAExecutionProvider, TensorrtExecutionProvider, CoreMLExecutionProvider, "
            "WebGpuExecutionProvider, OpenVINOExecutionProvider, "
            "MIGraphXExecutionProvider",
            ims__device_clean(name, clean, sizeof(clean)));
    for (size_t i = 0; i < r->n_allowed; i++) {
        if (r->allowed[i] == kind)
            return IMS_OK;
    }
    r->allowed[r->n_allowed++] = kind;
    return IMS_OK;
}

static ims_status read_providers(struct ims_device_request *r, const char *text, ims_err *err)
{
    if (!is_set(text))
        return IMS_OK;
    r->has_permission = true;
    for (const char *s = text;;) {
        char name[64];
        size_t n = strcspn(s, ","), from = 0, len = n;
        ims_status st;

        while (from < len && s[from] == ' ')
            from++;
        while (len > from && s[len - 1] == ' ')
            len--;
        snprintf(name, sizeof(name), "%.*s", (int)(len - from), s + from);
        st = add_provider(r, name, err);
        if (st)
            return st;
        if (s[n] == '\0')
            break;
        s += n + 1;
    }
    if (r->n_allowed == 0)
        return ims_fail(err, IMS_E_CONFIG, "device", 0,
                        "ONNX_PROVIDERS names no provider that this program uses");
    return IMS_OK;
}

/* The order of precedence; tells which setting decides, and what it overrules. */
static ims_status read_source(struct ims_device_request *r, const struct ims_device_settings *s,
                              bool force_cpu, ims_err *err)
{
    const char *text = NULL;
    ims_device_source source = IMS_DEVICE_FROM_AUTO;

    if (is_set(s->flag)) {
        source = IMS_DEVICE_FROM_FLAG;
        text = s->flag;
    } else if (is_set(s->device) && !is_auto(s->device)) {
        source = IMS_DEVICE_FROM_DEVICE;
        text = s->device;
    } else if (is_set(s->pytorch_device) && !is_auto(s->pytorch_device)) {
        source = IMS_DEVICE_FROM_PYTORCH_DEVICE;
        text = s->pytorch_device;
    }
    if (text && !is_auto(text)) {
        ims_status st = read_devices(r, source, text, err);

        if (st)
            return st;
        if (force_cpu && !(r->n_ids == 1 && r->ids[0].kind == IMS_DEVICE_CPU))
            ims__device_note(&r->notes, true, "%s=%s wins over FORCE_CPU",
                             ims_device_source_name(source), r->asked);
        return IMS_OK;
    }
    if (force_cpu) {
        r->source = IMS_DEVICE_FROM_FORCE_CPU;
        snprintf(r->asked, sizeof(r->asked), "cpu");
        r->n_ids = 1; /* ids[0] is the CPU: zero */
        return IMS_OK;
    }
    r->source = source;
    r->is_auto = true;
    snprintf(r->asked, sizeof(r->asked), "auto");
    return IMS_OK;
}

ims_status ims_device_request_read(struct ims_device_request *out,
                                   const struct ims_device_settings *settings, ims_err *err)
{
    struct ims_device_request r = { .source = IMS_DEVICE_FROM_AUTO };
    bool force_cpu;
    ims_status st;

    st = read_force_cpu(settings->force_cpu, &force_cpu, err);
    if (!st)
        st = read_source(&r, settings, force_cpu, err);
    if (!st)
        st = read_providers(&r, settings->onnx_providers, err);
    if (st)
        return st;
    if (r.source == IMS_DEVICE_FROM_DEVICE && is_set(settings->pytorch_device) &&
        !is_auto(settings->pytorch_device) &&
        strcmp(settings->device, settings->pytorch_device) != 0)
        ims__device_note(&r.notes, true, "DEVICE=%s wins over PYTORCH_DEVICE", r.asked);
    *out = r;
    return IMS_OK;
}
