/* Fuzz target: what is read of a file before any decoder sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/decode.h"

#include "media/segments.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jpeg_outline o;
    const char *noun = NULL;
    ims_media_format format = ims_media_sniff(data, size, &noun);

    if (!noun || format >= IMS_MEDIA_N_FORMATS)
        abort();
    (void)ims__icc_kind(data, size);
    if (format == IMS_MEDIA_JPEG) {
        ims__jpeg_outline(&o, data, size);
        if (o.icc_bytes > size || o.exif_bytes > size)
            abort();
        if (o.icc_bytes) {
            uint8_t *icc = calloc(o.icc_bytes, 1);

            if (icc) {
                ims__jpeg_icc(data, size, &o, icc);
                (void)ims__icc_kind(icc, o.icc_bytes);
            }
            free(icc);
        }
    } else if (format != IMS_MEDIA_UNKNOWN) {
        (void)ims__media_ends_early(format, data, size);
    }
    return 0;
}
