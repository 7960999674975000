/* Finding a model in the registry by the names people know it by.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/registry.h"

#include "base/buf.h"
#include "base/text.h"
#include "models/registry_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "registry"
#define HUB_PREFIX "hf-hub:"
#define QUICK_GELU "-quickgelu"

const struct ims_registry_row *ims_registry_rows(size_t *out_n)
{
    *out_n = ims__registry_n_rows;
    return ims__registry_rows;
}

const struct ims_registry_row *ims_registry_faces(void)
{
    const struct ims_registry_row *first = NULL;

    for (size_t i = 0; i < ims__registry_n_rows; i++) {
        const struct ims_registry_row *row = &ims__registry_rows[i];

        if (row->kind != IMS_MODEL_FACES)
            continue;
        if (!row->terms)
            return row;
        first = first ? first : row;
    }
    return first;
}

/* One letter as it is compared: case does not matter, nor which dash a tag is written with. */
static int folded(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static bool is_same(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (folded(a[i]) != folded(b[i]))
            return false;
    }
    return true;
}

/* The length of the architecture in a name: what stands before "__", without "-quickgelu" (open_clip's
 * way to say which activation OpenAI's weights need; the configuration says it here). */
static size_t architecture(const char *name, const char **out_tag)
{
    const char *tag = strstr(name, "__");
    size_t n = tag ? (size_t)(tag - name) : strlen(name), q = sizeof(QUICK_GELU) - 1;

    *out_tag = tag ? tag + 2 : NULL;
    if (n > q && is_same(name + n - q, QUICK_GELU, q))
        n -= q;
    return n;
}

static bool is_row(const struct ims_registry_row *row, const char *name)
{
    const char *tag, *row_tag;
    size_t n = architecture(name, &tag), row_n = architecture(row->name, &row_tag);

    if (n != row_n || !is_same(name, row->name, n))
        return false;
    if (!tag || !row_tag)
        return !tag; /* an architecture alone: its first row */
    return strlen(tag) == strlen(row_tag) && is_same(tag, row_tag, strlen(tag));
}

/* OWNER/NAME of letters, digits, '.', '_' and '-', as the hub allows. */
static bool is_repo(const char *s)
{
    size_t n_slashes = 0;

    if (!isalnum((unsigned char)*s))
        return false;
    for (; *s; s++) {
        n_slashes += *s == '/';
        if (!isalnum((unsigned char)*s) && !strchr("._-/", *s))
            return false;
        if (*s == '/' && !isalnum((unsigned char)s[1]))
            return false;
    }
    return n_slashes == 1;
}

static ims_status make_own(struct ims_registry_own *own, const char *repo, ims_err *err)
{
    if (strlen(repo) >= sizeof(own->repo) || !is_repo(repo))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "\"%.100s\" is not a repository of the hub: expected hf-hub:OWNER/NAME",
                        repo);
    snprintf(own->repo, sizeof(own->repo), "%s", repo);
    snprintf(own->name, sizeof(own->name), "%s", strchr(own->repo, '/') + 1);
    own->row = (struct ims_registry_row){
        .name = own->name,
        .kind = IMS_MODEL_CLIP,
        .repo = own->repo,
        .revision = "main",
        .licence = "unknown",
        .terms = "This repository is not in the list of known models: read its page for the "
                 "licence first.",
        .about = "an open_clip model of the hub",
        .files = ims__registry_open_clip_files,
        .n_files = ims__registry_n_open_clip_files,
    };
    return IMS_OK;
}

static ims_status fail_unknown(const char *name, ims_err *err)
{
    const char *tag;
    size_t n = architecture(name, &tag);
    struct ims_buf list;
    ims_status st;

    ims__buf_init(&list, 400);
    for (size_t i = 0; i < ims__registry_n_rows; i++) {
        const struct ims_registry_row *row = &ims__registry_rows[i];

        if (strlen(row->name) > n && is_same(row->name, name, n))
            (void)ims__buf_addf(&list, " %s", row->name);
    }
    st = ims_fail(err, IMS_E_NOT_FOUND, ORIGIN, 0, "no model named \"%.100s\" is known%s%s; %s",
                  name, list.len ? "; similar:" : "", list.data && list.len ? list.data : "",
                  "`imgsearch models list --available` lists them all");
    ims__buf_release(&list);
    return st;
}

ims_status ims_registry_find(const struct ims_registry_row **out, const char *name,
                             struct ims_registry_own *own, ims_err *err)
{
    ims_status st;

    if (ims__starts_with(name, HUB_PREFIX)) {
        st = make_own(own, name + sizeof(HUB_PREFIX) - 1, err);
        if (!st)
            *out = &own->row;
        return st;
    }
    if (strcmp(name, IMS_REGISTRY_FACES) == 0) {
        *out = ims_registry_faces();
        return IMS_OK;
    }
    for (size_t i = 0; *name && i < ims__registry_n_rows; i++) {
        if (is_row(&ims__registry_rows[i], name)) {
            *out = &ims__registry_rows[i];
            return IMS_OK;
        }
    }
    return fail_unknown(name, err);
}
