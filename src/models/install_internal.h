/* What the files of installing share; not for others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_INSTALL_INTERNAL_H
#define IMS_MODELS_INSTALL_INTERNAL_H

#include "models/fetch.h"
#include "models/install.h"

/* A name that may become a folder: letters, digits and ._-+ only, not hidden, at most 120 bytes. */
ims_status ims__model_name_check(const char *name, ims_err *err) IMS_MUST_CHECK;

/* DATA/models/NAME, and DATA/downloads/NAME, which exists and is locked against other processes. */
struct ims_staging {
    char *dir;   /* where files are put together */
    char *final; /* where they go */
    char *models;
    int lock_fd;
};
ims_status ims__staging_open(struct ims_staging *out, const char *data_dir, const char *name,
                             ims_err *err) IMS_MUST_CHECK;
/* Renames dir to final. */
ims_status ims__staging_publish(struct ims_staging *s, ims_err *err) IMS_MUST_CHECK;
void ims__staging_close(struct ims_staging *s);
/* The folder of a file below dir is made. *out_path: dir/local, a new string. */
ims_status ims__staging_path(const struct ims_staging *s, const char *local, char **out_path,
                             ims_err *err) IMS_MUST_CHECK;
/* Removes a folder and all that is in it, following no links. One that is not there is no failure. */
ims_status ims__remove_tree(const char *dir, ims_err *err) IMS_MUST_CHECK;

/* Entry i of a manifest. */
struct ims_manifest_file {
    char *path;
    uint64_t size_bytes;
    char sha256[65];
};
struct ims_manifest {
    char *name, *kind, *licence, *source, *revision;
    struct ims_manifest_file *files;
    size_t n_files, cap;
};
void ims__manifest_release(struct ims_manifest *m);
/* Sizes and hashes dir/path and appends it. */
ims_status ims__manifest_add(struct ims_manifest *m, const char *dir, const char *path,
                             ims_err *err) IMS_MUST_CHECK;
ims_status ims__manifest_write(const struct ims_manifest *m, const char *dir,
                               ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND when there is none. */
ims_status ims__manifest_read(struct ims_manifest *out, const char *dir,
                              ims_err *err) IMS_MUST_CHECK;

/* The pack in dir has what this program needs to run it: files, an architecture that is built, a tokenizer
 * that is known, sound weights. */
ims_status ims__model_probe(const char *dir, ims_err *err) IMS_MUST_CHECK;
/* The architecture alone, before hundreds of megabytes are fetched in vain. */
ims_status ims__model_config_probe(const char *path, ims_err *err) IMS_MUST_CHECK;
/* Copies a file to a path of the staging folder. */
ims_status ims__copy_file(const char *from, const char *to, ims_err *err) IMS_MUST_CHECK;

#endif
