/* Fuzz target: an EXIF block.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/limits.h"
#include "media/exif.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ims_exif x;
    ims_json *json = NULL;

    if (ims__exif_parse(&x, data, size, NULL))
        return 0;
    if (x.orientation < 0 || x.orientation > 8)
        abort();
    if (x.has_gps && !(fabs(x.gps_lat) <= 90 && fabs(x.gps_lng) <= 180))
        abort();
    if (!memchr(x.make, 0, sizeof(x.make)) || !memchr(x.model, 0, sizeof(x.model)))
        abort();
    if (x.json && strlen(x.json) > IMS_MAX_EXIF_JSON_BYTES)
        abort();
    if (x.json && ims__json_parse(&json, x.json, strlen(x.json), "exif", NULL))
        abort();
    ims__json_free(json);
    ims__exif_release(&x);
    return 0;
}
