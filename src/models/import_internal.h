/* What the files of an import share (install_import.c, install_import_faces.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_IMPORT_INTERNAL_H
#define IMS_MODELS_IMPORT_INTERNAL_H

#include "models/install_internal.h"

struct ims_face_pack;

struct ims_import {
    const struct ims_import_options *options;
    const char *from; /* the folder; NULL for a single file */
    char *inner;      /* from, where that is a folder inside the one named */
    char *name;
    const struct ims_registry_row *row; /* known by its name or its sums; may be NULL */
    struct ims_face_pack *faces;        /* a face pack that is not known; NULL for anything else */
    struct ims_staging staging;
    struct ims_manifest manifest;
};

/* Is there a regular file of that name below dir? */
bool ims__import_has(const char *dir, const char *name);
/* The name asked for, else the known one, else that of the folder. */
ims_status ims__import_name(struct ims_import *m, bool is_open_clip, ims_err *err) IMS_MUST_CHECK;
/* Begin; take files, by their name below m->from and in the model; finish. */
ims_status ims__import_begin(struct ims_import *m, ims_err *err) IMS_MUST_CHECK;
ims_status ims__import_take(struct ims_import *m, const char *relative, const char *local,
                            ims_err *err) IMS_MUST_CHECK;
ims_status ims__import_finish(struct ims_import *m, const char *kind, char **out_dir,
                              ims_err *err) IMS_MUST_CHECK;

/* Is the folder a face pack: one of the registry's, by its sums, or any other in a known layout? Sets row or
 * faces. IMS_E_NOT_FOUND: nothing of the kind is in it. */
ims_status ims__import_find_faces(struct ims_import *m, ims_err *err) IMS_MUST_CHECK;
ims_status ims__import_faces(struct ims_import *m, char **out_dir, ims_err *err) IMS_MUST_CHECK;

#endif
