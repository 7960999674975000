/* Drawing pictures from a counter, sample by sample.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/face/pictures.h"

#include "base/mem.h"
#include "harness/test.h"

uint64_t mix_test_number(uint64_t seed, uint64_t index)
{
    uint64_t state = seed + index * 0x9e3779b97f4a7c15u;

    return test_random(&state);
}

uint8_t *draw_test_picture(const char *kind, uint64_t seed, int width, int height)
{
    uint8_t *pixels = ims__alloc((size_t)width * (size_t)height, 3), *p = pixels;
    const uint64_t w = (uint64_t)width, h = (uint64_t)height;
    const uint64_t side = (w > h ? w : h) / 12 + 1;

    for (uint64_t y = 0; y < h; y++) {
        for (uint64_t x = 0; x < w; x++) {
            for (uint64_t c = 0; c < 3; c++) {
                uint64_t noise = mix_test_number(seed, (y * w + x) * 3 + c) >> 56;
                uint64_t block = mix_test_number(seed, (y / side * 64 + x / side) * 3 + c) >> 56;
                *p++ = (uint8_t)(kind[0] == 'n'   ? noise
                                 : kind[0] == 'b' ? block
                                                  : (3 * block + noise) >> 2);
            }
        }
    }
    return pixels;
}
