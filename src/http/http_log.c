/* What a request cost and, if it failed, the one line that says so.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http_internal.h"

#include <stdio.h>
#include <string.h>

const double ims__http_buckets[IMS_HTTP_N_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                       0.25,  0.5,    1,     2.5,  5,     10,   30 };

/* ---- durations ---- */

void ims__http_note_time(struct ims_http_exchange *x)
{
    struct ims_http *h = x->server;
    struct ims_http_clock *c = &h->clocks[x->operation - ims__spec_operation(h->options.spec, 0)];
    uint64_t ns = ims__mono_ns() - x->whole_ns;
    size_t i = 0;

    while (i < IMS_HTTP_N_BUCKETS && (double)ns > ims__http_buckets[i] * 1e9)
        i++;
    atomic_fetch_add_explicit(&c->n[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->ns, ns, memory_order_relaxed);
}

void ims__http_times(struct ims_http *h, size_t operation, struct ims_http_times *out)
{
    struct ims_http_clock *c = &h->clocks[operation];

    *out = (struct ims_http_times){ .seconds = (double)atomic_load_explicit(&c->ns, memory_order_relaxed) / 1e9 };
    for (size_t i = 0; i <= IMS_HTTP_N_BUCKETS; i++) {
        out->n[i] = atomic_load_explicit(&c->n[i], memory_order_relaxed);
        out->count += out->n[i];
    }
}

/* ---- the line of a failure ---- */

void ims__http_note_failure(struct ims_http_exchange *x, ims_status st, const ims_err *err)
{
    ims__free(x->why);
    if (err->status != st) /* a failure without a sentence, of memory or of a limit */
        x->why = ims__strfmt("%s [%s]", ims_status_text(st), ims_status_name(st));
    else
        x->why = err->native ? ims__strfmt("%s [%s %s %d]", err->text, ims_status_name(st), err->origin, err->native)
                             : ims__strfmt("%s [%s %s]", err->text, ims_status_name(st), err->origin);
}

/* What the client was told, where the operator has nothing better. */
static const char *reason_of(const struct ims_http_exchange *x)
{
    const char *message = ims__json_str(ims__json_get(x->reply.json, "message"), NULL);

    return x->why ? x->why : message ? message : "";
}

/* Faults of ours are errors, refusals are information: whoever knocks may not flood a log that shows warnings. */
static ims_log_level level_of(const struct ims_http_exchange *x, bool is_cut)
{
    if (x->status == 501 || x->status == 503)
        return IMS_LOG_WARN;
    if (x->status >= 500)
        return IMS_LOG_ERROR;
    return x->status >= 400 || (is_cut && x->status == 0) ? IMS_LOG_INFO : IMS_LOG_DEBUG;
}

void ims__http_log_end(struct ims_http_exchange *x, bool is_cut)
{
    ims_log_level level = level_of(x, is_cut);
    char path[IMS_SHOWN_BYTES], status[8], ms[24];
    struct ims_log_field fields[] = { { "request", x->id },  { "method", x->method },
                                      { "path", path },      { "status", status },
                                      { "ms", ms },          { "operation", x->operation ? x->operation->id : NULL },
                                      { "reason", reason_of(x) } };

    if (is_cut)
        atomic_fetch_add(&x->server->n_cut, 1);
    if (level < ims__log_level())
        return;
    ims__shown(path, sizeof(path), x->path);
    snprintf(status, sizeof(status), "%d", x->status);
    snprintf(ms, sizeof(ms), "%.1f", (double)(ims__mono_ns() - x->started_ns) / 1e6);
    ims__log_fields(level, "http", is_cut ? "request cut off" : x->status >= 400 ? "request failed" : "request", fields,
                    IMS_ARRAY_LEN(fields));
}
