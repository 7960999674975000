/* Names of device kinds and devices, and small helpers for messages.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kind_row {
    const char *name;
    const char *provider;
};

static const struct kind_row kinds[IMS_DEVICE_KINDS] = {
    [IMS_DEVICE_CPU] = { "cpu", "CPUExecutionProvider" },
    [IMS_DEVICE_CUDA] = { "cuda", "CUDAExecutionProvider" },
    [IMS_DEVICE_TENSORRT] = { "tensorrt", "TensorrtExecutionProvider" },
    [IMS_DEVICE_COREML] = { "coreml", "CoreMLExecutionProvider" },
    [IMS_DEVICE_WEBGPU] = { "webgpu", "WebGpuExecutionProvider" },
    [IMS_DEVICE_OPENVINO] = { "openvino", "OpenVINOExecutionProvider" },
    [IMS_DEVICE_MIGRAPHX] = { "migraphx", "MIGraphXExecutionProvider" },
};

static const char *const source_names[] = {
    [IMS_DEVICE_FROM_AUTO] = "auto",           [IMS_DEVICE_FROM_FLAG] = "--device",
    [IMS_DEVICE_FROM_DEVICE] = "DEVICE",       [IMS_DEVICE_FROM_PYTORCH_DEVICE] = "PYTORCH_DEVICE",
    [IMS_DEVICE_FROM_FORCE_CPU] = "FORCE_CPU",
};

bool ims_device_id_equal(struct ims_device_id a, struct ims_device_id b)
{
    return a.kind == b.kind && a.index == b.index;
}

void ims_device_id_name(struct ims_device_id id, char out[IMS_DEVICE_NAME_BYTES])
{
    if (id.kind == IMS_DEVICE_CUDA || id.index > 0)
        snprintf(out, IMS_DEVICE_NAME_BYTES, "%s:%u", ims_device_kind_name(id.kind), id.index);
    else
        snprintf(out, IMS_DEVICE_NAME_BYTES, "%s", ims_device_kind_name(id.kind));
}

const char *ims_device_kind_name(ims_device_kind kind)
{
    return (unsigned)kind < IMS_DEVICE_KINDS ? kinds[kind].name : "unknown";
}

const char *ims_device_kind_provider(ims_device_kind kind)
{
    return (unsigned)kind < IMS_DEVICE_KINDS ? kinds[kind].provider : "unknown";
}

bool ims_device_kind_from_provider(const char *provider, ims_device_kind *out)
{
    for (unsigned i = 0; i < IMS_DEVICE_KINDS; i++) {
        if (strcmp(provider, kinds[i].provider) == 0) {
            *out = (ims_device_kind)i;
            return true;
        }
    }
    return false;
}

const char *ims_device_source_name(ims_device_source source)
{
    return (size_t)source < sizeof(source_names) / sizeof(source_names[0]) ? source_names[source]
                                                                           : "unknown";
}

void ims__device_note(struct ims_device_notes *notes, bool is_warning, const char *fmt, ...)
{
    struct ims_device_note *note;
    va_list args;

    if (notes->n == IMS_MAX_DEVICE_NOTES) {
        note = &notes->at[IMS_MAX_DEVICE_NOTES - 1];
        note->is_warning = true;
        snprintf(note->text, sizeof(note->text), "there is more to say than fits here");
        return;
    }
    note = &notes->at[notes->n++];
    note->is_warning = is_warning;
    va_start(args, fmt);
    vsnprintf(note->text, sizeof(note->text), fmt, args);
    va_end(args);
}

char *ims__device_clean(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; text[n] && n + 1 < size; n++)
        out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
    out[n] = '\0';
    return out;
}
