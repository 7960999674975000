/* Where pictures were taken.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/text.h"
#include "http/api/api.h"

#include <stdio.h>
#include <string.h>

#define MARGIN_DEGREES 0.0005 /* about 50 m: an area of one picture is no point */

/* The last folder of a path, as text. */
static ims_json *folder_of(const char *path)
{
    const char *end = strrchr(path, '/'), *start = end;
    struct ims_buf text;
    ims_json *v = NULL;

    while (start && start > path && start[-1] != '/')
        start--;
    ims__buf_init(&text, 4 * IMS_MAX_PATH_BYTES); /* as display writes its bytes at most */
    if (!start)
        v = ims__json_new_str("");
    else if (ims__display(start, (size_t)(end - start), &text) == IMS_OK)
        v = ims__json_new_str(text.data ? text.data : "");
    ims__buf_release(&text);
    return v;
}

static ims_json *place_json(const struct ims_place *p, const struct ims_store_asset *a)
{
    ims_json *o = ims__json_new_object();
    char area[128], url[64];

    snprintf(area, sizeof(area), "%.4f,%.4f,%.4f,%.4f", p->west - MARGIN_DEGREES, p->south - MARGIN_DEGREES,
             p->east + MARGIN_DEGREES, p->north + MARGIN_DEGREES);
    snprintf(url, sizeof(url), "/api/v1/images/%lld/thumbnail", (long long)p->asset_id);
    return ims__whole(o, ims__put_num(o, "lat", p->lat) && ims__put_num(o, "lng", p->lng) &&
                             ims__put_str(o, "area", area) && ims__put_int(o, "count", (int64_t)p->n_pictures) &&
                             ims__put_str(o, "thumbnailUrl", url) && ims__put(o, "folder", folder_of(a->path)));
}

static ims_status add_place(struct ims_http_context *cx, const struct ims_place *p, ims_json *list, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *asset;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_assets(cx->store, &p->asset_id, 1, &arena, &asset, &n, err);
    if (!st && n && ims__json_add(list, place_json(p, asset)))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "places");
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_places_list)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    struct ims_place *places = NULL;
    size_t n = 0;
    ims_status st = list ? ims_engine_places(cx->engine, (size_t)ims__in_int(rq->query, "limit", 100), &places, &n, err)
                         : ims_fail(err, IMS_E_NOMEM, "http", 0, "places");

    for (size_t i = 0; !st && i < n; i++)
        st = add_place(cx, &places[i], list, err);
    ims_engine_free(places);
    if (!st)
        return ims__reply_json(rp, 200, ims__whole(o, ims__put(o, "places", list)), err);
    ims__json_free(list);
    ims__json_free(o);
    return st;
}
