/* Batch sizes that pools found, kept for the next run: cache_dir/proofs/<SHA-256>.batch, beside the
 * verdict about the same device, driver, runtime, model, graph and precision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "compute/model_proof_internal.h"
#include "compute/pool_internal.h"

#include <stdio.h>
#include <string.h>

#define RECIPE 1 /* raise it when sizes are found in another way */
#define SUFFIX ".batch"
#define MAX_BYTES (16 * IMS_KIB)
/* What memory, heat or other programs decided that day must not hold for ever. */
#define MAX_AGE_US ((int64_t)30 * 24 * 3600 * 1000000)

void ims__batch_record_key(const char *verdict_key, struct ims_device_id id, unsigned n_threads,
                           char out[PROOF_MAX_KEY_BYTES])
{
    (void)snprintf(out, PROOF_MAX_KEY_BYTES, "batch %d, %u threads\n%.*s", RECIPE,
                   id.kind == IMS_DEVICE_CPU ? n_threads : 0, PROOF_MAX_KEY_BYTES - 64, verdict_key);
}

static bool take_record(const ims_json *o, const char *key, struct ims_batch_record *out)
{
    const char *about = ims__json_str(ims__json_get(o, "about"), NULL);
    int64_t rows = ims__json_int(ims__json_get(o, "rows"), 0);
    int64_t age_us = ims__now_us() - ims__json_int(ims__json_get(o, "made_us"), 0);
    double rate = ims__json_num(ims__json_get(o, "rows_per_s"), 0);

    if (!about || strcmp(about, key) != 0 || rows < 1 || rows > UINT16_MAX || !(rate >= 0) ||
        age_us > MAX_AGE_US || age_us < 0)
        return false;
    *out = (struct ims_batch_record){ .rows = (size_t)rows,
                                      .rows_per_s = rate,
                                      .is_open = ims__json_bool(ims__json_get(o, "is_open"), false) };
    return true;
}

bool ims__batch_record_read(const char *cache_dir, const char *key, struct ims_batch_record *out)
{
    struct ims_buf text;
    ims_json *o = NULL;
    bool is_good;

    ims__buf_init(&text, MAX_BYTES);
    is_good = ims__proof_file_read(cache_dir, key, SUFFIX, MAX_BYTES, &text) &&
              ims__json_parse(&o, text.data, text.len, "batch size", NULL) == IMS_OK &&
              take_record(o, key, out);
    ims__json_free(o);
    ims__buf_release(&text);
    return is_good;
}

void ims__batch_record_forget(const char *cache_dir, const char *key)
{
    ims__proof_file_remove(cache_dir, key, SUFFIX);
}

static void write_record(const char *cache_dir, const char *key, const struct ims_batch_record *r)
{
    ims_json *o = ims__json_new_object();
    struct ims_buf text;

    (void)ims__json_set(o, "about", ims__json_new_str(key));
    (void)ims__json_set(o, "rows", ims__json_new_int((int64_t)r->rows));
    (void)ims__json_set(o, "rows_per_s", ims__json_new_num(r->rows_per_s));
    (void)ims__json_set(o, "is_open", ims__json_new_bool(r->is_open));
    (void)ims__json_set(o, "made_us", ims__json_new_int(ims__now_us()));
    ims__buf_init(&text, MAX_BYTES);
    if (ims__json_write(o, 1, &text, NULL) == IMS_OK)
        ims__proof_file_write(cache_dir, key, SUFFIX, &text);
    ims__buf_release(&text);
    ims__json_free(o);
}

/* ---- the pool's side ---- */

static bool may_search(const struct ims_pool *p, const struct ims_pool_slot *s)
{
    const struct ims_compute *c = p->compute;

    return p->o.measures_rows &&
           !(c->backend->compiles_shapes &&
             c->backend->compiles_shapes(c->ctx, s->info.device.kind));
}

ims_status ims__pool_batch_recall(struct ims_pool *p, struct ims_pool_slot *s, ims_err *err)
{
    struct ims_batch_record r = { .rows = 0 };
    char *verdict_key;
    ims_status st = IMS_OK;

    if (!may_search(p, s)) {
        ims__batch_fix(&s->info.batch, p->o.max_rows);
        return IMS_OK;
    }
    ims__batch_begin(&s->info.batch, p->o.max_rows);
    if (!p->o.proof || !p->compute->cache_dir)
        return IMS_OK; /* nothing says which model it is, or nowhere to look */
    verdict_key = ims__alloc(PROOF_MAX_KEY_BYTES, 1);
    s->batch_key = ims__alloc(PROOF_MAX_KEY_BYTES, 1);
    if (!verdict_key || !s->batch_key)
        st = ims_fail(err, IMS_E_NOMEM, "pool", 0, "allocating a pool");
    if (!st)
        st = ims__proof_key(p->compute, p->o.proof, s->info.device, verdict_key, err);
    if (!st) {
        ims__batch_record_key(verdict_key, s->info.device, s->n_threads, s->batch_key);
        s->info.is_batch_kept =
            ims__batch_record_read(p->compute->cache_dir, s->batch_key, &r) &&
            (!r.is_open || r.rows >= p->o.max_rows);
    }
    if (s->info.is_batch_kept)
        ims__batch_resume(&s->info.batch, r.rows, r.rows_per_s);
    ims__free(verdict_key);
    return st;
}

void ims__pool_batch_keep(struct ims_pool *p, struct ims_pool_slot *s)
{
    struct ims_batch_record r;

    ims__lock(&p->lock);
    r = (struct ims_batch_record){ s->info.batch.best, s->info.batch.best_rate,
                                   s->info.batch.best >= p->o.max_rows };
    ims__log_ring_addf(&p->log, "%s: %s works best with %zu rows at a time (%.1f a second)",
                       p->label, s->info.name, r.rows, r.rows_per_s);
    ims__unlock(&p->lock);
    if (s->batch_key)
        write_record(p->compute->cache_dir, s->batch_key, &r);
}
