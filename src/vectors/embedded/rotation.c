/* Random rotations by signs and Hadamard transforms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/rotation.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>

#define ROUNDS 2

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool ims__rotation_init(struct ims_rotation *r, uint32_t dim, uint64_t seed)
{
    uint64_t bits = 0;
    float factor;

    *r = (struct ims_rotation){ .dim = dim, .power = 1 };
    while (r->power <= dim / 2)
        r->power *= 2;
    factor = (float)(1.0 / sqrt((double)r->power));
    r->signs = ims__alloc((size_t)ROUNDS * dim, sizeof(float));
    if (!r->signs)
        return false;
    for (size_t i = 0; i < (size_t)ROUNDS * dim; i++) {
        float size = i % dim < r->power ? factor : 1.0f;

        if (i % 64 == 0)
            bits = next_random(&seed);
        r->signs[i] = bits >> i % 64 & 1 ? size : -size;
    }
    return true;
}

void ims__rotation_release(struct ims_rotation *r)
{
    ims__free(r->signs);
    *r = (struct ims_rotation){ 0 };
}

void ims__rotate(const struct ims_rotation *r, const float *in, float *out)
{
    const struct ims_kernels *k = ims__kernels();
    uint32_t rest = r->dim - r->power;

    for (size_t round = 0; round < ROUNDS; round++) {
        const float *signs = r->signs + round * r->dim;

        k->mul_f32(in, signs, out, r->dim);
        k->hadamard_f32(out, r->power);
        if (rest) {
            float factor = fabsf(signs[0]);

            for (uint32_t i = rest; i < r->dim; i++)
                out[i] *= factor;
            k->hadamard_f32(out + rest, r->power);
        }
        in = out;
    }
}
