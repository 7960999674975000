/* Reading TIFF directories: bounds, byte order, numbers, text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/exif.h"

#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

enum {
    TYPE_BYTE = 1,
    TYPE_ASCII,
    TYPE_SHORT,
    TYPE_LONG,
    TYPE_RATIONAL,
    TYPE_SBYTE,
    TYPE_UNDEFINED,
    TYPE_SSHORT,
    TYPE_SLONG,
    TYPE_SRATIONAL,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_IFD
};

size_t ims__exif_type_bytes(unsigned type)
{
    static const uint8_t bytes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4 };

    return type < IMS_ARRAY_LEN(bytes) ? bytes[type] : 0;
}

uint16_t ims__exif_u16(const struct exif_block *b, const uint8_t *p)
{
    return (uint16_t)(b->is_big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

uint32_t ims__exif_u32(const struct exif_block *b, const uint8_t *p)
{
    uint32_t first = ims__exif_u16(b, p);
    uint32_t second = ims__exif_u16(b, p + 2);

    return b->is_big_endian ? first << 16 | second : second << 16 | first;
}

static uint64_t read_u64(const struct exif_block *b, const uint8_t *p)
{
    uint64_t first = ims__exif_u32(b, p);
    uint64_t second = ims__exif_u32(b, p + 4);

    return b->is_big_endian ? first << 32 | second : second << 32 | first;
}

bool ims__exif_is_text(const struct exif_entry *e)
{
    return e->type == TYPE_BYTE || e->type == TYPE_ASCII || e->type == TYPE_UNDEFINED;
}

static double read_float(const struct exif_block *b, const uint8_t *p)
{
    uint32_t bits = ims__exif_u32(b, p);
    float f;

    memcpy(&f, &bits, sizeof(f));
    return (double)f;
}

static double read_double(const struct exif_block *b, const uint8_t *p)
{
    uint64_t bits = read_u64(b, p);
    double d;

    memcpy(&d, &bits, sizeof(d));
    return d;
}

bool ims__exif_number(const struct exif_block *b, const struct exif_entry *e, uint32_t i,
                      double *out)
{
    const uint8_t *p;
    double d = NAN;

    if (i >= e->count)
        return false;
    p = e->value + (size_t)i * ims__exif_type_bytes(e->type);
    switch (e->type) {
    case TYPE_SBYTE:
        d = (int8_t)p[0];
        break;
    case TYPE_SHORT:
        d = ims__exif_u16(b, p);
        break;
    case TYPE_SSHORT:
        d = (int16_t)ims__exif_u16(b, p);
        break;
    case TYPE_LONG:
    case TYPE_IFD:
        d = ims__exif_u32(b, p);
        break;
    case TYPE_SLONG:
        d = (int32_t)ims__exif_u32(b, p);
        break;
    case TYPE_RATIONAL:
        if (ims__exif_u32(b, p + 4) != 0)
            d = (double)ims__exif_u32(b, p) / (double)ims__exif_u32(b, p + 4);
        break;
    case TYPE_SRATIONAL:
        if (ims__exif_u32(b, p + 4) != 0)
            d = (double)(int32_t)ims__exif_u32(b, p) / (double)(int32_t)ims__exif_u32(b, p + 4);
        break;
    case TYPE_FLOAT:
        d = read_float(b, p);
        break;
    case TYPE_DOUBLE:
        d = read_double(b, p);
        break;
    default:
        break;
    }
    if (!isfinite(d))
        return false;
    *out = d;
    return true;
}

static bool is_blank(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r');
}

size_t ims__exif_text(const struct exif_entry *e, size_t max_cp, char *out)
{
    const char *s = (const char *)e->value;
    bool is_latin1 = e->type == TYPE_ASCII && !ims__utf8_is_valid(s, e->count);
    size_t at = 0;
    size_t len = 0;
    size_t end = 0; /* behind the last character that is not blank */

    for (size_t n_cp = 0; at < e->count && n_cp < max_cp;) {
        uint32_t cp = (uint8_t)s[at];
        size_t used = 1;

        if (!is_latin1)
            used = ims__utf8_decode(s + at, e->count - at, &cp);
        at += used;
        if (cp == 0 || cp == 0xFFFFFFFF || (len == 0 && is_blank(cp)))
            continue;
        len += ims__utf8_encode(cp, out + len);
        n_cp++;
        if (!is_blank(cp))
            end = len;
    }
    out[end] = '\0';
    return end;
}

/* Fills e from the 12 bytes at p. false when it says nothing (no elements, a type there is not) or
 * its value lies outside the block, which is damage. */
static bool read_entry(const struct exif_block *b, const uint8_t *p, struct exif_entry *e,
                       bool *is_damaged)
{
    size_t bytes;

    e->tag = ims__exif_u16(b, p);
    e->type = ims__exif_u16(b, p + 2);
    e->count = ims__exif_u32(b, p + 4);
    if (e->count == 0 || ims__exif_type_bytes(e->type) == 0 ||
        !ims__mul_size(e->count, ims__exif_type_bytes(e->type), &bytes))
        return false;
    if (bytes <= 4) {
        e->value = p + 8;
    } else {
        size_t offset = ims__exif_u32(b, p + 8);

        if (offset > b->n || bytes > b->n - offset) {
            *is_damaged = true;
            return false;
        }
        e->value = b->p + offset;
    }
    return true;
}

ims_status ims__exif_walk(const struct exif_block *b, uint32_t offset, exif_entry_fn *fn, void *arg,
                          bool *is_damaged)
{
    size_t n_entries;

    if (offset > b->n || b->n - offset < 2) {
        *is_damaged = true;
        return IMS_OK;
    }
    n_entries = ims__exif_u16(b, b->p + offset);
    if (n_entries > (b->n - offset - 2) / 12) {
        n_entries = (b->n - offset - 2) / 12;
        *is_damaged = true;
    }
    if (n_entries > EXIF_MAX_ENTRIES)
        n_entries = EXIF_MAX_ENTRIES;
    for (size_t i = 0; i < n_entries; i++) {
        struct exif_entry e;
        ims_status st;

        if (!read_entry(b, b->p + offset + 2 + i * 12, &e, is_damaged))
            continue;
        st = fn(b, &e, arg);
        if (st)
            return st;
    }
    return IMS_OK;
}
