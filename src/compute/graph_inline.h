/* Weights from files into the graph itself, for providers that take a graph in memory only when it is
 * whole. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_GRAPH_INLINE_H
#define IMS_COMPUTE_GRAPH_INLINE_H

#include "base/buf.h"
#include "ims/status.h"

#include <stddef.h>

/* Copies an ONNX model with every initializer of its main graph whose data lies in a file of the folder
 * dir made one that carries its data. Everything else is copied as it is. out: ims__buf_release, also
 * after a failure. Errors: IMS_E_MODEL (no such message, no such file or bytes in it, a name that leaves
 * the folder), IMS_E_LIMIT (the result would have 2 GiB or more, which a message cannot), IMS_E_NOMEM. */
ims_status ims__graph_inline(const void *bytes, size_t n, const char *dir, struct ims_buf *out,
                             ims_err *err) IMS_MUST_CHECK;

#endif
