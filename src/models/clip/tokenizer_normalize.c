/* The normalizer of a tokenizer.json: reading its steps and taking them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_normalize.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/clip/tokenizer_json.h"

#include <string.h>

/* A step makes a character at most this long on average; NFKC's longest is 18. */
#define MAX_CHARACTERS (4 * IMS_MAX_TEXT_BYTES)

#define KNOWN "Sequence, Precompiled, Strip, or Replace of a text or of the pattern \" {2,}\""

/* ---- reading ---- */

struct loader {
    struct ims__normalizer *n;
    const char *what;
    ims_err *err;
};

static ims_status refuse(const struct loader *l, const char *found)
{
    return ims_fail(l->err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                    "%s: normalizer: expected " KNOWN ", found %.*s", l->what,
                    ims__tokenizer_shown(found, strlen(found)), found);
}

/* The text as characters; false when it is too long. */
static bool read_text(const char *s, size_t len, uint32_t out[IMS__NORMALIZER_MAX_TEXT],
                      size_t *out_n)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        if (n == IMS__NORMALIZER_MAX_TEXT)
            return false;
        i += ims__utf8_decode(s + i, len - i, &out[n++]);
    }
    *out_n = n;
    return true;
}

static ims_status read_replace(const struct loader *l, const ims_json *v,
                               struct ims__normalizer_step *out)
{
    const ims_json *pattern = ims__json_get(v, "pattern");
    size_t n_content = 0;
    size_t n_string = 0;
    const char *content = ims__json_str(ims__json_get(v, "content"), &n_content);
    const char *string = ims__json_str(ims__json_get(pattern, "String"), &n_string);
    const char *regex = ims__json_str(ims__json_get(pattern, "Regex"), NULL);

    if (!content || !read_text(content, n_content, out->to, &out->n_to))
        return refuse(l, "a Replace with another content");
    if (regex && strcmp(regex, " {2,}") == 0) {
        out->kind = IMS__NORMAL_SPACES;
        return IMS_OK;
    }
    if (!string || n_string == 0 || !read_text(string, n_string, out->from, &out->n_from))
        return refuse(l, "a Replace of another pattern");
    out->kind = IMS__NORMAL_REPLACE;
    return IMS_OK;
}

static ims_status read_step(const struct loader *l, const ims_json *v)
{
    struct ims__normalizer_step step = { .kind = IMS__NORMAL_CHARSMAP };
    const char *type = ims__json_str(ims__json_get(v, "type"), NULL);
    const ims_json *map = ims__json_get(v, "precompiled_charsmap");
    ims_status st = IMS_OK;
    const char *text;
    size_t len;

    if (l->n->n_steps == IMS__NORMALIZER_MAX_STEPS)
        return refuse(l, "more steps than 8");
    if (type && strcmp(type, "Precompiled") == 0) {
        text = ims__json_str(map, &len);
        if (l->n->charsmap.units)
            return refuse(l, "a second Precompiled");
        if (!text || len == 0)
            return IMS_OK; /* an empty map maps nothing */
        st = ims__charsmap_load(&l->n->charsmap, text, len, l->what, l->err);
    } else if (type && strcmp(type, "Strip") == 0) {
        step.kind = IMS__NORMAL_STRIP;
        step.strips_left = ims__json_bool(ims__json_get(v, "strip_left"), false);
        step.strips_right = ims__json_bool(ims__json_get(v, "strip_right"), false);
    } else if (type && strcmp(type, "Replace") == 0) {
        st = read_replace(l, v, &step);
    } else {
        return refuse(l, type ? type : "one without a type");
    }
    if (!st)
        l->n->steps[l->n->n_steps++] = step;
    return st;
}

ims_status ims__normalizer_load(struct ims__normalizer *out, const ims_json *v, const char *what,
                                ims_err *err)
{
    struct ims__normalizer n = { 0 };
    const struct loader l = { &n, what, err };
    const char *type = ims__json_str(ims__json_get(v, "type"), NULL);
    const ims_json *list = ims__json_get(v, "normalizers");
    ims_status st = IMS_OK;

    if (type && strcmp(type, "Sequence") == 0) {
        for (size_t i = 0; i < ims__json_len(list) && !st; i++)
            st = read_step(&l, ims__json_at(list, i));
    } else if (v && ims__json_type(v) != IMS_JSON_NULL) {
        st = read_step(&l, v);
    }
    if (st)
        ims__normalizer_release(&n);
    else
        *out = n;
    return st;
}

void ims__normalizer_release(struct ims__normalizer *n)
{
    ims__charsmap_release(&n->charsmap);
    n->n_steps = 0;
}

/* ---- taking ---- */

static bool is_space(uint32_t cp)
{
    /* White_Space of Unicode, which is str.isspace() without U+001C to U+001F */
    return (ims__unicode_props(cp) & IMS__CHAR_SPACE) && !(cp >= 0x1C && cp <= 0x1F);
}

static void strip(const struct ims__normalizer_step *step, struct ims__cps *s)
{
    size_t first = 0;

    while (step->strips_right && s->n > 0 && is_space(s->at[s->n - 1]))
        s->n--;
    while (step->strips_left && first < s->n && is_space(s->at[first]))
        first++;
    if (first) {
        memmove(s->at, s->at + first, (s->n - first) * sizeof(*s->at));
        s->n -= first;
    }
}

/* How many characters at i the step replaces; 0: it leaves the character alone. */
static size_t match(const struct ims__normalizer_step *step, const struct ims__cps *s, size_t i)
{
    size_t n = 0;

    if (step->kind == IMS__NORMAL_SPACES) {
        while (i + n < s->n && s->at[i + n] == ' ')
            n++;
        return n >= 2 ? n : 0;
    }
    if (s->n - i < step->n_from ||
        memcmp(s->at + i, step->from, step->n_from * sizeof(*step->from)) != 0)
        return 0;
    return step->n_from;
}

static ims_status replace(const struct ims__normalizer_step *step, struct ims__cps *s)
{
    struct ims__cps out = { 0 };
    ims_status st = ims__cps_reserve(&out, s->n + 1);

    for (size_t i = 0; i < s->n && !st;) {
        size_t n = match(step, s, i);

        st = n ? ims__cps_add_all(&out, step->to, step->n_to) : ims__cps_add(&out, s->at[i]);
        i += n ? n : 1;
        if (!st && out.n > MAX_CHARACTERS)
            st = IMS_E_LIMIT;
    }
    if (st) {
        ims__cps_release(&out);
        return st;
    }
    ims__cps_release(s);
    *s = out;
    return IMS_OK;
}

ims_status ims__normalizer_apply(const struct ims__normalizer *n, struct ims__cps *s)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; i < n->n_steps && !st; i++) {
        switch (n->steps[i].kind) {
        case IMS__NORMAL_CHARSMAP:
            st = ims__charsmap_apply(&n->charsmap, s, MAX_CHARACTERS);
            break;
        case IMS__NORMAL_STRIP:
            strip(&n->steps[i], s);
            break;
        case IMS__NORMAL_SPACES:
        case IMS__NORMAL_REPLACE:
            st = replace(&n->steps[i], s);
            break;
        }
    }
    return st;
}
