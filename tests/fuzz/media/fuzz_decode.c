/* Fuzz target: a whole file, to pixels, thumbnail and hash.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "media/media.h"

#include <stdlib.h>

#define MAX_PX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
IMS_API const char *__lsan_default_suppressions(void);

/* Leaks of codecs on damaged files; ours would show other frames. dav1d 1.0.0 keeps 40 bytes of a
 * picture's reference when an AVIF's frame header is cut short. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libdav1d.so\n";
}

static void use(struct ims_media *m, const struct ims_image *im)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;
    uint64_t hash;
    ims_err err;

    if (ims_media_thumbnail(m, im, 32, 85, &jpeg, &n, &err) || ims_media_dhash(im, &hash, &err))
        abort();
    ims__free(jpeg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ims_media *m;
    struct ims_media_options opts = { .max_px = MAX_PX, .max_bytes = 1 << 20, .max_ms = 5000 };
    struct ims_media_info info;
    struct ims_image *im = NULL;
    ims_err err;

    if (!m && ims_media_open(&m, &opts, &err))
        abort();
    if (ims_media_decode(m, data, size, &info, &im, &err))
        return 0;
    if ((uint64_t)im->width * (uint64_t)im->height > MAX_PX || im->width != info.width ||
        im->height != info.height)
        abort();
    use(m, im);
    ims_image_unref(im);
    ims_media_info_release(&info);
    return 0;
}
