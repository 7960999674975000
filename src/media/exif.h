/* A small, strict reader of EXIF blocks (TIFF directories). Hostile input is expected.
 *
 * It looks at exactly three directories: the first one, its Exif directory and its GPS directory.
 * It follows no chain and no other pointer, so nothing can loop. Every offset and size is checked
 * against the block, and what cannot be read is left out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_EXIF_H
#define IMS_MEDIA_EXIF_H

#include "ims/status.h"
#include "media/media.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIF_MAX_ENTRIES 512     /* looked at per directory */
#define EXIF_MAX_ELEMENTS 256    /* of one value, in the JSON */
#define EXIF_MAX_TEXT_BYTES 8192 /* of one value, in the JSON */

struct ims_exif {
    int orientation; /* 1..8, 0 when absent or senseless */
    bool has_taken_at;
    int64_t taken_at_us;
    bool has_gps;
    double gps_lat;
    double gps_lng;
    char make[IMS_MEDIA_CAMERA_BYTES];
    char model[IMS_MEDIA_CAMERA_BYTES];
    char *json;      /* NULL when the first directory has nothing to say; ims__free */
    bool is_damaged; /* something pointed outside the block, or the block has no header */
    bool is_cut;     /* the JSON reached its limit; what is there is complete JSON */
};

/* p[0..n): a TIFF stream, with or without "Exif\0\0" before it. Damage is not a failure: it is told
 * in out->is_damaged. The only failure is IMS_E_NOMEM. End with ims__exif_release. */
ims_status ims__exif_parse(struct ims_exif *out, const uint8_t *p, size_t n,
                           ims_err *err) IMS_MUST_CHECK;
void ims__exif_release(struct ims_exif *x);

/* The name of a tag of the first directory as Pillow spells it, NULL when it has none. */
const char *ims__exif_tag_name(unsigned tag);

/* The raw reader, shared by the files of this parser. */
struct exif_block {
    const uint8_t *p;
    size_t n;
    bool is_big_endian;
};

struct exif_entry {
    unsigned tag;
    unsigned type;        /* 1..13 */
    uint32_t count;       /* elements, > 0 */
    const uint8_t *value; /* count * ims__exif_type_bytes(type) bytes inside the block */
};

size_t ims__exif_type_bytes(unsigned type); /* 0 for a type there is not */
uint16_t ims__exif_u16(const struct exif_block *b, const uint8_t *p);
uint32_t ims__exif_u32(const struct exif_block *b, const uint8_t *p);
bool ims__exif_is_text(const struct exif_entry *e);
/* Element i as a number; false for text, and for a fraction that has none. */
bool ims__exif_number(const struct exif_block *b, const struct exif_entry *e, uint32_t i,
                      double *out);
/* Text without NULs and surrounding blanks, as UTF-8 of at most max_cp
 * code points; out has room for 4 * max_cp + 1 bytes. ASCII values that are no UTF-8 are taken as
 * Latin-1; of byte values what is no UTF-8 is left out. Returns the length in bytes. */
size_t ims__exif_text(const struct exif_entry *e, size_t max_cp, char *out);
/* Walks a directory at offset; calls fn for each sound entry, at most EXIF_MAX_ENTRIES. */
typedef ims_status exif_entry_fn(const struct exif_block *b, const struct exif_entry *e, void *arg);
ims_status ims__exif_walk(const struct exif_block *b, uint32_t offset, exif_entry_fn *fn, void *arg,
                          bool *is_damaged);
/* The JSON of the first directory. */
ims_status ims__exif_json(const struct exif_block *b, uint32_t offset, struct ims_exif *out);

#endif
