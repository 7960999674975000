/* CLIP's byte-pair encoding: the vocabulary out of a tokenizer.json, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe_load.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define FREE UINT32_MAX

const char *ims__bpe_kind_of(const ims_json *v)
{
    static const char *const names[] = { "null",     "a boolean", "an integer", "a number",
                                         "a string", "an array",  "an object" };

    return v ? names[ims__json_type(v)] : "nothing";
}

uint32_t ims__bpe_slots_for(size_t n)
{
    uint32_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static const char *token_text(const struct ims__bpe_loader *l, uint32_t id)
{
    return l->texts.data + l->b->text_at[id];
}

int32_t ims__bpe_find_token(const struct ims__bpe_loader *l, const char *text, size_t len)
{
    const uint64_t h = ims__hash64(text, len);
    uint32_t i = (uint32_t)h & l->slot_mask;

    for (; l->slots[i]; i = (i + 1) & l->slot_mask) {
        uint32_t id = (uint32_t)l->slots[i] - 1;
        const char *token;

        if ((l->slots[i] ^ h) >> 32)
            continue;
        token = token_text(l, id);
        if (strncmp(token, text, len) == 0 && token[len] == '\0')
            return (int32_t)id;
    }
    return -1;
}

ims_status ims__bpe_out_of_memory(struct ims__bpe_loader *l, const char *doing)
{
    return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "%s: %s", l->doc->what, doing);
}

ims_status ims__bpe_check_list(struct ims__bpe_loader *l, const char *name)
{
    if (ims__pull_is_at_end(l->pull))
        return IMS_OK;
    if (l->pull->status == IMS_E_LIMIT)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: %s: a string at byte %zu has more than %zu bytes", l->doc->what, name,
                        (size_t)(l->pull->at - l->doc->text), sizeof(l->pull->text) - 1);
    return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0, "%s: %s: malformed JSON at byte %zu",
                    l->doc->what, name, (size_t)(l->pull->at - l->doc->text));
}

/* Notes one entry; what is wrong with its id shows the type found instead. */
static ims_status add_entry(struct ims__bpe_loader *l, const char *token, int64_t id,
                            const char *found)
{
    size_t at = l->texts.len;

    if (found || id < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: token \"%.*s\": expected an id of 0 or more, found %s", l->doc->what,
                        ims__tokenizer_shown(token, strlen(token)), token,
                        found ? found : "a negative one");
    if (id >= IMS_MAX_VOCAB || strlen(token) > IMS__MAX_TOKEN_BYTES)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: token \"%.*s\" has id %lld and %zu bytes; at most %d and %d are read",
                        l->doc->what, ims__tokenizer_shown(token, strlen(token)), token,
                        (long long)id, strlen(token), IMS_MAX_VOCAB - 1, IMS__MAX_TOKEN_BYTES);
    if (!ims__grow((void **)&l->at, &l->cap_at, l->n_entries, sizeof(*l->at), 2 * IMS_MAX_VOCAB) ||
        !ims__grow((void **)&l->ids, &l->cap_ids, l->n_entries, sizeof(*l->ids),
                   2 * IMS_MAX_VOCAB) ||
        ims__buf_add(&l->texts, token, strlen(token) + 1))
        return ims__bpe_out_of_memory(l, "noting a token");
    l->at[l->n_entries] = (uint32_t)at;
    l->ids[l->n_entries++] = (int32_t)id;
    if (id >= l->b->vocab_size)
        l->b->vocab_size = (int32_t)id + 1;
    return IMS_OK;
}

static ims_status read_vocab(struct ims__bpe_loader *l)
{
    const ims_json *vocab = ims__json_get(ims__json_get(l->doc->root, "model"), "vocab");
    struct ims__json_pull *p = l->pull;
    bool is_first = true;

    if (ims__json_type(vocab) != IMS_JSON_OBJECT || !l->doc->vocab.at)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.vocab: expected an object of token to id, found %s",
                        l->doc->what, ims__bpe_kind_of(vocab));
    ims__pull_init(p, l->doc->vocab);
    ims__pull_enter(p, '{');
    while (ims__pull_member(p, &is_first)) {
        int64_t id = 0;
        bool is_int = ims__pull_int(p, &id);
        ims_status st = add_entry(l, p->text, id, is_int ? NULL : ims__pull_found(p));

        if (st)
            return st;
    }
    return ims__bpe_check_list(l, "model.vocab");
}

static ims_status read_added(struct ims__bpe_loader *l)
{
    const ims_json *added = ims__json_get(l->doc->root, "added_tokens");
    ims_status st = IMS_OK;

    for (size_t i = 0; i < ims__json_len(added) && !st; i++) {
        const ims_json *content = ims__json_get(ims__json_at(added, i), "content");
        const ims_json *id = ims__json_get(ims__json_at(added, i), "id");
        size_t len;
        const char *text = ims__json_str(content, &len);

        if (!text || strlen(text) != len)
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: added_tokens[%zu].content: expected a string, found %s",
                            l->doc->what, i, text ? "one with NUL" : ims__bpe_kind_of(content));
        st = add_entry(l, text, ims__json_int(id, 0),
                       ims__json_type(id) == IMS_JSON_INT ? NULL : ims__bpe_kind_of(id));
    }
    return st;
}

static ims_status place_entry(struct ims__bpe_loader *l, uint32_t at, int32_t id)
{
    const char *token = l->texts.data + at;
    size_t len = strlen(token);
    const uint64_t h = ims__hash64(token, len);
    uint32_t i = (uint32_t)h & l->slot_mask;
    int32_t known = ims__bpe_find_token(l, token, len);

    if (known == id)
        return IMS_OK; /* an added token may also stand in the vocabulary */
    if (known >= 0 || l->b->text_at[id] != FREE)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: token \"%.*s\": id %d contradicts an earlier entry", l->doc->what,
                        ims__tokenizer_shown(token, len), token, (int)id);
    while (l->slots[i])
        i = (i + 1) & l->slot_mask;
    l->slots[i] = (h >> 32 << 32) | ((uint32_t)id + 1);
    l->b->text_at[id] = at;
    return IMS_OK;
}

static ims_status place_entries(struct ims__bpe_loader *l)
{
    size_t n = (size_t)l->b->vocab_size;

    l->slot_mask = ims__bpe_slots_for(n) - 1;
    l->slots = ims__zalloc(l->slot_mask + 1u, sizeof(*l->slots));
    l->b->text_at = ims__alloc(n, sizeof(*l->b->text_at));
    if (!l->slots || !l->b->text_at)
        return ims__bpe_out_of_memory(l, "allocating the vocabulary");
    memset(l->b->text_at, 0xFF, n * sizeof(*l->b->text_at));
    for (size_t i = 0; i < l->n_entries; i++) {
        ims_status st = place_entry(l, l->at[i], l->ids[i]);

        if (st)
            return st;
    }
    for (size_t i = 0; i < n; i++) {
        if (l->b->text_at[i] == FREE)
            return ims_fail(
                l->err, IMS_E_FORMAT, "tokenizer", 0,
                "%s: model.vocab: expected ids without gaps up to %zu, found none for %zu",
                l->doc->what, n - 1, i);
    }
    return IMS_OK;
}

ims_status ims__bpe_load_vocab(struct ims__bpe_loader *l)
{
    ims_status st = read_vocab(l);

    if (!st)
        st = read_added(l);
    if (!st && l->n_entries == 0)
        st = ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                      "%s: model.vocab: expected an object of token to id, found an empty one",
                      l->doc->what);
    return st ? st : place_entries(l);
}
