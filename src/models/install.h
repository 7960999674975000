/* Models in the data directory: fetching, importing, checking and removing them.
 *
 * A model is a folder DATA/models/NAME. It is put together in DATA/downloads/NAME and gets its place by one
 * rename, so that a model is there as a whole or not at all. imgsearch-model.json in it says where each file
 * came from and what its sum is (docs/notes/models.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_INSTALL_H
#define IMS_MODELS_INSTALL_H

#include "ims/status.h"
#include "models/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_MODEL_MANIFEST "imgsearch-model.json"

struct ims_pull_progress {
    const char *file;                 /* at hand */
    uint64_t done_bytes, total_bytes; /* of all files; total 0 = not known yet */
};
struct ims_pull_options {
    const char *data_dir;
    const char *hub_url; /* IMS_REGISTRY_HUB or a mirror; no '/' at its end */
    bool accept_licence;
    bool (*on_progress)(void *arg,
                        const struct ims_pull_progress *p);        /* false = stop; may be NULL */
    bool (*on_wait)(void *arg, unsigned wait_ms, const char *why); /* as in fetch.h; may be NULL */
    void *arg;
};
struct ims_pull_result {
    char *dir; /* where it is; ims__free */
    uint64_t fetched_bytes;
    bool was_there; /* nothing had to be done */
};
/* IMS_E_PERMISSION when the licence must be accepted and was not, IMS_E_EXISTS when a folder of that name
 * holds something else, IMS_E_BUSY when another process fetches it, IMS_E_NO_SPACE before the first byte
 * when it is known that they will not fit; else as ims__fetch_file. */
ims_status ims_model_pull(const struct ims_registry_row *row,
                          const struct ims_pull_options *options, struct ims_pull_result *out,
                          ims_err *err) IMS_MUST_CHECK;
/* The error of a pull says that there is no network (or no such host). */
bool ims_model_pull_is_offline(const ims_err *err);
/* The address of file i of a row on a hub; a new string or NULL. */
char *ims_model_file_url(const struct ims_registry_row *row, size_t i, const char *hub_url);

struct ims_import_options {
    const char *data_dir;
    const char *path;      /* a model folder, or a .safetensors file */
    const char *config;    /* for a file: open_clip_config.json; NULL = beside it */
    const char *tokenizer; /* for a file: tokenizer.json; NULL = beside it */
    const char *name;      /* NULL = the folder's */
};
/* Copies a model that is on this machine already. IMS_E_UNSUPPORTED for a pickle file and for what this
 * program cannot run, with the way out; IMS_E_EXISTS. *out_dir is a new string. */
ims_status ims_model_import(const struct ims_import_options *options, char **out_dir,
                            ims_err *err) IMS_MUST_CHECK;

/* One file of a model, checked. */
typedef void (*ims_verify_fn)(void *arg, const char *path, uint64_t size_bytes,
                              const ims_err *why); /* NULL = right */
/* Reads every byte of the model in dir and compares with its manifest, or with the registry's sums, and has
 * the pack opened. IMS_E_CORRUPT when something is wrong; *out_n_unproven files had no sum to compare with. */
ims_status ims_model_verify(const char *dir, ims_verify_fn on_file, void *arg,
                            size_t *out_n_unproven, ims_err *err) IMS_MUST_CHECK;

/* Removes DATA/models/NAME and what was fetched of it. IMS_E_NOT_FOUND when neither is there. */
ims_status ims_model_remove(const char *data_dir, const char *name, ims_err *err) IMS_MUST_CHECK;

/* What a manifest says about a folder; false when it has none. kind "clip" or "faces". */
struct ims_model_note {
    char kind[16];
    char licence[80];
    char source[300];
};
bool ims_model_note_read(const char *dir, struct ims_model_note *out);

#endif
