/* Watched states as event streams.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_events.h"

#include "base/clock.h"
#include "base/hash.h"
#include "engine/engine_parts.h"
#include "http/http_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000
#define EVENT_ID_BYTES 17

struct watching {
    struct ims_http_api *api;
    const struct ims_api_watch_ops *ops;
    void *watch;
    char seen[EVENT_ID_BYTES]; /* id of the state that the client knows; "" = of none */
};

/* The streams' thread has a connection of its own, opened with its first look. */
static ims_status watchers_store(struct ims_http_api *api, struct ims_store **out, ims_err *err)
{
    ims_status st = api->watcher ? IMS_OK : ims_engine_open_beside(&api->watcher, api->host, err);

    if (!st)
        *out = ims__engine_store(api->watcher);
    return st;
}

static ims_status add_event(struct ims_buf *out, const char *id, const char *event, const ims_json *data, ims_err *err)
{
    ims_status st;

    (void)ims__buf_addf(out, "id: %s\nevent: %s\ndata: ", id, event);
    st = ims__json_write(data, 0, out, err);
    (void)ims__buf_add_str(out, "\n\n");
    return st ? st : ims__buf_status(out);
}

/* The state without the time at which it is told. */
static ims_status name_state(const struct ims_api_sight *sight, char id[EVENT_ID_BYTES], ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    ims__buf_init(&text, IMS_HTTP_MAX_STREAM_BYTES);
    (void)ims__buf_add_str(&text, sight->event);
    st = ims__json_write(sight->data, 0, &text, err);
    if (!st)
        snprintf(id, EVENT_ID_BYTES, "%016" PRIx64, ims__hash64(text.data, text.len));
    ims__buf_release(&text);
    return st;
}

static ims_status tell_sight(struct watching *w, const struct ims_api_sight *sight, struct ims_buf *out, ims_err *err)
{
    char id[EVENT_ID_BYTES];
    ims_status st = name_state(sight, id, err);

    if (st || (!sight->is_last && strcmp(id, w->seen) == 0))
        return st;
    if (!ims__put_time(sight->data, "timestamp", ims__now_us()))
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "an event");
    st = add_event(out, id, sight->event, sight->data, err);
    memcpy(w->seen, id, sizeof(id));
    return st;
}

/* The last word about what is gone. */
static ims_status tell_gone(const char *why, struct ims_buf *out, ims_err *err)
{
    ims_json *o = ims__json_new_object();
    ims_status st;

    o = ims__whole(o, ims__put_str(o, "error", why) && ims__put_str(o, "message", why) &&
                          ims__put_time(o, "timestamp", ims__now_us()));
    st = o ? add_event(out, "gone", "error", o, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "an event");
    ims__json_free(o);
    return st;
}

/* A look that fails for a while (a busy database, a lost connection) is made up for by the next one. */
static ims_status next_events(void *stream, struct ims_buf *out, bool *out_is_done, ims_err *err)
{
    struct watching *w = stream;
    struct ims_api_sight sight = { .event = "progress" };
    struct ims_store *s = NULL;
    ims_err why = { 0 };
    ims_status st = watchers_store(w->api, &s, &why);

    if (!st)
        st = w->ops->look(w->watch, s, &sight, &why);
    if (st == IMS_E_NOT_FOUND) {
        *out_is_done = true;
        return tell_gone(why.text, out, err);
    }
    if (st)
        return st == IMS_E_DB || ims_status_is_retryable(st) ? IMS_OK : st;
    *out_is_done = sight.is_last;
    st = tell_sight(w, &sight, out, err);
    ims__json_free(sight.data);
    return st;
}

static void close_events(void *stream)
{
    struct watching *w = stream;

    w->ops->close(w->watch);
    ims__free(w);
}

static const struct ims_http_stream_ops stream_ops = { .next = next_events, .close = close_events };

ims_status ims__api_watch(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                          const struct ims_api_watch_ops *ops, void *take_watch, ims_err *err)
{
    struct watching *w = take_watch ? ims__zalloc(1, sizeof(*w)) : NULL;
    const char *last_id = rq->header(rq, "Last-Event-ID");
    struct ims_api_sight sight = { 0 };
    ims_status st = w ? ops->look(take_watch, cx->store, &sight, err)
                      : ims_fail(err, IMS_E_NOMEM, "http", 0, "an event stream");

    ims__json_free(sight.data);
    if (st) {
        if (take_watch)
            ops->close(take_watch);
        ims__free(w);
        return st;
    }
    w->api = cx->api;
    w->ops = ops;
    w->watch = take_watch;
    snprintf(w->seen, sizeof(w->seen), "%s", last_id ? last_id : "");
    rp->stream_ops = &stream_ops;
    rp->stream = w;
    rp->interval_ms = LOOK_MS;
    snprintf(rp->content_type, sizeof(rp->content_type), "text/event-stream");
    snprintf(rp->cache_control, sizeof(rp->cache_control), "no-cache");
    return IMS_OK;
}
