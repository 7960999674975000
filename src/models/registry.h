/* The models that can be fetched by name: where they are, under which licence, what their files are.
 *
 * A table in the program, no file and no network. Immutable; any thread may read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_REGISTRY_H
#define IMS_MODELS_REGISTRY_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The model that serves when none is named; also what `models pull` fetches without a name. */
#define IMS_REGISTRY_DEFAULT "ViT-B-32__laion2b_s34b_b79k"
#define IMS_REGISTRY_HUB "https://huggingface.co"
#define IMS_REGISTRY_MAX_FILES 16

typedef enum ims_model_kind { IMS_MODEL_CLIP, IMS_MODEL_FACES } ims_model_kind;

struct ims_registry_file {
    const char *path;    /* in the repository */
    const char *local;   /* in the model's folder */
    uint64_t size_bytes; /* 0 = not known in advance */
    const char *sha256;  /* hex; NULL = the hub's own word is taken */
    const char
        *other_repo; /* that has the same file, should this repository lack it; NULL = none */
};

struct ims_registry_row {
    const char *name; /* and the folder's: ARCHITECTURE__WEIGHTS for CLIP models */
    ims_model_kind kind;
    const char *repo;     /* OWNER/NAME on the hub */
    const char *revision; /* a branch, or the commit that the sums belong to */
    const char *licence;  /* its short name */
    const char *terms;    /* one sentence when the licence must be accepted first; else NULL */
    const char *about;    /* a few words */
    uint32_t dim;         /* of a vector; 0 = read from the model */
    uint32_t image_px;
    uint32_t size_mb; /* about, all files */
    const struct ims_registry_file *files;
    size_t n_files;
    /* What a whole pack has besides, which the hub does not hand out: an import takes it along. */
    const struct ims_registry_file *extras;
    size_t n_extras;
};

/* Every row, in the order in which they are listed. */
const struct ims_registry_row *ims_registry_rows(size_t *out_n);

/* The word for whichever face pack is to be had, and what it stands for: the first one whose licence asks for
 * nothing, else buffalo_l. No pack of the first sort is in the table yet: there are free recognisers, but no
 * free detector of SCRFD's form was found. Its row only has to be added. */
#define IMS_REGISTRY_FACES "faces"
const struct ims_registry_row *ims_registry_faces(void);

/* The row of a name: as written in the table ('_' and '-' are one after "__", a "-quickgelu" after the
 * architecture may stand there), or an architecture alone for its first row. IMS_E_NOT_FOUND names the
 * nearest ones. "hf-hub:OWNER/NAME", as open_clip writes it, gives a row for that repository: an
 * open_clip model whose licence nobody here has read. The row is *own then (which must outlive it). */
struct ims_registry_own {
    struct ims_registry_row row;
    char name[128];
    char repo[128];
};
ims_status ims_registry_find(const struct ims_registry_row **out, const char *name,
                             struct ims_registry_own *own, ims_err *err) IMS_MUST_CHECK;

#endif
