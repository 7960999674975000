/* Looking for model packs by name, and listing what is installed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/pack_internal.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "pack"
#define MAX_NAMES 100000

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void ims__dir_names_release(struct ims_dir_names *d)
{
    for (size_t i = 0; i < d->n; i++)
        ims__free(d->names[i]);
    ims__free(d->names);
    *d = (struct ims_dir_names){ 0 };
}

ims_status ims__dir_names_read(struct ims_dir_names *out, const char *dir, ims_err *err)
{
    struct ims_dir_names d = { 0 };
    struct dirent *e;
    ims_status st = IMS_OK;
    DIR *h = opendir(dir);

    if (!h)
        return ims_fail(err, ims__errno_status(errno), ORIGIN, errno, "reading the folder %s", dir);
    while ((e = readdir(h)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!ims__grow((void **)&d.names, &d.cap, d.n, sizeof(*d.names), MAX_NAMES) ||
            !(d.names[d.n] = ims__strdup(e->d_name))) {
            st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading the folder %s", dir);
            goto out;
        }
        d.n++;
    }
    if (d.n)
        qsort(d.names, d.n, sizeof(*d.names), by_text);
    *out = d;
    d = (struct ims_dir_names){ 0 };
out:
    (void)closedir(h);
    ims__dir_names_release(&d);
    return st;
}

/* ---- list ---- */

static void release_entry(struct ims_pack_entry *e)
{
    ims_pack_close(e->pack);
    ims__free(e->name);
    ims__free(e->dir);
}

void ims_pack_list_release(struct ims_pack_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        release_entry(&l->entries[i]);
    ims__free(l->entries);
    *l = (struct ims_pack_list){ 0 };
}

/* A folder becomes an entry, usable or not; a stray file does not. */
static ims_status add_entry(struct ims_pack_list *l, size_t *cap, const char *root,
                            const char *name, ims_err *err)
{
    struct ims_pack_entry e = { 0 };
    struct ims_file_info info;
    ims_status st;

    e.dir = ims__path_join(root, name);
    if (!e.dir)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing %s", root);
    if (ims__stat(e.dir, true, &info, NULL) != IMS_OK || !info.is_dir) {
        st = IMS_OK;
        goto out;
    }
    st = ims_pack_open(&e.pack, e.dir, &e.why);
    if (st != IMS_E_NOMEM)
        e.name = ims__strdup(e.pack ? e.pack->name : name);
    if (!e.name || !ims__grow((void **)&l->entries, cap, l->n, sizeof(*l->entries), MAX_NAMES)) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing %s", root);
        goto out;
    }
    l->entries[l->n++] = e;
    return IMS_OK;
out:
    release_entry(&e);
    return st;
}

ims_status ims_pack_list_read(struct ims_pack_list *out, const char *const *roots, size_t n_roots,
                              ims_err *err)
{
    struct ims_pack_list l = { 0 };
    struct ims_dir_names d = { 0 };
    size_t cap = 0;
    ims_status st = IMS_OK;

    for (size_t r = 0; r < n_roots && !st; r++) {
        struct ims_file_info info;
        if (ims__stat(roots[r], true, &info, NULL) != IMS_OK || !info.is_dir)
            continue;
        st = ims__dir_names_read(&d, roots[r], err);
        for (size_t i = 0; i < d.n && !st; i++)
            st = add_entry(&l, &cap, roots[r], d.names[i], err);
        ims__dir_names_release(&d);
    }
    if (!st) {
        *out = l;
        l = (struct ims_pack_list){ 0 };
    }
    ims_pack_list_release(&l);
    return st;
}

/* ---- find ---- */

/* Equal, where '_' and '-' are the same from the first "__" on: "ViT-B-32__laion2b_s34b_b79k" is
 * "ViT-B-32__laion2b-s34b-b79k". */
static bool is_same_name(const char *a, const char *b)
{
    const char *tag = strstr(a, "__");
    size_t arch = tag ? (size_t)(tag - a) + 2 : strlen(a);

    if (strncmp(a, b, arch) != 0)
        return false;
    if (!tag)
        return b[arch] == '\0';
    for (a += arch, b += arch; *a && *b; a++, b++) {
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b))
            return false;
    }
    return *a == *b;
}

static ims_status not_found(const struct ims_pack_list *l, const char *const *roots, size_t n_roots,
                            const char *wanted, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    ims__buf_init(&text, 4 * IMS_KIB);
    (void)ims__buf_add_str(&text, l->n ? "; installed:" : "; none is installed in");
    for (size_t i = 0; i < l->n; i++)
        (void)ims__buf_addf(&text, " %s", l->entries[i].name);
    for (size_t i = 0; i < n_roots && !l->n; i++)
        (void)ims__buf_addf(&text, " %s", roots[i]);
    st = ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "no model named %s%s", wanted,
                  ims__buf_status(&text) ? "" : text.data);
    ims__buf_release(&text);
    return st;
}

/* The entry of that folder or pack name; folder names of earlier roots win. */
static struct ims_pack_entry *pick(struct ims_pack_list *l, const char *wanted)
{
    for (size_t i = 0; i < l->n; i++) {
        if (is_same_name(wanted, ims__path_base(l->entries[i].dir)))
            return &l->entries[i];
    }
    for (size_t i = 0; i < l->n; i++) {
        if (is_same_name(wanted, l->entries[i].name))
            return &l->entries[i];
    }
    return NULL;
}

ims_status ims_pack_find(struct ims_pack **out, const char *const *roots, size_t n_roots,
                         const char *name, const char *pretrained, ims_err *err)
{
    struct ims_pack_list l = { 0 };
    struct ims_pack_entry *e;
    char *wanted = NULL;
    ims_status st;

    if (strchr(name, '/'))
        return ims_pack_open(out, name, err);
    wanted =
        pretrained && *pretrained ? ims__strfmt("%s__%s", name, pretrained) : ims__strdup(name);
    if (!wanted)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "looking for the model %s", name);
    st = ims_pack_list_read(&l, roots, n_roots, err);
    if (st)
        goto out;
    e = pick(&l, wanted);
    if (!e) {
        st = not_found(&l, roots, n_roots, wanted, err);
    } else if (!e->pack) {
        if (err)
            *err = e->why;
        st = e->why.status;
    } else {
        *out = e->pack;
        e->pack = NULL;
    }
out:
    ims_pack_list_release(&l);
    ims__free(wanted);
    return st;
}
