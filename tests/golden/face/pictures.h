/* The pictures that make.py draws from a counter.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_GOLDEN_FACE_PICTURES_H
#define IMS_TESTS_GOLDEN_FACE_PICTURES_H

#include <stdint.h>

/* splitmix64, as mix() of make.py. */
uint64_t mix_test_number(uint64_t seed, uint64_t index);
/* Packed RGB; kind "noise", "blocks" or "mixed"; ims__free. */
uint8_t *draw_test_picture(const char *kind, uint64_t seed, int width, int height);

#endif
