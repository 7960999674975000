/* Makes tokenizer.json documents for the tests: the 512 byte symbols, given merges, the two
 * specials.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_SMALL_VOCAB_H
#define IMS_TESTS_SMALL_VOCAB_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

static inline void add_token(struct ims_buf *out, const char *text, size_t len, int *id)
{
    ims__buf_addf(out, "%s\"", *id ? "," : "");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            ims__buf_add_char(out, '\\');
        ims__buf_add_char(out, text[i]);
    }
    ims__buf_addf(out, "\":%d", (*id)++);
}

static inline bool is_own_character(unsigned b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

static inline void add_byte_tokens(struct ims_buf *out, const char *suffix, int *id)
{
    for (unsigned pass = 0, extra = 0x100; pass < 2; pass++) {
        for (unsigned b = 0; b < 256; b++) {
            char text[16];
            size_t len;

            if (is_own_character(b) != (pass == 0))
                continue;
            len = ims__utf8_encode(pass == 0 ? b : extra++, text);
            memcpy(text + len, suffix, strlen(suffix));
            add_token(out, text, len + strlen(suffix), id);
        }
    }
}

/* results: the tokens that the merges make, each once; merges: JSON array elements. */
static inline void write_vocab(struct ims_buf *out, const char *const *results, size_t n_results,
                               const char *merges)
{
    int id = 0;

    ims__buf_init(out, IMS_MIB);
    ims__buf_add_str(out,
                     "{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{");
    add_byte_tokens(out, "", &id);
    add_byte_tokens(out, "</w>", &id);
    for (size_t i = 0; i < n_results; i++)
        add_token(out, results[i], strlen(results[i]), &id);
    ims__buf_addf(
        out,
        "},\"merges\":[%s]},\"added_tokens\":[{\"id\":%d,\"content\":\"<|startoftext|>\"},"
        "{\"id\":%d,\"content\":\"<|endoftext|>\"}]}",
        merges, id, id + 1);
}

#endif
