/* Any bytes as a query of SigLIP (the first byte even) or SigLIP 2: cleaned and encoded within the
 * rules, twice the same, and the same as far as a longer context goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 16
#define LONG_CONTEXT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool what)
{
    if (!what)
        abort();
}

static const struct ims_tokenizer *tokenizer(unsigned which)
{
    static const char *const paths[] = {
        IMS_GOLDEN_FOLDER "/tokenizer_unigram/tokenizer.json",
        IMS_GOLDEN_FOLDER "/tokenizer_gemma/tokenizer.json",
    };
    static struct ims_tokenizer *t[2];
    ims_err err = { 0 };

    if (!t[which] && ims_tokenizer_open(&t[which], paths[which], &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return t[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ims_tokenizer *t = tokenizer(size ? data[0] & 1 : 0);
    const char *text = size ? (const char *)data + 1 : NULL;
    size_t len = size ? size - 1 : 0;
    int32_t ids[CONTEXT], again[CONTEXT], more[LONG_CONTEXT];
    struct ims_tokens a = { .ids = ids, .context_length = CONTEXT };
    struct ims_tokens b = { .ids = again, .context_length = CONTEXT };
    struct ims_tokens c = { .ids = more, .context_length = LONG_CONTEXT };
    ims_err err = { 0 };
    ims_status st = ims_tokenizer_encode(t, text, len, &a, &err);

    if (st) {
        demand(st == IMS_E_LIMIT && err.text[0]);
        return 0;
    }
    demand(a.n >= 1 && a.n <= CONTEXT && (!a.is_truncated || a.n == CONTEXT));
    demand(ids[a.n - 1] == ims_tokenizer_end_id(t));
    for (int i = 0; i < CONTEXT; i++) {
        demand(ids[i] >= 0 && ims_tokenizer_token(t, ids[i]));
        demand(i < a.n || ids[i] == ims_tokenizer_pad_id(t));
    }
    demand(!ims_tokenizer_encode(t, text, len, &b, NULL));
    demand(a.n == b.n && memcmp(ids, again, sizeof(ids)) == 0);
    demand(!ims_tokenizer_encode(t, text, len, &c, NULL));
    demand(c.n >= a.n && memcmp(ids, more, (size_t)(a.n - 1) * sizeof(*ids)) == 0);
    return 0;
}
