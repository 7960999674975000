/* The files of segments: rows that grow, codes that are written once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/index_dir.h"

#include "base/mem.h"
#include "vectors/embedded/cells.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_BYTES 4096 /* of both kinds of file */
#define CODES_MAGIC UINT64_C(0x3465646f63736d69) /* "imscode4" */
#define ROWS_MAGIC UINT64_C(0x3173776f72736d69)  /* "imsrows1" */

/* What lies in a file of codes, in this order, each from a multiple of 64 on. */
enum region { CODES, SCALE, CENTRE, PARTS, PART_BYTES, CELLS, CELL_CODES, CELL_BYTES, IDS, ORDER, BYTE_SCALE, BYTES, N_REGIONS };
#define N_CHECKED_ALWAYS BYTE_SCALE /* those before it are read by every query */

struct codes_head {
    uint64_t magic, number, epoch_number;
    uint32_t dim, n_rows, n_cells, zero;
    uint32_t crc[N_REGIONS];
    uint32_t head_crc; /* of what is before it */
};

struct rows_head {
    uint64_t magic, number;
    uint32_t dim, head_crc;
};

static ims_status corrupt(ims_err *err, const char *kind, uint64_t number, const char *what)
{
    return ims_fail(err, IMS_E_CORRUPT, "vectors", 0, "the file %s-%llu of the vector index %s", kind,
                    (unsigned long long)number, what);
}

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for a segment of the vector index");
}

char *ims__segment_path(const char *dir, const char *kind, uint64_t number)
{
    return ims__strfmt("%s/%s-%llu", dir, kind, (unsigned long long)number);
}

/* ---- rows ---- */

static ims_status io_failed(ims_err *err, const char *path)
{
    int e = errno;
    ims_status st = ims__errno_status(e);

    return ims_fail(err, st, "vectors", e, "writing %s: %s", path, strerror(e));
}

static ims_status write_at(int fd, const char *path, const void *p, size_t n, uint64_t at, ims_err *err)
{
    while (n) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return io_failed(err, path);
        p = (const char *)p + k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return IMS_OK;
}

ims_status ims__rows_append(const char *dir, const struct ims_segment *s, uint32_t from, uint32_t until, bool is_durable,
                            ims_err *err)
{
    struct rows_head h = { .magic = ROWS_MAGIC, .number = s->number, .dim = s->dim };
    char *path = ims__segment_path(dir, "rows", s->number);
    ims_status st = IMS_OK;
    int fd;

    if (!path)
        return no_memory(err);
    if (from == 0) /* of a run that was killed, or of an index that was cleared: somebody may still read it */
        (void)unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        st = io_failed(err, path);
    h.head_crc = ims__kernels()->crc32c(0, &h, offsetof(struct rows_head, head_crc));
    if (!st && from == 0)
        st = write_at(fd, path, &h, sizeof(h), 0, err);
    if (!st)
        st = write_at(fd, path, s->records + (size_t)from * s->row_stride, (size_t)(until - from) * s->row_stride,
                      HEAD_BYTES + (uint64_t)from * s->row_stride, err);
    if (!st && is_durable && fsync(fd) != 0)
        st = io_failed(err, path);
    if (fd >= 0 && close(fd) != 0 && !st)
        st = io_failed(err, path);
    ims__free(path);
    return st;
}

static ims_status map_rows(const char *dir, uint32_t n_rows, struct ims_segment *s, ims_err *err)
{
    char *path = ims__segment_path(dir, "rows", s->number);
    struct rows_head h;
    ims_status st = path ? ims__map_open(&s->row_map, path, err) : no_memory(err);

    ims__free(path);
    if (st)
        return st;
    if (s->row_map.size_bytes < HEAD_BYTES + (uint64_t)n_rows * s->row_stride)
        return corrupt(err, "rows", s->number, "is cut off");
    memcpy(&h, s->row_map.data, sizeof(h));
    if (h.magic != ROWS_MAGIC || h.number != s->number || h.dim != s->dim ||
        h.head_crc != ims__kernels()->crc32c(0, &h, offsetof(struct rows_head, head_crc)))
        return corrupt(err, "rows", s->number, "has another head than it should");
    s->records = (uint8_t *)(uintptr_t)s->row_map.data + HEAD_BYTES;
    return IMS_OK;
}

ims_status ims__rows_corrupt(uint64_t number, ims_err *err)
{
    return corrupt(err, "rows", number, "does not agree with its checksums");
}

ims_status ims__segment_open_rows(const char *dir, uint32_t dim, const struct ims_saved_segment *saved,
                                  struct ims_segment **out, struct ims_segment **out_file, ims_err *err)
{
    struct ims_segment *s, *file;
    ims_status st;

    if (saved->is_sealed) {
        s = file = ims__segment_new_codes(dim, saved->number, saved->n_rows);
        if (s)
            s->refs++;
    } else {
        s = ims__segment_new(dim, saved->number, IMS_SEGMENT_SLOTS);
        file = ims__segment_shell(dim, saved->number, saved->n_rows);
    }
    st = s && file ? map_rows(dir, saved->n_rows, file, err) : no_memory(err);
    if (st) {
        ims__segment_unref(file);
        ims__segment_unref(s);
    } else {
        *out = s;
        *out_file = file;
    }
    return st;
}

/* ---- codes ---- */

/* The rows that are coded: whole blocks only. The arrays have room for the last, partial one. */
static void region_sizes(const struct ims_segment *s, uint32_t n_rows, size_t out[N_REGIONS])
{
    size_t n = ims__whole_blocks(n_rows);
    bool is_coded = s->dim >= IMS_MIN_CODED_DIM;

    out[CODES] = is_coded ? n * s->n_bytes : 0;
    out[SCALE] = is_coded ? n * sizeof(float) : 0;
    out[CENTRE] = out[SCALE];
    out[PARTS] = is_coded ? ims__n_parts(n_rows) * sizeof(struct ims_part) : 0;
    out[PART_BYTES] = is_coded ? ims__n_parts(n_rows) * (size_t)s->byte_stride : 0;
    out[CELLS] = s->n_cells * sizeof(struct ims_part);
    out[CELL_CODES] = ims__whole_blocks(s->n_cells) * (size_t)s->n_bytes;
    out[CELL_BYTES] = s->n_cells * (size_t)s->byte_stride;
    out[IDS] = n_rows * sizeof(int64_t);
    out[ORDER] = n_rows * sizeof(uint16_t);
    out[BYTE_SCALE] = out[SCALE];
    out[BYTES] = is_coded ? n * s->byte_stride : 0;
}

static void region_pointers(const struct ims_segment *s, const void *out[N_REGIONS])
{
    out[CODES] = s->codes;
    out[SCALE] = s->scale;
    out[CENTRE] = s->centre;
    out[PARTS] = s->parts;
    out[PART_BYTES] = s->part_bytes;
    out[CELLS] = s->cells;
    out[CELL_CODES] = s->cell_codes;
    out[CELL_BYTES] = s->cell_bytes;
    out[IDS] = s->ids;
    out[ORDER] = s->order;
    out[BYTE_SCALE] = s->byte_scale;
    out[BYTES] = s->bytes;
}

static uint64_t region_offsets(const size_t sizes[N_REGIONS], uint64_t out[N_REGIONS])
{
    uint64_t at = HEAD_BYTES;

    for (int i = 0; i < N_REGIONS; i++) {
        out[i] = at;
        at += (sizes[i] + 63) / 64 * 64;
    }
    return at;
}

static uint32_t head_crc(const struct codes_head *h)
{
    return ims__kernels()->crc32c(0, h, offsetof(struct codes_head, head_crc));
}

/* Slots of a last, partial block are never coded; their bytes must not be what memory held before. */
static void clear_rest(const struct ims_segment *s, uint32_t n_rows)
{
    uint32_t whole = n_rows / IMS_CODE_BLOCK * IMS_CODE_BLOCK, n = ims__whole_blocks(n_rows) - whole;

    if (!n || s->dim < IMS_MIN_CODED_DIM)
        return;
    memset(s->codes + (size_t)whole * s->n_bytes, 0, (size_t)n * s->n_bytes);
    memset(s->scale + whole, 0, n * sizeof(float));
    memset(s->centre + whole, 0, n * sizeof(float));
    memset(s->byte_scale + whole, 0, n * sizeof(float));
    memset(s->bytes + (size_t)whole * s->byte_stride, 0, (size_t)n * s->byte_stride);
}

static ims_status write_regions(int fd, const char *path, const struct ims_segment *s, uint32_t n_rows, bool is_durable,
                                ims_err *err)
{
    struct codes_head h = { .magic = CODES_MAGIC,
                            .number = s->number,
                            .epoch_number = s->epoch ? s->epoch->number : 0,
                            .dim = s->dim,
                            .n_rows = n_rows,
                            .n_cells = s->n_cells };
    size_t sizes[N_REGIONS];
    uint64_t offsets[N_REGIONS], end;
    const void *regions[N_REGIONS];
    ims_status st = IMS_OK;

    clear_rest(s, n_rows);
    region_sizes(s, n_rows, sizes);
    region_pointers(s, regions);
    end = region_offsets(sizes, offsets);
    for (int i = 0; !st && i < N_REGIONS; i++) {
        h.crc[i] = ims__kernels()->crc32c(0, regions[i], sizes[i]);
        st = write_at(fd, path, regions[i], sizes[i], offsets[i], err);
    }
    h.head_crc = head_crc(&h);
    if (!st)
        st = write_at(fd, path, &h, sizeof(h), 0, err);
    if (!st && (ftruncate(fd, (off_t)end) != 0 || (is_durable && fsync(fd) != 0)))
        st = io_failed(err, path);
    return st;
}

ims_status ims__codes_write(const char *dir, const struct ims_segment *s, uint32_t n_rows, bool is_durable, ims_err *err)
{
    char *path = ims__segment_path(dir, "codes", s->number);
    ims_status st = IMS_OK;
    int fd;

    if (!path)
        return no_memory(err);
    (void)unlink(path); /* of a run that was killed before the manifest named it */
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        st = io_failed(err, path);
    if (!st)
        st = write_regions(fd, path, s, n_rows, is_durable, err);
    if (fd >= 0 && close(fd) != 0 && !st)
        st = io_failed(err, path);
    ims__free(path);
    return st;
}

static ims_status sync_file(const char *dir, const char *kind, uint64_t number, ims_err *err)
{
    char *path = ims__segment_path(dir, kind, number);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    ims_status st = path ? IMS_OK : no_memory(err);

    if (path && (fd < 0 || fsync(fd) != 0))
        st = io_failed(err, path);
    if (fd >= 0)
        close(fd);
    ims__free(path);
    return st;
}

ims_status ims__segment_sync(const char *dir, uint64_t number, ims_err *err)
{
    ims_status st = sync_file(dir, "rows", number, err);

    return st ? st : sync_file(dir, "codes", number, err);
}

static ims_status check_regions(const struct ims_segment *s, uint32_t n_rows, int until, ims_err *err)
{
    struct codes_head h;
    size_t sizes[N_REGIONS];
    const void *regions[N_REGIONS];

    memcpy(&h, s->code_map.data, sizeof(h));
    region_sizes(s, n_rows, sizes);
    region_pointers(s, regions);
    for (int i = 0; i < until; i++) {
        if (ims__kernels()->crc32c(0, regions[i], sizes[i]) != h.crc[i])
            return corrupt(err, "codes", s->number, "does not agree with its checksums");
    }
    for (uint32_t i = 0; i < n_rows; i++) {
        if (s->order[i] >= n_rows)
            return corrupt(err, "codes", s->number, "contradicts itself");
    }
    if (!ims__cells_are_sound(s, n_rows - n_rows % IMS_CODE_BLOCK))
        return corrupt(err, "codes", s->number, "contradicts itself");
    return IMS_OK;
}

static ims_status map_codes(const char *dir, const struct ims_saved_segment *saved, struct ims_segment *s,
                            ims_err *err)
{
    char *path = ims__segment_path(dir, "codes", s->number);
    ims_status st = path ? ims__map_open(&s->code_map, path, err) : no_memory(err);
    uint8_t *base = (uint8_t *)(uintptr_t)s->code_map.data;
    struct codes_head h;
    size_t sizes[N_REGIONS];
    uint64_t at[N_REGIONS];

    ims__free(path);
    if (st)
        return st;
    ims__advise_large(base, s->code_map.size_bytes); /* rows are fetched from all over it */
    if (s->code_map.size_bytes < HEAD_BYTES)
        return corrupt(err, "codes", s->number, "has not the length it should");
    memcpy(&h, base, sizeof(h));
    if (h.magic != CODES_MAGIC || h.number != s->number || h.epoch_number != saved->epoch_number || h.dim != s->dim ||
        h.n_rows != saved->n_rows || h.n_cells > h.n_rows || h.head_crc != head_crc(&h))
        return corrupt(err, "codes", s->number, "has another head than it should");
    s->n_cells = h.n_cells;
    region_sizes(s, saved->n_rows, sizes);
    if (s->code_map.size_bytes != region_offsets(sizes, at))
        return corrupt(err, "codes", s->number, "has not the length it should");
    s->codes = base + at[CODES];
    s->scale = (float *)(void *)(base + at[SCALE]);
    s->centre = (float *)(void *)(base + at[CENTRE]);
    s->parts = (struct ims_part *)(void *)(base + at[PARTS]);
    s->part_bytes = (int8_t *)(base + at[PART_BYTES]);
    s->cells = (struct ims_part *)(void *)(base + at[CELLS]);
    s->cell_codes = base + at[CELL_CODES];
    s->cell_bytes = (int8_t *)(base + at[CELL_BYTES]);
    s->ids = (int64_t *)(void *)(base + at[IDS]);
    s->order = (uint16_t *)(void *)(base + at[ORDER]);
    s->byte_scale = (float *)(void *)(base + at[BYTE_SCALE]);
    s->bytes = (int8_t *)(base + at[BYTES]);
    return IMS_OK;
}

ims_status ims__segment_map(const char *dir, uint32_t dim, const struct ims_saved_segment *saved,
                            bool is_thorough, struct ims_segment **out, ims_err *err)
{
    struct ims_segment *s = ims__segment_shell(dim, saved->number, saved->n_rows);
    ims_status st = s ? map_rows(dir, saved->n_rows, s, err) : no_memory(err);

    if (!st)
        st = map_codes(dir, saved, s, err);
    if (!st)
        st = check_regions(s, saved->n_rows, N_CHECKED_ALWAYS, err);
    if (!st && is_thorough)
        st = ims__segment_verify(s, saved->n_rows, err);
    if (st)
        ims__segment_unref(s);
    else
        *out = s;
    return st;
}

ims_status ims__segment_verify(const struct ims_segment *s, uint32_t n_rows, ims_err *err)
{
    ims_status st = IMS_OK;

    if (!s->code_map.data)
        return IMS_OK;
    st = check_regions(s, n_rows, N_REGIONS, err);
    for (uint32_t slot = 0; !st && slot < n_rows; slot++) {
        if (!ims__record_is_sound(s, slot))
            st = ims__rows_corrupt(s->number, err);
        else if (ims__record_id(s, slot) != s->ids[slot])
            st = corrupt(err, "rows", s->number, "has other ids than its codes");
    }
    return st;
}

/* ---- the folder ---- */

static bool is_named(const char *name, const uint64_t *numbers, size_t n, uint64_t from, uint64_t until)
{
    const char *dash = strchr(name, '-');
    char *end = NULL;
    unsigned long long number;

    if (strncmp(name, "rows-", 5) != 0 && strncmp(name, "codes-", 6) != 0)
        return strncmp(name, "manifest.tmp-", 13) != 0;
    number = strtoull(dash + 1, &end, 10);
    if (*end == '\0' && number >= from && number < until)
        return true;
    for (size_t i = 0; *end == '\0' && i < n; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

void ims__index_dir_sweep(const char *dir, const uint64_t *numbers, size_t n, uint64_t from, uint64_t until)
{
    DIR *d = opendir(dir);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char *path;

        if (e->d_name[0] == '.' || is_named(e->d_name, numbers, n, from, until))
            continue;
        path = ims__path_join(dir, e->d_name);
        if (path)
            (void)unlink(path); /* what stays is swept the next time */
        ims__free(path);
    }
    if (d)
        closedir(d);
}
