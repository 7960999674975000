/* libvips, loaded when the first picture needs it: its functions as a table, its rules, its
 * messages.
 *
 * Linking it would cost every start of the program 20 ms (it pulls in a hundred libraries), so it
 * is opened by name and only its headers are used. Only src/media/vips_*.c include this file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_VIPS_LIB_H
#define IMS_MEDIA_VIPS_LIB_H

#include "ims/status.h"
#include "media/media.h"

#include <vips/vips.h>

/* clang-format off */
#define VIPS_FUNCTIONS(X)                                                                        \
    X(vips_init) X(vips_version) X(vips_version_string) X(vips_thread_shutdown)                  \
    X(vips_block_untrusted_set) X(vips_operation_block_set) X(vips_type_find)                    \
    X(vips_cache_set_max) X(vips_cache_set_max_mem) X(vips_cache_set_max_files)                  \
    X(vips_concurrency_set) X(vips_error_buffer_copy) X(vips_error_clear)                        \
    X(vips_jpegload_buffer) X(vips_pngload_buffer) X(vips_webpload_buffer)                       \
    X(vips_gifload_buffer) X(vips_tiffload_buffer) X(vips_heifload_buffer)                       \
    X(vips_image_new_from_memory) X(vips_copy) X(vips_cast) X(vips_colourspace)                  \
    X(vips_image_get_width) X(vips_image_get_height) X(vips_image_get_bands)                     \
    X(vips_image_get_format) X(vips_image_get_interpretation) X(vips_image_get_n_pages)          \
    X(vips_image_get_typeof) X(vips_image_get_blob) X(vips_image_set_blob_copy)                  \
    X(vips_image_get_int) X(vips_region_new) X(vips_region_prepare)                              \
    X(vips_icc_transform) X(vips_icc_is_compatible_profile)                                    \
    X(g_object_unref) X(g_free) X(g_log_set_handler)
/* clang-format on */

struct vips_api {
#define X(name) __typeof__(name) *name;
    VIPS_FUNCTIONS(X)
#undef X
};

/* Loads and sets up libvips once for the process; later calls return the same table. */
ims_status ims__vips_get(const struct vips_api **out, ims_err *err) IMS_MUST_CHECK;

/* libvips keeps one buffer of messages for all threads. So that one file's message never shows up
 * in another's error, work runs inside a gate: any number of threads share it; a thread whose work
 * failed while others were inside, and which therefore cannot know whose messages are in the
 * buffer, repeats the work alone.
 *
 * work is called once or twice; it returns its own status, and leaves the vendor's text to the
 * gate. When st is IMS_E_FORMAT, err->text ends with that text, cleaned. */
struct vips_work {
    ims_status (*fn)(const struct vips_api *v, void *arg, ims_err *err);
    void *arg;
};
ims_status ims__vips_run(const struct vips_api *v, const struct vips_work *work,
                         ims_err *err) IMS_MUST_CHECK;
ims_status ims__vips_gate_init(ims_err *err) IMS_MUST_CHECK; /* once, while loading */

#endif
