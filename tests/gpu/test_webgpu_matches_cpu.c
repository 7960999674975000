/* The same tensors through WebGPU and through the CPU, in one process.
 *
 * Tolerance: 1e-5 absolute on results within +-2. Measured over SwiftShader: 2e-7.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "compute/proof_graph.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5

static struct ims_compute_session *open_on(ims_device_kind kind,
                                           const struct ims_compute_graph *graph)
{
    struct ims_device_id id = { kind, 0 };
    struct ims_compute_session_options options = { .label = "compared graph", .device = &id };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };
    ims_status st = ims_compute_session_open(fixture_compute(), &s, graph, &options, &err);

    return test_check_ok(__FILE__, __LINE__, "open", st, &err) ? s : NULL;
}

/* Runs both and returns the largest difference; NaN after a recorded failure. */
static double compare(struct ims_compute_session *a, struct ims_compute_session *b,
                      const struct ims_compute_value *in)
{
    struct ims_compute_value x = { .name = "y" }, y = { .name = "y" };
    ims_err err = { .text = "" };
    double worst = 0;

    if (!test_check_ok(__FILE__, __LINE__, "webgpu", ims_compute_session_run(a, in, 1, &x, 1, &err),
                       &err) ||
        !test_check_ok(__FILE__, __LINE__, "cpu", ims_compute_session_run(b, in, 1, &y, 1, &err),
                       &err) ||
        !test_check_int(__FILE__, __LINE__, "bytes", (long long)x.tensor.bytes,
                        (long long)y.tensor.bytes))
        worst = NAN;
    for (size_t i = 0; !isnan(worst) && i < ims_tensor_count(&x.tensor); i++) {
        double d = fabs((double)((float *)x.tensor.data)[i] - (double)((float *)y.tensor.data)[i]);

        worst = d <= worst ? worst : d;
    }
    ims_tensor_release(&x.tensor);
    ims_tensor_release(&y.tensor);
    return worst;
}

TEST(convolution, "an image tower in small gives the same numbers, for every batch")
{
    struct ims_compute_graph graph = { .bytes = NULL };
    struct ims_compute_session *gpu, *cpu;
    float x[8 * IMS_PROOF_INPUT];
    struct ims_buf bytes;
    ims_err err = { .text = "" };
    double worst = 0;

    CHECK_OK(ims__proof_graph(&bytes, &err), err);
    graph.bytes = bytes.data;
    graph.n_bytes = bytes.len;
    gpu = open_on(IMS_DEVICE_WEBGPU, &graph);
    cpu = open_on(IMS_DEVICE_CPU, &graph);
    ims__buf_release(&bytes);
    CHECK(gpu && cpu);
    ims__proof_input(x, 8);
    for (int64_t batch = 1; batch <= 8; batch++) {
        struct ims_compute_value in = fixture_f32("x", 4, (int64_t[]){ batch, 3, 8, 8 }, x);

        worst = fmax(worst, compare(gpu, cpu, &in));
        CHECK_NEAR(worst, 0, TOLERANCE);
    }
    test_note("largest difference %.2g", worst);
    ims_compute_session_close(gpu);
    ims_compute_session_close(cpu);
}

TEST(chain, "a chain of products gives the same numbers, and every node ran on the device")
{
    struct ims_compute_graph graph = { .path = fixture_graph("chain") };
    struct ims_compute_session *gpu = open_on(IMS_DEVICE_WEBGPU, &graph),
                               *cpu = open_on(IMS_DEVICE_CPU, &graph);
    struct ims_compute_report report;
    float x[5 * 32];
    struct ims_compute_value in;

    CHECK(gpu && cpu);
    for (size_t i = 0; i < 5 * 32; i++)
        x[i] = (float)i / 80.0f - 1;
    in = fixture_f32("x", 2, (int64_t[]){ 5, 32 }, x);
    CHECK_NEAR(compare(gpu, cpu, &in), 0, TOLERANCE);
    ims_compute_session_report(gpu, &report);
    CHECK(report.is_assignment_known);
    CHECK_INT(report.n_shares, 1);
    CHECK_STR(report.shares[0].provider, "WebGpuExecutionProvider");
    CHECK_INT(report.shares[0].n_nodes, 16);
    ims_compute_session_close(gpu);
    ims_compute_session_close(cpu);
}

TEST(no_fallback,
     "a session that may not fall back refuses a graph that the device cannot take wholly")
{
    struct ims_device_id id = { IMS_DEVICE_WEBGPU, 0 };
    struct ims_compute_session_options options = { .label = "all types",
                                                   .device = &id,
                                                   .no_cpu_fallback = true };
    struct ims_compute_graph graph = { .path = fixture_graph("types") };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };

    CHECK(ims_compute_session_open(fixture_compute(), &s, &graph, &options, &err) != IMS_OK);
    test_note("%s", err.text);
    CHECK(s == NULL);
}

int main(int argc, char **argv)
{
    int code = 0;

    return fixture_prepare("webgpu", &code) ? test_main(argc, argv) : code;
}
