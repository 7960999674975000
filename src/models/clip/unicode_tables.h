/* The generated character tables behind unicode.c. Private to it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_UNICODE_TABLES_H
#define IMS_MODELS_CLIP_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t ims__unicode_ascii[128];

extern const uint32_t ims__unicode_runs[]; /* ascending; covers 0 .. 0x10FFFF */
extern const size_t ims__unicode_n_runs;

/* Every stride-th code point of first .. last has its lower case delta away. */
struct ims__unicode_lower_range {
    uint32_t first;
    uint32_t last;
    uint8_t stride;
    int32_t delta;
};
extern const struct ims__unicode_lower_range ims__unicode_lower_ranges[];
extern const size_t ims__unicode_n_lower_ranges;

struct ims__unicode_fix {
    uint32_t cp;
    uint16_t to[3]; /* 0 ends a shorter replacement */
};
extern const struct ims__unicode_fix ims__unicode_fixes[];
extern const size_t ims__unicode_n_fixes;

#endif
