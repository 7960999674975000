/* Tests of how --device, DEVICE, PYTORCH_DEVICE, FORCE_CPU and ONNX_PROVIDERS are read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

/* "flag|device|pytorch|force|providers" -> what was understood, as one line. */
struct row {
    struct ims_device_settings s;
    const char *want; /* "auto from auto", "cuda:1 from DEVICE", "error: part of the text" */
    size_t n_notes;
};

static void describe(const struct ims_device_request *r, char *out, size_t size)
{
    size_t n = 0;
    char name[IMS_DEVICE_NAME_BYTES];

    if (r->is_auto)
        n = (size_t)snprintf(out, size, "auto");
    if (r->is_cuda_all)
        n = (size_t)snprintf(out, size, "cuda:all");
    for (size_t i = 0; i < r->n_ids; i++) {
        ims_device_id_name(r->ids[i], name);
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "," : "", name);
    }
    n += (size_t)snprintf(out + n, size - n, " from %s", ims_device_source_name(r->source));
    for (size_t i = 0; i < r->n_allowed; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "," : " of ",
                              ims_device_kind_name(r->allowed[i]));
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ims_device_request r;
        ims_err err = { .text = "" };
        char got[256];
        ims_status st = ims_device_request_read(&r, &rows[i].s, &err);

        test_note("row %zu: %s", i, rows[i].want);
        if (strncmp(rows[i].want, "error: ", 7) == 0) {
            CHECK_STATUS(st, rows[i].s.flag ? IMS_E_USAGE : IMS_E_CONFIG, err);
            if (!strstr(err.text, rows[i].want + 7))
                test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text,
                          rows[i].want + 7);
            continue;
        }
        CHECK_OK(st, err);
        describe(&r, got, sizeof(got));
        CHECK_STR(got, rows[i].want);
        CHECK_INT(r.notes.n, rows[i].n_notes);
    }
}

TEST(names, "every device name is read, mps as Core ML")
{
    static const struct row rows[] = {
        { { .device = "cpu" }, "cpu from DEVICE", 0 },
        { { .device = "cuda" }, "cuda:0 from DEVICE", 0 },
        { { .device = "cuda:0" }, "cuda:0 from DEVICE", 0 },
        { { .device = "cuda:12" }, "cuda:12 from DEVICE", 0 },
        { { .device = "mps" }, "coreml from DEVICE", 0 },
        { { .device = "coreml" }, "coreml from DEVICE", 0 },
        { { .device = "webgpu" }, "webgpu from DEVICE", 0 },
        { { .device = "openvino" }, "openvino from DEVICE", 0 },
        { { .device = "tensorrt" }, "tensorrt from DEVICE", 0 },
        { { .device = "migraphx" }, "migraphx from DEVICE", 0 },
        { { .device = "cuda:0,cuda:1" }, "cuda:0,cuda:1 from DEVICE", 0 },
        { { .device = "cuda:1,cpu" }, "cuda:1,cpu from DEVICE", 0 },
        { { .device = "cpu,cpu,cpu" }, "cpu,cpu:1,cpu:2 from DEVICE", 0 },
        { { .device = "cuda:0,cpu,cpu" }, "cuda:0,cpu,cpu:1 from DEVICE", 0 },
        { { .device = "cuda:all" }, "cuda:all from DEVICE", 0 },
        { { .flag = "cuda:3" }, "cuda:3 from --device", 0 },
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(refusals, "D-O10: a name that is none is refused, and the message says which are valid")
{
    static const struct row rows[] = {
        { { .device = "gpu" },
          "error: Invalid DEVICE 'gpu': valid are auto, cpu, cuda, cuda:N, mps",
          0 },
        { { .device = "CUDA" }, "error: Invalid DEVICE 'CUDA'", 0 },
        { { .device = "cpuxyz" }, "error: Invalid DEVICE 'cpuxyz'", 0 },
        { { .device = "cudafoo" }, "error: Invalid DEVICE 'cudafoo'", 0 },
        { { .device = "cuda:-1" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:x" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:+1" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda: 1" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:1x" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:99999999999999999999" }, "error: Invalid CUDA device ID", 0 },
        { { .device = " cpu" }, "error: Invalid DEVICE", 0 },
        { { .device = "cuda:0,cuda:0" }, "error: named twice", 0 },
        { { .device = "cuda,cuda:0" }, "error: named twice", 0 },
        { { .device = "webgpu,webgpu" }, "error: named twice", 0 },
        { { .device = "cuda:0,auto" }, "error: valid are", 0 },
        { { .device = "cuda:0,cuda:all" }, "error: Invalid CUDA device ID", 0 },
        { { .device = "cuda:0," }, "error: valid are", 0 },
        { { .device = "," }, "error: valid are", 0 },
        { { .device = "c\033[31m" }, "error: 'c?[31m'", 0 },
        { { .flag = "gpu" }, "error: Invalid --device 'gpu'", 0 },
        { { .flag = "gpu", .device = "cpu" }, "error: Invalid --device 'gpu'", 0 },
        { { .pytorch_device = "rocm" }, "error: Invalid PYTORCH_DEVICE 'rocm'", 0 },
        { { .force_cpu = "maybe" }, "error: Invalid FORCE_CPU 'maybe'", 0 },
        { { .device = "cpu", .force_cpu = "2" }, "error: Invalid FORCE_CPU '2'", 0 },
        { { .onnx_providers = "CUDA" }, "error: Invalid ONNX_PROVIDERS entry 'CUDA'", 0 },
        { { .onnx_providers = "CPUExecutionProvider,," }, "error: ONNX_PROVIDERS entry ''", 0 },
        { { .onnx_providers = "AzureExecutionProvider" }, "error: names no provider", 0 },
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(precedence, "the flag wins over DEVICE, DEVICE over PYTORCH_DEVICE, that over FORCE_CPU")
{
    static const struct row rows[] = {
        { { 0 }, "auto from auto", 0 },
        { { .flag = "", .device = "", .pytorch_device = "", .force_cpu = "", .onnx_providers = "" },
          "auto from auto",
          0 },
        { { .device = "auto" }, "auto from auto", 0 },
        { { .device = "AUTO" }, "auto from auto", 0 },
        { { .flag = "cpu", .device = "cuda" }, "cpu from --device", 0 },
        { { .flag = "auto", .device = "cuda" }, "auto from --device", 0 },
        { { .flag = "auto", .force_cpu = "1" }, "cpu from FORCE_CPU", 0 },
        { { .device = "auto", .pytorch_device = "mps" }, "coreml from PYTORCH_DEVICE", 0 },
        { { .device = "cuda", .pytorch_device = "cuda" }, "cuda:0 from DEVICE", 0 },
        { { .device = "cuda", .pytorch_device = "mps" }, "cuda:0 from DEVICE", 1 },
        { { .pytorch_device = "auto", .force_cpu = "yes" }, "cpu from FORCE_CPU", 0 },
        { { .force_cpu = "true" }, "cpu from FORCE_CPU", 0 },
        { { .force_cpu = "TRUE" }, "cpu from FORCE_CPU", 0 },
        { { .force_cpu = "Yes" }, "cpu from FORCE_CPU", 0 },
        { { .force_cpu = "0" }, "auto from auto", 0 },
        { { .force_cpu = "false" }, "auto from auto", 0 },
        { { .device = "cuda", .force_cpu = "true" }, "cuda:0 from DEVICE", 1 },
        { { .device = "cpu", .force_cpu = "true" }, "cpu from DEVICE", 0 },
        { { .flag = "webgpu", .force_cpu = "1" }, "webgpu from --device", 1 },
        { { .pytorch_device = "cuda:1", .force_cpu = "1" }, "cuda:1 from PYTORCH_DEVICE", 1 },
        { { .device = "cuda:all", .force_cpu = "1" }, "cuda:all from DEVICE", 1 },
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(providers, "ONNX_PROVIDERS is read in order, and what is of no use here is noted")
{
    static const struct row rows[] = {
        { { .onnx_providers = "CPUExecutionProvider" }, "auto from auto of cpu", 0 },
        { { .onnx_providers = "CUDAExecutionProvider,CPUExecutionProvider" },
          "auto from auto of cuda,cpu",
          0 },
        { { .onnx_providers = " CoreMLExecutionProvider , CPUExecutionProvider " },
          "auto from auto of coreml,cpu",
          0 },
        { { .onnx_providers = "CPUExecutionProvider,CPUExecutionProvider" },
          "auto from auto of cpu",
          0 },
        { { .onnx_providers = "DmlExecutionProvider,WebGpuExecutionProvider" },
          "auto from auto of webgpu",
          1 },
        { { .device = "cuda:1",
            .onnx_providers = "TensorrtExecutionProvider,CUDAExecutionProvider" },
          "cuda:1 from DEVICE of tensorrt,cuda",
          0 },
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(warning_text, "DEVICE against FORCE_CPU gives a warning that names both")
{
    struct ims_device_settings s = { .device = "cuda", .force_cpu = "true" };
    struct ims_device_request r;
    ims_err err = { .text = "" };

    CHECK_OK(ims_device_request_read(&r, &s, &err), err);
    CHECK(r.notes.at[0].is_warning);
    CHECK_STR(r.notes.at[0].text, "DEVICE=cuda wins over FORCE_CPU");
}

TEST(untouched, "a refused request leaves the output as it was")
{
    struct ims_device_settings s = { .device = "gpu" };
    struct ims_device_request r;
    ims_err err = { .text = "" };

    memset(&r, 0x5a, sizeof(r));
    CHECK_STATUS(ims_device_request_read(&r, &s, &err), IMS_E_CONFIG, err);
    CHECK_INT(((unsigned char *)&r)[0], 0x5a);
    CHECK_INT(((unsigned char *)&r)[sizeof(r) - 1], 0x5a);
}

TEST_MAIN
