/* From a decoded picture to the pixels that a CLIP image tower takes, as open_clip does it with
 * torchvision and Pillow: bit for bit the same. Thread-safe; scratch is allocated per call.
 *
 * Mean and standard deviation are not applied here (our graphs take bytes and do it inside); they
 * stand in the description because a ready ONNX pack wants floats: (pixel / 255 - mean) / std.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_PREPROCESS_H
#define IMS_MODELS_CLIP_PREPROCESS_H

#include "ims/status.h"
#include "kernels/resample.h"

#include <stddef.h>
#include <stdint.h>

typedef enum ims_clip_resize {
    IMS_CLIP_RESIZE_SHORTEST, /* the short side fits, the rest is cut off evenly */
    IMS_CLIP_RESIZE_SQUASH,   /* both sides fit, the aspect is lost */
    IMS_CLIP_RESIZE_LONGEST,  /* the long side fits, the rest is filled evenly */
    IMS_CLIP_RESIZE_N
} ims_clip_resize;

struct ims_clip_preprocess {
    int width; /* what the model takes, 1..IMS_MAX_MODEL_SIDE_PX */
    int height;
    ims_clip_resize resize;
    ims_filter interpolation; /* bicubic or bilinear */
    float mean[3];
    float std[3];
    uint8_t fill; /* all three channels of the padding */
};

/* Raise it when a picture becomes other bytes than before: evidence records it. */
#define IMS_CLIP_PREPROCESS_VERSION 1
/* "1 shortest bicubic 224x224". Returns out. */
char *ims__clip_preprocess_name(const struct ims_clip_preprocess *p, char *out, size_t size);

/* OpenAI's and LAION's CLIP: 224 x 224, shortest, bicubic, their mean and std. */
extern const struct ims_clip_preprocess ims__clip_preprocess_openai;
/* SigLIP's: squash, bicubic, all means and stds 0.5. */
extern const struct ims_clip_preprocess ims__clip_preprocess_siglip;

/* Writes height x width x 3 interleaved bytes. rgb: row y at rgb + y * stride, stride >= 3 * width.
 * IMS_E_INVALID for a description or a picture that makes no sense, otherwise as ims__resample. */
ims_status ims__clip_preprocess_run(const struct ims_clip_preprocess *p, const uint8_t *rgb,
                                    int width, int height, size_t stride, uint8_t *out_rgb,
                                    ims_err *err) IMS_MUST_CHECK;

/* Where the pixels come from, for those who need the geometry: the picture is resized to
 * resized_width x resized_height, and output (x, y) is its pixel (x + left, y + top), fill outside.
 */
struct ims_clip_geometry {
    int resized_width;
    int resized_height;
    int left;
    int top;
};
ims_status ims__clip_preprocess_geometry(const struct ims_clip_preprocess *p, int width, int height,
                                         struct ims_clip_geometry *out,
                                         ims_err *err) IMS_MUST_CHECK;

#endif
