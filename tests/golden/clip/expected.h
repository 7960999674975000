/* Compares a model's embeddings with the committed ones of the reference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_GOLDEN_CLIP_EXPECTED_H
#define IMS_TESTS_GOLDEN_CLIP_EXPECTED_H

/* Makes the pack of tests/golden/clip/ARCH.config.json and runs it against ARCH.expected.json. */
void expected_check(const char *arch);
/* The first texts come from many threads at once; each must get the reference's vector. */
void expected_check_threads(const char *arch);

/* The model in dir against demo.expected.json, on $IMS_TEST_DEVICE: captions and their ids. */
void expected_check_demo_captions(const char *dir);
void expected_check_demo_pictures(const char *dir);

/* tests/golden/siglip/ARCH.*: captions through that tokenizer.json of the source folder, and
 * pictures. */
void expected_check_siglip(const char *arch, const char *tokenizer);

#endif
