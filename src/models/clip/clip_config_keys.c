/* Reading configuration objects by a table of their keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_config_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "clip"

/* A short form of a JSON value for a message. */
static void show(const ims_json *v, char *out, size_t size)
{
    const char *s = ims__json_str(v, NULL);

    switch (ims__json_type(v)) {
    case IMS_JSON_NULL:
        (void)snprintf(out, size, "nothing");
        break;
    case IMS_JSON_BOOL:
        (void)snprintf(out, size, "%s", ims__json_bool(v, false) ? "true" : "false");
        break;
    case IMS_JSON_INT:
        (void)snprintf(out, size, "%lld", (long long)ims__json_int(v, 0));
        break;
    case IMS_JSON_REAL:
        (void)snprintf(out, size, "%g", ims__json_num(v, 0));
        break;
    case IMS_JSON_STRING:
        (void)snprintf(out, size, "\"%.60s\"", s);
        break;
    case IMS_JSON_ARRAY:
        (void)snprintf(out, size, "an array of %zu", ims__json_len(v));
        break;
    case IMS_JSON_OBJECT:
        (void)snprintf(out, size, "an object of %zu", ims__json_len(v));
        break;
    }
}

ims_status ims__clip_key_bad(ims_status st, const char *path, const char *object_name,
                             const char *key, const char *expected, const ims_json *found,
                             ims_err *err)
{
    char text[96];

    show(found, text, sizeof(text));
    return ims_fail(err, st, ORIGIN, 0, "%s: %s%s%.60s: expected %s, found %s", path, object_name,
                    *object_name ? "." : "", key, expected, text);
}

/* A feature that is named but switched off is as good as absent. */
static bool is_off(const ims_json *v)
{
    const char *s = ims__json_str(v, NULL);

    switch (ims__json_type(v)) {
    case IMS_JSON_NULL:
        return true;
    case IMS_JSON_BOOL:
        return !ims__json_bool(v, true);
    case IMS_JSON_INT:
    case IMS_JSON_REAL:
        return ims__json_num(v, 1.0) == 0.0;
    case IMS_JSON_STRING:
        return *s == '\0' || strcmp(s, "default") == 0;
    case IMS_JSON_ARRAY:
    case IMS_JSON_OBJECT:
        return ims__json_len(v) == 0;
    }
    return false;
}

static ims_status read_key(const char *path, const char *object_name, const struct ims_clip_key *k,
                           const ims_json *v, void *out, ims_err *err)
{
    char *at = (char *)out + k->offset;
    char expected[64];
    int64_t count;
    double real;

    switch (k->kind) {
    case IMS_CLIP_KEY_COUNT:
        count = ims__json_int(v, -1);
        if (ims__json_type(v) != IMS_JSON_INT || count < k->min || count > k->max) {
            (void)snprintf(expected, sizeof(expected), "a whole number from %u to %u", k->min,
                           k->max);
            return ims__clip_key_bad(IMS_E_FORMAT, path, object_name, k->name, expected, v, err);
        }
        memcpy(at, &(uint32_t){ (uint32_t)count }, sizeof(uint32_t));
        break;
    case IMS_CLIP_KEY_REAL:
        real = ims__json_num(v, -1.0);
        if (!(real > 0.0 && real <= k->max)) {
            (void)snprintf(expected, sizeof(expected), "a number above 0 and up to %u", k->max);
            return ims__clip_key_bad(IMS_E_FORMAT, path, object_name, k->name, expected, v, err);
        }
        memcpy(at, &real, sizeof(real));
        break;
    case IMS_CLIP_KEY_FLAG:
        if (ims__json_type(v) != IMS_JSON_BOOL)
            return ims__clip_key_bad(IMS_E_FORMAT, path, object_name, k->name, "true or false", v,
                                     err);
        memcpy(at, &(bool){ ims__json_bool(v, false) }, sizeof(bool));
        break;
    case IMS_CLIP_KEY_NODE:
        memcpy(at, &v, sizeof(v)); /* the pointer */
        break;
    case IMS_CLIP_KEY_IGNORED:
        break;
    case IMS_CLIP_KEY_REFUSED:
        if (!is_off(v))
            return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, object_name, k->name, k->hint, v,
                                     err);
        break;
    }
    return IMS_OK;
}

ims_status ims__clip_keys_read(const char *path, const char *object_name, const ims_json *object,
                               const struct ims_clip_key *keys, size_t n_keys, void *out,
                               ims_err *err)
{
    if (ims__json_type(object) != IMS_JSON_OBJECT)
        return ims__clip_key_bad(IMS_E_FORMAT, path, "",
                                 *object_name ? object_name : "configuration", "an object", object,
                                 err);
    for (void *it = ims__json_iter(object); it; it = ims__json_next(object, it)) {
        const ims_json *v = ims__json_iter_value(it);
        const struct ims_clip_key *k = NULL;
        ims_status st;
        for (size_t i = 0; i < n_keys && !k; i++) {
            if (strcmp(keys[i].name, ims__json_iter_key(it)) == 0)
                k = &keys[i];
        }
        if (!k)
            return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, object_name, ims__json_iter_key(it),
                                     "a key of open_clip's configuration that this version knows",
                                     v, err);
        if (ims__json_type(v) == IMS_JSON_NULL)
            continue;
        st = read_key(path, object_name, k, v, out, err);
        if (st)
            return st;
    }
    return IMS_OK;
}

ims_status ims__clip_pair_read(const char *path, const char *object_name, const char *key,
                               const ims_json *v, uint32_t max, uint32_t *out_height,
                               uint32_t *out_width, ims_err *err)
{
    bool is_pair = ims__json_type(v) == IMS_JSON_ARRAY && ims__json_len(v) == 2;
    int64_t h = ims__json_int(is_pair ? ims__json_at(v, 0) : v, -1);
    int64_t w = ims__json_int(is_pair ? ims__json_at(v, 1) : v, -1);
    char expected[80];

    if (h < 1 || w < 1 || h > max || w > max) {
        (void)snprintf(expected, sizeof(expected), "a size from 1 to %u, or [height, width]", max);
        return ims__clip_key_bad(IMS_E_FORMAT, path, object_name, key, expected, v, err);
    }
    *out_height = (uint32_t)h;
    *out_width = (uint32_t)w;
    return IMS_OK;
}
