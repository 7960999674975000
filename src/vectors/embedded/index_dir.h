/* The index's folder: what is written there, and how it comes back. docs/notes/vectors.md has the bytes.
 *
 * Everything in it is derived. A manifest, replaced as a whole, says which files count and how much of them;
 * rows are appended behind what it says, codes of a full segment are written once. Killed at any byte, the
 * manifest and what it names are as they were. What does not agree with its checksum is never used: codes are
 * made again from rows, and where rows are damaged the folder counts as empty.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_INDEX_DIR_H
#define IMS_VECTORS_EMBEDDED_INDEX_DIR_H

#include "vectors/embedded/snapshot.h"

#define IMS_INDEX_KEY_BYTES 64 /* with its NUL; IMS_VECTORS_KEY_BYTES */

/* What the manifest says of one segment. */
struct ims_saved_segment {
    uint64_t number, epoch_number; /* epoch 0 = not coded */
    uint32_t n_rows;
    uint32_t n_dead; /* a bitmap follows when it is not 0 */
    uint32_t is_sealed;
    uint8_t level; /* struct ims_view */
    bool is_read_whole;
    struct ims_spreads spreads;
};

struct ims_index_manifest {
    uint32_t dim;
    uint64_t generation; /* of saving */
    int64_t seq;
    uint64_t next_number;
    char key[IMS_INDEX_KEY_BYTES];
    size_t n_segments, n_epochs;
    struct ims_saved_segment *segments;
    struct ims_dead **dead;    /* per segment, NULL = none */
    struct ims_epoch **epochs; /* in the order of their numbers */
};
void ims__index_manifest_release(struct ims_index_manifest *m);
/* index_manifest.c. Reading: IMS_E_NOT_FOUND, IMS_E_CORRUPT with the reason. */
ims_status ims__index_manifest_parse(const uint8_t *data, size_t n, struct ims_index_manifest *out, ims_err *err) IMS_MUST_CHECK;
ims_status ims__index_manifest_read(const char *dir, struct ims_index_manifest *out, ims_err *err) IMS_MUST_CHECK;
/* Replaces it; on disk when this returns. */
ims_status ims__index_manifest_write(const char *dir, const struct ims_index_manifest *m, ims_err *err) IMS_MUST_CHECK;

/* index_files.c. Appends the records of slots from .. until - 1 of a segment to its file of rows. On disk when it returns
 * only if is_durable; else once ims__segment_sync was called. */
ims_status ims__rows_append(const char *dir, const struct ims_segment *s, uint32_t from, uint32_t until, bool is_durable,
                            ims_err *err) IMS_MUST_CHECK;
/* Writes the codes of a full segment. */
ims_status ims__codes_write(const char *dir, const struct ims_segment *s, uint32_t n_rows, bool is_durable, ims_err *err)
    IMS_MUST_CHECK;
/* Both files of a segment. */
ims_status ims__segment_sync(const char *dir, uint64_t number, ims_err *err) IMS_MUST_CHECK;
/* A full segment, mapped. is_thorough: check every byte; else all but the bytes and the rows. IMS_E_CORRUPT. */
ims_status ims__segment_map(const char *dir, uint32_t dim, const struct ims_saved_segment *saved,
                            bool is_thorough, struct ims_segment **out, ims_err *err) IMS_MUST_CHECK;
/* A segment with room for codes, to be filled (fill.h) from *out_file: itself when it is full, its rows mapped; else
 * a shell around the mapped rows, which are to be copied. Each gives up one reference. */
ims_status ims__segment_open_rows(const char *dir, uint32_t dim, const struct ims_saved_segment *saved,
                                  struct ims_segment **out, struct ims_segment **out_file, ims_err *err) IMS_MUST_CHECK;
/* What there is to say of rows that do not agree with their checksums. */
ims_status ims__rows_corrupt(uint64_t number, ims_err *err) IMS_MUST_CHECK;
/* Every byte of a segment that lies in files against its checksums. */
ims_status ims__segment_verify(const struct ims_segment *s, uint32_t n_rows, ims_err *err) IMS_MUST_CHECK;
char *ims__segment_path(const char *dir, const char *kind, uint64_t number); /* "rows", "codes" */
/* Removes files of segments that are not among the n numbers, nor from .. until - 1. */
void ims__index_dir_sweep(const char *dir, const uint64_t *numbers, size_t n, uint64_t from, uint64_t until);

#endif
