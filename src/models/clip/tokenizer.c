/* The registry of tokenizer kinds, argument checks, and the frame around a sequence.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/clip/tokenizer_backend.h"

#include <string.h>

struct ims_tokenizer {
    const struct ims__tokenizer_ops *ops;
    void *ctx;
    struct ims__tokenizer_facts facts;
};

static const struct ims__tokenizer_ops *const kinds[] = {
    &ims__tokenizer_bpe_ops,
    &ims__tokenizer_unigram_ops,
    &ims__tokenizer_gemma_ops,
};

static ims_status choose_kind(const struct ims__tokenizer_doc *doc,
                              const struct ims__tokenizer_ops **out, ims_err *err)
{
    const char *type =
        ims__json_str(ims__json_get(ims__json_get(doc->root, "model"), "type"), NULL);
    struct ims_buf known;
    ims_status st;

    if (!type)
        return ims_fail(err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: expected a tokenizer.json with model.type, found none", doc->what);
    for (size_t i = 0; i < IMS_ARRAY_LEN(kinds); i++) {
        if (kinds[i]->accepts(doc)) {
            *out = kinds[i];
            return IMS_OK;
        }
    }
    ims__buf_init(&known, IMS_KIB);
    for (size_t i = 0; i < IMS_ARRAY_LEN(kinds); i++)
        (void)ims__buf_addf(&known, "%s%s (%s)", i ? ", " : "", kinds[i]->name, kinds[i]->reads);
    st = ims_fail(err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                  "%s: expected a tokenizer of the kinds %s, found model.type \"%.*s\"", doc->what,
                  ims__buf_status(&known) ? "" : known.data,
                  ims__tokenizer_shown(type, strlen(type)), type);
    ims__buf_release(&known);
    return st;
}

ims_status ims_tokenizer_parse(struct ims_tokenizer **out, const char *json, size_t len,
                               const char *what, ims_err *err)
{
    struct ims_tokenizer *t = NULL;
    struct ims__tokenizer_doc doc = { 0 };
    ims_status st;

    if (!out || (!json && len))
        return ims_fail(err, IMS_E_INVALID, "tokenizer", 0,
                        "no text or no place for the tokenizer");
    if (!what)
        what = "tokenizer";

    st = ims__tokenizer_doc_open(&doc, json ? json : "", len, what, err);
    if (st)
        goto out;
    t = ims__zalloc(1, sizeof(*t));
    if (!t) {
        st = ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "allocating the handle");
        goto out;
    }
    st = choose_kind(&doc, &t->ops, err);
    if (st)
        goto out;
    t->ctx = ims__zalloc(1, t->ops->ctx_size);
    if (!t->ctx) {
        st = ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "allocating the context");
        goto out;
    }
    st = t->ops->open(t->ctx, &doc, &t->facts, err);
    if (st)
        goto out;

    *out = t;
    t = NULL;
out:
    ims_tokenizer_free(t);
    ims__tokenizer_doc_release(&doc);
    return st;
}

ims_status ims_tokenizer_open(struct ims_tokenizer **out, const char *path, ims_err *err)
{
    struct ims_buf file, shown;
    ims_status st;

    if (!out || !path)
        return ims_fail(err, IMS_E_INVALID, "tokenizer", 0,
                        "no path or no place for the tokenizer");
    ims__buf_init(&file, IMS_MAX_JSON_BYTES);
    ims__buf_init(&shown, 4 * IMS_MAX_PATH_BYTES);
    st = ims__read_file(path, IMS_MAX_JSON_BYTES, &file, NULL, err);
    if (st)
        goto out;
    st = ims__display(path, strlen(path), &shown);
    if (st) {
        st = ims_fail(err, st, "tokenizer", 0, "the display form of a path");
        goto out;
    }
    st = ims_tokenizer_parse(out, file.data, file.len, shown.data, err);
out:
    ims__buf_release(&shown);
    ims__buf_release(&file);
    return st;
}

void ims_tokenizer_free(struct ims_tokenizer *t)
{
    if (!t)
        return;
    if (t->ctx)
        t->ops->close(t->ctx);
    ims__free(t->ctx);
    ims__free(t);
}

/* start, body, end, padding; the body is cut where it does not fit. */
static void frame(const struct ims_tokenizer *t, const int32_t *body, size_t n_body,
                  struct ims_tokens *io)
{
    int n_start = t->facts.start_id >= 0;
    size_t room = (size_t)(io->context_length - n_start - 1);
    bool is_truncated = n_body > room;
    int n = n_start;

    if (is_truncated)
        n_body = room;
    if (n_start)
        io->ids[0] = t->facts.start_id;
    for (size_t i = 0; i < n_body; i++)
        io->ids[n++] = body[i];
    io->ids[n++] = t->facts.end_id;
    for (int i = n; i < io->context_length; i++)
        io->ids[i] = t->facts.pad_id;
    io->n = n;
    io->is_truncated = is_truncated;
}

static ims_status check_text(const char *utf8, size_t len, ims_err *err)
{
    if (!utf8 && len)
        return ims_fail(err, IMS_E_INVALID, "tokenizer", 0, "a text of %zu bytes is missing", len);
    if (len > IMS_MAX_TEXT_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "tokenizer", 0,
                        "a text of %zu bytes; at most %zu are read", len, IMS_MAX_TEXT_BYTES);
    return IMS_OK;
}

ims_status ims_tokenizer_encode(const struct ims_tokenizer *t, const char *utf8, size_t len,
                                struct ims_tokens *io, ims_err *err)
{
    int32_t few[128];
    int32_t *body = few;
    size_t max, n;
    ims_status st;

    if (!t || !io || !io->ids || io->context_length < 2)
        return ims_fail(err, IMS_E_INVALID, "tokenizer", 0, "no tokenizer, or no room for two ids");
    st = check_text(utf8, len, err);
    if (st)
        return st;
    /* One id more than fits tells that the text is too long. */
    max = (size_t)io->context_length;
    if (max > IMS_ARRAY_LEN(few)) {
        body = ims__alloc(max, sizeof(*body));
        if (!body)
            return ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "allocating %zu ids", max);
    }
    st = t->ops->encode(t->ctx, utf8 ? utf8 : "", len, body, max, &n, err);
    if (!st)
        frame(t, body, n, io);
    if (body != few)
        ims__free(body);
    return st;
}

ims_status ims_tokenizer_clean(const struct ims_tokenizer *t, const char *utf8, size_t len,
                               struct ims_buf *out, ims_err *err)
{
    ims_status st;

    if (!t || !out)
        return ims_fail(err, IMS_E_INVALID, "tokenizer", 0, "no tokenizer or no buffer");
    st = check_text(utf8, len, err);
    if (st)
        return st;
    return t->ops->clean(t->ctx, utf8 ? utf8 : "", len, out, err);
}

ims_status ims__tokenizer_clean_canonical(const void *ctx, const char *utf8, size_t len,
                                          struct ims_buf *out, ims_err *err)
{
    struct ims__cps text = { 0 };
    ims_status st = ims__textclean(utf8, len, IMS_CLEAN_CANONICAL, &text, err);

    (void)ctx;
    if (!st && ims__cps_to_utf8(text.at, text.n, out))
        st = ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "writing %zu characters", text.n);
    ims__cps_release(&text);
    return st;
}

const char *ims_tokenizer_kind(const struct ims_tokenizer *t)
{
    return t->ops->name;
}

ims_clean ims_tokenizer_cleaning(const struct ims_tokenizer *t)
{
    return t->ops->cleaning;
}

int32_t ims_tokenizer_vocab_size(const struct ims_tokenizer *t)
{
    return t->facts.vocab_size;
}

int32_t ims_tokenizer_id_limit(const struct ims_tokenizer *t)
{
    return t->facts.id_limit;
}

int32_t ims_tokenizer_start_id(const struct ims_tokenizer *t)
{
    return t->facts.start_id;
}

int32_t ims_tokenizer_end_id(const struct ims_tokenizer *t)
{
    return t->facts.end_id;
}

int32_t ims_tokenizer_pad_id(const struct ims_tokenizer *t)
{
    return t->facts.pad_id;
}

const char *ims_tokenizer_token(const struct ims_tokenizer *t, int32_t id)
{
    if (id < 0 || id >= t->facts.vocab_size)
        return NULL;
    return t->ops->token(t->ctx, id);
}
