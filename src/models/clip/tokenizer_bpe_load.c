/* CLIP's byte-pair encoding: its tables out of a tokenizer.json, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/clip/tokenizer_backend.h"

#include <string.h>

#define MAX_TOKEN_BYTES 4096

/* What loading needs beside the tables. */
struct loader {
    struct ims__bpe *b;
    const char *what;
    ims_err *err;
    const char **tokens; /* by id, borrowed from the JSON */
    uint32_t *lengths;
    uint32_t *slots; /* open addressing over token texts: id + 1, 0 is free */
    uint32_t slot_mask;
};

static const char *kind_of(const ims_json *v)
{
    static const char *const names[] = { "null",     "a boolean", "an integer", "a number",
                                         "a string", "an array",  "an object" };

    return v ? names[ims__json_type(v)] : "nothing";
}

static uint32_t slots_for(size_t n)
{
    uint32_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static int32_t find_token(const struct loader *l, const char *text, size_t len)
{
    uint32_t i = (uint32_t)ims__hash64(text, len) & l->slot_mask;

    for (; l->slots[i]; i = (i + 1) & l->slot_mask) {
        uint32_t id = l->slots[i] - 1;

        if (l->lengths[id] == len && memcmp(l->tokens[id], text, len) == 0)
            return (int32_t)id;
    }
    return -1;
}

/* Both vocabularies as one walk: fn for each (token, id). */
typedef ims_status entry_fn(struct loader *l, const char *token, const ims_json *id);

static ims_status each_entry(struct loader *l, const ims_json *root, entry_fn *fn)
{
    const ims_json *vocab = ims__json_get(ims__json_get(root, "model"), "vocab");
    const ims_json *added = ims__json_get(root, "added_tokens");
    ims_status st = IMS_OK;

    for (void *it = ims__json_iter(vocab); it && !st; it = ims__json_next(vocab, it))
        st = fn(l, ims__json_iter_key(it), ims__json_iter_value(it));
    for (size_t i = 0; i < ims__json_len(added) && !st; i++) {
        const ims_json *token = ims__json_at(added, i);
        const char *text = ims__json_str(ims__json_get(token, "content"), NULL);

        if (!text)
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: added_tokens[%zu].content: expected a string, found %s", l->what, i,
                            kind_of(ims__json_get(token, "content")));
        st = fn(l, text, ims__json_get(token, "id"));
    }
    return st;
}

static ims_status count_entry(struct loader *l, const char *token, const ims_json *id)
{
    int64_t n = ims__json_int(id, -1);

    if (ims__json_type(id) != IMS_JSON_INT || n < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: token \"%.64s\": expected an id of 0 or more, found %s %lld", l->what, token,
                        kind_of(id), (long long)n);
    if (n >= IMS_MAX_VOCAB)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: token \"%.64s\" has id %lld; at most %d are read", l->what, token,
                        (long long)n, IMS_MAX_VOCAB - 1);
    if (strlen(token) > MAX_TOKEN_BYTES)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: token %lld has %zu bytes; at most %d are read", l->what, (long long)n,
                        strlen(token), MAX_TOKEN_BYTES);
    if (n >= l->b->vocab_size)
        l->b->vocab_size = (int32_t)n + 1;
    return IMS_OK;
}

static ims_status place_entry(struct loader *l, const char *token, const ims_json *id)
{
    int32_t n = (int32_t)ims__json_int(id, 0);
    size_t len = strlen(token);
    int32_t known = find_token(l, token, len);
    uint32_t i;

    if (known == n)
        return IMS_OK; /* an added token may also stand in the vocabulary */
    if (known >= 0 || l->tokens[n])
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: token \"%.64s\": id %d contradicts an earlier entry", l->what, token, (int)n);
    l->tokens[n] = token;
    l->lengths[n] = (uint32_t)len;
    i = (uint32_t)ims__hash64(token, len) & l->slot_mask;
    while (l->slots[i])
        i = (i + 1) & l->slot_mask;
    l->slots[i] = (uint32_t)n + 1;
    return IMS_OK;
}

static ims_status load_vocab(struct loader *l, const ims_json *root)
{
    const ims_json *vocab = ims__json_get(ims__json_get(root, "model"), "vocab");
    size_t n;
    ims_status st;

    if (ims__json_type(vocab) != IMS_JSON_OBJECT || ims__json_len(vocab) == 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.vocab: expected an object of token to id, found %s", l->what,
                        ims__json_type(vocab) == IMS_JSON_OBJECT ? "an empty one" : kind_of(vocab));
    st = each_entry(l, root, count_entry);
    if (st)
        return st;
    n = (size_t)l->b->vocab_size;
    l->slot_mask = slots_for(n) - 1;
    l->tokens = ims__zalloc(n, sizeof(*l->tokens));
    l->lengths = ims__zalloc(n, sizeof(*l->lengths));
    l->slots = ims__zalloc(l->slot_mask + 1u, sizeof(*l->slots));
    if (!l->tokens || !l->lengths || !l->slots)
        return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "allocating a vocabulary of %zu", n);
    st = each_entry(l, root, place_entry);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        if (!l->tokens[i])
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: model.vocab: expected ids without gaps up to %zu, found none for %zu",
                            l->what, n - 1, i);
    }
    return IMS_OK;
}

/* Keeps the token texts, in one block. */
static ims_status keep_texts(struct loader *l)
{
    struct ims__bpe *b = l->b;
    size_t total = 0;

    b->text_at = ims__alloc((size_t)b->vocab_size, sizeof(*b->text_at));
    for (int32_t i = 0; i < b->vocab_size; i++)
        total += l->lengths[i] + 1;
    b->texts = total < UINT32_MAX ? ims__alloc(total, 1) : NULL;
    if (!b->texts || !b->text_at)
        return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "allocating %zu bytes of tokens", total);
    total = 0;
    for (int32_t i = 0; i < b->vocab_size; i++) {
        memcpy(b->texts + total, l->tokens[i], l->lengths[i] + 1);
        b->text_at[i] = (uint32_t)total;
        total += l->lengths[i] + 1;
    }
    return IMS_OK;
}

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

static ims_status find_bytes(struct loader *l)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        size_t len = ims__utf8_encode(byte_character(byte), text);

        memcpy(text + len, "</w>", 4);
        l->b->byte_id[0][byte] = find_token(l, text, len);
        l->b->byte_id[1][byte] = find_token(l, text, len + 4);
        if (l->b->byte_id[0][byte] < 0 || l->b->byte_id[1][byte] < 0)
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: model.vocab: expected byte %u as \"%.*s\" and \"%.*s</w>\", found %s",
                            l->what, byte, (int)len, text, (int)len, text,
                            l->b->byte_id[0][byte] < 0 ? "no such token" : "only the first");
    }
    return IMS_OK;
}

static ims_status find_special(struct loader *l, const char *const names[2], int32_t *out)
{
    *out = find_token(l, names[0], strlen(names[0]));
    if (*out < 0)
        *out = find_token(l, names[1], strlen(names[1]));
    if (*out < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: expected a token \"%s\" or \"%s\", found neither", l->what, names[0],
                        names[1]);
    return IMS_OK;
}

/* One merge in either of its forms: "left right", or ["left", "right"]. */
static bool read_merge(const ims_json *v, const char *part[2], size_t len[2])
{
    const char *space;
    size_t n;

    if (ims__json_type(v) == IMS_JSON_ARRAY && ims__json_len(v) == 2) {
        part[0] = ims__json_str(ims__json_at(v, 0), &len[0]);
        part[1] = ims__json_str(ims__json_at(v, 1), &len[1]);
        return part[0] && part[1] && len[0] && len[1];
    }
    part[0] = ims__json_str(v, &n);
    space = part[0] ? memchr(part[0], ' ', n) : NULL;
    if (!space)
        return false;
    part[1] = space + 1;
    len[0] = (size_t)(space - part[0]);
    len[1] = n - len[0] - 1;
    return len[0] && len[1] && !memchr(part[1], ' ', len[1]);
}

static ims_status place_merge(struct loader *l, const ims_json *v, uint32_t rank)
{
    char joined[2 * MAX_TOKEN_BYTES];
    const char *part[2];
    size_t len[2];
    int32_t ids[2];
    struct ims__bpe_merge *m = &l->b->merges[rank];
    uint32_t i;

    if (!read_merge(v, part, len))
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.merges[%u]: expected \"left right\" or [\"left\", \"right\"], found %s",
                        l->what, rank, kind_of(v));
    for (int k = 0; k < 2; k++) {
        ids[k] = find_token(l, part[k], len[k]);
        if (ids[k] < 0)
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: model.merges[%u]: expected tokens of the vocabulary, found \"%.*s\"",
                            l->what, rank, (int)(len[k] < 64 ? len[k] : 64), part[k]);
    }
    memcpy(joined, part[0], len[0]);
    memcpy(joined + len[0], part[1], len[1]);
    *m = (struct ims__bpe_merge){ ids[0], ids[1], find_token(l, joined, len[0] + len[1]) };
    if (m->result < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.merges[%u]: expected a result in the vocabulary, found no \"%.*s\"",
                        l->what, rank, (int)(len[0] + len[1] < 64 ? len[0] + len[1] : 64), joined);
    /* A pair that comes again takes its last rank, as in the reference. */
    for (i = ims__bpe_pair_slot(l->b, ids[0], ids[1]); l->b->slots[i]; i = (i + 1) & l->b->slot_mask) {
        const struct ims__bpe_merge *other = &l->b->merges[l->b->slots[i] - 1];

        if (other->left == ids[0] && other->right == ids[1])
            break;
    }
    l->b->slots[i] = rank + 1;
    return IMS_OK;
}

static ims_status load_merges(struct loader *l, const ims_json *root)
{
    const ims_json *merges = ims__json_get(ims__json_get(root, "model"), "merges");
    struct ims__bpe *b = l->b;
    size_t n = ims__json_len(merges);

    if (ims__json_type(merges) != IMS_JSON_ARRAY || n == 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.merges: expected an array of merges, found %s", l->what,
                        ims__json_type(merges) == IMS_JSON_ARRAY ? "an empty one" : kind_of(merges));
    if (n > IMS_MAX_VOCAB)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: model.merges: %zu merges; at most %d are read", l->what, n, IMS_MAX_VOCAB);
    b->slot_mask = slots_for(n) - 1;
    b->slots = ims__zalloc(b->slot_mask + 1u, sizeof(*b->slots));
    b->merges = ims__zalloc(n, sizeof(*b->merges));
    if (!b->slots || !b->merges)
        return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "allocating %zu merges", n);
    b->n_merges = (uint32_t)n;
    for (uint32_t i = 0; i < b->n_merges; i++) {
        ims_status st = place_merge(l, ims__json_at(merges, i), i);

        if (st)
            return st;
    }
    return IMS_OK;
}

ims_status ims__bpe_load(void *ctx, const ims_json *root, const char *what,
                         struct ims__tokenizer_facts *out, ims_err *err)
{
    static const char *const starts[2] = { "<|startoftext|>", "<start_of_text>" };
    static const char *const ends[2] = { "<|endoftext|>", "<end_of_text>" };
    struct ims__bpe *b = ctx;
    struct loader l = { .b = b, .what = what, .err = err };
    ims_status st = load_vocab(&l, root);

    if (!st)
        st = find_bytes(&l);
    if (!st)
        st = find_special(&l, starts, &b->start_id);
    if (!st)
        st = find_special(&l, ends, &b->end_id);
    if (!st)
        st = load_merges(&l, root);
    if (!st)
        st = keep_texts(&l);
    if (!st)
        *out = (struct ims__tokenizer_facts){ b->vocab_size, b->start_id, b->end_id, 0 };
    ims__free(l.tokens);
    ims__free(l.lengths);
    ims__free(l.slots);
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
