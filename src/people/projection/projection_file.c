/* Checkpoints of a projection, in memory and as files: layout in docs/notes/projection.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/projection.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "people/projection/projection_internal.h"

#include <math.h>
#include <string.h>

#define MAGIC "IMSFPROJ"
#define FORMAT 1U
#define HEAD_BYTES 32U
#define N_MATRICES 3U

static void put_le(uint8_t *out, uint64_t v, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *in, unsigned n_bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n_bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}

static size_t file_bytes(size_t dim, size_t card_bytes)
{
    return HEAD_BYTES + card_bytes + N_MATRICES * dim * dim * sizeof(float) + IMS_SHA256_BYTES;
}

static uint8_t *put_floats(uint8_t *at, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++, at += sizeof(float)) {
        uint32_t bits;

        memcpy(&bits, v + i, sizeof(bits));
        put_le(at, bits, sizeof(bits));
    }
    return at;
}

ims_status ims_projection_encode(const struct ims_projection *p, uint8_t **out, size_t *out_n,
                                 ims_err *err)
{
    size_t card_bytes = strlen(p->card), n = p->dim * p->dim;
    size_t size = file_bytes(p->dim, card_bytes);
    uint8_t *data = ims__zalloc(size, 1), *at;
    ims_status st;

    if (!data)
        return ims_fail(err, IMS_E_NOMEM, "projection", 0, "writing a checkpoint");
    memcpy(data, MAGIC, 8);
    put_le(data + 8, FORMAT, 4);
    put_le(data + 12, p->dim, 4);
    put_le(data + 16, p->steps, 8);
    put_le(data + 24, card_bytes, 4);
    memcpy(data + HEAD_BYTES, p->card, card_bytes);
    at = put_floats(data + HEAD_BYTES + card_bytes, p->weights, n);
    at = put_floats(at, p->first, n);
    at = put_floats(at, p->second, n);
    st = ims__sha256(data, (size_t)(at - data), at, err);
    if (st) {
        ims__free(data);
        return st;
    }
    *out = data;
    *out_n = size;
    return IMS_OK;
}

ims_status ims_projection_save(const struct ims_projection *p, const char *path, ims_err *err)
{
    uint8_t *data = NULL;
    size_t n = 0;
    ims_status st = ims_projection_encode(p, &data, &n, err);

    if (!st)
        st = ims__write_file(path, data, n, err);
    ims__free(data);
    return st;
}

/* Every float finite; false otherwise. */
static bool take_floats(const uint8_t **at, float *out, size_t n)
{
    bool is_finite = true;

    for (size_t i = 0; i < n; i++, *at += sizeof(float)) {
        uint32_t bits = (uint32_t)get_le(*at, sizeof(bits));

        memcpy(out + i, &bits, sizeof(bits));
        is_finite = is_finite && isfinite(out[i]);
    }
    return is_finite;
}

/* Head, sizes and sum; after it every length can be trusted. */
static ims_status check(const uint8_t *data, size_t size, const char *path, ims_err *err)
{
    uint8_t sum[IMS_SHA256_BYTES];
    uint64_t dim, card_bytes;
    ims_status st;

    if (size < HEAD_BYTES || memcmp(data, MAGIC, 8) != 0)
        return ims_fail(err, IMS_E_CORRUPT, "projection", 0,
                        "%s is not a checkpoint of face training", path);
    if (get_le(data + 8, 4) != FORMAT)
        return ims_fail(err, IMS_E_VERSION, "projection", 0,
                        "%s has checkpoint format %llu, this program reads %u", path,
                        (unsigned long long)get_le(data + 8, 4), FORMAT);
    dim = get_le(data + 12, 4);
    card_bytes = get_le(data + 24, 4);
    if (dim == 0 || dim > IMS_PROJECTION_MAX_DIM || card_bytes > IMS_PROJECTION_MAX_CARD_BYTES ||
        size != file_bytes((size_t)dim, (size_t)card_bytes))
        return ims_fail(err, IMS_E_CORRUPT, "projection", 0, "%s was cut or is damaged", path);
    st = ims__sha256(data, size - IMS_SHA256_BYTES, sum, err);
    if (st)
        return st;
    if (memcmp(sum, data + size - IMS_SHA256_BYTES, IMS_SHA256_BYTES) != 0)
        return ims_fail(err, IMS_E_CORRUPT, "projection", 0,
                        "%s is damaged: its checksum does not fit; train again or restore the file",
                        path);
    return IMS_OK;
}

ims_status ims_projection_decode(struct ims_projection **out, const uint8_t *data, size_t size,
                                 const char *what, ims_err *err)
{
    struct ims_projection *p = NULL;
    const uint8_t *at;
    char *card = NULL;
    size_t n, card_bytes;
    ims_status st = check(data, size, what, err);

    if (!st)
        st = ims_projection_new(&p, (size_t)get_le(data + 12, 4), err);
    if (st)
        goto out;
    p->steps = get_le(data + 16, 8);
    card_bytes = (size_t)get_le(data + 24, 4);
    card = ims__strndup((const char *)data + HEAD_BYTES, card_bytes);
    st = card ? ims_projection_set_card(p, card, err)
              : ims_fail(err, IMS_E_NOMEM, "projection", 0, "reading the card");
    if (st)
        goto out;
    n = p->dim * p->dim;
    at = data + HEAD_BYTES + card_bytes;
    if (!take_floats(&at, p->weights, n) || !take_floats(&at, p->first, n) ||
        !take_floats(&at, p->second, n)) {
        st = ims_fail(err, IMS_E_CORRUPT, "projection", 0, "%s holds numbers that are not finite", what);
        goto out;
    }
    *out = p;
    p = NULL;
out:
    ims_projection_free(p);
    ims__free(card);
    return st;
}

ims_status ims_projection_load(struct ims_projection **out, const char *path, ims_err *err)
{
    struct ims_buf file = { 0 };
    ims_status st =
        ims__read_file(path, file_bytes(IMS_PROJECTION_MAX_DIM, IMS_PROJECTION_MAX_CARD_BYTES), &file,
                       NULL, err);

    if (st)
        return st;
    st = ims_projection_decode(out, (const uint8_t *)(file.data ? file.data : ""), file.len, path, err);
    ims__buf_release(&file);
    return st;
}
