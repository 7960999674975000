/* Which installed model serves, and its pixels from a decoded picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "engine/engine_internal.h"
#include "models/clip/preprocess.h"

#include <string.h>

static bool is_default(const struct ims_pack_entry *entry)
{
    static const char prefix[] = IMS_DEFAULT_MODEL "__";
    static const char tag[] = IMS_DEFAULT_PRETRAINED;
    const char *p = entry->name;

    if (strncmp(p, prefix, sizeof(prefix) - 1) != 0)
        return false;
    p += sizeof(prefix) - 1;
    for (size_t i = 0; i < sizeof(tag); i++) { /* the NUL too; '-' and '_' are one */
        if (p[i] != tag[i] && !(p[i] == '-' && tag[i] == '_'))
            return false;
        if (!p[i])
            break;
    }
    return true;
}

/* Rule for "no model is named": see ims_engine_model. */
static const struct ims_pack_entry *pick(const struct ims_pack_list *list, size_t *out_n_real)
{
    const struct ims_pack_entry *demo = NULL, *real = NULL;
    size_t n_real = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct ims_pack_entry *entry = &list->entries[i];

        if (!entry->pack)
            continue;
        if (is_default(entry)) {
            *out_n_real = 1;
            return entry;
        }
        if (entry->pack->is_demo) {
            demo = demo ? demo : entry;
        } else {
            real = entry;
            n_real++;
        }
    }
    *out_n_real = n_real;
    return n_real == 1 ? real : demo;
}

static ims_status fail_ambiguous(const struct ims_pack_list *list, ims_err *err)
{
    struct ims_buf names;
    ims_status st;

    ims__buf_init(&names, 400);
    for (size_t i = 0; i < list->n; i++) {
        if (list->entries[i].pack && !list->entries[i].pack->is_demo)
            (void)ims__buf_addf(&names, "%s%s", names.len ? ", " : "", list->entries[i].name);
    }
    st = ims_fail(err, IMS_E_CONFIG, "engine", 0,
                  "several models are installed (%s); name one with --model or IMS_MODEL, or choose by `imgsearch models use`",
                  names.data ? names.data : "many");
    ims__buf_release(&names);
    return st;
}

static ims_status fail_none(const struct ims_pack_list *list, const struct ims_engine_options *o,
                            ims_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!list->entries[i].pack)
            return ims_fail(err, IMS_E_MODEL, "engine", list->entries[i].why.native,
                            "no usable model is installed; %s: %s", list->entries[i].dir,
                            list->entries[i].why.text);
    }
    return ims_fail(err, IMS_E_MODEL, "engine", 0,
                    "no model is installed in %s; `imgsearch models pull` fetches one",
                    o->n_model_roots ? o->model_roots[0] : "the models folder");
}

ims_status ims__choose_pack(struct ims_pack **out, const struct ims_engine_options *o, ims_err *err)
{
    struct ims_pack_list list = { 0 };
    const struct ims_pack_entry *entry;
    size_t n_real;
    ims_status st;

    if (o->model)
        return ims_pack_find(out, o->model_roots, o->n_model_roots, o->model, NULL, err);
    if (o->clip_model_name || o->clip_pretrained)
        return ims_pack_find(out, o->model_roots, o->n_model_roots,
                             o->clip_model_name ? o->clip_model_name : IMS_DEFAULT_MODEL,
                             o->clip_pretrained ? o->clip_pretrained : IMS_DEFAULT_PRETRAINED, err);
    st = ims_pack_list_read(&list, o->model_roots, o->n_model_roots, err);
    if (st)
        return st;
    entry = pick(&list, &n_real);
    if (n_real > 1)
        st = fail_ambiguous(&list, err);
    else if (!entry)
        st = fail_none(&list, o, err);
    else
        st = ims_pack_open(out, entry->dir, err);
    ims_pack_list_release(&list);
    return st;
}

ims_status ims__model_pixels(struct ims_media *media, const struct ims_clip_info *info,
                             const struct ims_image *im, uint8_t *out, ims_err *err)
{
    const struct ims_clip_preprocess *p = &info->preprocess;
    ims_status st = ims__clip_preprocess_run(p, im->rgb, im->width, im->height, im->stride_bytes, out, err);

    if (st)
        return st;
    return ims_media_to_srgb(media, im, out, (size_t)p->width * (size_t)p->height, NULL, err);
}
