/* Weights of another precision, made from the trained ones and kept in a file of their own.
 *
 * The file is a safetensors file, imgsearch.PRECISION.safetensors, with every weight that the
 * graphs need and no other: docs/notes/clip-graph.md says what becomes of which. Its __metadata__
 * says what it was made from (digest of the pack, precision, version of the recipe) and the sums
 * of its data. It lies beside the pack in folders that `models pull` or `models import` made, and
 * in the cache folder for any other pack; a file that is not what it says it is, is made again.
 * Thread-safe; several processes may want the same file at once, one makes it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_WEIGHTS_H
#define IMS_MODELS_CLIP_WEIGHTS_H

#include "base/buf.h"
#include "base/hash.h"
#include "compute/precision.h"
#include "models/clip/clip_graph.h"
#include "models/pack.h"

#include <stdbool.h>

#define IMS_CLIP_WEIGHTS_RECIPE "imgsearch weights 1"
#define IMS_CLIP_WHOLE_SUM "data_sha256" /* in __metadata__ */
#define IMS_CLIP_SCALE ".scale" /* name of a weight's scales: float, one per output */

/* The type that a weight has in a file of that precision. */
ims_weight_type ims__clip_weight_type(ims_precision p, ims_clip_role role);
/* The name of rows [first, first + n_rows) of a tensor: "NAME[FIRST:END]". */
void ims__clip_part_name(char *out, size_t size, const char *name, uint64_t first,
                         uint64_t n_rows);
struct ims_clip_weights_job {
    const struct ims_pack *pack;
    const struct ims_safetensors *trained;
    const struct ims_clip_plan *plan; /* of both towers, from trained */
    ims_precision precision;          /* fp16 or int8 */
    const char *cache_dir;            /* NULL: nowhere but beside the pack */
    bool is_thorough;                 /* every byte against its sum, not samples of them */
};
/* Opens the file, making it first when it is not there or lies. *out_dir: its folder, a new string.
 * IMS_E_NO_SPACE, IMS_E_PERMISSION: it can be kept nowhere, and nothing is left behind.
 * IMS_E_MODEL: a weight is too large for fp16. */
ims_status ims__clip_weights_open(struct ims_safetensors *out, char **out_dir,
                                  const struct ims_clip_weights_job *job,
                                  ims_err *err) IMS_MUST_CHECK;
/* Is the file at path sound, and made from that pack? IMS_E_CORRUPT says what is wrong. */
ims_status ims__clip_weights_check(struct ims_safetensors *out, const char *path,
                                   const struct ims_clip_weights_job *job,
                                   ims_err *err) IMS_MUST_CHECK;
/* Makes the file at path, whole or not at all. */
ims_status ims__clip_weights_make(const char *path, const struct ims_clip_weights_job *job,
                                  ims_err *err) IMS_MUST_CHECK;
/* All that stands before the data in the file of a job whose data have these sums, its length
 * included: so a file is sound when it begins with these very bytes. */
ims_status ims__clip_weights_header(const struct ims_clip_weights_job *job, const char *samples,
                                    const char *whole, struct ims_buf *out,
                                    ims_err *err) IMS_MUST_CHECK;
/* The two sums of a file's data: over samples of it, and over all of it. */
ims_status ims__clip_weights_sums(const uint8_t *data, size_t n, bool is_thorough,
                                  char samples[IMS_SHA256_HEX], char whole[IMS_SHA256_HEX],
                                  ims_err *err) IMS_MUST_CHECK;

#endif
