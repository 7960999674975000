/* Reading and checking safetensors headers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/safetensors.h"

#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "safetensors"
#define LENGTH_BYTES 8

struct type_row {
    const char *name;
    uint32_t size_bytes;
};

static const struct type_row type_rows[] = {
    [IMS_WEIGHT_F32] = { "F32", 4 },         [IMS_WEIGHT_F16] = { "F16", 2 },
    [IMS_WEIGHT_BF16] = { "BF16", 2 },       [IMS_WEIGHT_F64] = { "F64", 8 },
    [IMS_WEIGHT_I64] = { "I64", 8 },         [IMS_WEIGHT_I32] = { "I32", 4 },
    [IMS_WEIGHT_I16] = { "I16", 2 },         [IMS_WEIGHT_I8] = { "I8", 1 },
    [IMS_WEIGHT_U64] = { "U64", 8 },         [IMS_WEIGHT_U32] = { "U32", 4 },
    [IMS_WEIGHT_U16] = { "U16", 2 },         [IMS_WEIGHT_U8] = { "U8", 1 },
    [IMS_WEIGHT_BOOL] = { "BOOL", 1 },       [IMS_WEIGHT_F8_E4M3] = { "F8_E4M3", 1 },
    [IMS_WEIGHT_F8_E5M2] = { "F8_E5M2", 1 },
};

static bool find_type(const char *name, ims_weight_type *out)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(type_rows); i++) {
        if (strcmp(type_rows[i].name, name) == 0) {
            *out = (ims_weight_type)i;
            return true;
        }
    }
    return false;
}

void ims__weight_describe(ims_weight_type type, uint32_t rank, const uint64_t *dims, char *out,
                          size_t size)
{
    int n = snprintf(out, size, "%s [", type_rows[type].name);

    for (uint32_t i = 0; i < rank && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%llu", i ? ", " : "",
                      (unsigned long long)dims[i]);
    if (n > 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n, "]");
}

/* A tensor name in a message: foreign bytes, cut to what a sentence can hold. */
static const char *shown(const char *name, char buf[96])
{
    (void)snprintf(buf, 96, "%.90s", name);
    return buf;
}

static ims_status bad(const struct ims_safetensors *s, const char *name, const char *expected,
                      const char *found, ims_err *err)
{
    char buf[96];

    return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0, "%s: tensor %s: expected %s, found %s", s->path,
                    shown(name, buf), expected, found);
}

static ims_status read_shape(const struct ims_safetensors *s, const ims_json *shape,
                             struct ims_weight *t, ims_err *err)
{
    char found[64];

    if (ims__json_type(shape) != IMS_JSON_ARRAY)
        return bad(s, t->name, "a \"shape\" array", "none", err);
    if (ims__json_len(shape) > IMS_MAX_TENSOR_RANK) {
        (void)snprintf(found, sizeof(found), "%zu", ims__json_len(shape));
        return bad(s, t->name, "at most 8 dimensions", found, err);
    }
    t->rank = (uint32_t)ims__json_len(shape);
    for (uint32_t i = 0; i < t->rank; i++) {
        int64_t dim = ims__json_int(ims__json_at(shape, i), -1);
        if (dim < 0)
            return bad(s, t->name, "dimensions that are whole numbers from 0",
                       "another value in \"shape\"", err);
        t->dims[i] = (uint64_t)dim;
    }
    return IMS_OK;
}

/* Bytes that type and shape ask for; false when that number does not fit. */
static bool wanted_bytes(const struct ims_weight *t, uint64_t *out)
{
    uint64_t n = type_rows[t->type].size_bytes;

    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] != 0 && n > UINT64_MAX / t->dims[i])
            return false;
        n *= t->dims[i];
    }
    *out = n;
    return true;
}

static ims_status read_offsets(const struct ims_safetensors *s, const ims_json *offsets,
                               uint64_t data_start, uint64_t data_bytes, struct ims_weight *t,
                               ims_err *err)
{
    int64_t begin = ims__json_int(ims__json_at(offsets, 0), -1);
    int64_t end = ims__json_int(ims__json_at(offsets, 1), -1);
    uint64_t want;
    char expected[160];
    char found[96];
    char described[96];

    if (ims__json_len(offsets) != 2 || begin < 0 || end < 0)
        return bad(s, t->name, "\"data_offsets\" of two whole numbers", "something else", err);
    (void)snprintf(found, sizeof(found), "%lld to %lld", (long long)begin, (long long)end);
    if (end < begin)
        return bad(s, t->name, "data offsets in ascending order", found, err);
    if ((uint64_t)end > data_bytes) {
        (void)snprintf(expected, sizeof(expected), "data offsets within the %llu bytes of data",
                       (unsigned long long)data_bytes);
        return bad(s, t->name, expected, found, err);
    }
    ims__weight_describe(t->type, t->rank, t->dims, described, sizeof(described));
    if (!wanted_bytes(t, &want))
        return bad(s, t->name, "a shape whose size fits 64 bits", described, err);
    if (want != (uint64_t)(end - begin)) {
        (void)snprintf(expected, sizeof(expected), "%llu bytes for %s", (unsigned long long)want,
                       described);
        (void)snprintf(found, sizeof(found), "%lld bytes", (long long)(end - begin));
        return bad(s, t->name, expected, found, err);
    }
    t->offset = data_start + (uint64_t)begin;
    t->size_bytes = want;
    return IMS_OK;
}

static ims_status read_tensor(struct ims_safetensors *s, const char *name, const ims_json *v,
                              uint64_t data_start, uint64_t data_bytes, ims_err *err)
{
    struct ims_weight *t = &s->tensors[s->n_tensors];
    const char *type = ims__json_str(ims__json_get(v, "dtype"), NULL);
    char buf[96];
    ims_status st;

    t->file = ims__path_base(s->path);
    t->name = ims__arena_strndup(&s->names, name, strlen(name));
    if (!t->name)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading the header of %s", s->path);
    if (!type)
        return bad(s, name, "an object with a \"dtype\" text", "none", err);
    if (!find_type(type, &t->type))
        return ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                        "%s: tensor %s: expected an element type such as F32, F16 or BF16, found "
                        "\"%.32s\"",
                        s->path, shown(name, buf), type);
    st = read_shape(s, ims__json_get(v, "shape"), t, err);
    if (!st)
        st = read_offsets(s, ims__json_get(v, "data_offsets"), data_start, data_bytes, t, err);
    if (!st)
        s->n_tensors++;
    return st;
}

static int by_offset(const void *a, const void *b)
{
    const struct ims_weight *x = a;
    const struct ims_weight *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->size_bytes != y->size_bytes)
        return x->size_bytes < y->size_bytes ? -1 : 1;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct ims_weight *x = a;
    const struct ims_weight *y = b;

    return strcmp(x->name, y->name);
}

/* The data is used from its first to its last byte, each by one tensor: the format demands it,
 * and it is what makes a file that was put together wrongly visible. */
static ims_status check_cover(struct ims_safetensors *s, uint64_t data_start, uint64_t data_bytes,
                              ims_err *err)
{
    uint64_t at = data_start;
    char expected[128];
    char found[64];
    char buf[96];
    char buf2[96];

    if (s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof(*s->tensors), by_offset);
    for (size_t i = 0; i < s->n_tensors; i++) {
        const struct ims_weight *t = &s->tensors[i];
        if (t->offset < at)
            return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                            "%s: tensor %s overlaps tensor %s: expected its data to start at %llu, "
                            "found %llu",
                            s->path, shown(t->name, buf),
                            i ? shown(s->tensors[i - 1].name, buf2) : "the header",
                            (unsigned long long)(at - data_start),
                            (unsigned long long)(t->offset - data_start));
        if (t->offset > at) {
            (void)snprintf(expected, sizeof(expected), "its data to start at %llu (no gaps)",
                           (unsigned long long)(at - data_start));
            (void)snprintf(found, sizeof(found), "%llu",
                           (unsigned long long)(t->offset - data_start));
            return bad(s, t->name, expected, found, err);
        }
        at = t->offset + t->size_bytes;
    }
    if (at != data_start + data_bytes)
        return ims_fail(
            err, IMS_E_FORMAT, ORIGIN, 0,
            "%s: the tensors end at byte %llu of the data: expected %llu bytes of data, "
            "found %llu",
            s->path, (unsigned long long)(at - data_start), (unsigned long long)(at - data_start),
            (unsigned long long)data_bytes);
    return IMS_OK;
}

static ims_status read_header(struct ims_safetensors *s, const char *text, size_t len,
                              uint64_t file_bytes, ims_err *err)
{
    uint64_t data_start = LENGTH_BYTES + (uint64_t)len;
    ims_json *root = NULL;
    ims_status st;

    st = ims__json_parse(&root, text, len, s->path, err);
    if (st)
        return st;
    if (ims__json_type(root) != IMS_JSON_OBJECT) {
        st = ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                      "%s: header: expected a JSON object, found another value", s->path);
        goto out;
    }
    if (ims__json_len(root) > IMS_MAX_TENSORS) {
        st = ims_fail(err, IMS_E_LIMIT, ORIGIN, 0,
                      "%s: header: expected at most %d tensors, found %zu", s->path,
                      IMS_MAX_TENSORS, ims__json_len(root));
        goto out;
    }
    s->tensors = ims__zalloc(ims__json_len(root), sizeof(*s->tensors));
    if (!s->tensors) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading the header of %s", s->path);
        goto out;
    }
    for (void *it = ims__json_iter(root); it; it = ims__json_next(root, it)) {
        if (strcmp(ims__json_iter_key(it), "__metadata__") == 0)
            continue;
        st = read_tensor(s, ims__json_iter_key(it), ims__json_iter_value(it), data_start,
                         file_bytes - data_start, err);
        if (st)
            goto out;
    }
    st = check_cover(s, data_start, file_bytes - data_start, err);
    if (!st && s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof(*s->tensors), by_name);
out:
    ims__json_free(root);
    return st;
}

ims_status ims__safetensors_parse(struct ims_safetensors *out, const uint8_t *bytes, size_t n,
                                  uint64_t file_bytes, const char *path, ims_err *err)
{
    struct ims_safetensors s = { 0 };
    uint64_t len = 0;
    ims_status st;

    ims__arena_init(&s.names, 0);
    s.path = ims__strdup(path);
    if (!s.path) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", path);
        goto out;
    }
    if (n < LENGTH_BYTES) {
        st =
            ims_fail(err, IMS_E_TRUNCATED, ORIGIN, 0,
                     "%s: expected a header length of 8 bytes, found a file of %zu bytes", path, n);
        goto out;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        len |= (uint64_t)bytes[i] << (8 * i);
    if (len > IMS_MAX_SAFETENSORS_HEADER_BYTES) {
        st = ims_fail(err, IMS_E_LIMIT, ORIGIN, 0,
                      "%s: expected a header of at most %zu bytes, found a length of %llu", path,
                      IMS_MAX_SAFETENSORS_HEADER_BYTES, (unsigned long long)len);
        goto out;
    }
    if (len > n - LENGTH_BYTES) {
        st = ims_fail(err, IMS_E_TRUNCATED, ORIGIN, 0,
                      "%s: expected a header of %llu bytes, found %zu bytes after its length", path,
                      (unsigned long long)len, n - LENGTH_BYTES);
        goto out;
    }
    st = read_header(&s, (const char *)bytes + LENGTH_BYTES, (size_t)len, file_bytes, err);
    if (st)
        goto out;
    *out = s;
    return IMS_OK;
out:
    ims__safetensors_release(&s);
    return st;
}

ims_status ims__safetensors_open(struct ims_safetensors *out, const char *path, ims_err *err)
{
    struct ims_map map;
    ims_status st;

    if (ims__ends_with(path, IMS_SAFETENSORS_INDEX))
        return ims__safetensors_open_index(out, path, err);
    st = ims__map_open(&map, path, err);
    if (st)
        return st;
    st = ims__safetensors_parse(out, map.data, map.size_bytes, map.size_bytes, path, err);
    if (st) {
        ims__map_close(&map);
        return st;
    }
    out->map = map;
    return IMS_OK;
}

void ims__safetensors_release(struct ims_safetensors *s)
{
    ims__map_close(&s->map);
    ims__arena_release(&s->names);
    ims__free(s->path);
    ims__free(s->tensors);
    ims__free(s->shards);
    *s = (struct ims_safetensors){ 0 };
}

const struct ims_weight *ims__safetensors_find(const struct ims_safetensors *s, const char *name)
{
    struct ims_weight key = { .name = name };

    if (!s->n_tensors)
        return NULL;
    return bsearch(&key, s->tensors, s->n_tensors, sizeof(*s->tensors), by_name);
}
