/* Shared by the files that read packs; not for others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_PACK_INTERNAL_H
#define IMS_MODELS_PACK_INTERNAL_H

#include "base/hash.h"
#include "models/pack.h"

#include <stddef.h>
#include <stdint.h>

/* The entries of a folder, sorted, without "." and "..". */
struct ims_dir_names {
    char **names;
    size_t n, cap;
};
ims_status ims__dir_names_read(struct ims_dir_names *out, const char *dir,
                               ims_err *err) IMS_MUST_CHECK;
void ims__dir_names_release(struct ims_dir_names *d);

/* Adds size and samples of a file of weights (all of it when it is small); *size_bytes grows. */
ims_status ims__pack_add_file(struct ims_sha256 *h, const char *path, uint64_t *size_bytes,
                              ims_err *err) IMS_MUST_CHECK;
/* Fills p->digest and p->size_bytes; files, dir and layout are set. */
ims_status ims__pack_digest(struct ims_pack *p, ims_err *err) IMS_MUST_CHECK;
/* Samples of a block of weights: head, evenly spread blocks, tail; small ones whole. */
ims_status ims__sample_add(struct ims_sha256 *h, const uint8_t *p, size_t n,
                           ims_err *err) IMS_MUST_CHECK;

#endif
