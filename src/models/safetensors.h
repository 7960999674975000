/* The safetensors file format: which tensors a file holds, and where.
 *
 * Layout: 8 bytes little-endian header length, a JSON object of that length, then the data. Every
 * claim of the header is checked on opening (docs/notes/safetensors.md); after that offsets may be
 * trusted. Data is mapped, never copied. Immutable after open; any thread may read.
 *
 * Large models come as several such files and an index, NAME.safetensors.index.json, that says which of
 * them holds which tensor; the index is opened like a file and gives one table over all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_SAFETENSORS_H
#define IMS_MODELS_SAFETENSORS_H

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

#define IMS_SAFETENSORS_INDEX ".safetensors.index.json"

typedef enum ims_weight_type {
    IMS_WEIGHT_F32,
    IMS_WEIGHT_F16,
    IMS_WEIGHT_BF16,
    IMS_WEIGHT_F64,
    IMS_WEIGHT_I64,
    IMS_WEIGHT_I32,
    IMS_WEIGHT_I16,
    IMS_WEIGHT_I8,
    IMS_WEIGHT_U64,
    IMS_WEIGHT_U32,
    IMS_WEIGHT_U16,
    IMS_WEIGHT_U8,
    IMS_WEIGHT_BOOL,
    IMS_WEIGHT_F8_E4M3,
    IMS_WEIGHT_F8_E5M2
} ims_weight_type;

struct ims_weight {
    const char *name;
    const char *file; /* that holds it, without its folder */
    ims_weight_type type;
    uint32_t rank;
    uint64_t dims[IMS_MAX_TENSOR_RANK];
    uint64_t offset; /* from the start of the file */
    uint64_t size_bytes;
};

struct ims_safetensors {
    struct ims_map map; /* of a single file; empty for an index */
    struct ims_arena names;
    char *path;                 /* for messages */
    struct ims_weight *tensors; /* by name */
    size_t n_tensors;
    const char **shards; /* of an index: its files, by name; NULL otherwise */
    size_t n_shards;
};

/* path ends with IMS_SAFETENSORS_INDEX for an index. IMS_E_FORMAT, IMS_E_TRUNCATED, IMS_E_LIMIT or IMS_E_UNSUPPORTED names file, tensor, expected and
 * found. On failure *out needs no release. */
ims_status ims__safetensors_open(struct ims_safetensors *out, const char *path,
                                 ims_err *err) IMS_MUST_CHECK;
/* Reads and checks a header that is in memory: bytes[0..n) is the start of a file of file_bytes.
 * The result has no map. */
ims_status ims__safetensors_parse(struct ims_safetensors *out, const uint8_t *bytes, size_t n,
                                  uint64_t file_bytes, const char *path,
                                  ims_err *err) IMS_MUST_CHECK;
/* The same for an index, which lies beside its files. */
ims_status ims__safetensors_open_index(struct ims_safetensors *out, const char *path, ims_err *err) IMS_MUST_CHECK;
void ims__safetensors_release(struct ims_safetensors *s);

/* NULL when there is none of that name. */
const struct ims_weight *ims__safetensors_find(const struct ims_safetensors *s, const char *name);
/* "F32 [768, 3, 32, 32]"; for messages. Cut to size. */
void ims__weight_describe(ims_weight_type type, uint32_t rank, const uint64_t *dims, char *out,
                          size_t size);

#endif
