/* Every limit on foreign input, by name. Sizes in bytes unless the name says otherwise.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_LIMITS_H
#define IMS_BASE_LIMITS_H

#define IMS_KIB ((size_t)1024)
#define IMS_MIB (1024 * IMS_KIB)
#define IMS_GIB (1024 * IMS_MIB)

/* media */
#define IMS_MAX_IMAGE_BYTES (512 * IMS_MIB)        /* one file */
#define IMS_MAX_IMAGE_PX ((uint64_t)200 * 1000000) /* width x height of one picture */
#define IMS_MAX_IMAGE_SIDE_PX 65500
#define IMS_MAX_DECODE_MS 60000
#define IMS_MAX_EXIF_JSON_BYTES (64 * IMS_KIB)
#define IMS_MAX_ICC_BYTES (4 * IMS_MIB)

/* files and paths */
#define IMS_MAX_PATH_BYTES 4096
#define IMS_MAX_WALK_DEPTH 64
#define IMS_MAX_CONFIG_FILE_BYTES (1 * IMS_MIB)

/* JSON */
#define IMS_MAX_JSON_BYTES (128 * IMS_MIB)
#define IMS_MAX_JSON_DEPTH 64

/* models */
#define IMS_MAX_SAFETENSORS_HEADER_BYTES (64 * IMS_MIB)
#define IMS_MAX_TENSORS 100000
#define IMS_MAX_TENSOR_RANK 8
#define IMS_MAX_TEXT_BYTES (64 * IMS_KIB) /* one query */
#define IMS_MAX_EMBEDDING_DIM 8192
#define IMS_MAX_MODEL_SIDE_PX 2048
#define IMS_MAX_VOCAB 1000000
#define IMS_MAX_MODEL_FILE_BYTES ((uint64_t)64 * IMS_GIB) /* fetched, when nobody says its size */

/* faces */
#define IMS_MAX_FACES_PER_PHOTO 4096
#define IMS_MAX_FACE_COORDINATE 1000000 /* px, of boxes that may lie partly outside the picture */

/* search */
#define IMS_MAX_SEARCH_LIMIT 10000

#endif
