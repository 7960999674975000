/* A byte-pair encoding: the merges out of a tokenizer.json, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe_load.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

struct merge_text {
    char joined[2 * IMS__MAX_TOKEN_BYTES + 2];
    size_t len[2]; /* of the two parts, which stand in joined one behind the other */
};

/* One merge in either of its forms: "left right", or ["left", "right"]. */
static bool read_merge(struct ims__json_pull *p, struct merge_text *out)
{
    bool is_first = true;
    size_t n = 0;
    char *space;

    if (ims__pull_enter(p, '[')) {
        for (; ims__pull_element(p, &is_first); n++) {
            size_t at = n == 1 ? out->len[0] : 0;

            if (n == 2 || !ims__pull_string(p) || at + p->n_text >= sizeof(out->joined))
                return false;
            memcpy(out->joined + at, p->text, p->n_text + 1);
            out->len[n] = p->n_text;
        }
        return n == 2 && out->len[0] && out->len[1];
    }
    space = ims__pull_string(p) ? memchr(p->text, ' ', p->n_text) : NULL;
    if (!space)
        return false;
    out->len[0] = (size_t)(space - p->text);
    out->len[1] = p->n_text - out->len[0] - 1;
    memcpy(out->joined, p->text, out->len[0]);
    memcpy(out->joined + out->len[0], space + 1, out->len[1] + 1);
    return out->len[0] && out->len[1] && !strchr(space + 1, ' ');
}

static ims_status place_merge(struct ims__bpe_loader *l, const struct merge_text *text,
                              uint32_t rank)
{
    struct ims__bpe *b = l->b;
    const char *part = text->joined;
    int32_t ids[2];
    int32_t result;

    for (int k = 0; k < 2; part += text->len[k++]) {
        ids[k] = ims__bpe_find_token(l, part, text->len[k]);
        if (ids[k] < 0)
            return ims_fail(
                l->err, IMS_E_FORMAT, "tokenizer", 0,
                "%s: model.merges[%u]: expected tokens of the vocabulary, found \"%.*s\"",
                l->doc->what, rank, ims__tokenizer_shown(part, text->len[k]), part);
    }
    result = ims__bpe_find_token(l, text->joined, text->len[0] + text->len[1]);
    if (result < 0)
        return ims_fail(
            l->err, IMS_E_FORMAT, "tokenizer", 0,
            "%s: model.merges[%u]: expected a result in the vocabulary, found no \"%.*s\"",
            l->doc->what, rank, ims__tokenizer_shown(text->joined, text->len[0] + text->len[1]),
            text->joined);
    if (!ims__grow((void **)&b->merges, &l->cap_merges, rank, sizeof(*b->merges), IMS_MAX_VOCAB))
        return rank < IMS_MAX_VOCAB ? ims__bpe_out_of_memory(l, "allocating the merges")
                                    : ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                                               "%s: model.merges: at most %d merges are read",
                                               l->doc->what, IMS_MAX_VOCAB);
    b->merges[rank] = (struct ims__bpe_merge){ ids[0], ids[1], result };
    return IMS_OK;
}

/* Pair to rank. A pair that comes again takes its last rank, as in the reference. */
static ims_status index_merges(struct ims__bpe_loader *l)
{
    struct ims__bpe *b = l->b;

    b->slot_mask = ims__bpe_slots_for(b->n_merges) - 1;
    b->slots = ims__zalloc(b->slot_mask + 1u, sizeof(*b->slots));
    if (!b->slots)
        return ims__bpe_out_of_memory(l, "allocating the table of merges");
    for (uint32_t rank = 0; rank < b->n_merges; rank++) {
        const struct ims__bpe_merge *m = &b->merges[rank];
        uint32_t i = ims__bpe_pair_slot(b, m->left, m->right);

        while (b->slots[i]) {
            const struct ims__bpe_merge *other = &b->merges[b->slots[i] - 1];

            if (other->left == m->left && other->right == m->right)
                break;
            i = (i + 1) & b->slot_mask;
        }
        b->slots[i] = rank + 1;
    }
    return IMS_OK;
}

static ims_status read_merges(struct ims__bpe_loader *l, struct merge_text *text)
{
    struct ims__json_pull *p = l->pull;
    bool is_first = true;

    ims__pull_init(p, l->doc->merges);
    ims__pull_enter(p, '[');
    while (ims__pull_element(p, &is_first)) {
        const char *found = ims__pull_found(p);
        ims_status st;

        if (!read_merge(p, text)) {
            if (p->status)
                break;
            return ims_fail(
                l->err, IMS_E_FORMAT, "tokenizer", 0,
                "%s: model.merges[%u]: expected \"left right\" or [\"left\", \"right\"], "
                "found %s",
                l->doc->what, l->b->n_merges, found);
        }
        st = place_merge(l, text, l->b->n_merges);
        if (st)
            return st;
        l->b->n_merges++;
    }
    return ims__bpe_check_list(l, "model.merges");
}

static ims_status load_merges(struct ims__bpe_loader *l)
{
    const ims_json *merges = ims__json_get(ims__json_get(l->doc->root, "model"), "merges");
    struct merge_text *text;
    ims_status st;

    if (ims__json_type(merges) != IMS_JSON_ARRAY || !l->doc->merges.at)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.merges: expected an array of merges, found %s", l->doc->what,
                        ims__bpe_kind_of(merges));
    text = ims__alloc(1, sizeof(*text));
    st = text ? read_merges(l, text) : ims__bpe_out_of_memory(l, "allocating a merge");
    ims__free(text);
    if (!st && l->b->n_merges == 0)
        st = ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                      "%s: model.merges: expected an array of merges, found an empty one",
                      l->doc->what);
    return st ? st : index_merges(l);
}

ims_status ims__bpe_load_tables(struct ims__bpe_loader *l)
{
    ims_status st = ims__bpe_load_vocab(l);

    return st ? st : load_merges(l);
}

ims_status ims__bpe_loader_init(struct ims__bpe_loader *l)
{
    ims__buf_init(&l->texts, IMS_MAX_JSON_BYTES);
    l->pull = ims__alloc(1, sizeof(*l->pull));
    return l->pull ? IMS_OK : ims__bpe_out_of_memory(l, "allocating the reader");
}

void ims__bpe_loader_finish(struct ims__bpe_loader *l)
{
    l->b->texts = ims__buf_take(&l->texts, NULL);
}

void ims__bpe_loader_release(struct ims__bpe_loader *l)
{
    ims__buf_release(&l->texts);
    ims__free(l->pull);
    ims__free(l->at);
    ims__free(l->ids);
    ims__free(l->slots);
}
