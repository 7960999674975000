/* The service itself: health, figures, the contract, logging in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/figures.h"
#include "http/api/api.h"
#include "http/api/docs_page.h"
#include "http/guard.h"
#include "http/spec.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

/* ---- health ---- */

/* /health is for everybody: who has not shown the token learns how things stand, but no path, address or sentence that is
 * meant for the operator. Takes o; NULL without memory. */
static ims_json *shown(ims_json *o, const struct ims_http_request *rq, const char *one, const char *other)
{
    return rq->is_secure_client || !o ? o : ims__whole(o, ims__put_null(o, one) && ims__put_null(o, other));
}

static ims_json *library_json(struct ims_http_context *cx, ims_err *err)
{
    struct ims_library_status s;
    ims_json *o;

    if (ims_engine_status(cx->engine, &s, err))
        return NULL;
    o = ims__json_new_object();
    return ims__whole(o, ims__put_int(o, "assets", s.assets) && ims__put_int(o, "done", s.done) &&
                             ims__put_int(o, "failed", s.failed) && ims__put_int(o, "queued", s.queued) &&
                             ims__put_int(o, "vectors", s.vectors) && ims__put_int(o, "faces", s.faces) &&
                             ims__put_int(o, "persons", s.persons) && ims__put_str(o, "model", s.model) &&
                             ims__put_str(o, "modelProblem", s.model ? NULL : s.model_problem) &&
                             ims__put_str(o, "database", s.database));
}

/* What the last inference of the service ran on; nulls before the first one. */
static ims_json *device_json(struct ims_http_context *cx)
{
    struct ims_device_used used;
    ims_json *o = ims__json_new_object();

    ims__engine_device_now(cx->engine, &used);
    return ims__whole(o, ims__put_str(o, "device", used.device[0] ? used.device : NULL) &&
                             ims__put_str(o, "provider", used.provider[0] ? used.provider : NULL) &&
                             ims__put_str(o, "runtime", used.runtime[0] ? used.runtime : NULL) &&
                             ims__put_str(o, "reason", used.reason[0] ? used.reason : NULL));
}

/* One device of one loaded part of the models: the self-test that it passed to be chosen, and how it does since. */
static ims_json *slot_json(const char *part, const struct ims_pool_slot_info *s)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "part", part) && ims__put_str(o, "device", s->name) &&
                             ims__put_str(o, "provider", s->has_report ? s->report.provider : NULL) &&
                             ims__put_str(o, "state", ims__health_name(s->health.state)) &&
                             ims__put_str(o, "selfTest", s->has_report ? "passed" : s->n_faults ? "failed" : "not run") &&
                             ims__put_bool(o, "isReserve", s->is_reserve) &&
                             ims__put_bool(o, "isIsolated", s->is_isolated) &&
                             ims__put_int(o, "checks", (int64_t)s->n_checks) &&
                             ims__put_int(o, "faults", (int64_t)s->n_faults) &&
                             ims__put_str(o, "lastFault", s->reason[0] ? s->reason : NULL));
}

struct slots {
    const struct ims_http_request *rq;
    ims_json *list;
    bool is_whole;
};

static void add_slots(void *arg, const char *part, const struct ims_pool_info *info)
{
    struct slots *s = arg;

    for (size_t i = 0; i < info->n_slots; i++)
        s->is_whole = s->is_whole &&
                      ims__json_add(s->list, shown(slot_json(part, &info->slots[i]), s->rq, "lastFault", "lastFault")) == IMS_OK;
}

static ims_json *devices_json(struct ims_http_context *cx, const struct ims_http_request *rq)
{
    struct slots s = { .rq = rq, .list = ims__json_new_array(), .is_whole = true };

    ims__engine_pools(cx->engine, add_slots, &s);
    return ims__whole(s.list, s.is_whole);
}

/* Searches are answered whatever the index's state; nothing here waits for it. */
static ims_json *index_json(struct ims_http_context *cx)
{
    struct ims_index_state s;
    struct ims_index_info i;
    bool is_known = ims__engine_index_now(cx->engine, &i);
    ims_json *o = ims__json_new_object();

    ims_engine_index_state(cx->engine, &s);
    return ims__whole(o, ims__put_str(o, "state", s.is_ready ? "open" : "not open") &&
                             ims__put_bool(o, "rebuilding", s.is_rebuilding) && ims__put_int(o, "done", (int64_t)s.done) &&
                             ims__put_int(o, "total", (int64_t)s.total) &&
                             ims__put_str(o, "problem", s.problem[0] ? s.problem : NULL) &&
                             (s.is_ready ? ims__put_int(o, "vectors", (int64_t)s.vectors) : ims__put_null(o, "vectors")) &&
                             (is_known ? ims__put_int(o, "memoryBytes", (int64_t)i.memory_bytes)
                                       : ims__put_null(o, "memoryBytes")) &&
                             (s.audit_hits ? ims__put_num(o, "recall", (double)s.audit_found / (double)s.audit_hits)
                                           : ims__put_null(o, "recall")) &&
                             ims__put_str(o, "note", is_known && i.note[0] ? i.note : NULL));
}

static ims_status sum_jobs(struct ims_http_context *cx, struct ims_store_job_counts *out, ims_err *err)
{
    struct ims_store_job_counts counts[IMS_N_QUEUES];
    ims_status st = ims_store_count_jobs(cx->store, counts, err);

    *out = (struct ims_store_job_counts){ .queue = "all" };
    for (size_t i = 0; !st && i < IMS_N_QUEUES; i++) {
        out->queued += counts[i].queued + counts[i].scheduled;
        out->started += counts[i].started;
        out->failed += counts[i].failed;
        out->finished += counts[i].finished;
    }
    return st;
}

IMS_API_HANDLER(ims__api_health)
{
    struct ims_store_job_counts jobs;
    double uptime = (double)(ims__mono_ns() - cx->api->started_ns) / 1e9;
    ims_json *o, *queue, *library;
    ims_status st = sum_jobs(cx, &jobs, err);

    if (st)
        return st;
    err->status = IMS_OK;
    library = shown(library_json(cx, err), rq, "database", "modelProblem");
    if (!library)
        return err->status ? err->status : ims_fail(err, IMS_E_NOMEM, "http", 0, "health");
    o = ims__json_new_object();
    queue = ims__json_new_object();
    queue = ims__whole(queue, ims__put_int(queue, "queued", jobs.queued) && ims__put_int(queue, "started", jobs.started) &&
                                  ims__put_int(queue, "failed", jobs.failed));
    o = ims__whole(o, ims__put(o, "library", library) && ims__put_str(o, "status", "ok") &&
                          ims__put_str(o, "version", IMS_VERSION) && ims__put_num(o, "uptimeSeconds", uptime) &&
                          ims__put(o, "device", shown(device_json(cx), rq, "reason", "runtime")) &&
                          ims__put(o, "queue", queue) && ims__put(o, "devices", devices_json(cx, rq)) &&
                          ims__put(o, "index", shown(index_json(cx), rq, "problem", "note")));
    return ims__reply_json(rp, 200, o, err);
}

IMS_API_HANDLER(ims__api_ready)
{
    ims_json *o;
    int64_t epoch;
    ims_status st = ims_store_epoch(cx->store, &epoch, err);

    (void)rq;
    if (st)
        return ims__reply_error(rp, 503, "the library cannot be read");
    o = ims__json_new_object();
    return ims__reply_json(rp, 200, ims__whole(o, ims__put_str(o, "status", "ready")), err);
}

/* ---- the contract ---- */

IMS_API_HANDLER(ims__api_openapi)
{
    (void)rq;
    snprintf(rp->cache_control, sizeof(rp->cache_control), "no-cache");
    return ims__reply_json(rp, 200, ims__json_dup(ims__spec_document(cx->api->spec)), err);
}

IMS_API_HANDLER(ims__api_docs)
{
    (void)rq;
    snprintf(rp->content_type, sizeof(rp->content_type), "text/html; charset=utf-8");
    return ims__docs_page(cx->api->spec, &rp->bytes, err);
}

/* ---- logging in ---- */

IMS_API_HANDLER(ims__api_login)
{
    (void)err;
    if (!ims__guard_login(cx->api->guard, ims__in_str(rq->body, "token", ""), false, rp->cookie, sizeof(rp->cookie)))
        return ims__reply_error(rp, 401, "this is not the token");
    rp->status = 204;
    return IMS_OK;
}

IMS_API_HANDLER(ims__api_logout)
{
    (void)cx;
    (void)rq;
    (void)err;
    ims__guard_logout(rp->cookie, sizeof(rp->cookie));
    rp->status = 204;
    return IMS_OK;
}
