/* A state that a client watches: sent as events of text/event-stream, again whenever it changed, until its last word.
 *
 *     return ims__api_watch(cx, rq, rp, &ops, take_watch, err);
 *
 * Each event is "id: ...", "event: ..." and one "data: ..." line of JSON. The id is the state's, so a client that was
 * cut off and shows it (Last-Event-ID) hears nothing twice but the last word. A state that vanished while watched ends
 * with an "error" event. Between events the server keeps the connection alive with comments.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_EVENTS_H
#define IMS_HTTP_API_API_EVENTS_H

#include "http/api/api.h"

/* What was seen at one look. */
struct ims_api_sight {
    ims_json *data;    /* an object; taken by the caller. "timestamp" is added when it is sent */
    const char *event; /* "progress" ... */
    bool is_last;      /* nothing will change any more */
};

struct ims_api_watch_ops {
    /* Looks at the state through this store; fills *out on success. IMS_E_NOT_FOUND when there is none (any more): its
     * text is for the client. Called first by ims__api_watch, later on the streams' thread. */
    ims_status (*look)(void *watch, struct ims_store *s, struct ims_api_sight *out, ims_err *err);
    void (*close)(void *watch); /* on any thread; not while looking */
};

/* Looks once, so that what is not there is an error reply, then makes the reply a stream that looks every second. Takes
 * the watch, also on failure; NULL reads as out of memory. */
ims_status ims__api_watch(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                          const struct ims_api_watch_ops *ops, void *take_watch, ims_err *err) IMS_MUST_CHECK;

#endif
