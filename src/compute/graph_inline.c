/* Reads an ONNX message field by field and writes it again, with data in the place of references.
 *
 * Fields of onnx.proto used here: ModelProto.graph 7; GraphProto.initializer 5; TensorProto.raw_data 9,
 * external_data 13 (StringStringEntryProto: key 1, value 2), data_location 14.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/graph_inline.h"

#include "base/fs.h"
#include "base/mem.h"

#include <stdint.h>
#include <string.h>

enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5 };
enum { TENSOR_RAW_DATA = 9, TENSOR_EXTERNAL = 13, TENSOR_LOCATION = 14 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

#define ORIGIN "compute"
#define MAX_FILES 64 /* of weights of one model */
#define MAX_NAME_BYTES 256
#define MAX_MESSAGE_BYTES INT32_MAX

struct span {
    const uint8_t *p;
    size_t n;
};

struct field {
    uint32_t number, wire;
    struct span whole; /* with its tag */
    struct span body;  /* of WIRE_BYTES */
};

struct inliner {
    const char *dir;
    struct ims_buf *out; /* NULL: only sizes are counted */
    ims_err *err;
    size_t n_files;
    struct {
        char name[MAX_NAME_BYTES];
        struct ims_map map;
    } files[MAX_FILES];
};

/* ---- reading ---- */

static bool take_varint(struct span *s, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && s->n > 0; shift += 7) {
        uint8_t byte = *s->p;

        s->p++;
        s->n--;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool skip(struct span *s, uint64_t n)
{
    if (n > s->n)
        return false;
    s->p += n;
    s->n -= (size_t)n;
    return true;
}

/* false: no whole field is there. */
static bool take_field(struct span *s, struct field *f)
{
    const uint8_t *start = s->p;
    uint64_t tag, n = 0;
    bool is_whole;

    if (!take_varint(s, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    *f = (struct field){ .number = (uint32_t)(tag >> 3), .wire = (uint32_t)(tag & 7) };
    switch (f->wire) {
    case WIRE_VARINT:
        is_whole = take_varint(s, &n);
        break;
    case WIRE_64:
        is_whole = skip(s, 8);
        break;
    case WIRE_32:
        is_whole = skip(s, 4);
        break;
    case WIRE_BYTES:
        is_whole = take_varint(s, &n) && n <= s->n;
        if (is_whole)
            f->body = (struct span){ s->p, (size_t)n };
        is_whole = is_whole && skip(s, n);
        break;
    default:
        is_whole = false;
    }
    f->whole = (struct span){ start, (size_t)(s->p - start) };
    return is_whole;
}

static ims_status bad_message(struct inliner *x)
{
    return ims_fail(x->err, IMS_E_MODEL, ORIGIN, 0, "the graph is no ONNX model");
}

/* ---- writing; failures stay in the buffer ---- */

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;

    while (v >>= 7)
        n++;
    return n;
}

static void put(struct inliner *x, const void *p, size_t n)
{
    (void)ims__buf_add(x->out, p, n);
}

static void put_varint(struct inliner *x, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

        put(x, &byte, 1);
    } while (v >>= 7);
}

static void put_head(struct inliner *x, uint32_t number, size_t n)
{
    put_varint(x, (uint64_t)number << 3 | WIRE_BYTES);
    put_varint(x, n);
}

static size_t message_bytes(uint32_t number, size_t n)
{
    return varint_bytes((uint64_t)number << 3 | WIRE_BYTES) + varint_bytes(n) + n;
}

/* ---- files ---- */

static ims_status need_file(struct inliner *x, const char *name, struct ims_map *out)
{
    char *path;
    ims_status st;

    for (size_t i = 0; i < x->n_files; i++) {
        if (strcmp(x->files[i].name, name) == 0) {
            *out = x->files[i].map;
            return IMS_OK;
        }
    }
    if (!name[0] || strchr(name, '/') || strcmp(name, "..") == 0)
        return ims_fail(x->err, IMS_E_MODEL, ORIGIN, 0,
                        "the weights' file '%.64s' is no plain file name", name);
    if (x->n_files == MAX_FILES)
        return ims_fail(x->err, IMS_E_LIMIT, ORIGIN, 0, "the weights are in more than %d files",
                        MAX_FILES);
    path = ims__path_join(x->dir, name);
    if (!path)
        return ims_fail(x->err, IMS_E_NOMEM, ORIGIN, 0, "reading weights");
    st = ims__map_open(&x->files[x->n_files].map, path, x->err);
    ims__free(path);
    if (st)
        return ims_fail_in(x->err, st == IMS_E_NOT_FOUND ? IMS_E_MODEL : st, "weights");
    memcpy(x->files[x->n_files].name, name, strlen(name) + 1);
    *out = x->files[x->n_files++].map;
    return IMS_OK;
}

static bool is_text(struct span s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool read_number(struct span s, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return s.n > 0;
}

struct place {
    bool is_external, has_length;
    char file[MAX_NAME_BYTES];
    uint64_t offset, length;
};

/* One key with its value. */
static bool read_entry(struct span s, struct place *out)
{
    struct span key = { NULL, 0 }, value = { NULL, 0 };
    struct field f;

    while (s.n > 0) {
        if (!take_field(&s, &f))
            return false;
        if (f.number == ENTRY_KEY)
            key = f.body;
        if (f.number == ENTRY_VALUE)
            value = f.body;
    }
    if (!key.p || !value.p)
        return false;
    if (is_text(key, "location")) {
        if (value.n >= sizeof(out->file) || memchr(value.p, '\0', value.n))
            return false;
        memcpy(out->file, value.p, value.n);
        out->file[value.n] = '\0';
        out->is_external = true;
        return true;
    }
    if (is_text(key, "length")) {
        out->has_length = true;
        return read_number(value, &out->length);
    }
    return !is_text(key, "offset") || read_number(value, &out->offset);
}

/* The bytes of an initializer that lie in a file. */
static ims_status find_data(struct inliner *x, const struct place *place, struct span *out)
{
    struct ims_map map = { NULL, 0 };
    uint64_t length = place->length;
    ims_status st = need_file(x, place->file, &map);

    if (st)
        return st;
    if (!place->has_length && place->offset <= map.size_bytes)
        length = map.size_bytes - place->offset;
    if (place->offset > map.size_bytes || length > map.size_bytes - place->offset)
        return ims_fail(x->err, IMS_E_MODEL, ORIGIN, 0, "the weights' file %.64s is too short",
                        place->file);
    *out = (struct span){ map.data ? map.data + place->offset : (const uint8_t *)"", (size_t)length };
    return IMS_OK;
}

/* ---- the three levels; each counts its bytes, and writes them when there is where to ---- */

static ims_status do_tensor(struct inliner *x, struct span s, size_t *out_n)
{
    struct place place = { .is_external = false };
    struct span rest = s, data = { NULL, 0 };
    struct field f;
    ims_status st = IMS_OK;

    while (rest.n > 0) {
        if (!take_field(&rest, &f) ||
            (f.number == TENSOR_EXTERNAL && !read_entry(f.body, &place)))
            return bad_message(x);
    }
    if (place.is_external)
        st = find_data(x, &place, &data);
    if (st)
        return st;
    *out_n = 0;
    for (rest = s; rest.n > 0 && take_field(&rest, &f);) {
        if (place.is_external && (f.number == TENSOR_RAW_DATA || f.number == TENSOR_EXTERNAL ||
                                  f.number == TENSOR_LOCATION))
            continue;
        *out_n += f.whole.n;
        if (x->out)
            put(x, f.whole.p, f.whole.n);
    }
    if (!place.is_external)
        return IMS_OK;
    *out_n += message_bytes(TENSOR_RAW_DATA, data.n);
    if (x->out) {
        put_head(x, TENSOR_RAW_DATA, data.n);
        put(x, data.p, data.n);
    }
    return IMS_OK;
}

typedef ims_status (*level_fn)(struct inliner *x, struct span s, size_t *out_n);

/* A message in which the fields of one number are rewritten by the next level. */
static ims_status do_level(struct inliner *x, struct span s, uint32_t number, level_fn next,
                           size_t *out_n)
{
    struct field f;

    *out_n = 0;
    while (s.n > 0) {
        struct ims_buf *out = x->out;
        size_t n = 0;
        ims_status st;

        if (!take_field(&s, &f))
            return bad_message(x);
        if (f.number != number || f.wire != WIRE_BYTES) {
            *out_n += f.whole.n;
            if (out)
                put(x, f.whole.p, f.whole.n);
            continue;
        }
        x->out = NULL; /* its size stands before it */
        st = next(x, f.body, &n);
        x->out = out;
        if (st)
            return st;
        *out_n += message_bytes(number, n);
        if (*out_n > MAX_MESSAGE_BYTES)
            return ims_fail(x->err, IMS_E_LIMIT, ORIGIN, 0,
                            "with its weights the graph has 2 GiB or more, which this device's "
                            "provider cannot be given");
        if (!out)
            continue;
        put_head(x, number, n);
        st = next(x, f.body, &n);
        if (st)
            return st;
    }
    return IMS_OK;
}

static ims_status do_graph(struct inliner *x, struct span s, size_t *out_n)
{
    return do_level(x, s, GRAPH_INITIALIZER, do_tensor, out_n);
}

ims_status ims__graph_inline(const void *bytes, size_t n, const char *dir, struct ims_buf *out,
                             ims_err *err)
{
    struct inliner *x = ims__zalloc(1, sizeof(*x));
    struct span all = { bytes, n };
    size_t total = 0;
    ims_status st;

    ims__buf_init(out, MAX_MESSAGE_BYTES);
    if (!x)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading weights");
    x->dir = dir;
    x->err = err;
    st = do_level(x, all, MODEL_GRAPH, do_graph, &total);
    if (!st && ims__buf_reserve(out, total))
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "memory for %zu bytes of weights", total);
    x->out = out;
    if (!st)
        st = do_level(x, all, MODEL_GRAPH, do_graph, &total);
    if (!st && ims__buf_status(out))
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "memory for %zu bytes of weights", total);
    for (size_t i = 0; i < x->n_files; i++)
        ims__map_close(&x->files[i].map);
    ims__free(x);
    return st;
}
