/* Adam (Kingma and Ba 2015), as torch.optim.Adam without weight decay computes it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_ADAM_H
#define IMS_PEOPLE_ADAM_H

#include <stddef.h>
#include <stdint.h>

#define IMS_ADAM_BETA1 0.9
#define IMS_ADAM_BETA2 0.999
#define IMS_ADAM_EPSILON 1e-8

/* One step on n weights. first and second are the running means of the gradient and of its square;
 * step counts from 1. */
void ims__adam_step(float *weights, float *first, float *second, const float *gradient, size_t n,
                    double learning_rate, uint64_t step);

#endif
