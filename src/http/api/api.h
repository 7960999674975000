/* What the handlers of the HTTP interface share. One context a worker thread; one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_H
#define IMS_HTTP_API_API_H

#include "base/mem.h"
#include "base/thread.h"
#include "engine/watch.h"
#include "http/exchange.h"
#include "http/http.h"
#include "ims/engine.h"
#include "store/store.h"

/* What all contexts of a server share; made by ims__serve. */
struct ims_http_api {
    struct ims_engine *host; /* its model, devices and index serve all */
    struct ims_http *http;   /* NULL until it listens */
    struct ims_guard *guard; /* for logins */
    const struct ims_spec *spec;
    uint64_t started_ns;
    struct ims_engine *watcher; /* the streams' thread's own, beside the host; NULL until its first look */
    struct ims_lock watch_lock; /* of watch */
    struct ims_watch *watch;    /* follows the folders; NULL = stopped */
    struct ims_watch_options watch_options;
    bool is_watch_enabled; /* by the settings */
};

struct ims_http_context {
    struct ims_http_api *api;
    struct ims_engine *engine; /* beside the host */
    struct ims_store *store;   /* the engine's */
};

/* The handlers of every operation that is built. */
extern const struct ims_http_route ims__api_routes[];
extern const size_t ims__api_n_routes;

ims_status ims__api_context_open(struct ims_http_context **out, void *api, ims_err *err) IMS_MUST_CHECK;
void ims__api_context_close(struct ims_http_context *cx);

/* ---- building JSON ----
 * Each puts one member and says whether it could; chains of && stop at the first that could not. The object may be
 * NULL (then: false). A value that is given is consumed either way. */
bool ims__put(ims_json *o, const char *key, ims_json *take_value);
bool ims__put_str(ims_json *o, const char *key, const char *s); /* NULL = null */
bool ims__put_int(ims_json *o, const char *key, int64_t v);
bool ims__put_num(ims_json *o, const char *key, double v);
bool ims__put_bool(ims_json *o, const char *key, bool v);
bool ims__put_time(ims_json *o, const char *key, int64_t us); /* 0 = null */
bool ims__put_path(ims_json *o, const char *key, const char *bytes); /* in display form; NULL = null */
bool ims__put_null(ims_json *o, const char *key);
/* What a chain built, or NULL after freeing it when is_whole is false. */
ims_json *ims__whole(ims_json *o, bool is_whole);

/* ---- shared shapes ---- */
ims_json *ims__api_asset(const struct ims_asset *a); /* Asset of the contract; NULL: no memory */
/* Its camera and where it was taken, or null. */
bool ims__put_camera(ims_json *o, const char *key, const struct ims_asset *a);
bool ims__put_location(ims_json *o, const char *key, const struct ims_asset *a);

ims_json *ims__api_evidence(const struct ims_store_evidence *e);

/* {id: name ...} of a category, or null; sessionCount null. */
ims_json *ims__api_category(struct ims_http_context *cx, int64_t id);

/* An inputs' member with a fallback for null and absent. */
const char *ims__in_str(const ims_json *o, const char *key, const char *fallback);
int64_t ims__in_int(const ims_json *o, const char *key, int64_t fallback);
double ims__in_num(const ims_json *o, const char *key, double fallback);
bool ims__in_bool(const ims_json *o, const char *key, bool fallback);

/* page and page_size of the query as offset and limit. */
struct ims_page {
    int64_t number, size, offset;
};
struct ims_page ims__api_page(const struct ims_http_request *rq);
/* {items, total, page, pageSize, hasMore}; takes items. */
ims_json *ims__api_page_json(const struct ims_page *page, ims_json *take_items, int64_t total);
/* The same without hasMore, as lists about faces have it. */
ims_json *ims__api_plain_page_json(const struct ims_page *page, ims_json *take_items, int64_t total);

/* ---- the handlers ---- */
#define IMS_API_HANDLER(name)                                                                                        \
    ims_status name(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp, ims_err *err)

#define IMS_ROUTE(operation, handler) IMS_API_HANDLER(handler);
#include "http/api/api_table.h"
#undef IMS_ROUTE

#endif
