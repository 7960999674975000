/* Face packs on disk: finding, opening and listing the folders that hold face models.
 *
 * Two layouts are known, by the names of their files:
 *   insightface  det_*.onnx or scrfd_*.onnx, and w600k_*.onnx, glintr*.onnx or rec_*.onnx; where the
 *                pack has them genderage.onnx and 1k3d68.onnx (2d106det.onnx is not used)
 *   immich       detection/model.onnx, recognition/model.onnx
 * Of several files for one part the first by name counts. An optional imgsearch.json holds an
 * object of "name" (text) and "demo" (true for the drawn demo world's models).
 * A pack is immutable after it was opened and may be read from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FACE_FACE_PACK_H
#define IMS_MODELS_FACE_FACE_PACK_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a pack is made of. Every pack has the first two. */
typedef enum ims_face_part {
    IMS_FACE_DETECT,     /* SCRFD: boxes, scores and five points */
    IMS_FACE_EMBED,      /* a 112 x 112 crop to a vector */
    IMS_FACE_GENDER_AGE, /* a 96 x 96 crop to gender and age */
    IMS_FACE_LANDMARKS,  /* a 192 x 192 crop to 68 points in space */
    IMS_FACE_N_PARTS
} ims_face_part;

typedef enum ims_face_layout { IMS_FACE_INSIGHTFACE, IMS_FACE_IMMICH } ims_face_layout;

struct ims_face_pack {
    ims_face_layout layout;
    char *name;                    /* of imgsearch.json, or the folder's */
    char *dir;                     /* as given, without a trailing slash */
    bool is_demo;                  /* say so wherever it serves */
    char digest[65];               /* identity: SHA-256 over samples of every file that is used */
    uint64_t size_bytes;           /* of those files */
    char *files[IMS_FACE_N_PARTS]; /* paths; NULL where the pack lacks the part */
};

const char *ims_face_part_name(ims_face_part part); /* "detection", "recognition" ... */

/* Opens the pack in dir. IMS_E_MODEL says what was expected there and which part is missing. */
ims_status ims_face_pack_open(struct ims_face_pack **out, const char *dir,
                              ims_err *err) IMS_MUST_CHECK;
void ims_face_pack_close(struct ims_face_pack *p);

/* Finds a pack by name: a name with a '/' is a folder, otherwise each of the roots is looked into
 * in order. name NULL or empty: buffalo_l if it is installed, else the only face pack that is not
 * the demo's, else the demo's; several without a choice are IMS_E_CONFIG naming them.
 * IMS_E_MODEL lists what the roots hold when nothing fits. */
ims_status ims_face_pack_find(struct ims_face_pack **out, const char *const *roots, size_t n_roots,
                              const char *name, ims_err *err) IMS_MUST_CHECK;

#endif
