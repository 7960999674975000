/* Looking for face packs by name, and the one that serves when none is named.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face_pack.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/pack_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "face"
#define DEFAULT_PACK "buffalo_l"
#define MAX_PACKS 4096

struct pack_list {
    struct ims_face_pack **packs;
    size_t n, cap;
};

static void release_list(struct pack_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        ims_face_pack_close(l->packs[i]);
    ims__free(l->packs);
}

/* Folders that hold something else, CLIP models say, are passed over. */
static ims_status add_folder(struct pack_list *l, const char *root, const char *name, ims_err *err)
{
    struct ims_face_pack *p = NULL;
    char *dir = ims__path_join(root, name);
    ims_status st = dir ? ims_face_pack_open(&p, dir, NULL) : IMS_E_NOMEM;

    ims__free(dir);
    if (!st &&
        !ims__grow((void **)&l->packs, &l->cap, l->n, sizeof(struct ims_face_pack *), MAX_PACKS)) {
        ims_face_pack_close(p);
        st = IMS_E_NOMEM;
    }
    if (st == IMS_E_NOMEM)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing %s", root);
    if (!st)
        l->packs[l->n++] = p;
    return IMS_OK;
}

static ims_status read_list(struct pack_list *l, const char *const *roots, size_t n_roots,
                            ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t r = 0; r < n_roots && !st; r++) {
        struct ims_dir_names d = { 0 };
        struct ims_file_info info;
        if (ims__stat(roots[r], true, &info, NULL) != IMS_OK || !info.is_dir)
            continue;
        st = ims__dir_names_read(&d, roots[r], err);
        for (size_t i = 0; i < d.n && !st; i++)
            st = add_folder(l, roots[r], d.names[i], err);
        ims__dir_names_release(&d);
    }
    return st;
}

static bool is_called(const struct ims_face_pack *p, const char *name)
{
    return strcmp(ims__path_base(p->dir), name) == 0 || strcmp(p->name, name) == 0;
}

/* The first that a root before the others holds; of the demo's only when there is no other. */
static struct ims_face_pack **pick_default(struct pack_list *l, size_t *out_n_real)
{
    struct ims_face_pack **demo = NULL, **real = NULL;

    *out_n_real = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct ims_face_pack **p = &l->packs[i];
        if (is_called(*p, DEFAULT_PACK)) {
            *out_n_real = 1;
            return p;
        }
        if ((*p)->is_demo) {
            demo = demo ? demo : p;
            continue;
        }
        if (!real || strcmp((*real)->digest, (*p)->digest) != 0)
            (*out_n_real)++;
        real = real ? real : p;
    }
    return real ? real : demo;
}

static ims_status fail_with_names(const struct pack_list *l, ims_status st, const char *start,
                                  const char *end, ims_err *err)
{
    struct ims_buf names;

    ims__buf_init(&names, 300);
    for (size_t i = 0; i < l->n; i++)
        (void)ims__buf_addf(&names, "%s%s", names.len ? ", " : "",
                            ims__path_base(l->packs[i]->dir));
    st = ims_fail(err, st, ORIGIN, 0, "%s (%s)%s", start, names.data ? names.data : "none", end);
    ims__buf_release(&names);
    return st;
}

static ims_status find_default(struct pack_list *l, struct ims_face_pack ***out, ims_err *err)
{
    size_t n_real;
    struct ims_face_pack **p = pick_default(l, &n_real);

    if (n_real > 1)
        return fail_with_names(l, IMS_E_CONFIG, "several face packs are installed",
                               "; name one by FACE_MODEL_NAME", err);
    if (!p)
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "no face pack is installed; `imgsearch models pull " DEFAULT_PACK
                        "` fetches one");
    *out = p;
    return IMS_OK;
}

/* NULL without IMS_E_NOMEM in *out_st: no root has a folder of that name. */
static char *folder_called(const char *const *roots, size_t n_roots, const char *name,
                           ims_status *out_st)
{
    *out_st = IMS_OK;
    for (size_t r = 0; r < n_roots; r++) {
        struct ims_file_info info;
        char *dir = ims__path_join(roots[r], name);
        if (!dir) {
            *out_st = IMS_E_NOMEM;
            return NULL;
        }
        if (ims__stat(dir, true, &info, NULL) == IMS_OK && info.is_dir)
            return dir;
        ims__free(dir);
    }
    return NULL;
}

static ims_status find_named(struct pack_list *l, const char *name, struct ims_face_pack ***out,
                             ims_err *err)
{
    char start[200];

    for (size_t i = 0; i < l->n; i++) {
        if (is_called(l->packs[i], name)) {
            *out = &l->packs[i];
            return IMS_OK;
        }
    }
    (void)snprintf(start, sizeof(start), "no face pack is named %.100s; installed are", name);
    return fail_with_names(l, IMS_E_MODEL, start, "", err);
}

ims_status ims_face_pack_find(struct ims_face_pack **out, const char *const *roots, size_t n_roots,
                              const char *name, ims_err *err)
{
    struct pack_list l = { 0 };
    struct ims_face_pack **found = NULL;
    char *dir = NULL;
    ims_status st = IMS_OK;

    if (name && strchr(name, '/'))
        return ims_face_pack_open(out, name, err);
    if (name && *name)
        dir = folder_called(roots, n_roots, name, &st);
    if (st)
        return ims_fail(err, st, ORIGIN, 0, "looking for the face pack %s", name);
    if (dir) {
        st = ims_face_pack_open(out, dir, err);
        ims__free(dir);
        return st;
    }
    st = read_list(&l, roots, n_roots, err);
    if (!st)
        st = name && *name ? find_named(&l, name, &found, err) : find_default(&l, &found, err);
    if (!st) {
        *out = *found;
        *found = NULL;
    }
    release_list(&l);
    return st;
}
