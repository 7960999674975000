/* Cutting the long lists out of a tokenizer.json.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_json.h"

#include "base/limits.h"

#include <string.h>

/* Finds a list among the members of the object at *p and steps over the object. */
static bool find_lists(struct ims__json_pull *p, struct ims__tokenizer_doc *d)
{
    struct ims__json_span value;
    bool is_first = true;

    if (!ims__pull_enter(p, '{'))
        return ims__pull_skip(p, &value);
    while (ims__pull_member(p, &is_first)) {
        struct ims__json_span *span = NULL;

        if (strcmp(p->text, "vocab") == 0)
            span = &d->vocab;
        else if (strcmp(p->text, "merges") == 0)
            span = &d->merges;
        if (!ims__pull_skip(p, &value))
            return false;
        if (span && value.len && (*value.at == '{' || *value.at == '['))
            *span = value;
    }
    return !p->status;
}

static bool find_model(struct ims__json_pull *p, struct ims__tokenizer_doc *d)
{
    struct ims__json_span value;
    bool is_first = true;

    if (!ims__pull_enter(p, '{'))
        return false;
    while (ims__pull_member(p, &is_first)) {
        if (strcmp(p->text, "model") == 0 ? !find_lists(p, d) : !ims__pull_skip(p, &value))
            return false;
    }
    return !p->status;
}

/* The text up to the list, and its two brackets; *from moves behind it. */
static void add_without(struct ims_buf *out, const char **from, const struct ims__json_span *list)
{
    if (!list->at)
        return;
    ims__buf_add(out, *from, (size_t)(list->at - *from) + 1);
    ims__buf_add_char(out, list->at[list->len - 1]);
    *from = list->at + list->len;
}

ims_status ims__tokenizer_doc_open(struct ims__tokenizer_doc *out, const char *json, size_t len,
                                   const char *what, ims_err *err)
{
    struct ims__tokenizer_doc d = { .what = what, .text = json };
    struct ims__json_span all = { json, len };
    struct ims__json_pull p;
    struct ims_buf rest;
    const char *from = json;
    bool merges_first;
    ims_json *whole = NULL;
    ims_status st;

    if (len > IMS_MAX_JSON_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: %zu bytes of JSON; at most %zu are read", what, len,
                        IMS_MAX_JSON_BYTES);
    ims__buf_init(&rest, IMS_MAX_JSON_BYTES);
    ims__pull_init(&p, all);
    /* What cannot be walked has no lists; the JSON parser then says where it is malformed. */
    if (!find_model(&p, &d))
        d.vocab.at = d.merges.at = NULL;
    merges_first = d.merges.at && d.vocab.at && d.merges.at < d.vocab.at;
    add_without(&rest, &from, merges_first ? &d.merges : &d.vocab);
    add_without(&rest, &from, merges_first ? &d.vocab : &d.merges);
    ims__buf_add(&rest, from, len - (size_t)(from - json));
    st = ims__buf_status(&rest);
    if (st)
        st = ims_fail(err, st, "tokenizer", 0, "%s: copying %zu bytes", what, len);
    else
        st = ims__json_parse(&d.root, rest.data ? rest.data : "", rest.len, what, err);
    if (!st)
        *out = d;
    /* Only the whole text has the right line and column. */
    if (st == IMS_E_FORMAT && !ims__json_parse(&whole, json, len, what, err))
        ims__json_free(whole);
    ims__buf_release(&rest);
    return st;
}

void ims__tokenizer_doc_release(struct ims__tokenizer_doc *d)
{
    ims__json_free(d->root);
    d->root = NULL;
}

int ims__tokenizer_shown(const char *text, size_t len)
{
    if (len > 64) {
        for (len = 64; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    }
    return (int)len;
}
