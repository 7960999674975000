/* How exactly a model computes: the type of its weights and of its large products.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_PRECISION_H
#define IMS_COMPUTE_PRECISION_H

#include <stdbool.h>

/* Vectors of different precision are different spaces: they are never compared with each other. */
typedef enum ims_precision {
    IMS_PRECISION_FP32,
    IMS_PRECISION_FP16, /* weights and products are halves; norms, softmax and sums along are not */
    IMS_PRECISION_INT8, /* weights of 8 bits with a scale per output channel, activations rounded to
                           8 bits as they come; the rest is float */
    IMS_PRECISION_AUTO  /* only as a wish: the fastest one that was measured to agree with fp32 */
} ims_precision;
#define IMS_N_PRECISIONS 3 /* that a model can have */

const char *ims_precision_name(ims_precision p); /* "fp32", "fp16", "int8", "auto" */
/* The same names; NULL and "" are fp32. false: it is none of them. */
bool ims_precision_read(const char *text, ims_precision *out);

#endif
