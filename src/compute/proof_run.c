/* Runs the test graph on a device and judges the numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"
#include "compute/proof_graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE_MS 120000      /* of the run, where the settings give none */
#define OPEN_DEADLINE_MS 300000 /* some providers compile even so small a graph */

static void reject(struct ims_device_proof *out, const char *text)
{
    out->state = IMS_PROOF_FAILED;
    snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(out->text) - 1, text);
}

/* Runs it; status of the device, not of the proof. */
static ims_status run_graph(struct ims_compute_session *s, const float *x, float *y, ims_err *err)
{
    static const int64_t in_shape[] = { IMS_PROOF_BATCH, 3, 8, 8 };
    static const int64_t out_shape[] = { IMS_PROOF_BATCH, IMS_PROOF_OUTPUT };
    struct ims_compute_value in = {
        .tensor = ims_tensor_view(IMS_DTYPE_F32, 4, in_shape, (void *)x,
                                  IMS_PROOF_BATCH * IMS_PROOF_INPUT * sizeof(float)),
    };
    struct ims_compute_value out = {
        .tensor = ims_tensor_view(IMS_DTYPE_F32, 2, out_shape, y,
                                  IMS_PROOF_BATCH * IMS_PROOF_OUTPUT * sizeof(float)),
    };

    return ims_compute_session_run(s, &in, 1, &out, 1, err);
}

/* The largest difference to the expected numbers; infinite when a number is none. */
static double worst_difference(const float *x, const float *y)
{
    double expected[IMS_PROOF_BATCH * IMS_PROOF_OUTPUT], worst = 0;

    ims__proof_expected(x, IMS_PROOF_BATCH, expected);
    for (size_t i = 0; i < IMS_PROOF_BATCH * IMS_PROOF_OUTPUT; i++) {
        double difference = fabs((double)y[i] - expected[i]);

        if (!isfinite(difference))
            return HUGE_VAL;
        if (difference > worst)
            worst = difference;
    }
    return worst;
}

static void judge_numbers(struct ims_device_id id, const float *x, const float *y,
                          struct ims_device_proof *out)
{
    double worst = worst_difference(x, y), tolerance = ims__proof_tolerance(id.kind);
    char text[IMS_DEVICE_TEXT_BYTES];

    if (worst > tolerance) {
        snprintf(text, sizeof(text), "the test graph gave wrong numbers: off by %.3g, allowed %.3g",
                 worst, tolerance);
        reject(out, text);
        return;
    }
    out->state = IMS_PROOF_PASSED;
    snprintf(out->text, sizeof(out->text), "the test graph is right to %.2g", worst);
}

/* A provider that takes none of the nodes would pass on the CPU's work. */
static bool took_part(const struct ims_compute_session *s)
{
    struct ims_compute_report report;

    ims_compute_session_report(s, &report);
    for (size_t i = 0; i < report.n_shares; i++) {
        if (strcmp(report.shares[i].provider, report.provider) == 0 && report.shares[i].n_nodes > 0)
            return true;
    }
    return !report.is_assignment_known;
}

ims_status ims__proof_run(struct ims_compute *c, struct ims_device_id id,
                          struct ims_device_proof *out, ims_err *err)
{
    struct ims_compute_dim fixed = { "batch", IMS_PROOF_BATCH };
    struct ims_compute_session_options options = {
        .label = "test graph",
        .device = &id,
        .n_threads = 1,
        .dims = &fixed,
        .n_dims = 1,
        .is_shape_fixed = true,
        .run_timeout_ms = c->deadline_ms ? c->deadline_ms : DEADLINE_MS,
        .open_timeout_ms = OPEN_DEADLINE_MS,
    };
    float x[IMS_PROOF_BATCH * IMS_PROOF_INPUT], y[IMS_PROOF_BATCH * IMS_PROOF_OUTPUT];
    struct ims_compute_session *s = NULL;
    struct ims_compute_graph graph = { .bytes = NULL };
    struct ims_buf bytes;
    ims_err why = { .text = "" };
    ims_status st;

    st = ims__proof_graph(&bytes, err);
    if (st)
        return st;
    graph.bytes = bytes.data;
    graph.n_bytes = bytes.len;
    ims__proof_input(x, IMS_PROOF_BATCH);
    st = ims__compute_session_open_on(c, &s, &graph, &options, &why);
    if (!st && !took_part(s))
        reject(out, "the provider took no node of the test graph");
    else if (!st)
        st = run_graph(s, x, y, &why);
    if (st)
        reject(out, why.text);
    else if (out->state != IMS_PROOF_FAILED)
        judge_numbers(id, x, y, out);
    if (st) /* the device may be in any state */
        ims_compute_session_discard(s);
    else
        ims_compute_session_close(s);
    ims__buf_release(&bytes);
    return IMS_OK;
}
