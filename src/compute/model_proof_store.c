/* Verdicts and reference results on disk: cache_dir/proofs/<SHA-256 of what it is about>.json and
 * .ref. What it is about is in the file again, and compared: the name alone proves nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/model_proof_internal.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECIPE 1 /* raise it when proofs are made or judged in another way */
#define MAX_VERDICT_BYTES (16 * IMS_KIB)
#define MAX_REFERENCE_BYTES (64 * IMS_MIB)

static const char reference_magic[8] = "imsref1";

/* ---- names ---- */

/* A graph that is written here may be written otherwise by the next version; one in a file is covered
 * by the model's digest. */
static unsigned long long hash_graph(const struct ims_compute_graph *g)
{
    return g->bytes ? (unsigned long long)ims__hash64(g->bytes, g->n_bytes) : 0;
}

static int put_set(const struct ims_proof_set *set, char *out, size_t size)
{
    bool has_own = set->reference.bytes || set->reference.path;

    return snprintf(out, size,
                    "imgsearch proof %d\n%.63s\n%.64s\n%.15s\ninputs %u\nreference %016llx\n",
                    RECIPE, set->model, set->digest, set->graph_name, set->version,
                    hash_graph(has_own ? &set->reference : &set->graph));
}

void ims__proof_reference_key(const struct ims_proof_set *set, char out[PROOF_MAX_KEY_BYTES])
{
    (void)put_set(set, out, PROOF_MAX_KEY_BYTES);
}

/* The golden numbers belong to what was proven: another set of them is another proof. */
static uint64_t hash_golden(const struct ims_proof_set *set)
{
    uint64_t h = 0;

    for (size_t i = 0; set->golden && i < set->n_cases; i++) {
        size_t n = 0;
        const float *p = set->golden(set->arg, i, &n);

        if (p)
            h = h * 31 + ims__hash64(p, n * sizeof(*p));
    }
    return h;
}

void ims__proof_verdict_key(const struct ims_proof_set *set, const char *device_facts,
                            char out[PROOF_MAX_KEY_BYTES])
{
    int n = put_set(set, out, PROOF_MAX_KEY_BYTES);

    snprintf(out + n, PROOF_MAX_KEY_BYTES - (size_t)n, "golden %016llx\ngraph %016llx\n%s\n%s",
             (unsigned long long)hash_golden(set), hash_graph(&set->graph), ims_precision_name(set->precision),
             device_facts);
}

static char *file_of(const char *cache_dir, const char *key, const char *suffix)
{
    uint8_t hash[IMS_SHA256_BYTES];
    char hex[2 * IMS_SHA256_BYTES + 1];

    if (!cache_dir || ims__sha256(key, strlen(key), hash, NULL) != IMS_OK)
        return NULL;
    ims__hex(hash, sizeof(hash), hex);
    return ims__strfmt("%s/proofs/%s%s", cache_dir, hex, suffix);
}

bool ims__proof_file_read(const char *cache_dir, const char *key, const char *suffix, size_t max,
                          struct ims_buf *out)
{
    char *path = file_of(cache_dir, key, suffix);
    bool is_read = path && ims__read_file(path, max, out, NULL, NULL) == IMS_OK;

    ims__free(path);
    return is_read;
}

void ims__proof_file_write(const char *cache_dir, const char *key, const char *suffix,
                           const struct ims_buf *b)
{
    char *path = ims__buf_status(b) == IMS_OK ? file_of(cache_dir, key, suffix) : NULL;

    if (path && ims__write_derived(path, b->data, b->len, NULL) != IMS_OK) {
        /* nothing: it is only not kept */
    }
    ims__free(path);
}

void ims__proof_file_remove(const char *cache_dir, const char *key, const char *suffix)
{
    char *path = file_of(cache_dir, key, suffix);

    if (path)
        (void)unlink(path);
    ims__free(path);
}

/* ---- verdicts ---- */

static bool take_verdict(const ims_json *o, const char *key, struct ims_proof_verdict *out)
{
    const char *kept = ims__json_str(ims__json_get(o, "about"), NULL);
    const char *state = ims__json_str(ims__json_get(o, "state"), NULL);
    const char *text = ims__json_str(ims__json_get(o, "text"), NULL);

    if (!kept || !state || !text || strcmp(kept, key) != 0)
        return false;
    if (strcmp(state, "passed") == 0)
        out->state = IMS_PROOF_PASSED;
    else if (strcmp(state, "failed") == 0)
        out->state = IMS_PROOF_FAILED;
    else
        return false;
    snprintf(out->text, sizeof(out->text), "%.300s", text);
    out->has_numbers = ims__json_get(o, "cosine") != NULL;
    out->min_cosine = ims__json_num(ims__json_get(o, "cosine"), 0);
    out->max_difference = ims__json_num(ims__json_get(o, "difference"), 0);
    out->rows_per_s = ims__json_num(ims__json_get(o, "rows_per_s"), 0);
    out->cpu_rows_per_s = ims__json_num(ims__json_get(o, "cpu_rows_per_s"), 0);
    out->n_threads = (unsigned)ims__json_int(ims__json_get(o, "cpu_threads"), 0);
    out->made_us = ims__json_int(ims__json_get(o, "made_us"), 0);
    out->is_stored = true;
    return true;
}

bool ims__proof_verdict_read(const char *cache_dir, const char *key, struct ims_proof_verdict *out)
{
    struct ims_proof_verdict v = *out;
    struct ims_buf text;
    ims_json *o = NULL;
    bool is_good;

    ims__buf_init(&text, MAX_VERDICT_BYTES);
    is_good = ims__proof_file_read(cache_dir, key, ".json", MAX_VERDICT_BYTES, &text) &&
              ims__json_parse(&o, text.data, text.len, "verdict", NULL) == IMS_OK &&
              take_verdict(o, key, &v);
    if (is_good)
        *out = v;
    ims__json_free(o);
    ims__buf_release(&text);
    return is_good;
}

void ims__proof_verdict_write(const char *cache_dir, const char *key,
                              const struct ims_proof_verdict *v)
{
    ims_json *o = ims__json_new_object();
    struct ims_buf text;

    (void)ims__json_set(o, "about", ims__json_new_str(key));
    (void)ims__json_set(
        o, "state", ims__json_new_str(v->state == IMS_PROOF_FAILED ? "failed" : "passed"));
    (void)ims__json_set(o, "text", ims__json_new_str(v->text));
    if (v->has_numbers) {
        (void)ims__json_set(o, "cosine", ims__json_new_num(v->min_cosine));
        (void)ims__json_set(o, "difference", ims__json_new_num(v->max_difference));
    }
    (void)ims__json_set(o, "rows_per_s", ims__json_new_num(v->rows_per_s));
    (void)ims__json_set(o, "cpu_rows_per_s", ims__json_new_num(v->cpu_rows_per_s));
    (void)ims__json_set(o, "cpu_threads", ims__json_new_int(v->n_threads));
    (void)ims__json_set(o, "made_us", ims__json_new_int(v->made_us));
    ims__buf_init(&text, MAX_VERDICT_BYTES);
    if (ims__json_write(o, 1, &text, NULL) == IMS_OK)
        ims__proof_file_write(cache_dir, key, ".json", &text);
    ims__buf_release(&text);
    ims__json_free(o);
}

/* ---- reference results ----
 *
 * magic, u64 length of the key, key, u64 cases, u64 outputs, then for each tensor u64 rank, i64
 * dimensions, f32 numbers; at last the SHA-256 of everything before it. In this machine's byte order:
 * the file never leaves it. */

struct reader {
    const uint8_t *p;
    size_t left;
    bool is_bad;
};

static void take(struct reader *r, void *out, size_t n)
{
    if (r->is_bad || n > r->left) {
        r->is_bad = true;
        memset(out, 0, n);
        return;
    }
    memcpy(out, r->p, n);
    r->p += n;
    r->left -= n;
}

static uint64_t take_u64(struct reader *r)
{
    uint64_t v;

    take(r, &v, sizeof(v));
    return v;
}

static bool take_tensor(struct reader *r, struct ims_tensor *t)
{
    uint64_t rank = take_u64(r);
    size_t bytes = 0;

    if (r->is_bad || rank > IMS_MAX_TENSOR_RANK)
        return false;
    *t = (struct ims_tensor){ .dtype = IMS_DTYPE_F32, .rank = (unsigned)rank };
    take(r, t->shape, rank * sizeof(t->shape[0]));
    if (r->is_bad || ims_tensor_measure(t, &bytes, NULL) != IMS_OK || bytes > r->left ||
        ims_tensor_alloc(t, NULL) != IMS_OK)
        return false;
    take(r, t->data, bytes);
    return true;
}

static bool take_results(struct reader *r, struct proof_results *out)
{
    uint64_t n_cases = take_u64(r), n_outputs = take_u64(r);

    if (r->is_bad || n_cases == 0 || n_cases > IMS_PROOF_MAX_CASES || n_outputs == 0 ||
        n_outputs > IMS_PROOF_MAX_OUTPUTS)
        return false;
    out->n_cases = n_cases;
    out->n_outputs = n_outputs;
    for (size_t i = 0; i < n_cases * n_outputs; i++) {
        if (!take_tensor(r, &out->t[i]))
            return false;
    }
    return r->left == 0;
}

static bool has_magic_and_key(struct reader *r, const char *key)
{
    char magic[sizeof(reference_magic)];
    uint64_t n;

    take(r, magic, sizeof(magic));
    n = take_u64(r);
    if (r->is_bad || memcmp(magic, reference_magic, sizeof(magic)) != 0 || n != strlen(key) ||
        n > r->left || memcmp(r->p, key, n) != 0)
        return false;
    r->p += n;
    r->left -= n;
    return true;
}

static bool is_whole(const struct ims_buf *b)
{
    uint8_t sum[IMS_SHA256_BYTES];

    return b->len > sizeof(sum) &&
           ims__sha256(b->data, b->len - sizeof(sum), sum, NULL) == IMS_OK &&
           memcmp(b->data + b->len - sizeof(sum), sum, sizeof(sum)) == 0;
}

bool ims__proof_reference_read(const char *cache_dir, const char *key, struct proof_results *out)
{
    struct proof_results results = { .n_cases = 0 };
    struct ims_buf b;
    bool is_good;

    ims__buf_init(&b, MAX_REFERENCE_BYTES);
    is_good = ims__proof_file_read(cache_dir, key, ".ref", MAX_REFERENCE_BYTES, &b) && is_whole(&b);
    if (is_good) {
        struct reader r = { (const uint8_t *)b.data, b.len - IMS_SHA256_BYTES, false };

        is_good = has_magic_and_key(&r, key) && take_results(&r, &results);
    }
    if (is_good)
        *out = results;
    else
        ims__proof_results_release(&results);
    ims__buf_release(&b);
    return is_good;
}

static void put_u64(struct ims_buf *b, uint64_t v)
{
    (void)ims__buf_add(b, &v, sizeof(v));
}

void ims__proof_reference_write(const char *cache_dir, const char *key,
                                const struct proof_results *r)
{
    uint8_t sum[IMS_SHA256_BYTES];
    struct ims_buf b;

    ims__buf_init(&b, MAX_REFERENCE_BYTES);
    (void)ims__buf_add(&b, reference_magic, sizeof(reference_magic));
    put_u64(&b, strlen(key));
    (void)ims__buf_add(&b, key, strlen(key));
    put_u64(&b, r->n_cases);
    put_u64(&b, r->n_outputs);
    for (size_t i = 0; i < r->n_cases * r->n_outputs; i++) {
        const struct ims_tensor *t = &r->t[i];

        put_u64(&b, t->rank);
        (void)ims__buf_add(&b, t->shape, t->rank * sizeof(t->shape[0]));
        (void)ims__buf_add(&b, t->data, t->bytes);
    }
    if (ims__buf_status(&b) == IMS_OK && ims__sha256(b.data, b.len, sum, NULL) == IMS_OK) {
        (void)ims__buf_add(&b, sum, sizeof(sum));
        ims__proof_file_write(cache_dir, key, ".ref", &b);
    }
    ims__buf_release(&b);
}
