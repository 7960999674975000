/* Making weights of another precision: rounded to halves, or to 8 bits with a scale per output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/fs_partial.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "models/clip/clip_weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "weights"
#define INT8_TOP 127.0f
#define MAX_HALF 65504.0f
#define TILE_ROWS 64
#define DATA_ALIGNMENT 64
#define NO_SUM "0000000000000000000000000000000000000000000000000000000000000000"

struct maker {
    const struct ims_clip_weights_job *job;
    struct ims_partial file;
    struct ims_map shard; /* of weights in several files: the one in use */
    const char *shard_name;
    ims_err *err;
};

/* ---- trained weights as floats ---- */

static ims_status open_shard(struct maker *m, const char *name)
{
    char *path;
    ims_status st;

    if (m->shard_name && strcmp(m->shard_name, name) == 0)
        return IMS_OK;
    ims__map_close(&m->shard);
    m->shard_name = NULL;
    path = ims__path_join(m->job->pack->dir, name);
    if (!path)
        return ims_fail(m->err, IMS_E_NOMEM, ORIGIN, 0, "making weights");
    st = ims__map_open(&m->shard, path, m->err);
    ims__free(path);
    if (!st)
        m->shard_name = name;
    return st;
}

/* Bounds were checked against the file's size when its header was read; the file may have shrunk
 * since. */
static ims_status find_data(struct maker *m, const struct ims_weight *w, const uint8_t **out)
{
    const struct ims_map *map = &m->job->trained->map;
    ims_status st = IMS_OK;

    if (!map->data) {
        st = open_shard(m, w->file);
        map = &m->shard;
    }
    if (!st && (w->offset > map->size_bytes || w->size_bytes > map->size_bytes - w->offset))
        st = ims_fail(m->err, IMS_E_TRUNCATED, ORIGIN, 0, "%s: shorter than its header says",
                      w->file);
    if (!st)
        *out = map->data + w->offset;
    return st;
}

static void widen(ims_weight_type type, const uint8_t *in, float *out, size_t n)
{
    uint16_t halves[256];

    if (type == IMS_WEIGHT_F32) {
        memcpy(out, in, n * sizeof(*out));
        return;
    }
    for (size_t at = 0; at < n; at += IMS_ARRAY_LEN(halves)) {
        size_t k = n - at < IMS_ARRAY_LEN(halves) ? n - at : IMS_ARRAY_LEN(halves);

        memcpy(halves, in + at * sizeof(*halves), k * sizeof(*halves)); /* of any alignment */
        if (type == IMS_WEIGHT_F16) {
            ims__kernels()->f16_to_f32(halves, out + at, k);
            continue;
        }
        for (size_t i = 0; i < k; i++) {
            uint32_t bits = (uint32_t)halves[i] << 16;

            memcpy(&out[at + i], &bits, sizeof(bits));
        }
    }
}

/* The rows of a need as floats: a new block of rows * row_floats. */
static ims_status read_rows(struct maker *m, const struct ims_clip_need *need, uint64_t *out_rows,
                            uint64_t *out_columns, float **out)
{
    const struct ims_weight *w = need->source;
    const uint64_t all_rows = w->rank ? w->dims[0] : 1;
    const size_t row_bytes = all_rows ? (size_t)(w->size_bytes / all_rows) : 0;
    const size_t columns = row_bytes / (w->type == IMS_WEIGHT_F32 ? 4 : 2);
    const uint8_t *data = NULL;
    size_t n;
    ims_status st = find_data(m, w, &data);

    if (st)
        return st;
    *out = ims__mul_size((size_t)need->n_rows, columns, &n) ? ims__alloc(n, sizeof(**out)) : NULL;
    if (!*out)
        return ims_fail(m->err, IMS_E_NOMEM, ORIGIN, 0, "making weights");
    widen(w->type, data + need->first * row_bytes, *out, n);
    *out_rows = need->n_rows;
    *out_columns = columns;
    return IMS_OK;
}

/* ---- rounding ---- */

static ims_status add_halves(struct maker *m, const struct ims_clip_need *need, const float *v,
                             size_t n)
{
    uint16_t halves[4096];
    ims_status st = IMS_OK;

    for (size_t at = 0; !st && at < n; at += IMS_ARRAY_LEN(halves)) {
        size_t k = n - at < IMS_ARRAY_LEN(halves) ? n - at : IMS_ARRAY_LEN(halves);

        for (size_t i = 0; i < k; i++) {
            if (!(fabsf(v[at + i]) <= MAX_HALF))
                return ims_fail(m->err, IMS_E_MODEL, ORIGIN, 0,
                                "%s: %s holds %g, which fp16 cannot; use --precision fp32",
                                m->job->pack->name, need->name, (double)v[at + i]);
        }
        ims__kernels()->f32_to_f16(v + at, halves, k);
        st = ims__partial_add(&m->file, halves, k * sizeof(*halves), m->err);
    }
    return st;
}

static int8_t round_byte(float v, float inverse)
{
    float q = rintf(v * inverse); /* to even, as the runtime rounds activations */

    return (int8_t)(q > INT8_TOP ? INT8_TOP : q < -INT8_TOP ? -INT8_TOP : q);
}

static float inverse_of(float scale)
{
    return scale > 0 ? 1.0f / scale : 0.0f;
}

/* [n_out, n_in], a scale per row, to bytes [n_in, n_out]: in tiles, as whole columns would miss the
 * cache at every byte. */
static void round_rows(const float *v, size_t rows, size_t columns, int8_t *out, float *scales)
{
    for (size_t r = 0; r < rows; r++) {
        float top = 0;

        for (size_t c = 0; c < columns; c++)
            top = fmaxf(top, fabsf(v[r * columns + c]));
        scales[r] = top / INT8_TOP;
    }
    for (size_t r0 = 0; r0 < rows; r0 += TILE_ROWS) {
        size_t end = rows - r0 < TILE_ROWS ? rows : r0 + TILE_ROWS;

        for (size_t c = 0; c < columns; c++) {
            for (size_t r = r0; r < end; r++)
                out[c * rows + r] = round_byte(v[r * columns + c], inverse_of(scales[r]));
        }
    }
}

/* [n_in, n_out], a scale per column, to bytes in the same order. */
static void round_columns(const float *v, size_t rows, size_t columns, int8_t *out, float *scales)
{
    memset(scales, 0, columns * sizeof(*scales));
    for (size_t i = 0; i < rows * columns; i++)
        scales[i % columns] = fmaxf(scales[i % columns], fabsf(v[i]));
    for (size_t c = 0; c < columns; c++)
        scales[c] /= INT8_TOP;
    for (size_t i = 0; i < rows * columns; i++)
        out[i] = round_byte(v[i], inverse_of(scales[i % columns]));
}

static ims_status add_bytes(struct maker *m, const struct ims_clip_need *need, const float *v,
                            size_t rows, size_t columns)
{
    const size_t n_out = need->role == IMS_CLIP_LINEAR ? rows : columns;
    int8_t *bytes = ims__alloc(rows * columns, 1);
    float *scales = ims__alloc(n_out, sizeof(*scales));
    ims_status st = IMS_OK;

    if (!bytes || !scales)
        st = ims_fail(m->err, IMS_E_NOMEM, ORIGIN, 0, "making weights");
    else if (need->role == IMS_CLIP_LINEAR)
        round_rows(v, rows, columns, bytes, scales);
    else
        round_columns(v, rows, columns, bytes, scales);
    for (size_t i = 0; !st && i < n_out; i++) {
        if (!isfinite(scales[i]))
            st = ims_fail(m->err, IMS_E_MODEL, ORIGIN, 0, "%s: %s holds a value that is no number",
                          m->job->pack->name, need->name);
    }
    if (!st)
        st = ims__partial_add(&m->file, bytes, rows * columns, m->err);
    if (!st)
        st = ims__partial_add(&m->file, scales, n_out * sizeof(*scales), m->err);
    ims__free(bytes);
    ims__free(scales);
    return st;
}

static ims_status add_weight(struct maker *m, const struct ims_clip_need *need)
{
    uint64_t rows = 0, columns = 0;
    float *v = NULL;
    size_t n;
    ims_status st = read_rows(m, need, &rows, &columns, &v);

    if (st)
        return st;
    n = (size_t)(rows * columns);
    switch (ims__clip_weight_type(m->job->precision, need->role)) {
    case IMS_WEIGHT_I8:
        st = add_bytes(m, need, v, (size_t)rows, (size_t)columns);
        break;
    case IMS_WEIGHT_F16:
        st = add_halves(m, need, v, n);
        break;
    default:
        st = ims__partial_add(&m->file, v, n * sizeof(*v), m->err);
    }
    ims__free(v);
    return st;
}

/* ---- the file ---- */

struct header {
    const struct ims_clip_weights_job *job;
    ims_json *root;
    uint64_t at; /* where the next tensor's data begin */
    ims_status status;
};

static void keep_status(struct header *h, ims_status st)
{
    if (!h->status)
        h->status = st;
}

static void describe(struct header *h, const char *name, const char *type, uint32_t type_bytes,
                     const uint64_t *dims, uint32_t rank)
{
    ims_json *tensor = ims__json_new_object(), *shape = ims__json_new_array();
    ims_json *offsets = ims__json_new_array();
    uint64_t n = type_bytes;

    for (uint32_t i = 0; i < rank; i++) {
        keep_status(h, ims__json_add(shape, ims__json_new_int((int64_t)dims[i])));
        n *= dims[i];
    }
    keep_status(h, ims__json_add(offsets, ims__json_new_int((int64_t)h->at)));
    h->at += n;
    keep_status(h, ims__json_add(offsets, ims__json_new_int((int64_t)h->at)));
    keep_status(h, ims__json_set(tensor, "dtype", ims__json_new_str(type)));
    keep_status(h, ims__json_set(tensor, "shape", shape));
    keep_status(h, ims__json_set(tensor, "data_offsets", offsets));
    keep_status(h, ims__json_set(h->root, name, tensor));
}

/* The entries of a need, in the order in which add_weight writes. */
static void describe_need(struct header *h, const struct ims_clip_need *need)
{
    const struct ims_weight *w = need->source;
    uint64_t dims[IMS_MAX_TENSOR_RANK];
    char name[256];

    memcpy(dims, w->dims, sizeof(dims));
    if (w->rank)
        dims[0] = need->n_rows;
    switch (ims__clip_weight_type(h->job->precision, need->role)) {
    case IMS_WEIGHT_I8:
        if (need->role == IMS_CLIP_LINEAR) {
            dims[0] = w->dims[1];
            dims[1] = need->n_rows;
        }
        describe(h, need->name, "I8", 1, dims, 2);
        (void)snprintf(name, sizeof(name), "%s" IMS_CLIP_SCALE, need->name);
        describe(h, name, "F32", 4, dims + 1, 1);
        break;
    case IMS_WEIGHT_F16:
        describe(h, need->name, "F16", 2, dims, w->rank);
        break;
    default:
        describe(h, need->name, "F32", 4, dims, w->rank);
    }
}

static void describe_all(struct header *h, const char *samples, const char *whole)
{
    const char *precision = ims_precision_name(h->job->precision);
    ims_json *meta = ims__json_new_object();

    keep_status(h, ims__json_set(meta, "recipe", ims__json_new_str(IMS_CLIP_WEIGHTS_RECIPE)));
    keep_status(h, ims__json_set(meta, "precision", ims__json_new_str(precision)));
    keep_status(h, ims__json_set(meta, "made_from", ims__json_new_str(h->job->pack->digest)));
    keep_status(h, ims__json_set(meta, "samples_sha256", ims__json_new_str(samples)));
    keep_status(h, ims__json_set(meta, IMS_CLIP_WHOLE_SUM, ims__json_new_str(whole)));
    keep_status(h, ims__json_set(h->root, "__metadata__", meta));
    for (size_t i = 0; i < h->job->plan->n; i++)
        describe_need(h, &h->job->plan->needs[i]);
}

ims_status ims__clip_weights_header(const struct ims_clip_weights_job *job, const char *samples,
                                    const char *whole, struct ims_buf *out, ims_err *err)
{
    struct header h = { .job = job, .root = ims__json_new_object() };
    struct ims_buf b;
    const char length[8] = { 0 };
    uint64_t n;

    describe_all(&h, samples, whole);
    ims__buf_init(&b, IMS_MAX_SAFETENSORS_HEADER_BYTES);
    (void)ims__buf_add(&b, length, sizeof(length));
    keep_status(&h, ims__json_write(h.root, 0, &b, NULL));
    ims__json_free(h.root);
    while (b.len % DATA_ALIGNMENT && ims__buf_add_char(&b, ' ') == IMS_OK) {
    }
    keep_status(&h, ims__buf_status(&b));
    if (h.status) {
        ims__buf_release(&b);
        return ims_fail(err, h.status, ORIGIN, 0, "making weights");
    }
    n = b.len - sizeof(length);
    for (unsigned i = 0; i < sizeof(length); i++)
        b.data[i] = (char)(n >> (8 * i));
    *out = b;
    return IMS_OK;
}

/* The header is always of the same size; its sums are known only at the end. */
static ims_status write_all(struct maker *m)
{
    char samples[IMS_SHA256_HEX], whole[IMS_SHA256_HEX];
    struct ims_map map = { 0 };
    struct ims_buf header;
    ims_status st = ims__clip_weights_header(m->job, NO_SUM, NO_SUM, &header, m->err);
    size_t n = st ? 0 : header.len;

    if (!st)
        st = ims__partial_add(&m->file, header.data, header.len, m->err);
    for (size_t i = 0; !st && i < m->job->plan->n; i++)
        st = add_weight(m, &m->job->plan->needs[i]);
    if (n)
        ims__buf_release(&header);
    if (!st)
        st = ims__map_open(&map, m->file.partial, m->err);
    if (!st)
        st = ims__clip_weights_sums(map.data + n, map.size_bytes - n, true, samples, whole, m->err);
    ims__map_close(&map);
    if (!st)
        st = ims__clip_weights_header(m->job, samples, whole, &header, m->err);
    if (!st) {
        st = ims__partial_patch(&m->file, 0, header.data, header.len, m->err);
        ims__buf_release(&header);
    }
    return st;
}

ims_status ims__clip_weights_make(const char *path, const struct ims_clip_weights_job *job,
                                  ims_err *err)
{
    struct maker m = { .job = job, .err = err };
    struct ims_safetensors other;
    ims_status st = ims__partial_open(&m.file, path, err);

    if (st)
        return st;
    if (m.file.has_waited && ims__clip_weights_check(&other, path, job, NULL) == IMS_OK) {
        ims__safetensors_release(&other); /* the process that was waited for made it */
        ims__partial_drop(&m.file);
        return IMS_OK;
    }
    st = write_all(&m);
    if (!st)
        st = ims__partial_publish(&m.file, err);
    ims__partial_drop(&m.file); /* nothing is left of it after publishing */
    ims__map_close(&m.shard);
    return st;
}
