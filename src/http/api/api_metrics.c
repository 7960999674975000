/* Figures of the process and its library in the text form that Prometheus reads (version 0.0.4).
 *
 * Every family has its HELP and TYPE before its samples, which stand together. Nothing here waits: a model or an index
 * that is being loaded is left out until it is there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/process.h"
#include "compute/compute.h"
#include "engine/figures.h"
#include "http/api/api.h"
#include "http/spec.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

#define MAX_POOL_ROWS 64

/* ---- the form ---- */

static void add_head(struct ims_buf *b, const char *name, const char *type, const char *help)
{
    (void)ims__buf_addf(b, "# HELP imgsearch_%s %s\n# TYPE imgsearch_%s %s\n", name, help, name, type);
}

static void add_figure(struct ims_buf *b, const char *name, const char *type, const char *help, double v)
{
    add_head(b, name, type, help);
    (void)ims__buf_addf(b, "imgsearch_%s %.17g\n", name, v);
}

static void add_sample(struct ims_buf *b, const char *name, const char *label, const char *value, double v)
{
    (void)ims__buf_addf(b, "imgsearch_%s{%s=\"%s\"} %.17g\n", name, label, value, v);
}

/* A label's value from outside: backslashes, quotes and ends of lines are escaped. */
static void escape_label(const char *in, char *out, size_t size)
{
    size_t n = 0;

    for (; *in && n + 3 < size; in++) {
        if (*in == '\\' || *in == '"' || *in == '\n')
            out[n++] = '\\';
        out[n++] = *in == '\n' ? 'n' : *in;
    }
    out[n] = '\0';
}

/* ---- the process and its listener ---- */

static void add_process(struct ims_http_context *cx, struct ims_buf *b)
{
    add_figure(b, "uptime_seconds", "gauge", "Since the service started.",
               (double)(ims__mono_ns() - cx->api->started_ns) / 1e9);
    add_figure(b, "process_cpu_seconds_total", "counter", "CPU time of the process.", (double)ims__process_cpu_ns() / 1e9);
    add_figure(b, "process_resident_bytes", "gauge", "Memory in use, shared pages included; 0 = not told.",
               (double)ims__resident_bytes());
    add_figure(b, "process_open_files", "gauge", "Open files and sockets; 0 = not told.", ims__open_files());
}

static void add_http(struct ims_buf *b, struct ims_http *http)
{
    struct ims_http_stats s;

    ims__http_stats(http, &s);
    add_figure(b, "http_connections", "gauge", "Open connections.", s.n_connections);
    add_figure(b, "http_queued_requests", "gauge", "Requests waiting for a worker thread.", s.n_queued);
    add_figure(b, "http_event_streams", "gauge", "Open event streams.", s.n_streams);
    add_figure(b, "http_body_bytes", "gauge", "Bodies of requests in memory.", (double)s.body_bytes);
    add_figure(b, "http_requests_total", "counter", "Requests begun.", (double)s.n_requests);
    add_figure(b, "http_rejected_total", "counter", "Requests refused before a handler saw them.", (double)s.n_rejected);
    add_figure(b, "http_cut_total", "counter", "Requests whose client left or was too slow.", (double)s.n_cut);
    add_head(b, "http_replies_total", "counter", "Replies by class of status.");
    for (unsigned i = 2; i < 6; i++)
        (void)ims__buf_addf(b, "imgsearch_http_replies_total{class=\"%uxx\"} %llu\n", i, (unsigned long long)s.n_by_class[i]);
}

static void add_histogram(struct ims_buf *b, const char *name, const char *label, const char *value,
                          const struct ims_http_times *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < IMS_HTTP_N_BUCKETS; i++) {
        sum += t->n[i];
        (void)ims__buf_addf(b, "imgsearch_%s_bucket{%s=\"%s\",le=\"%g\"} %llu\n", name, label, value, ims__http_buckets[i],
                            (unsigned long long)sum);
    }
    (void)ims__buf_addf(b, "imgsearch_%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n", name, label, value,
                        (unsigned long long)t->count);
    (void)ims__buf_addf(b, "imgsearch_%s_sum{%s=\"%s\"} %.9g\nimgsearch_%s_count{%s=\"%s\"} %llu\n", name, label, value,
                        t->seconds, name, label, value, (unsigned long long)t->count);
}

static const char *const query_kinds[][2] = { { "search", "text" },
                                              { "searchImage", "image" },
                                              { "searchSimilar", "similar" },
                                              { "searchHybrid", "hybrid" },
                                              { "searchCompose", "compose" } };

static const char *query_kind(const char *operation)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(query_kinds); i++) {
        if (strcmp(query_kinds[i][0], operation) == 0)
            return query_kinds[i][1];
    }
    return NULL;
}

/* Queries by kind, always; every other operation once it was asked for. */
static void add_durations(struct ims_http_context *cx, struct ims_buf *b, bool of_queries)
{
    const char *name = of_queries ? "query_seconds" : "http_request_seconds";
    const struct ims_spec *spec = cx->api->spec;

    add_head(b, name, "histogram", of_queries ? "Searches by kind, from the whole request to its reply."
                                              : "Other requests, from the whole request to its reply.");
    for (size_t i = 0; i < ims__spec_n_operations(spec); i++) {
        const char *id = ims__spec_operation(spec, i)->id, *kind = query_kind(id);
        struct ims_http_times t;

        if ((kind != NULL) != of_queries)
            continue;
        ims__http_times(cx->api->http, i, &t);
        if (kind || t.count)
            add_histogram(b, name, of_queries ? "kind" : "operation", kind ? kind : id, &t);
    }
}

/* ---- the library and its jobs ---- */

static void add_library(struct ims_buf *b, const struct ims_library_status *s)
{
    add_figure(b, "assets", "gauge", "Pictures in the library.", (double)s->assets);
    add_figure(b, "assets_done", "gauge", "Pictures indexed with the serving model.", (double)s->done);
    add_figure(b, "assets_failed", "gauge", "Pictures that failed.", (double)s->failed);
    add_figure(b, "assets_queued", "gauge", "Pictures that wait.", (double)s->queued);
    add_figure(b, "vectors", "gauge", "Vectors of the serving model.", (double)s->vectors);
    add_figure(b, "faces", "gauge", "Faces found.", (double)s->faces);
    add_figure(b, "persons", "gauge", "Persons named.", (double)s->persons);
}

static void add_jobs(struct ims_buf *b, const struct ims_store_job_counts *counts)
{
    add_head(b, "jobs", "gauge", "Background jobs that are remembered, by queue and state.");
    for (size_t i = 0; i < IMS_N_QUEUES; i++) {
        const struct ims_store_job_counts *c = &counts[i];
        const struct {
            const char *state;
            int64_t n;
        } states[] = { { "queued", c->queued },     { "scheduled", c->scheduled }, { "started", c->started },
                       { "finished", c->finished }, { "failed", c->failed },       { "canceled", c->canceled } };

        for (size_t s = 0; s < IMS_ARRAY_LEN(states); s++)
            (void)ims__buf_addf(b, "imgsearch_jobs{queue=\"%s\",state=\"%s\"} %lld\n", c->queue, states[s].state,
                                (long long)states[s].n);
    }
}

/* ---- indexing and caches ---- */

/* Rows of one family stand together; the first has its type and help. A name ending in _seconds_total is given in
 * nanoseconds. */
static const struct {
    const char *name, *label, *value, *help;
    ims_figure figure;
} counters[] = {
    { "ingest_stage_items_total", "stage", "read", "Items through a stage of indexing in this process: pictures, or faces from align and recognise.", IMS_FIGURE_READ_N },
    { "ingest_stage_items_total", "stage", "decode", NULL, IMS_FIGURE_DECODE_N },
    { "ingest_stage_items_total", "stage", "detect", NULL, IMS_FIGURE_DETECT_N },
    { "ingest_stage_items_total", "stage", "align", NULL, IMS_FIGURE_ALIGN_N },
    { "ingest_stage_items_total", "stage", "embed", NULL, IMS_FIGURE_EMBED_N },
    { "ingest_stage_items_total", "stage", "recognise", NULL, IMS_FIGURE_RECOGNISE_N },
    { "ingest_stage_items_total", "stage", "write", NULL, IMS_FIGURE_WRITE_N },
    { "ingest_stage_seconds_total", "stage", "read", "Time in a stage, summed over its threads; CPU time for decode.", IMS_FIGURE_READ_NS },
    { "ingest_stage_seconds_total", "stage", "decode", NULL, IMS_FIGURE_DECODE_NS },
    { "ingest_stage_seconds_total", "stage", "detect", NULL, IMS_FIGURE_DETECT_NS },
    { "ingest_stage_seconds_total", "stage", "align", NULL, IMS_FIGURE_ALIGN_NS },
    { "ingest_stage_seconds_total", "stage", "embed", NULL, IMS_FIGURE_EMBED_NS },
    { "ingest_stage_seconds_total", "stage", "recognise", NULL, IMS_FIGURE_RECOGNISE_NS },
    { "ingest_stage_seconds_total", "stage", "write", NULL, IMS_FIGURE_WRITE_NS },
    { "ingest_wait_seconds_total", "stage", "decode", "Time a stage was blocked by the one behind or before it; counted when a run ends.", IMS_FIGURE_WAIT_DECODE_NS },
    { "ingest_wait_seconds_total", "stage", "embed", NULL, IMS_FIGURE_WAIT_COMPUTE_NS },
    { "ingest_wait_seconds_total", "stage", "align", NULL, IMS_FIGURE_WAIT_CROPS_NS },
    { "ingest_pictures_total", "result", "done", "Pictures settled, failed and duplicate ones among them.", IMS_FIGURE_DONE },
    { "ingest_pictures_total", "result", "failed", NULL, IMS_FIGURE_FAILED },
    { "ingest_pictures_total", "result", "duplicate", NULL, IMS_FIGURE_DUPLICATES },
    { "ingest_faces_total", NULL, NULL, "Faces stored.", IMS_FIGURE_FACES },
    { "ingest_batches_total", NULL, NULL, "Batches of pictures given to the model.", IMS_FIGURE_BATCHES },
    { "ingest_runs_total", NULL, NULL, "Index runs begun.", IMS_FIGURE_RUNS },
    { "ingest_runs_ended_total", NULL, NULL, "Index runs that came to their end.", IMS_FIGURE_RUNS_ENDED },
    { "cache_hits_total", "cache", "text", "What was found: vectors of query texts, stored thumbnails.", IMS_FIGURE_TEXT_HITS },
    { "cache_hits_total", "cache", "thumbnail", NULL, IMS_FIGURE_THUMB_HITS },
    { "cache_misses_total", "cache", "text", "What had to be made.", IMS_FIGURE_TEXT_MISSES },
    { "cache_misses_total", "cache", "thumbnail", NULL, IMS_FIGURE_THUMB_MISSES },
};

static void add_counters(struct ims_http_context *cx, struct ims_buf *b)
{
    uint64_t at[IMS_N_FIGURES];

    ims__figures_read(cx->engine, at);
    for (size_t i = 0; i < IMS_ARRAY_LEN(counters); i++) {
        bool is_seconds = strstr(counters[i].name, "_seconds_total") != NULL;
        double v = (double)at[counters[i].figure] / (is_seconds ? 1e9 : 1);

        if (counters[i].help)
            add_head(b, counters[i].name, "counter", counters[i].help);
        if (counters[i].label)
            add_sample(b, counters[i].name, counters[i].label, counters[i].value, v);
        else
            (void)ims__buf_addf(b, "imgsearch_%s %.17g\n", counters[i].name, v);
    }
}

/* ---- the index ---- */

static void add_index(struct ims_http_context *cx, struct ims_buf *b)
{
    struct ims_index_info i;
    bool is_open = ims__engine_index_now(cx->engine, &i);

    add_figure(b, "index_is_open", "gauge", "1: the vector index is in use; 0: not needed yet, or being brought up to date.",
               is_open);
    if (!is_open)
        return;
    add_figure(b, "index_vectors", "gauge", "Vectors in the index.", (double)i.vectors);
    add_figure(b, "index_dead_vectors", "gauge", "Removed vectors that take room until the next save.", (double)i.dead);
    add_figure(b, "index_segments", "gauge", "Segments.", (double)i.segments);
    add_figure(b, "index_memory_bytes", "gauge", "Memory, mapped files not counted.", (double)i.memory_bytes);
    add_figure(b, "index_disk_bytes", "gauge", "Files, as of the last save.", (double)i.disk_bytes);
    add_figure(b, "index_is_writer", "gauge", "1: this process keeps the index's files.", i.is_writer);
    add_figure(b, "index_searches_total", "counter", "Searches by codes.", (double)i.audit_searches);
    add_figure(b, "index_audited_total", "counter", "Of these, answered again by the full scan.", (double)i.audit_audited);
    add_figure(b, "index_audit_hits_total", "counter", "True best of the audited searches.", (double)i.audit_hits);
    add_figure(b, "index_audit_found_total", "counter", "Of these, found by the codes: recall is found over hits.",
               (double)i.audit_found);
    if (i.audit_hits)
        add_figure(b, "index_audit_recall", "gauge", "Share of the true best that searches by codes found.",
                   (double)i.audit_found / (double)i.audit_hits);
}

/* ---- devices ---- */

struct pool_row {
    const char *part;
    struct ims_pool_slot_info slot;
};

struct pool_rows {
    struct pool_row *rows;
    size_t n;
};

static void take_pool(void *arg, const char *part, const struct ims_pool_info *info)
{
    struct pool_rows *r = arg;

    for (size_t i = 0; i < info->n_slots && r->n < MAX_POOL_ROWS; i++)
        r->rows[r->n++] = (struct pool_row){ .part = part, .slot = info->slots[i] };
}

static double of_rows(const struct ims_pool_slot_info *s) { return (double)s->n_rows; }
static double of_batches(const struct ims_pool_slot_info *s) { return (double)s->n_batches; }
static double of_busy(const struct ims_pool_slot_info *s) { return (double)s->busy_ns / 1e9; }
static double of_faults(const struct ims_pool_slot_info *s) { return (double)s->n_faults; }
static double of_restarts(const struct ims_pool_slot_info *s) { return (double)s->n_restarts; }
static double of_halvings(const struct ims_pool_slot_info *s) { return (double)s->n_halvings; }
static double of_checks(const struct ims_pool_slot_info *s) { return (double)s->n_checks; }
static double of_ready(const struct ims_pool_slot_info *s) { return s->health.state == IMS_HEALTH_READY; }
static double of_reserve(const struct ims_pool_slot_info *s) { return s->is_reserve; }
static double of_speed(const struct ims_pool_slot_info *s) { return s->rows_per_s; }
static double of_limit(const struct ims_pool_slot_info *s) { return (double)s->batch.limit; }
static double of_batch(const struct ims_pool_slot_info *s) { return (double)s->batch.rows; }

static const struct {
    const char *name, *type, *help;
    double (*of)(const struct ims_pool_slot_info *s);
} device_figures[] = {
    { "device_rows_total", "counter", "Pictures, texts or faces computed, by part of the models and device.", of_rows },
    { "device_batches_total", "counter", "Batches: rows over batches is the mean batch size.", of_batches },
    { "device_busy_seconds_total", "counter", "Time in batches, summed over threads: its rate is how much the device is used.", of_busy },
    { "device_batch_rows", "gauge", "The batch size that the device found best, or tries now.", of_batch },
    { "device_batch_limit_rows", "gauge", "The largest batch given, after halvings.", of_limit },
    { "device_faults_total", "counter", "Batches that failed by the device's fault and were computed again.", of_faults },
    { "device_restarts_total", "counter", "Times the device was started anew.", of_restarts },
    { "device_halvings_total", "counter", "Batches halved for lack of memory.", of_halvings },
    { "device_checks_total", "counter", "Remembered rows computed again to see that they come out the same.", of_checks },
    { "device_is_ready", "gauge", "1: in use; 0: on the bench or on probation after faults.", of_ready },
    { "device_is_reserve", "gauge", "1: the CPU, for when the others fail.", of_reserve },
    { "device_rows_per_second", "gauge", "Of the last batches.", of_speed },
};

static void add_pools(struct ims_http_context *cx, struct ims_buf *b)
{
    struct pool_rows r = { .rows = ims__zalloc(MAX_POOL_ROWS, sizeof(*r.rows)) };

    if (r.rows)
        ims__engine_pools(cx->engine, take_pool, &r);
    for (size_t f = 0; r.n && f < IMS_ARRAY_LEN(device_figures); f++) {
        add_head(b, device_figures[f].name, device_figures[f].type, device_figures[f].help);
        for (size_t i = 0; i < r.n; i++)
            (void)ims__buf_addf(b, "imgsearch_%s{part=\"%s\",device=\"%s\"} %.17g\n", device_figures[f].name, r.rows[i].part,
                                r.rows[i].slot.name, device_figures[f].of(&r.rows[i].slot));
    }
    ims__free(r.rows);
}

static double gpu_used(const struct ims_cuda_device *d)
{
    return d->has_memory_used ? (double)d->memory_used_bytes : -1;
}
static double gpu_memory(const struct ims_cuda_device *d)
{
    return d->memory_bytes ? (double)d->memory_bytes : -1;
}
static double gpu_busy(const struct ims_cuda_device *d)
{
    return d->has_utilisation ? d->utilisation_percent / 100.0 : -1;
}
static double gpu_power(const struct ims_cuda_device *d)
{
    return d->power_w ? (double)d->power_w : -1;
}
static double gpu_heat(const struct ims_cuda_device *d)
{
    return d->temperature_c ? (double)d->temperature_c : -1;
}

static const struct {
    const char *name, *help;
    double (*of)(const struct ims_cuda_device *d); /* less than 0: the card does not tell */
} gpu_figures[] = {
    { "gpu_utilisation_ratio", "Share of the last second in which a kernel ran.", gpu_busy },
    { "gpu_memory_used_bytes", "Memory in use by all programs.", gpu_used },
    { "gpu_memory_bytes", "Memory of the card.", gpu_memory },
    { "gpu_power_watts", "Power.", gpu_power },
    { "gpu_temperature_celsius", "Temperature.", gpu_heat },
};

/* What NVIDIA's driver and NVML tell of each card, where there are such; asked in another process. */
static void add_gpus(struct ims_http_context *cx, struct ims_buf *b)
{
    struct ims_cuda_facts *facts = ims_device_has_cuda_driver() ? ims__zalloc(1, sizeof(*facts)) : NULL;
    bool is_known = facts && !ims_compute_watch_cuda(ims_engine_compute(cx->engine), facts, NULL);
    char name[280];

    for (size_t f = 0; is_known && facts->n_devices && f < IMS_ARRAY_LEN(gpu_figures); f++) {
        add_head(b, gpu_figures[f].name, "gauge", gpu_figures[f].help);
        for (size_t i = 0; i < facts->n_devices; i++) {
            double value = gpu_figures[f].of(&facts->devices[i]);

            escape_label(facts->devices[i].name, name, sizeof(name));
            if (value >= 0)
                (void)ims__buf_addf(b, "imgsearch_%s{device=\"cuda:%u\",name=\"%s\"} %.17g\n", gpu_figures[f].name,
                                    facts->devices[i].index, name, value);
        }
    }
    ims__free(facts);
}

IMS_API_HANDLER(ims__api_metrics)
{
    struct ims_store_job_counts jobs[IMS_N_QUEUES];
    struct ims_library_status s;
    struct ims_buf *b = &rp->bytes;
    ims_status st = ims_engine_status(cx->engine, &s, err);

    (void)rq;
    if (!st)
        st = ims_store_count_jobs(cx->store, jobs, err);
    if (st)
        return st;
    add_process(cx, b);
    add_library(b, &s);
    add_jobs(b, jobs);
    add_counters(cx, b);
    add_index(cx, b);
    add_pools(cx, b);
    add_gpus(cx, b);
    if (cx->api->http) {
        add_http(b, cx->api->http);
        add_durations(cx, b, true);
        add_durations(cx, b, false);
    }
    snprintf(rp->content_type, sizeof(rp->content_type), "text/plain; version=0.0.4");
    return ims__buf_status(b) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "figures") : IMS_OK;
}
