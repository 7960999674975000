/* The test graph with which a device proves that it computes, and what it must give.
 *
 * x[batch,3,8,8] -> patch convolution (16 of 4x4, stride 4) -> flatten -> matrix 64x32 + bias ->
 * quick GELU -> matrix 32x8 -> y[batch,8]: the kinds of operator an image tower is made of. Weights
 * and input come from a counter, the expected numbers from plain loops in double precision.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_PROOF_GRAPH_H
#define IMS_COMPUTE_PROOF_GRAPH_H

#include "base/buf.h"
#include "compute/compute.h"

#define IMS_PROOF_BATCH 3
#define IMS_PROOF_INPUT (3 * 8 * 8)
#define IMS_PROOF_OUTPUT 8

/* The graph as ONNX bytes (ims__buf_release). */
ims_status ims__proof_graph(struct ims_buf *out, ims_err *err) IMS_MUST_CHECK;
void ims__proof_input(float *x, size_t batch);
void ims__proof_expected(const float *x, size_t batch, double *y);
/* The largest |difference| that passes; results lie within about +-2. */
double ims__proof_tolerance(ims_device_kind kind);

/* Runs it on a device and writes the verdict into *out. Used by compute.c with its lock held. */
ims_status ims__proof_run(struct ims_compute *c, struct ims_device_id id,
                          struct ims_device_proof *out, ims_err *err) IMS_MUST_CHECK;

#endif
