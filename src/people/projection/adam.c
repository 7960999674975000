/* Adam's step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/adam.h"

#include <math.h>

void ims__adam_step(float *weights, float *first, float *second, const float *gradient, size_t n,
                    double learning_rate, uint64_t step)
{
    const double bias1 = 1.0 - pow(IMS_ADAM_BETA1, (double)step);
    const double bias2 = 1.0 - pow(IMS_ADAM_BETA2, (double)step);
    const float rate = (float)(learning_rate / bias1);
    const float root2 = (float)(1.0 / sqrt(bias2));
    const float b1 = (float)(1.0 - IMS_ADAM_BETA1), b2 = (float)(1.0 - IMS_ADAM_BETA2);

    for (size_t i = 0; i < n; i++) {
        const float g = gradient[i];

        first[i] += b1 * (g - first[i]);
        second[i] += b2 * (g * g - second[i]);
        weights[i] -= rate * first[i] / (sqrtf(second[i]) * root2 + (float)IMS_ADAM_EPSILON);
    }
}
