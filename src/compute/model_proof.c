/* Verdicts about devices and models: from memory, from a file, or by running the model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/model_proof_internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE_MS 120000
#define OPEN_DEADLINE_MS 600000

/* One proof that is being made, with the proof lock held. */
struct proving {
    struct ims_compute *c;
    const struct ims_proof_set *set;
    struct proof_results expected;
    bool has_expected;
    char key[PROOF_MAX_KEY_BYTES];
    struct ims_proof_verdict v;
};

static const struct ims_device_id cpu = { IMS_DEVICE_CPU, 0 };

static bool has_graph(const struct ims_compute_graph *g)
{
    return g->bytes || g->path;
}

static ims_status open_session(struct proving *p, struct ims_device_id id,
                               const struct ims_compute_graph *graph,
                               struct ims_compute_session **out, ims_err *err)
{
    struct ims_compute_session_options o = {
        .label = p->set->model,
        .device = &id,
        .n_threads = p->c->n_threads,
        .static_dims = p->set->static_dims,
        .n_static_dims = p->set->n_static_dims,
        .no_prepacking = true, /* a few runs */
        .run_timeout_ms = p->c->deadline_ms ? p->c->deadline_ms : DEADLINE_MS,
        .open_timeout_ms = OPEN_DEADLINE_MS,
    };

    return ims__compute_session_open_on(p->c, out, graph, &o, err);
}

/* ---- what must come out ---- */

/* The CPU's float32 results are the measure, so they must make sense by themselves. */
static ims_status check_reference(struct proving *p, struct ims_compute_session *s, ims_err *err)
{
    struct ims_proof_bounds bounds = ims_proof_bounds(IMS_DEVICE_CPU, IMS_PRECISION_FP32);
    const char *absurd = ims__proof_absurd(&p->expected, p->set->has_rows);
    bool is_same = true;
    ims_status st = IMS_OK;

    if (absurd)
        return ims_fail(err, IMS_E_MODEL, "proof", 0, "%s %s on the cpu: %s", p->set->model,
                        p->set->graph_name, absurd);
    st = ims__proof_compute_alone(p->set, s, 0, &p->expected, bounds, &is_same, err);
    if (!st && !is_same)
        st = ims_fail(err, IMS_E_MODEL, "proof", 0,
                      "%s %s on the cpu: an input by itself and in a batch give different results",
                      p->set->model, p->set->graph_name);
    return st;
}

static ims_status make_reference(struct proving *p, const char *key, ims_err *err)
{
    const struct ims_compute_graph *graph =
        has_graph(&p->set->reference) ? &p->set->reference : &p->set->graph;
    struct ims_compute_session *s = NULL;
    ims_status st = open_session(p, cpu, graph, &s, err);

    if (!st)
        st = ims__proof_compute(p->set, s, &p->expected, err);
    if (!st) {
        p->has_expected = true;
        st = check_reference(p, s, err);
    }
    ims_compute_session_close(s);
    if (!st)
        ims__proof_reference_write(p->c->cache_dir, key, &p->expected);
    return st;
}

/* *out_is_new: computed just now, here. */
static ims_status need_reference(struct proving *p, bool *out_is_new, ims_err *err)
{
    char key[PROOF_MAX_KEY_BYTES];

    ims__proof_reference_key(p->set, key);
    *out_is_new = false;
    if (p->has_expected)
        return IMS_OK;
    p->has_expected =
        !p->c->prove_again && ims__proof_reference_read(p->c->cache_dir, key, &p->expected);
    if (p->has_expected)
        return IMS_OK;
    *out_is_new = true;
    return make_reference(p, key, err);
}

/* ---- judging a device ---- */

static void reject(struct proving *p, const char *text)
{
    p->v.state = IMS_PROOF_FAILED;
    snprintf(p->v.text, sizeof(p->v.text), "%.48s %.15s in %s: %.200s", p->set->model,
             p->set->graph_name, ims_precision_name(p->set->precision), text);
}

/* Compares with one of the two measures; false after rejecting. */
static bool is_near(struct proving *p, const struct proof_results *got,
                    const struct proof_results *expected, const char *measure)
{
    struct ims_proof_bounds b = ims_proof_bounds(p->v.device.kind, p->set->precision);
    struct proof_distance d;
    char text[200];

    if (!ims__proof_compare(got, expected, p->set->has_rows, &d)) {
        reject(p, "its results have another shape than they must");
        return false;
    }
    p->v.min_cosine = p->v.has_numbers ? fmin(p->v.min_cosine, d.min_cosine) : d.min_cosine;
    p->v.max_difference = fmax(p->v.max_difference, d.max_difference);
    p->v.has_numbers = true;
    if (ims__proof_is_within(d, b))
        return true;
    snprintf(text, sizeof(text),
             "wrong results: cosine %.6f with %s, at least %g is needed; off by %.2g of the "
             "largest number, allowed %g",
             d.min_cosine, measure, b.min_cosine, d.max_difference, b.max_difference);
    reject(p, text);
    return false;
}

/* The first outputs against what came with the model. */
static bool is_golden(struct proving *p, const struct proof_results *got)
{
    for (size_t i = 0; p->set->golden && i < p->set->n_cases; i++) {
        struct proof_results g = { .n_cases = 1, .n_outputs = 1 };
        struct proof_results part = g;
        size_t n = 0;
        const float *numbers = p->set->golden(p->set->arg, i, &n);

        if (!numbers)
            continue;
        part.t[0] = g.t[0] = got->t[i * got->n_outputs];
        g.t[0].data = (void *)(uintptr_t)numbers;
        g.t[0].bytes = n * sizeof(*numbers);
        if (!is_near(p, &part, &g, "the reference that came with the model"))
            return false;
    }
    return true;
}

/* A provider that takes none of the nodes would pass on the CPU's work. */
static bool took_part(const struct ims_compute_session *s)
{
    struct ims_compute_report report;

    ims_compute_session_report(s, &report);
    for (size_t i = 0; i < report.n_shares; i++) {
        if (strcmp(report.shares[i].provider, report.provider) == 0 && report.shares[i].n_nodes > 0)
            return true;
    }
    return !report.is_assignment_known;
}

/* First and last row by themselves: what a device does wrong only in batches shows there. */
static ims_status check_alone(struct proving *p, struct ims_compute_session *s,
                              const struct proof_results *got, ims_err *err)
{
    struct ims_proof_bounds b = ims_proof_bounds(p->v.device.kind, p->set->precision);
    size_t last = p->set->has_rows ? (size_t)got->t[0].shape[0] - 1 : 0;
    bool is_same = true;
    ims_status st = ims__proof_compute_alone(p->set, s, 0, got, b, &is_same, err);

    if (!st && is_same && last > 0)
        st = ims__proof_compute_alone(p->set, s, last, got, b, &is_same, err);
    if (!st && !is_same)
        reject(p, "an input by itself and in a batch give different results");
    return st;
}

static ims_status judge(struct proving *p, struct ims_compute_session *s, ims_err *err)
{
    struct proof_results got = { .n_cases = 0 };
    const char *absurd;
    ims_status st;

    if (!took_part(s)) {
        reject(p, "the provider took no node of the graph");
        return IMS_OK;
    }
    st = ims__proof_compute(p->set, s, &got, err);
    if (st)
        return st;
    absurd = ims__proof_absurd(&got, p->set->has_rows);
    if (absurd)
        reject(p, absurd);
    else if (is_golden(p, &got) &&
             is_near(p, &got, &p->expected, "the CPU's float32 results"))
        st = check_alone(p, s, &got, err);
    ims__proof_results_release(&got);
    return st;
}

/* ---- speed ---- */

static ims_status measure(struct proving *p, struct ims_compute_session *s, ims_err *err)
{
    struct ims_compute_session *here = NULL;
    ims_status st = ims__proof_speed(p->set, s, &p->v.rows_per_s, err);

    if (!st)
        st = open_session(p, cpu, &p->set->graph, &here, err);
    if (!st)
        st = ims__proof_speed(p->set, here, &p->v.cpu_rows_per_s, err);
    p->v.n_threads = p->c->n_threads;
    ims_compute_session_close(here);
    return st;
}

/* A device that is not there for its numbers' sake is not worth its trouble. */
static void compare_speed(struct ims_proof_verdict *v)
{
    if (v->state != IMS_PROOF_PASSED || v->rows_per_s == 0 || v->rows_per_s >= v->cpu_rows_per_s)
        return;
    v->state = IMS_PROOF_SLOWER;
    snprintf(v->text, sizeof(v->text), "%.48s %.15s: %.1f a second, the CPU with %u threads %.1f",
             v->model, v->graph_name, v->rows_per_s, v->n_threads, v->cpu_rows_per_s);
}

/* ---- making a verdict ---- */

static void accept(struct proving *p)
{
    p->v.state = IMS_PROOF_PASSED;
    snprintf(p->v.text, sizeof(p->v.text), "%.48s %.15s in %s is right: cosine %.6f, off by %.2g",
             p->set->model, p->set->graph_name, ims_precision_name(p->set->precision),
             p->v.min_cosine, p->v.max_difference);
}

/* Runs the graph on the device. What the device does wrong is the verdict, not an error. */
static void try_device(struct proving *p, bool with_speed)
{
    struct ims_compute_session *s = NULL;
    ims_err why = { .text = "" };
    ims_status st = open_session(p, p->v.device, &p->set->graph, &s, &why);

    if (!st)
        st = judge(p, s, &why);
    if (!st && p->v.state != IMS_PROOF_FAILED) {
        accept(p);
        if (with_speed)
            st = measure(p, s, &why);
    }
    if (st) {
        p->v.has_numbers = false; /* it could not be asked: nothing to keep */
        reject(p, why.text);
        ims_compute_session_discard(s);
    } else {
        ims_compute_session_close(s);
    }
}

/* The CPU's own float32 graph, whose results were computed just now, is compared with nothing but
 * what came with the model. */
static ims_status judge_new_reference(struct proving *p)
{
    p->v.min_cosine = 1;
    p->v.has_numbers = true;
    if (!is_golden(p, &p->expected))
        return IMS_OK;
    p->v.state = IMS_PROOF_PASSED;
    if (p->set->golden)
        accept(p);
    else
        snprintf(p->v.text, sizeof(p->v.text),
                 "%.48s %.15s in fp32 makes sense, and is what other devices are compared with",
                 p->set->model, p->set->graph_name);
    return IMS_OK;
}

static ims_status make_verdict(struct proving *p, bool with_speed, ims_err *err)
{
    bool is_cpu = p->v.device.kind == IMS_DEVICE_CPU, is_new = false;
    ims_status st = need_reference(p, &is_new, err);

    if (st)
        return st;
    p->v.made_us = ims__now_us();
    if (is_cpu && is_new && p->set->precision == IMS_PRECISION_FP32)
        return judge_new_reference(p);
    try_device(p, with_speed && !is_cpu);
    if (p->v.has_numbers || p->v.state == IMS_PROOF_PASSED)
        return IMS_OK;
    return is_cpu ? ims_fail(err, IMS_E_MODEL, "proof", 0, "%s", p->v.text) : IMS_OK;
}

/* ---- keeping ---- */

/* As a pool's slots have them: shares of the CPU split its threads. */
static unsigned threads_of(const struct ims_compute *c, struct ims_device_id id)
{
    unsigned n = 0;

    for (size_t i = 0; id.kind == IMS_DEVICE_CPU && i < c->request.n_ids; i++)
        n += c->request.ids[i].kind == IMS_DEVICE_CPU;
    n = c->n_threads / (n ? n : 1);
    return n ? n : 1;
}

/* The batch size that a pool found for this device; who asks for proof again wants it found again. */
static void recall_batch(struct proving *p)
{
    const struct ims_compute *c = p->c;
    struct ims_batch_record r = { .rows = 0 };
    char key[PROOF_MAX_KEY_BYTES];

    ims__batch_record_key(p->key, p->v.device, threads_of(c, p->v.device), key);
    if (c->prove_again)
        ims__batch_record_forget(c->cache_dir, key);
    else if (ims__batch_record_read(c->cache_dir, key, &r)) {
        p->v.batch = r.rows;
        p->v.batch_rows_per_s = r.rows_per_s;
    }
}

static struct ims_kept_verdict *find_kept(struct ims_compute *c, uint64_t key_hash)
{
    for (size_t i = 0; i < c->n_verdicts; i++) {
        if (c->verdicts[i].key_hash == key_hash)
            return &c->verdicts[i];
    }
    return NULL;
}

/* When the memory is full the oldest goes. */
static ims_status keep(struct proving *p, uint64_t key_hash, ims_err *err)
{
    struct ims_compute *c = p->c;
    struct ims_kept_verdict *kept = find_kept(c, key_hash);

    recall_batch(p);

    if (!c->verdicts)
        c->verdicts = ims__zalloc(IMS_PROOF_MAX_VERDICTS, sizeof(*c->verdicts));
    if (!c->verdicts)
        return ims_fail(err, IMS_E_NOMEM, "proof", 0, "keeping a verdict");
    if (!kept && c->n_verdicts == IMS_PROOF_MAX_VERDICTS) {
        memmove(c->verdicts, c->verdicts + 1, (c->n_verdicts - 1) * sizeof(*c->verdicts));
        c->n_verdicts--;
    }
    if (!kept)
        kept = &c->verdicts[c->n_verdicts++];
    *kept = (struct ims_kept_verdict){ key_hash, p->v };
    return IMS_OK;
}

/* Is what is known enough? Speed counts only for the threads that the CPU has now. */
static bool is_enough(const struct ims_compute *c, const struct ims_proof_verdict *v,
                      bool with_speed)
{
    return v->state == IMS_PROOF_FAILED || v->device.kind == IMS_DEVICE_CPU || !with_speed ||
           (v->rows_per_s > 0 && v->n_threads == c->n_threads);
}

static ims_status prove(struct proving *p, bool with_speed, ims_err *err)
{
    struct ims_compute *c = p->c;
    uint64_t hash = ims__hash64(p->key, strlen(p->key));
    const struct ims_kept_verdict *kept = find_kept(c, hash);
    ims_status st;

    if (kept && is_enough(c, &kept->verdict, with_speed)) {
        p->v = kept->verdict;
        return IMS_OK;
    }
    if (!c->prove_again && ims__proof_verdict_read(c->cache_dir, p->key, &p->v) &&
        is_enough(c, &p->v, with_speed))
        return keep(p, hash, err);
    p->v = (struct ims_proof_verdict){ .device = p->v.device, .precision = p->set->precision };
    snprintf(p->v.model, sizeof(p->v.model), "%.63s", p->set->model);
    snprintf(p->v.graph_name, sizeof(p->v.graph_name), "%.15s", p->set->graph_name);
    st = make_verdict(p, with_speed, err);
    if (st)
        return st;
    if (p->v.has_numbers)
        ims__proof_verdict_write(c->cache_dir, p->key, &p->v);
    return keep(p, hash, err);
}

ims_status ims__proof_key(struct ims_compute *c, const struct ims_proof_set *set,
                          struct ims_device_id id, char out[PROOF_MAX_KEY_BYTES], ims_err *err)
{
    char hardware[PROOF_MAX_KEY_BYTES / 2] = "";
    ims_status st;

    ims__lock(&c->lock);
    st = ims__compute_load(c, err);
    if (!st)
        st = ims__compute_inventory(c, err);
    if (!st)
        ims__proof_hardware(c, id, hardware, sizeof(hardware));
    ims__unlock(&c->lock);
    if (!st)
        ims__proof_verdict_key(set, hardware, out);
    return st;
}

ims_status ims_compute_prove_model(struct ims_compute *c, const struct ims_proof_set *set,
                                   struct ims_device_id id, bool with_speed,
                                   struct ims_proof_verdict *out, ims_err *err)
{
    struct proving *p;
    ims_status st;

    if (set->n_cases == 0 || set->n_cases > IMS_PROOF_MAX_CASES || !has_graph(&set->graph) ||
        (set->precision != IMS_PRECISION_FP32 && !has_graph(&set->reference)))
        return ims_fail(err, IMS_E_INVALID, "proof", 0,
                        "%s %s: a proof needs inputs, a graph and a float32 reference", set->model,
                        set->graph_name);
    p = ims__zalloc(1, sizeof(*p));
    if (!p)
        return ims_fail(err, IMS_E_NOMEM, "proof", 0, "proving %s", set->model);
    p->c = c;
    p->set = set;
    p->v.device = id;
    snprintf(p->v.model, sizeof(p->v.model), "%.63s", set->model);
    snprintf(p->v.graph_name, sizeof(p->v.graph_name), "%.15s", set->graph_name);
    p->v.precision = set->precision;
    ims__lock(&c->proof_lock);
    st = ims__proof_key(c, set, id, p->key, err);
    if (!st)
        st = prove(p, with_speed, err);
    ims__unlock(&c->proof_lock);
    if (!st) {
        *out = p->v;
        if (with_speed)
            compare_speed(out);
    }
    ims__proof_results_release(&p->expected);
    ims__free(p);
    return st;
}

size_t ims_compute_verdicts(struct ims_compute *c, struct ims_proof_verdict *out, size_t max)
{
    size_t n;

    ims__lock(&c->proof_lock);
    n = c->n_verdicts < max ? c->n_verdicts : max;
    for (size_t i = 0; i < n; i++) {
        out[i] = c->verdicts[i].verdict;
        if (ims__compute_minds_speed(c))
            compare_speed(&out[i]);
    }
    ims__unlock(&c->proof_lock);
    return n;
}
