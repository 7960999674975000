/* CLIP's byte-pair encoding: byte symbols and special tokens out of a tokenizer.json, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe_load.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/clip/tokenizer_backend.h"

#include <string.h>

/* The character by which a tokenizer.json writes a byte: printable bytes of Latin-1 are themselves,
 * the 68 others follow from U+0100 in ascending order. */
static uint32_t byte_character(unsigned byte)
{
    uint32_t n = 0;

    for (unsigned b = 0; b <= byte; b++) {
        bool is_itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;

        if (b == byte)
            return is_itself ? b : 0x100 + n;
        n += !is_itself;
    }
    return 0;
}

static ims_status find_bytes(struct ims__bpe_loader *l)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        size_t len = ims__utf8_encode(byte_character(byte), text);

        memcpy(text + len, "</w>", 4);
        l->b->byte_id[0][byte] = ims__bpe_find_token(l, text, len);
        l->b->byte_id[1][byte] = ims__bpe_find_token(l, text, len + 4);
        if (l->b->byte_id[0][byte] < 0 || l->b->byte_id[1][byte] < 0)
            return ims_fail(
                l->err, IMS_E_FORMAT, "tokenizer", 0,
                "%s: model.vocab: expected byte %u as \"%.*s\" and \"%.*s</w>\", found %s",
                l->doc->what, byte, (int)len, text, (int)len, text,
                l->b->byte_id[0][byte] < 0 ? "no such token" : "only the first");
    }
    return IMS_OK;
}

static ims_status find_special(struct ims__bpe_loader *l, const char *const names[2], int32_t *out)
{
    *out = ims__bpe_find_token(l, names[0], strlen(names[0]));
    if (*out < 0)
        *out = ims__bpe_find_token(l, names[1], strlen(names[1]));
    if (*out < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: expected a token \"%s\" or \"%s\", found neither", l->doc->what,
                        names[0], names[1]);
    return IMS_OK;
}

static ims_status load(struct ims__bpe_loader *l)
{
    static const char *const starts[2] = { "<|startoftext|>", "<start_of_text>" };
    static const char *const ends[2] = { "<|endoftext|>", "<end_of_text>" };
    ims_status st = ims__bpe_load_tables(l);

    if (!st)
        st = find_bytes(l);
    if (!st)
        st = find_special(l, starts, &l->b->start_id);
    if (!st)
        st = find_special(l, ends, &l->b->end_id);
    return st;
}

ims_status ims__bpe_load(void *ctx, const struct ims__tokenizer_doc *doc,
                         struct ims__tokenizer_facts *out, ims_err *err)
{
    struct ims__bpe *b = ctx;
    struct ims__bpe_loader l = { .b = b, .doc = doc, .err = err };
    ims_status st;

    st = ims__bpe_loader_init(&l);
    if (!st)
        st = load(&l);
    if (!st) {
        ims__bpe_loader_finish(&l);
        *out = (struct ims__tokenizer_facts){ b->vocab_size, b->start_id, b->end_id, 0,
                                              b->vocab_size };
    }
    ims__bpe_loader_release(&l);
    return st;
}

void ims__bpe_release(void *ctx)
{
    struct ims__bpe *b = ctx;

    ims__free(b->texts);
    ims__free(b->text_at);
    ims__free(b->merges);
    ims__free(b->slots);
}
