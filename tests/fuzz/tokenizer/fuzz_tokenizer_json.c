/* Any bytes as a tokenizer.json: refused with a message, or a tokenizer that encodes.
 *
 * The 512 byte symbols that every accepted file has would keep a fuzzer busy for nothing; an input
 * with a '%' gets them in its place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../unit/tokenizer/small_vocab.h"
#include "models/clip/tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *json, size_t len)
{
    static const char text[] = "The caf\xC3\xA9 'll abab \xF0\x9F\x99\x82 123";
    struct ims_tokenizer *t = NULL;
    int32_t ids[16];
    struct ims_tokens tokens = { .ids = ids, .context_length = 16 };
    ims_err err = { 0 };

    if (ims_tokenizer_parse(&t, json, len, "fuzz", &err)) {
        if (t || !err.text[0] || !err.status)
            abort();
        return;
    }
    if (ims_tokenizer_encode(t, text, sizeof(text) - 1, &tokens, &err))
        abort();
    for (int i = 0; i < 16; i++) {
        if (!ims_tokenizer_token(t, ids[i]))
            abort();
    }
    ims_tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size ? memchr(data, '%', size) : NULL;
    struct ims_buf json;
    int id = 0;

    ims__buf_init(&json, IMS_MIB);
    if (mark) {
        ims__buf_add(&json, data, (size_t)(mark - data));
        add_byte_tokens(&json, "", &id);
        add_byte_tokens(&json, "</w>", &id);
        ims__buf_add(&json, mark + 1, size - (size_t)(mark - data) - 1);
    } else if (size) {
        ims__buf_add(&json, data, size);
    }
    if (!ims__buf_status(&json))
        check(json.data ? json.data : "", json.len);
    ims__buf_release(&json);
    return 0;
}
