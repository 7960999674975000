/* Added tokens: which ones to keep, and finding them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_added.h"

#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/tokenizer_json.h"

#include <string.h>

#define MAX_TOKENS 4096

void ims__added_release(struct ims__added *a)
{
    for (size_t i = 0; i < a->n; i++)
        ims__free(a->tokens[i].at);
    ims__free(a->tokens);
    *a = (struct ims__added){ 0 };
}

/* Does cleaning leave the token as it is? Then a cleaned text may have it. */
static ims_status survives(const char *text, size_t len, ims_clean cleaning, struct ims__cps *raw,
                           bool *out, ims_err *err)
{
    struct ims__cps clean = { 0 };
    ims_status st = ims__textclean(text, len, cleaning, &clean, err);

    raw->n = 0;
    if (!st && ims__cps_add_utf8(raw, text, len))
        st = ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "reading the added tokens");
    if (!st)
        *out = raw->n > 0 && raw->n == clean.n &&
               memcmp(raw->at, clean.at, raw->n * sizeof(*raw->at)) == 0;
    ims__cps_release(&clean);
    return st;
}

static bool has_flag(const ims_json *token, const char *name)
{
    return ims__json_bool(ims__json_get(token, name), false);
}

static ims_status add(struct ims__added *a, size_t *cap, const ims_json *token,
                      const struct ims__cps *text, const char *what, ims_err *err)
{
    struct ims__added_token *t;

    if (has_flag(token, "single_word") || has_flag(token, "lstrip") || has_flag(token, "rstrip"))
        return ims_fail(err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                        "%s: added_tokens: expected id %lld without single_word, lstrip and rstrip",
                        what, (long long)ims__json_int(ims__json_get(token, "id"), -1));
    if (!ims__grow((void **)&a->tokens, cap, a->n, sizeof(*a->tokens), MAX_TOKENS))
        return a->n < MAX_TOKENS
                   ? ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "keeping the added tokens")
                   : ims_fail(err, IMS_E_LIMIT, "tokenizer", 0,
                              "%s: added_tokens: at most %d that a text can have are read", what,
                              MAX_TOKENS);
    t = &a->tokens[a->n];
    *t = (struct ims__added_token){
        .at = ims__memdup(text->at, text->n * sizeof(*text->at)),
        .n = text->n,
        .id = (int32_t)ims__json_int(ims__json_get(token, "id"), 0),
        .is_normalized = has_flag(token, "normalized"),
    };
    if (!t->at)
        return ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "keeping the added tokens");
    a->n++;
    return IMS_OK;
}

ims_status ims__added_load(struct ims__added *out, const ims_json *v, ims_clean cleaning,
                           const char *what, ims_err *err)
{
    struct ims__added a = { 0 };
    struct ims__cps raw = { 0 };
    size_t cap = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < ims__json_len(v) && !st; i++) {
        const ims_json *token = ims__json_at(v, i);
        size_t len = 0;
        const char *text = ims__json_str(ims__json_get(token, "content"), &len);
        bool is_kept = false;

        if (text && len <= IMS_MAX_TEXT_BYTES)
            st = survives(text, len, cleaning, &raw, &is_kept, err);
        if (!st && is_kept)
            st = add(&a, &cap, token, &raw, what, err);
    }
    ims__cps_release(&raw);
    if (st)
        ims__added_release(&a);
    else
        *out = a;
    return st;
}

static bool is_unreachable(const struct ims__added *a, const ims_json *v, int32_t id)
{
    bool is_added = false;

    for (size_t i = 0; i < ims__json_len(v) && !is_added; i++)
        is_added = ims__json_int(ims__json_get(ims__json_at(v, i), "id"), -1) == id;
    for (size_t i = 0; i < a->n && is_added; i++)
        is_added = a->tokens[i].id != id;
    return is_added;
}

int32_t ims__added_id_limit(const struct ims__added *a, const ims_json *v, int32_t vocab_size)
{
    while (vocab_size > 0 && is_unreachable(a, v, vocab_size - 1))
        vocab_size--;
    return vocab_size;
}

static const struct ims__added_token *longest_at(const struct ims__added *a, bool is_normalized,
                                                 const uint32_t *text, size_t n)
{
    const struct ims__added_token *best = NULL;

    for (size_t i = 0; i < a->n; i++) {
        const struct ims__added_token *t = &a->tokens[i];

        if (t->is_normalized == is_normalized && t->n <= n && t->at[0] == text[0] &&
            (!best || t->n > best->n) && memcmp(t->at, text, t->n * sizeof(*text)) == 0)
            best = t;
    }
    return best;
}

bool ims__added_next(const struct ims__added *a, bool is_normalized, const uint32_t *text, size_t n,
                     size_t *pos, struct ims__stretch *out)
{
    size_t from = *pos;
    size_t to;

    if (from >= n)
        return false;
    for (to = a->n ? from : n; to < n; to++) {
        const struct ims__added_token *t = longest_at(a, is_normalized, text + to, n - to);

        if (t && to == from) {
            *out = (struct ims__stretch){ from, t->n, t->id };
            *pos = from + t->n;
            return true;
        }
        if (t)
            break;
    }
    *out = (struct ims__stretch){ from, to - from, -1 };
    *pos = to;
    return true;
}
