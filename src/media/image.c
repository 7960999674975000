/* Reference-counted pixels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"

#include "base/mem.h"

#include <string.h>

struct ims_image *ims_image_ref(struct ims_image *im)
{
    atomic_fetch_add_explicit(&im->n_refs, 1, memory_order_relaxed);
    return im;
}

void ims_image_unref(struct ims_image *im)
{
    if (!im || atomic_fetch_sub_explicit(&im->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    ims__free(im->rgb);
    ims__free(im->alpha);
    ims__free(im->icc);
    ims__free(im);
}

uint8_t *ims__media_alloc_px(size_t bytes)
{
    return ims__large_alloc(bytes, 1);
}

ims_status ims__image_alloc(struct ims_image **out, int width, int height, bool has_alpha,
                            ims_err *err)
{
    struct ims_image *im = ims__zalloc(1, sizeof(*im));
    size_t n_px;
    size_t n_bytes;

    if (width <= 0 || height <= 0) {
        ims__free(im);
        return ims_fail(err, IMS_E_INVALID, "media", 0, "an image of %d x %d pixels", width,
                        height);
    }
    if (!im || !ims__mul_size((size_t)width, (size_t)height, &n_px) ||
        !ims__mul_size(n_px, 3, &n_bytes))
        goto nomem;
    atomic_init(&im->n_refs, 1);
    im->width = width;
    im->height = height;
    im->stride_bytes = (size_t)width * 3;
    im->rgb = ims__media_alloc_px(n_bytes);
    if (!im->rgb)
        goto nomem;
    if (has_alpha) {
        im->alpha = ims__media_alloc_px(n_px);
        if (!im->alpha)
            goto nomem;
    }
    *out = im;
    return IMS_OK;
nomem:
    ims_image_unref(im);
    return ims_fail(err, IMS_E_NOMEM, "media", 0, "pixels of %d x %d", width, height);
}

ims_status ims_image_new(struct ims_image **out, int width, int height, ims_err *err)
{
    ims_status st = ims__image_alloc(out, width, height, false, err);

    if (!st)
        memset((*out)->rgb, 0, (*out)->stride_bytes * (size_t)height);
    return st;
}
