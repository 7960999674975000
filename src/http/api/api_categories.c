/* Categories of pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api.h"

#include <string.h>

static ims_json *category_json(const struct ims_store_category *c, bool with_count, int64_t n_sessions)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_int(o, "id", c->id) && ims__put_str(o, "name", c->name) &&
                             ims__put_str(o, "description", c->description) && ims__put_str(o, "color", c->color) &&
                             ims__put_bool(o, "isDefault", c->is_default) && ims__put_time(o, "createdAt", c->created_us) &&
                             ims__put_time(o, "updatedAt", c->updated_us) &&
                             (with_count ? ims__put_int(o, "sessionCount", n_sessions) : ims__put_null(o, "sessionCount")));
}

ims_json *ims__api_category(struct ims_http_context *cx, int64_t id)
{
    struct ims_arena arena;
    struct ims_store_category *all;
    ims_json *found = NULL;
    size_t n = 0;
    ims_err err;

    ims__arena_init(&arena, 0);
    if (ims_store_categories(cx->store, &arena, &all, &n, &err) == IMS_OK) {
        for (size_t i = 0; i < n; i++) {
            if (all[i].id == id)
                found = category_json(&all[i], false, 0);
        }
        if (!found)
            found = ims__json_new_null();
    }
    ims__arena_release(&arena);
    return found;
}

/* The category of that id among all (they are few). */
static ims_status reply_category(struct ims_http_context *cx, int64_t id, int status, struct ims_http_reply *rp,
                                 ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_category *all;
    size_t n = 0, i = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_categories(cx->store, &arena, &all, &n, err);
    while (!st && i < n && all[i].id != id)
        i++;
    if (!st && i == n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no category %lld", (long long)id);
    if (!st)
        st = ims__reply_json(rp, status, category_json(&all[i], false, 0), err);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_categories_list)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_arena arena;
    struct ims_store_category *all;
    size_t n = 0;
    ims_json *items = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_categories(cx->store, &arena, &all, &n, err);
    for (int64_t i = page.offset; !st && i < (int64_t)n && i < page.offset + page.size; i++) {
        const struct ims_store_category *c = &all[n - 1 - (size_t)i]; /* newest first */
        int64_t n_sessions = 0;
        ims_json *one;

        st = ims_store_count_category_sessions(cx->store, c->id, &n_sessions, err);
        one = st ? NULL : category_json(c, true, n_sessions);
        if (!st && (!one || ims__json_add(items, one)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "categories");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_page_json(&page, items, (int64_t)n), err);
    ims__json_free(items);
    return st;
}

IMS_API_HANDLER(ims__api_category_create)
{
    int64_t id;
    ims_status st = ims_store_add_category(cx->store, ims__in_str(rq->body, "name", ""),
                                           ims__in_str(rq->body, "description", NULL),
                                           ims__in_str(rq->body, "color", NULL), &id, err);

    return st ? st : reply_category(cx, id, 201, rp, err);
}

IMS_API_HANDLER(ims__api_category_get)
{
    return reply_category(cx, ims__in_int(rq->path, "category_id", 0), 200, rp, err);
}

IMS_API_HANDLER(ims__api_category_update)
{
    int64_t id = ims__in_int(rq->path, "category_id", 0);
    struct ims_store_category_change change = {
        .name = ims__in_str(rq->body, "name", NULL),
        .has_description = ims__json_get(rq->body, "description") != NULL,
        .description = ims__in_str(rq->body, "description", NULL),
        .has_color = ims__json_get(rq->body, "color") != NULL,
        .color = ims__in_str(rq->body, "color", NULL),
    };
    ims_status st = ims_store_change_category(cx->store, id, &change, err);

    return st ? st : reply_category(cx, id, 200, rp, err);
}

IMS_API_HANDLER(ims__api_category_delete)
{
    ims_status st = ims_store_delete_category(cx->store, ims__in_int(rq->path, "category_id", 0), err);

    if (st == IMS_E_PERMISSION) /* the default one */
        return ims__reply_error(rp, 400, err->text);
    rp->status = 204;
    return st;
}
