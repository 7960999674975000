/* What an ELF library needs: the few fields of its dynamic section, from bytes that may be anything.
 *
 * Numbers of the ELF-64 specification used here: program header types 1 (LOAD) and 2 (DYNAMIC);
 * dynamic tags 1 (NEEDED), 5 (STRTAB), 10 (STRSZ), 15 (RPATH), 29 (RUNPATH).
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/library.h"

#include <string.h>

enum { PT_LOAD_ = 1, PT_DYNAMIC_ = 2 };
enum { DT_NULL_ = 0, DT_NEEDED_ = 1, DT_STRTAB_ = 5, DT_STRSZ_ = 10, DT_RPATH_ = 15, DT_RUNPATH_ = 29 };

#define HEADER_BYTES 64
#define SEGMENT_BYTES 56
#define ENTRY_BYTES 16

struct elf {
    const uint8_t *p;
    size_t n;
    uint64_t segments; /* offset of the program headers */
    size_t n_segments;
};

struct dynamic {
    uint64_t strings, n_strings; /* the string table: offset in the file, bytes */
    uint64_t at, n_entries;
};

/* The caller has checked that the bytes are there. */
static uint64_t number(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static bool is_inside(const struct elf *e, uint64_t at, uint64_t bytes)
{
    return at <= e->n && bytes <= e->n - at;
}

static bool open_elf(struct elf *e, const uint8_t *p, size_t n)
{
    static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F', 2, 1 }; /* 64 bits, little-endian */

    *e = (struct elf){ .p = p, .n = n };
    if (n < HEADER_BYTES || memcmp(p, magic, sizeof(magic)) != 0)
        return false;
    e->segments = number(p + 32, 8);
    e->n_segments = (size_t)number(p + 56, 2);
    return number(p + 54, 2) == SEGMENT_BYTES &&
           is_inside(e, e->segments, e->n_segments * SEGMENT_BYTES);
}

static const uint8_t *segment(const struct elf *e, size_t i)
{
    return e->p + e->segments + i * SEGMENT_BYTES;
}

/* An address of the loaded library as an offset in the file. */
static bool offset_of(const struct elf *e, uint64_t address, uint64_t *out)
{
    for (size_t i = 0; i < e->n_segments; i++) {
        const uint8_t *s = segment(e, i);
        uint64_t offset = number(s + 8, 8), start = number(s + 16, 8), bytes = number(s + 32, 8);

        if (number(s, 4) == PT_LOAD_ && address >= start && address - start < bytes &&
            is_inside(e, offset, bytes)) {
            *out = offset + (address - start);
            return true;
        }
    }
    return false;
}

static bool find_dynamic(const struct elf *e, struct dynamic *d)
{
    bool has_section = false, has_strings = false;

    memset(d, 0, sizeof(*d));
    for (size_t i = 0; i < e->n_segments && !has_section; i++) {
        const uint8_t *s = segment(e, i);

        d->at = number(s + 8, 8);
        d->n_entries = number(s + 32, 8) / ENTRY_BYTES;
        has_section = number(s, 4) == PT_DYNAMIC_ && is_inside(e, d->at, d->n_entries * ENTRY_BYTES);
    }
    for (uint64_t i = 0; has_section && i < d->n_entries; i++) {
        const uint8_t *entry = e->p + d->at + i * ENTRY_BYTES;
        uint64_t tag = number(entry, 8), value = number(entry + 8, 8);

        if (tag == DT_NULL_)
            d->n_entries = i;
        if (tag == DT_STRTAB_)
            has_strings = offset_of(e, value, &d->strings);
        if (tag == DT_STRSZ_)
            d->n_strings = value;
    }
    return has_strings && is_inside(e, d->strings, d->n_strings);
}

/* NULL: it does not end within the table, or is too long. */
static const char *string_at(const struct elf *e, const struct dynamic *d, uint64_t at, size_t max)
{
    const char *s;

    if (at >= d->n_strings)
        return NULL;
    s = (const char *)e->p + d->strings + at;
    return memchr(s, '\0', (size_t)(d->n_strings - at)) && strlen(s) < max ? s : NULL;
}

ims_status ims_library_needs_of(const uint8_t *p, size_t n, struct ims_library_needs *out,
                                ims_err *err)
{
    struct dynamic d;
    struct elf e;

    if (!open_elf(&e, p, n) || !find_dynamic(&e, &d))
        return ims_fail(err, IMS_E_FORMAT, "library", 0, "not a 64-bit ELF library");
    memset(out, 0, sizeof(*out));
    for (uint64_t i = 0; i < d.n_entries; i++) {
        const uint8_t *entry = e.p + d.at + i * ENTRY_BYTES;
        uint64_t tag = number(entry, 8), value = number(entry + 8, 8);
        const char *s;

        if (tag != DT_NEEDED_ && tag != DT_RPATH_ && tag != DT_RUNPATH_)
            continue;
        s = string_at(&e, &d, value, tag == DT_NEEDED_ ? sizeof(out->names[0]) : sizeof(out->runpath));
        if (!s || (tag == DT_NEEDED_ && out->n == IMS_LIBRARY_MAX_NEEDED))
            return ims_fail(err, IMS_E_LIMIT, "library", 0, "the library needs more than fits");
        if (tag == DT_NEEDED_)
            memcpy(out->names[out->n++], s, strlen(s) + 1);
        else if (tag == DT_RUNPATH_ || !out->runpath[0]) /* RUNPATH outdoes the older RPATH */
            memcpy(out->runpath, s, strlen(s) + 1);
    }
    return IMS_OK;
}
