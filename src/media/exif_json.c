/* The tags of a picture's first EXIF directory as a JSON object, bounded in size.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/exif.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct object {
    ims_json *json;
    size_t n_members;
    size_t budget_bytes; /* an upper bound of what may still be written */
    char *text;          /* scratch for one value */
    bool is_cut;
};

/* Where the pixels, the other directories and embedded blocks lie says nothing about the photo. */
static bool is_structural(unsigned tag)
{
    static const uint16_t tags[] = { 273,   279,   288,   289,   320,   324,   325,  330, 400,
                                     512,   513,   514,   519,   520,   521,   347,  700, 33723,
                                     34377, 34665, 34675, 34853, 40965, 37724, 50341 };

    for (size_t i = 0; i < IMS_ARRAY_LEN(tags); i++) {
        if (tags[i] == tag)
            return true;
    }
    return false;
}

static ims_json *number_json(const struct exif_block *b, const struct exif_entry *e, uint32_t i)
{
    double d;
    bool is_float = e->type == 5 || e->type == 10 || e->type == 11 || e->type == 12;

    if (!ims__exif_number(b, e, i, &d))
        return ims__json_new_null();
    if (is_float)
        return ims__json_new_num(d);
    return ims__json_new_int((int64_t)d);
}

static ims_json *array_json(const struct exif_block *b, const struct exif_entry *e)
{
    ims_json *a = ims__json_new_array();

    for (uint32_t i = 0; i < e->count && a; i++) {
        if (ims__json_add(a, number_json(b, e, i))) {
            ims__json_free(a);
            a = NULL;
        }
    }
    return a;
}

/* The most bytes the value can take in JSON; 0 when it is too long to be kept. */
static size_t value_bytes(const struct exif_entry *e)
{
    if (ims__exif_is_text(e)) /* a control character becomes \u00XX, a Latin-1 byte two bytes */
        return e->count <= EXIF_MAX_TEXT_BYTES ? (size_t)e->count * 6 + 2 : 0;
    return e->count <= EXIF_MAX_ELEMENTS ? (size_t)e->count * 26 + 2 : 0;
}

static ims_status add_entry(const struct exif_block *b, const struct exif_entry *e, void *arg)
{
    struct object *o = arg;
    size_t bytes = value_bytes(e);
    const char *name = ims__exif_tag_name(e->tag);
    char number[16];
    ims_json *value;

    if (is_structural(e->tag))
        return IMS_OK;
    if (!name) {
        snprintf(number, sizeof(number), "%u", e->tag);
        name = number;
    }
    bytes += bytes ? strlen(name) + 6 : 0;
    if (bytes == 0 || bytes > o->budget_bytes) {
        o->is_cut = true;
        return IMS_OK;
    }
    if (ims__exif_is_text(e)) {
        ims__exif_text(e, e->count, o->text);
        value = ims__json_new_str(o->text);
    } else {
        value = e->count == 1 ? number_json(b, e, 0) : array_json(b, e);
    }
    if (ims__json_set(o->json, name, value))
        return IMS_E_NOMEM;
    o->budget_bytes -= bytes;
    o->n_members++;
    return IMS_OK;
}

ims_status ims__exif_json(const struct exif_block *b, uint32_t offset, struct ims_exif *out)
{
    struct object o = { .budget_bytes = IMS_MAX_EXIF_JSON_BYTES - 2 };
    struct ims_buf text;
    ims_status st = IMS_E_NOMEM;

    ims__buf_init(&text, IMS_MAX_EXIF_JSON_BYTES);
    o.json = ims__json_new_object();
    o.text = ims__alloc(EXIF_MAX_TEXT_BYTES * 4 + 1, 1);
    if (!o.json || !o.text)
        goto out;
    st = ims__exif_walk(b, offset, add_entry, &o, &out->is_damaged);
    if (st || o.n_members == 0)
        goto out;
    st = ims__json_write(o.json, 0, &text, NULL);
    if (st)
        goto out;
    out->json = ims__buf_take(&text, NULL);
    out->is_cut = o.is_cut;
out:
    ims__buf_release(&text);
    ims__json_free(o.json);
    ims__free(o.text);
    return st;
}
