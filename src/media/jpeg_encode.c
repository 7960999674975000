/* JPEG encoding by libjpeg-turbo: progressive, which is how its simple interface gives optimised
 * Huffman tables; the pixels are those of a baseline file of the same quality.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include "base/limits.h"
#include "base/mem.h"

#include <limits.h>
#include <turbojpeg.h>

ims_status ims_media_encode_jpeg(struct ims_media *m, const uint8_t *rgb, int width, int height,
                                 size_t stride_bytes, int quality, uint8_t **out_buf,
                                 size_t *out_bytes, ims_err *err)
{
    unsigned long n_bytes;
    uint8_t *buf = NULL;
    uint8_t *fitted;
    tjhandle tj = NULL;
    ims_status st = IMS_E_NOMEM;

    (void)m;
    if (width < 1 || height < 1 || width > IMS_MAX_IMAGE_SIDE_PX ||
        height > IMS_MAX_IMAGE_SIDE_PX || stride_bytes < (size_t)width * 3 ||
        stride_bytes > INT_MAX || quality < 1 || quality > 100)
        return ims_fail(err, IMS_E_INVALID, "media", 0, "encoding %d x %d at quality %d", width,
                        height, quality);
    n_bytes = tjBufSize(width, height, TJSAMP_420);
    tj = tjInitCompress();
    buf = ims__alloc(n_bytes, 1);
    if (!tj || !buf) {
        ims_fail(err, st, "media", 0, "encoding %d x %d", width, height);
        goto out;
    }
    if (tjCompress2(tj, rgb, width, (int)stride_bytes, height, TJPF_RGB, &buf, &n_bytes, TJSAMP_420,
                    quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT | TJFLAG_PROGRESSIVE)) {
        st = ims_fail(err, IMS_E_INTERNAL, "media", 0, "encoding %d x %d: %s", width, height,
                      tjGetErrorStr2(tj));
        goto out;
    }
    fitted = ims__realloc(buf, n_bytes, 1);
    *out_buf = fitted ? fitted : buf;
    *out_bytes = n_bytes;
    buf = NULL;
    st = IMS_OK;
out:
    ims__free(buf);
    if (tj)
        tjDestroy(tj);
    return st;
}
