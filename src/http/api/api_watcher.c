/* The watcher: its state, start and stop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/text.h"
#include "http/api/api.h"

#include <string.h>

static ims_status paths_json(struct ims_http_context *cx, ims_json **out, ims_err *err)
{
    struct ims_store_root *roots;
    struct ims_arena arena;
    size_t n = 0;
    ims_json *list = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_roots(cx->store, &arena, &roots, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        struct ims_buf shown;

        ims__buf_init(&shown, (size_t)IMS_MAX_PATH_BYTES * 4 + 1);
        if (!list || ims__display(roots[i].path, strlen(roots[i].path), &shown) ||
            ims__json_add(list, ims__json_new_str(shown.data)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "watched folders");
        ims__buf_release(&shown);
    }
    ims__arena_release(&arena);
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

static const char *mode_of(const struct ims_watch_status *s)
{
    if (s->n_polled)
        return s->is_listening ? "mixed" : "polling";
    return s->is_listening ? "events" : "off";
}

static ims_status reply_state(struct ims_http_context *cx, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_http_api *api = cx->api;
    struct ims_watch_status s = { .n_roots = 0 };
    ims_json *o, *paths = NULL;
    bool is_running;
    ims_status st;

    ims__lock(&api->watch_lock);
    is_running = api->watch != NULL;
    if (is_running)
        ims__watch_status(api->watch, &s);
    ims__unlock(&api->watch_lock);
    st = paths_json(cx, &paths, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(
        rp, 200,
        ims__whole(o, ims__put(o, "watch_paths", paths) && ims__put_bool(o, "enabled", api->is_watch_enabled) &&
                          ims__put_bool(o, "running", is_running) &&
                          ims__put_bool(o, "file_watcher_active", s.is_listening || s.n_polled) &&
                          ims__put_bool(o, "auto_train", api->watch_options.auto_train) &&
                          ims__put_num(o, "debounce_seconds", api->watch_options.debounce_s) &&
                          ims__put_str(o, "mode", mode_of(&s)) && ims__put_int(o, "folders", (int64_t)s.n_folders) &&
                          ims__put_int(o, "waiting", (int64_t)s.n_changed) && ims__put_int(o, "jobs", (int64_t)s.n_jobs) &&
                          ims__put_int(o, "overflows", (int64_t)s.n_overflows)),
        err);
}

IMS_API_HANDLER(ims__api_watcher_status)
{
    (void)rq;
    return reply_state(cx, rp, err);
}

IMS_API_HANDLER(ims__api_watcher_start)
{
    struct ims_http_api *api = cx->api;
    ims_status st = IMS_OK;

    (void)rq;
    ims__lock(&api->watch_lock);
    if (!api->watch)
        st = ims__watch_open(&api->watch, api->host, &api->watch_options, err);
    ims__unlock(&api->watch_lock);
    return st ? st : reply_state(cx, rp, err);
}

IMS_API_HANDLER(ims__api_watcher_stop)
{
    struct ims_http_api *api = cx->api;
    struct ims_watch *watch;

    (void)rq;
    ims__lock(&api->watch_lock);
    watch = api->watch;
    api->watch = NULL;
    ims__unlock(&api->watch_lock);
    ims__watch_close(watch);
    return reply_state(cx, rp, err);
}
