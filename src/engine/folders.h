/* Looking at folders on disk: what is in them, what a run would find. Names only; no file is opened.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_FOLDERS_H
#define IMS_ENGINE_FOLDERS_H

#include "base/json.h"
#include "base/mem.h"
#include "ims/engine.h"

#define IMS_MAX_FOLDERS 5000 /* listed at a time */

struct ims_folder {
    const char *path;
    int64_t pictures; /* in it and at any depth below */
    size_t depth;     /* 1: right below the folder that was asked for */
    size_t parent;    /* index + 1; 0: that folder itself */
    bool is_ignored;  /* then its pictures are not counted */
};

struct ims_folders_options {
    const char *const *suffixes; /* as struct ims_walk_filter */
    size_t n_suffixes;
    bool is_flat;         /* only pictures in the folder itself count */
    bool is_recursive;    /* folders of all levels, not only those right below */
    bool include_ignored; /* list them too */
    unsigned max_ms;      /* then it stops and says so; 0 = no limit */
};

struct ims_folders {
    struct ims_folder *items; /* depth first, by name */
    size_t n;
    int64_t pictures;         /* below the folder, each once */
    bool is_partial;          /* the time was up, or there are more folders: counts are what was seen */
};
/* dir: absolute. Strings and items live in arena. IMS_E_NOT_FOUND, IMS_E_PERMISSION ... for dir itself; a folder below
 * that cannot be read counts 0. */
ims_status ims_engine_list_folders(struct ims_engine *e, const char *dir, const struct ims_folders_options *options,
                                   struct ims_arena *arena, struct ims_folders *out, ims_err *err) IMS_MUST_CHECK;

struct ims_folder_count {
    uint64_t pictures; /* that a run with these options would find */
    uint64_t known;    /* of them in the library; with names left out: at most that many */
};
/* suffixes of wanted count, and whether it names folders rather than dirs. */
ims_status ims_engine_count_folder(struct ims_engine *e, const char *dir, const struct ims_index_options *wanted,
                                   struct ims_folder_count *out, ims_err *err) IMS_MUST_CHECK;
/* {"recursive", "extensions"} of a request, of a job's arguments or a session's configuration, into options: "jpg" and
 * ".JPG" both as ".jpg"; without "recursive" the dirs in it become folders. Strings in arena. */
ims_status ims__index_config(const ims_json *config, struct ims_arena *arena, struct ims_index_options *o, ims_err *err)
    IMS_MUST_CHECK;

struct ims_folder_file {
    const char *path;
    int64_t size_bytes, mtime_us;
};
/* The pictures right in dir, by name, at most limit of them; *out_total counts all. */
ims_status ims_engine_folder_files(struct ims_engine *e, const char *dir, size_t limit, struct ims_arena *arena,
                                   struct ims_folder_file **out, size_t *out_n, size_t *out_total, ims_err *err)
    IMS_MUST_CHECK;

struct ims_registered {
    uint64_t found, fresh, known; /* found == fresh + known */
};
/* Enters what is new or changed below the folders as queued work, without doing it: options as for ims_engine_index.
 * IMS_E_TIMEOUT after max_ms; what was entered until then stays. */
ims_status ims_engine_register(struct ims_engine *e, const struct ims_index_options *options, unsigned max_ms,
                               struct ims_registered *out, ims_err *err) IMS_MUST_CHECK;

/* A picture that need not be in the library as a small JPEG; ims_engine_free(*out). */
ims_status ims_engine_shrink(struct ims_engine *e, const void *bytes, size_t n, unsigned max_px, uint8_t **out,
                             size_t *out_n, ims_err *err) IMS_MUST_CHECK;

#endif
