/* Building and reading the JSON of the interface.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/api/api.h"

#include <stdio.h>
#include <string.h>

bool ims__put(ims_json *o, const char *key, ims_json *take_value)
{
    if (o && take_value)
        return ims__json_set(o, key, take_value) == IMS_OK;
    ims__json_free(take_value);
    return false;
}

bool ims__put_str(ims_json *o, const char *key, const char *s)
{
    return ims__put(o, key, ims__json_new_str(s));
}

bool ims__put_path(ims_json *o, const char *key, const char *bytes)
{
    struct ims_buf shown;
    bool is_good;

    if (!bytes)
        return ims__put_null(o, key);
    ims__buf_init(&shown, 4 * IMS_MAX_PATH_BYTES + 1);
    is_good = ims__display(bytes, strlen(bytes), &shown) == IMS_OK && ims__put_str(o, key, shown.data ? shown.data : "");
    ims__buf_release(&shown);
    return is_good;
}

bool ims__put_int(ims_json *o, const char *key, int64_t v)
{
    return ims__put(o, key, ims__json_new_int(v));
}

bool ims__put_num(ims_json *o, const char *key, double v)
{
    return ims__put(o, key, ims__json_new_num(v));
}

bool ims__put_bool(ims_json *o, const char *key, bool v)
{
    return ims__put(o, key, ims__json_new_bool(v));
}

bool ims__put_null(ims_json *o, const char *key)
{
    return ims__put(o, key, ims__json_new_null());
}

bool ims__put_time(ims_json *o, const char *key, int64_t us)
{
    char text[40];

    if (!us)
        return ims__put_null(o, key);
    ims__format_utc(us, text, sizeof(text));
    return ims__put_str(o, key, text);
}

ims_json *ims__whole(ims_json *o, bool is_whole)
{
    if (is_whole)
        return o;
    ims__json_free(o);
    return NULL;
}

/* ---- reading ---- */

const char *ims__in_str(const ims_json *o, const char *key, const char *fallback)
{
    const char *s = ims__json_str(ims__json_get(o, key), NULL);

    return s ? s : fallback;
}

int64_t ims__in_int(const ims_json *o, const char *key, int64_t fallback)
{
    return ims__json_int(ims__json_get(o, key), fallback);
}

double ims__in_num(const ims_json *o, const char *key, double fallback)
{
    return ims__json_num(ims__json_get(o, key), fallback);
}

bool ims__in_bool(const ims_json *o, const char *key, bool fallback)
{
    return ims__json_bool(ims__json_get(o, key), fallback);
}

/* ---- pages ---- */

struct ims_page ims__api_page(const struct ims_http_request *rq)
{
    struct ims_page p = { .number = ims__in_int(rq->query, "page", 1), .size = ims__in_int(rq->query, "page_size", 50) };

    p.offset = (p.number - 1) * p.size;
    return p;
}

ims_json *ims__api_plain_page_json(const struct ims_page *page, ims_json *take_items, int64_t total)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put(o, "items", take_items) && ims__put_int(o, "total", total) &&
                             ims__put_int(o, "page", page->number) && ims__put_int(o, "pageSize", page->size));
}

ims_json *ims__api_page_json(const struct ims_page *page, ims_json *take_items, int64_t total)
{
    ims_json *o = ims__api_plain_page_json(page, take_items, total);

    return ims__whole(o, ims__put_bool(o, "hasMore", page->offset + page->size < total));
}

/* ---- assets ---- */

bool ims__put_camera(ims_json *o, const char *key, const struct ims_asset *a)
{
    ims_json *camera;

    if (!a->camera_make && !a->camera_model)
        return ims__put_null(o, key);
    camera = ims__json_new_object();
    return ims__put(o, key, ims__whole(camera, ims__put_str(camera, "make", a->camera_make) &&
                                                   ims__put_str(camera, "model", a->camera_model)));
}

bool ims__put_location(ims_json *o, const char *key, const struct ims_asset *a)
{
    ims_json *place;

    if (!a->has_gps)
        return ims__put_null(o, key);
    place = ims__json_new_object();
    return ims__put(o, key,
                    ims__whole(place, ims__put_num(place, "lat", a->gps_lat) && ims__put_num(place, "lng", a->gps_lng)));
}

ims_json *ims__api_asset(const struct ims_asset *a)
{
    ims_json *o = ims__json_new_object();
    const char *slash = strrchr(a->path, '/');
    char url[64], thumbnail[64];

    snprintf(url, sizeof(url), "/api/v1/images/%lld/full", (long long)a->id);
    snprintf(thumbnail, sizeof(thumbnail), "/api/v1/images/%lld/thumbnail", (long long)a->id);
    return ims__whole(
        o, ims__put_int(o, "id", a->id) && ims__put_str(o, "path", a->path) &&
               ims__put_time(o, "createdAt", a->created_us) && ims__put_time(o, "indexedAt", a->indexed_us) &&
               ims__put_time(o, "takenAt", a->has_taken_at ? a->taken_at_us : 0) && ims__put_camera(o, "camera", a) &&
               ims__put_location(o, "location", a) && ims__put_str(o, "url", url) &&
               ims__put_str(o, "thumbnailUrl", thumbnail) && ims__put_str(o, "filename", slash ? slash + 1 : a->path) &&
               (a->width > 0 ? ims__put_int(o, "width", a->width) && ims__put_int(o, "height", a->height)
                             : ims__put_null(o, "width") && ims__put_null(o, "height")));
}
