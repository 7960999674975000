/* What the files of the bench share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_BENCH_H
#define IMS_ENGINE_BENCH_H

#include "engine/engine_internal.h"

/* n items at once. */
typedef ims_status (*ims__bench_run_fn)(void *arg, size_t n, ims_err *err);

/* The best of several runs, in items a second. */
ims_status ims__bench_rate(ims__bench_run_fn run, void *arg, size_t n, double *out,
                           ims_err *err) IMS_MUST_CHECK;
double ims__bench_ms_since(uint64_t start); /* start: of ims__mono_ns */

/* bench_faces.c. Without face models, or when they do not work on the device, out says why in its note: what was
 * measured of the picture model is worth having without. */
void ims__bench_faces(struct ims_engine *e, const struct ims_bench_options *o, struct ims_bench_faces *out);

#endif
