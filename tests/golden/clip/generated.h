/* Model packs with generated weights, and the inputs that go with them: the counter-based
 * generator of make.py, repeated exactly, so that nothing large need be committed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_GOLDEN_CLIP_GENERATED_H
#define IMS_TESTS_GOLDEN_CLIP_GENERATED_H

#include "models/clip/clip_config.h"

#include <stddef.h>
#include <stdint.h>

uint64_t generated_value(const char *stream, uint64_t i);

/* What is wrong with the file on purpose; NULL members: nothing. Names are of tensors. */
struct generated_faults {
    const char *missing;
    const char *transposed; /* its shape reversed */
    const char *retyped;    /* as I32 */
};

/* Writes open_clip_config.json (a copy of config_path), open_clip_model.safetensors and a small
 * tokenizer.json into dir. Sizes of "reduced" in the configuration go into *out_config. Ends the
 * program when that fails. */
void generated_pack(const char *dir, const char *config_path, const char *dtype,
                    const struct generated_faults *faults, struct ims_clip_config *out_config);
/* The same with a tokenizer.json of the source folder. */
void generated_pack_with(const char *dir, const char *config_path, const char *dtype,
                         const char *tokenizer, const struct generated_faults *faults,
                         struct ims_clip_config *out_config);

/* Picture k of a model: height * width * 3 bytes, a colour per cell of a side x side grid and a
 * little noise. make.py takes GENERATED_SIDE, and 2 for the demo model, whose world has large
 * areas. */
#define GENERATED_SIDE 13
void generated_picture(const char *arch, unsigned k, uint32_t side, uint32_t height, uint32_t width,
                       uint8_t *out);
/* Text k: n_tokens ids (start, some, end), then pad up to length. */
void generated_text(const char *arch, unsigned k, uint32_t n_tokens, uint32_t vocab, int32_t pad,
                    size_t length, int32_t *out);

#endif
