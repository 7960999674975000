/* The service itself: health, figures, the contract, logging in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "http/api/api.h"
#include "http/api/docs_page.h"
#include "http/guard.h"
#include "http/spec.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

/* ---- health ---- */

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

/* What the last inference really ran on; nulls before the first one. */
static ims_json *device_json(struct ims_http_context *cx)
{
    struct ims_device_used used;
    ims_json *o = ims__json_new_object();

    ims_engine_device_used(cx->engine, &used);
    return ims__whole(o, ims__put_str(o, "device", used.device[0] ? used.device : NULL) &&
                             ims__put_str(o, "provider", used.provider[0] ? used.provider : NULL) &&
                             ims__put_str(o, "runtime", used.runtime[0] ? used.runtime : NULL) &&
                             ims__put_str(o, "reason", used.reason[0] ? used.reason : NULL));
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

    (void)rq;
    if (st)
        return st;
    err->status = IMS_OK;
    library = library_json(cx, err);
    if (!library)
        return err->status ? err->status : ims_fail(err, IMS_E_NOMEM, "http", 0, "health");
    o = ims__json_new_object();
    queue = ims__json_new_object();
    queue = ims__whole(queue, ims__put_int(queue, "queued", jobs.queued) && ims__put_int(queue, "started", jobs.started) &&
                                  ims__put_int(queue, "failed", jobs.failed));
    o = ims__whole(o, ims__put(o, "library", library) && ims__put_str(o, "status", "ok") &&
                          ims__put_str(o, "version", IMS_VERSION) && ims__put_num(o, "uptimeSeconds", uptime) &&
                          ims__put(o, "device", device_json(cx)) && ims__put(o, "queue", queue));
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

/* ---- figures ---- */

static void add_figure(struct ims_buf *b, const char *name, const char *type, const char *help, double v)
{
    (void)ims__buf_addf(b, "# HELP imgsearch_%s %s\n# TYPE imgsearch_%s %s\nimgsearch_%s %.17g\n", name, help, name, type,
                        name, v);
}

static void add_http(struct ims_buf *b, struct ims_http *http)
{
    struct ims_http_stats s;

    ims__http_stats(http, &s);
    add_figure(b, "http_connections", "gauge", "Open connections.", s.n_connections);
    add_figure(b, "http_queued_requests", "gauge", "Requests waiting for a worker thread.", s.n_queued);
    add_figure(b, "http_event_streams", "gauge", "Open event streams.", s.n_streams);
    (void)ims__buf_add_str(b, "# HELP imgsearch_http_replies_total Replies by class of status.\n"
                              "# TYPE imgsearch_http_replies_total counter\n");
    for (unsigned i = 2; i < 6; i++)
        (void)ims__buf_addf(b, "imgsearch_http_replies_total{class=\"%uxx\"} %llu\n", i, (unsigned long long)s.n_by_class[i]);
}

IMS_API_HANDLER(ims__api_metrics)
{
    struct ims_library_status s;
    struct ims_store_job_counts jobs;
    struct ims_buf *b = &rp->bytes;
    ims_status st = ims_engine_status(cx->engine, &s, err);

    (void)rq;
    if (!st)
        st = sum_jobs(cx, &jobs, err);
    if (st)
        return st;
    add_figure(b, "uptime_seconds", "gauge", "Since the service started.",
               (double)(ims__mono_ns() - cx->api->started_ns) / 1e9);
    add_figure(b, "process_cpu_seconds_total", "counter", "CPU time of the process.", (double)ims__process_cpu_ns() / 1e9);
    add_figure(b, "assets", "gauge", "Pictures in the library.", (double)s.assets);
    add_figure(b, "assets_done", "gauge", "Pictures indexed with the serving model.", (double)s.done);
    add_figure(b, "assets_failed", "gauge", "Pictures that failed.", (double)s.failed);
    add_figure(b, "assets_queued", "gauge", "Pictures that wait.", (double)s.queued);
    add_figure(b, "vectors", "gauge", "Vectors of the serving model.", (double)s.vectors);
    add_figure(b, "faces", "gauge", "Faces found.", (double)s.faces);
    add_figure(b, "persons", "gauge", "Persons named.", (double)s.persons);
    add_figure(b, "jobs_queued", "gauge", "Jobs that wait.", (double)jobs.queued);
    add_figure(b, "jobs_started", "gauge", "Jobs at work.", (double)jobs.started);
    add_figure(b, "jobs_failed", "gauge", "Jobs that failed and are still remembered.", (double)jobs.failed);
    if (cx->api->http)
        add_http(b, cx->api->http);
    snprintf(rp->content_type, sizeof(rp->content_type), "text/plain; version=0.0.4");
    return ims__buf_status(b) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "figures") : IMS_OK;
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
