/* The rows of the registry; for registry.c alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_REGISTRY_TABLE_H
#define IMS_MODELS_REGISTRY_TABLE_H

#include "models/registry.h"

extern const struct ims_registry_row ims__registry_rows[];
extern const size_t ims__registry_n_rows;
extern const struct ims_registry_file ims__registry_open_clip_files[];
extern const size_t ims__registry_n_open_clip_files;

#endif
