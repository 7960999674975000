/* Any bytes as a query: cleaned and encoded within the rules, twice the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../unit/tokenizer/small_vocab.h"
#include "models/clip/tokenizer.h"

#include <stdlib.h>

#define CONTEXT 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool what)
{
    if (!what)
        abort();
}

static struct ims_tokenizer *tokenizer(void)
{
    static const char *const results[] = { "th", "the</w>", "ab", "aba", "abab" };
    static struct ims_tokenizer *t;
    struct ims_buf json;

    if (t)
        return t;
    write_vocab(&json, results, 5, "\"t h\",\"th e</w>\",\"a b\",\"ab a\",\"ab ab\",\"aba b\"");
    demand(!ims_tokenizer_parse(&t, json.data, json.len, "fuzz", NULL));
    ims__buf_release(&json);
    return t;
}

static void check_clean(const struct ims_tokenizer *t, const char *text, size_t len)
{
    struct ims_buf out;

    ims__buf_init(&out, IMS_MIB);
    if (!ims_tokenizer_clean(t, text, len, &out, NULL)) {
        demand(ims__utf8_is_valid(out.data ? out.data : "", out.len));
        for (size_t i = 0; i < out.len; i++) {
            demand(out.data[i] < 'A' || out.data[i] > 'Z');
            demand(out.data[i] != ' ' || (i > 0 && i + 1 < out.len && out.data[i + 1] != ' '));
        }
    }
    ims__buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ims_tokenizer *t = tokenizer();
    int32_t ids[CONTEXT], again[CONTEXT];
    struct ims_tokens a = { .ids = ids, .context_length = CONTEXT };
    struct ims_tokens b = { .ids = again, .context_length = CONTEXT };
    ims_err err = { 0 };
    ims_status st = ims_tokenizer_encode(t, (const char *)data, size, &a, &err);

    check_clean(t, (const char *)data, size);
    if (st) {
        demand(st == IMS_E_LIMIT && err.text[0]);
        return 0;
    }
    demand(a.n >= 2 && a.n <= CONTEXT && (!a.is_truncated || a.n == CONTEXT));
    demand(ids[0] == ims_tokenizer_start_id(t) && ids[a.n - 1] == ims_tokenizer_end_id(t));
    for (int i = 0; i < CONTEXT; i++)
        demand(ids[i] >= 0 && ids[i] < ims_tokenizer_vocab_size(t));
    demand(!ims_tokenizer_encode(t, (const char *)data, size, &b, NULL));
    demand(a.n == b.n && memcmp(ids, again, sizeof(ids)) == 0);
    return 0;
}
