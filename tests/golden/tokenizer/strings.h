/* The golden strings of the tokenizers, made as make_golden.py makes them, and the comparison of
 * their ids with the committed hashes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_GOLDEN_TOKENIZER_STRINGS_H
#define IMS_TESTS_GOLDEN_TOKENIZER_STRINGS_H

#include "models/clip/tokenizer.h"

#include <stddef.h>
#include <stdint.h>

#define FNV_START 0xCBF29CE484222325u
uint64_t fnv(uint64_t h, const unsigned char *p, size_t n);

/* Encodes 10,000 strings and compares with the hashes of a file (its path in the source folder).
 * Every fourth string gets the first context length, the others the second. At least min_truncated
 * strings must have been too long. */
void check_strings(const struct ims_tokenizer *t, const char *hashes, int context_length,
                   int other_context_length, size_t min_truncated);

/* The rows [text, ids] of a JSON file; ids end with the end token. */
void check_cases(const struct ims_tokenizer *t, const char *path, int context_length);

#endif
