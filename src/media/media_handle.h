/* Inside media: the handle.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_MEDIA_HANDLE_H
#define IMS_MEDIA_MEDIA_HANDLE_H

#include "media/media.h"

struct ims_media {
    struct ims_media_options opts; /* no field is zero */
};

/* Loads libvips; IMS_E_RUNTIME when it cannot be had. */
ims_status ims__vips_check(ims_err *err) IMS_MUST_CHECK;

#endif
