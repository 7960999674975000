/* Measured agreements, kept in the cache folder: one file per model and device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define FORMAT "imgsearch agreement 1"

static char *record_path(const struct ims_engine *e, const char *digest, const char *device)
{
    char file[96];

    (void)snprintf(file, sizeof(file), "cache/agreement/%.32s.%.15s.json", digest, device);
    for (char *p = file; *p; p++) {
        if (*p == ':')
            *p = '-';
    }
    return ims__path_join(e->options.data_dir, file);
}

static ims_json *row_json(const struct ims_agreement_row *r)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "precision", ims__json_new_str(r->precision));
    (void)ims__json_set(o, "images_per_s", ims__json_new_num(r->images_per_s));
    (void)ims__json_set(o, "min_cosine", ims__json_new_num(r->min_cosine));
    (void)ims__json_set(o, "picture_top1", ims__json_new_num(r->picture_top1));
    (void)ims__json_set(o, "picture_top10", ims__json_new_num(r->picture_top10));
    (void)ims__json_set(o, "good", ims__json_new_bool(r->is_good));
    return o;
}

ims_status ims__agreement_keep(struct ims_engine *e, const struct ims_agreement *a, ims_err *err)
{
    ims_json *o = ims__json_new_object(), *rows = ims__json_new_array();
    char *path = record_path(e, a->digest, a->device);
    struct ims_buf text;
    ims_status st;

    (void)ims__json_set(o, "format", ims__json_new_str(FORMAT));
    (void)ims__json_set(o, "model", ims__json_new_str(a->model));
    (void)ims__json_set(o, "digest", ims__json_new_str(a->digest));
    (void)ims__json_set(o, "device", ims__json_new_str(a->device));
    (void)ims__json_set(o, "runtime", ims__json_new_str(a->runtime));
    (void)ims__json_set(o, "pictures", ims__json_new_int((int64_t)a->n_pictures));
    for (size_t i = 0; i < a->n_rows; i++)
        (void)ims__json_add(rows, row_json(&a->rows[i]));
    (void)ims__json_set(o, "rows", rows);
    ims__buf_init(&text, IMS_MAX_CONFIG_FILE_BYTES);
    st = ims__json_write(o, 2, &text, err);
    if (!st && !path)
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "keeping the measurement");
    if (!st)
        st = ims__write_derived(path, text.data, text.len, err);
    ims__buf_release(&text);
    ims__json_free(o);
    ims__free(path);
    return st;
}

/* The good row with the most images a second. */
static ims_precision pick(const ims_json *rows)
{
    ims_precision best = IMS_PRECISION_FP32, p;
    double most = 0;

    for (size_t i = 0; i < ims__json_len(rows); i++) {
        const ims_json *r = ims__json_at(rows, i);
        const char *name = ims__json_str(ims__json_get(r, "precision"), NULL);
        double rate = ims__json_num(ims__json_get(r, "images_per_s"), 0);

        if (name && ims_precision_read(name, &p) && p != IMS_PRECISION_AUTO && rate > most &&
            ims__json_bool(ims__json_get(r, "good"), false)) {
            most = rate;
            best = p;
        }
    }
    return best;
}

ims_precision ims__agreement_fastest(struct ims_engine *e, const struct ims_pack *pack)
{
    struct ims_device_choice choice;
    char device[IMS_DEVICE_NAME_BYTES];
    ims_precision found = IMS_PRECISION_FP32;
    ims_json *root = NULL;
    struct ims_buf text;
    const char *digest;
    char *path;

    if (ims_compute_choose(e->compute, &choice, NULL))
        return found; /* the first inference will say why */
    ims_device_id_name(choice.ids[0], device);
    path = record_path(e, pack->digest, device);
    if (!path || ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, NULL)) {
        ims__free(path);
        return found; /* never measured */
    }
    if (ims__json_parse(&root, text.data ? text.data : "", text.len, path, NULL) == IMS_OK) {
        digest = ims__json_str(ims__json_get(root, "digest"), NULL);
        if (digest && strcmp(digest, pack->digest) == 0)
            found = pick(ims__json_get(root, "rows"));
    }
    ims__json_free(root);
    ims__buf_release(&text);
    ims__free(path);
    return found;
}
