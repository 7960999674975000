/* Weights in several safetensors files: one table of tensors from the index and the files' headers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "models/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define ORIGIN "safetensors"
#define MAX_SHARDS 1000

struct index {
    struct ims_safetensors s;      /* the result */
    struct ims_safetensors *parts; /* of each shard, in the order of s.shards */
    char *dir;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct ims_weight *)a)->name, ((const struct ims_weight *)b)->name);
}

/* A file beside the index: no folder, not the index itself, not hidden. */
static bool is_shard_name(const char *name)
{
    return name && name[0] != '.' && !strchr(name, '/') && ims__ends_with(name, ".safetensors");
}

static ims_status list_shards(struct index *x, const ims_json *map, ims_err *err)
{
    const char **names = ims__zalloc(ims__json_len(map), sizeof(*names));
    size_t n = 0, n_all = 0;

    x->s.shards = names;
    if (!names)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
    for (void *it = ims__json_iter(map); it; it = ims__json_next(map, it)) {
        const char *name = ims__json_str(ims__json_iter_value(it), NULL);

        if (!is_shard_name(name))
            return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                            "%s: tensor %.90s: expected the name of a .safetensors file in the "
                            "same folder, found "
                            "\"%.60s\"",
                            x->s.path, ims__json_iter_key(it), name ? name : "none");
        names[n_all++] = name;
    }
    qsort(names, n_all, sizeof(*names), by_text);
    for (size_t i = 0; i < n_all; i++) {
        if (n && strcmp(names[n - 1], names[i]) == 0)
            continue;
        names[n] = ims__arena_strndup(&x->s.names, names[i], strlen(names[i]));
        if (!names[n++])
            return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
    }
    x->s.n_shards = n;
    if (n > MAX_SHARDS)
        return ims_fail(err, IMS_E_LIMIT, ORIGIN, 0, "%s: expected at most %d files, found %zu",
                        x->s.path, MAX_SHARDS, n);
    return IMS_OK;
}

static ims_status open_shards(struct index *x, ims_err *err)
{
    ims_status st = IMS_OK;

    x->parts = ims__zalloc(x->s.n_shards, sizeof(*x->parts));
    if (!x->parts)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
    for (size_t i = 0; !st && i < x->s.n_shards; i++) {
        char *path = ims__path_join(x->dir, x->s.shards[i]);

        st = path ? ims__safetensors_open(&x->parts[i], path, err)
                  : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
        ims__free(path);
        ims__map_close(
            &x->parts[i].map); /* the table is enough: nobody reads the data through it */
    }
    return st;
}

static ims_status take_tensor(struct index *x, const char *name, const char *file, ims_err *err)
{
    struct ims_weight *t = &x->s.tensors[x->s.n_tensors];
    const char **shard = bsearch(&file, x->s.shards, x->s.n_shards, sizeof(*x->s.shards), by_text);
    const struct ims_weight *w =
        shard ? ims__safetensors_find(&x->parts[shard - x->s.shards], name) : NULL;

    if (!w)
        return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                        "%s: tensor %.90s: expected it in %.60s, found none", x->s.path, name,
                        file);
    *t = *w;
    t->name = ims__arena_strndup(&x->s.names, name, strlen(name));
    t->file = *shard;
    if (!t->name)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
    x->s.n_tensors++;
    return IMS_OK;
}

static ims_status read_index(struct index *x, const ims_json *root, ims_err *err)
{
    const ims_json *map = ims__json_get(root, "weight_map");
    size_t n = ims__json_len(map);
    ims_status st;

    if (ims__json_type(map) != IMS_JSON_OBJECT || n == 0 || n > IMS_MAX_TENSORS)
        return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                        "%s: expected a \"weight_map\" of 1 to %d tensors, found %zu", x->s.path,
                        IMS_MAX_TENSORS, n);
    st = list_shards(x, map, err);
    if (!st)
        st = open_shards(x, err);
    x->s.tensors = ims__zalloc(n, sizeof(*x->s.tensors));
    if (!st && !x->s.tensors)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", x->s.path);
    for (void *it = ims__json_iter(map); !st && it; it = ims__json_next(map, it))
        st = take_tensor(x, ims__json_iter_key(it), ims__json_str(ims__json_iter_value(it), NULL),
                         err);
    if (!st)
        qsort(x->s.tensors, x->s.n_tensors, sizeof(*x->s.tensors), by_name);
    return st;
}

ims_status ims__safetensors_open_index(struct ims_safetensors *out, const char *path, ims_err *err)
{
    struct index x = { 0 };
    struct ims_buf text;
    ims_json *root = NULL;
    ims_status st = ims__read_file(path, IMS_MAX_SAFETENSORS_HEADER_BYTES, &text, NULL, err);

    if (st)
        return st;
    ims__arena_init(&x.s.names, 0);
    x.s.path = ims__strdup(path);
    x.dir = ims__path_base(path) == path
                ? ims__strdup(".")
                : ims__strndup(path, (size_t)(ims__path_base(path) - path) - 1);
    if (!x.s.path || !x.dir)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", path);
    if (!st)
        st = ims__json_parse(&root, text.data ? text.data : "", text.len, path, err);
    if (!st)
        st = read_index(&x, root, err);
    for (size_t i = 0; x.parts && i < x.s.n_shards; i++)
        ims__safetensors_release(&x.parts[i]);
    ims__free(x.parts);
    ims__free(x.dir);
    ims__json_free(root);
    ims__buf_release(&text);
    if (st) {
        ims__safetensors_release(&x.s);
        return st;
    }
    *out = x.s;
    return IMS_OK;
}
