/* Checks what a batch brings and makes it fit for SQL: text, numbers, the stored form of vectors.
 *
 * One odd picture must not cost its batch: text that is not UTF-8 is stored in its display form,
 * numbers that are not finite are dropped, a vector that is no unit vector becomes the failure
 * "bad_vector".
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_NORM_ERROR 0.01

ims_status ims__store_clean_text(struct ims_arena *arena, const char *in, const char **out,
                                 ims_err *err)
{
    struct ims_buf shown;
    ims_status st;

    *out = in;
    if (!in || ims__utf8_is_valid(in, strlen(in)))
        return IMS_OK;
    ims__buf_init(&shown, IMS_MIB);
    st = ims__display(in, strlen(in), &shown);
    if (!st) {
        *out = ims__arena_strndup(arena, shown.data, shown.len);
        if (!*out)
            st = IMS_E_NOMEM;
    }
    ims__buf_release(&shown);
    return st ? ims_fail(err, st, "store", 0, "making text fit for storage") : IMS_OK;
}

static ims_status clean_media(struct ims_arena *arena, const struct ims_store_media *in,
                              struct ims_store_media *out, ims_err *err)
{
    ims_status st;

    *out = *in;
    out->has_gps = in->has_gps && isfinite(in->gps_lat) && isfinite(in->gps_lng);
    st = ims__store_clean_text(arena, in->mime, &out->mime, err);
    if (!st)
        st = ims__store_clean_text(arena, in->camera_make, &out->camera_make, err);
    if (!st)
        st = ims__store_clean_text(arena, in->camera_model, &out->camera_model, err);
    if (!st)
        st = ims__store_clean_text(arena, in->exif_json, &out->exif_json, err);
    if (!st)
        st = ims__store_clean_text(arena, in->note, &out->note, err);
    return st;
}

bool ims__store_is_unit(const float *v, int dim, double *out_norm)
{
    double sum = 0;

    for (int i = 0; i < dim; i++)
        sum += (double)v[i] * (double)v[i];
    sum = sqrt(sum);
    if (out_norm)
        *out_norm = sum;
    return fabs(sum - 1) <= MAX_NORM_ERROR; /* false also when it is not a number */
}

static ims_status clean_vector(struct ims_arena *arena, const float *vector, int dim,
                               struct ims__store_clean *c, ims_err *err)
{
    size_t n_bytes = (size_t)dim * sizeof(float);
    uint8_t digest[IMS_SHA256_BYTES];
    char text[96], *hex;
    void *stored;
    ims_status st;

    if (!ims__store_is_unit(vector, dim, &c->norm)) {
        snprintf(text, sizeof(text), "the vector has length %g instead of 1", c->norm);
        c->failure = IMS_E_RUNTIME;
        c->reason = "bad_vector";
        c->detail = ims__arena_strndup(arena, text, strlen(text));
        c->norm = 0;
        return c->detail ? IMS_OK : ims__store_nomem(err);
    }
    stored = ims__arena_alloc(arena, n_bytes, 1);
    hex = ims__arena_alloc(arena, IMS_SHA256_HEX, 1);
    if (!stored || !hex)
        return ims__store_nomem(err);
    ims__store_put_f32(stored, vector, (size_t)dim);
    st = ims__sha256(stored, n_bytes, digest, err);
    if (st)
        return st;
    ims__hex(digest, sizeof(digest), hex);
    c->vector = stored;
    c->checksum = hex;
    return IMS_OK;
}

static ims_status check_item(const struct ims_store_item *item, ims_err *err)
{
    ims_status st = ims__store_check_path(item->path, err);

    if (st)
        return st;
    if (!item->failure != !item->reason || (item->reason && !*item->reason))
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "a failure has a status and a reason, success neither");
    if (!item->failure && !item->sha256)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "success without the content's hash");
    if (item->failure && item->vector)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a failure with a vector");
    if (item->evidence && !item->evidence->device)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "evidence without a device");
    return IMS_OK;
}

static ims_status clean_item(struct ims_arena *arena, const struct ims_store_item *item, int dim,
                             struct ims__store_clean *c, ims_err *err)
{
    ims_status st = check_item(item, err);

    c->failure = item->failure;
    if (!st)
        st = ims__store_clean_text(arena, item->reason, &c->reason, err);
    if (!st)
        st = ims__store_clean_text(arena, item->detail, &c->detail, err);
    if (!st && item->media)
        st = clean_media(arena, item->media, &c->media, err);
    if (!st && item->evidence)
        st = ims__store_clean_text(arena, item->evidence->metadata_json, &c->metadata_json, err);
    if (!st && item->vector)
        st = clean_vector(arena, item->vector, dim, c, err);
    return st;
}

ims_status ims__store_clean_items(struct ims_arena *arena, const struct ims_store_item *items,
                                  size_t n, int dim, struct ims__store_clean **out, ims_err *err)
{
    struct ims__store_clean *clean = ims__arena_alloc(arena, n, sizeof(*clean));

    if (!clean)
        return ims__store_nomem(err);
    for (size_t i = 0; i < n; i++) {
        ims_status st = clean_item(arena, &items[i], dim, &clean[i], err);

        if (st)
            return ims_fail_in(err, st, "item %zu of %zu", i + 1, n);
    }
    *out = clean;
    return IMS_OK;
}
