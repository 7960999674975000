/* Character properties, NFC and lower case; the one place that knows utf8proc.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/unicode.h"

#include "base/mem.h"
#include "base/text.h"
#include "models/clip/unicode_tables.h"

#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT 0xFFFDu
#define MAX_DECOMPOSITION 18 /* code points of the longest one, with room */

unsigned ims__unicode_props(uint32_t cp)
{
    size_t lo = 0, hi = ims__unicode_n_runs;

    if (cp < 128)
        return ims__unicode_ascii[cp];
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (ims__unicode_runs[mid] >> 8 <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return ims__unicode_runs[lo] & 0xFF;
}

void ims__cps_release(struct ims__cps *s)
{
    ims__free(s->at);
    memset(s, 0, sizeof(*s));
}

ims_status ims__cps_reserve(struct ims__cps *s, size_t cap)
{
    uint32_t *at;

    if (cap <= s->cap)
        return IMS_OK;
    if (cap < s->cap * 2)
        cap = s->cap * 2;
    at = ims__realloc(s->at, cap, sizeof(*at));
    if (!at)
        return IMS_E_NOMEM;
    s->at = at;
    s->cap = cap;
    return IMS_OK;
}

ims_status ims__cps_add(struct ims__cps *s, uint32_t cp)
{
    if (s->n == s->cap && ims__cps_reserve(s, s->n + 64))
        return IMS_E_NOMEM;
    s->at[s->n++] = cp;
    return IMS_OK;
}

ims_status ims__cps_add_all(struct ims__cps *s, const uint32_t *at, size_t n)
{
    if (ims__cps_reserve(s, s->n + n))
        return IMS_E_NOMEM;
    if (n)
        memcpy(s->at + s->n, at, n * sizeof(*at));
    s->n += n;
    return IMS_OK;
}

ims_status ims__cps_add_utf8(struct ims__cps *s, const char *utf8, size_t len)
{
    size_t i = 0;

    if (ims__cps_reserve(s, s->n + len))
        return IMS_E_NOMEM;
    while (i < len) {
        uint32_t cp;

        i += ims__utf8_decode(utf8 + i, len - i, &cp);
        s->at[s->n++] = cp <= 0x10FFFF ? cp : REPLACEMENT;
    }
    return IMS_OK;
}

ims_status ims__cps_to_utf8(const uint32_t *at, size_t n, struct ims_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        char bytes[4];

        ims__buf_add(out, bytes, ims__utf8_encode(at[i], bytes));
    }
    return ims__buf_status(out);
}

static unsigned combining_class(uint32_t cp)
{
    if (cp < 0x300)
        return 0;
    return (unsigned)utf8proc_get_property((utf8proc_int32_t)cp)->combining_class;
}

/* A stable sort of one run of marks by class. Long runs are sorted by counting, so that a hostile
 * text of nothing but marks stays linear. */
static ims_status sort_marks(uint32_t *at, size_t n)
{
    size_t start[257] = { 0 };
    uint32_t *copy;

    if (n <= 16) {
        for (size_t i = 1; i < n; i++) {
            uint32_t cp = at[i];
            size_t k = i;

            for (; k > 0 && combining_class(at[k - 1]) > combining_class(cp); k--)
                at[k] = at[k - 1];
            at[k] = cp;
        }
        return IMS_OK;
    }
    copy = ims__memdup(at, n * sizeof(*at));
    if (!copy)
        return IMS_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        start[(combining_class(copy[i]) & 0xFF) + 1]++;
    for (size_t c = 1; c < 257; c++)
        start[c] += start[c - 1];
    for (size_t i = 0; i < n; i++)
        at[start[combining_class(copy[i]) & 0xFF]++] = copy[i];
    ims__free(copy);
    return IMS_OK;
}

static ims_status decompose(const struct ims__cps *s, struct ims__cps *out)
{
    for (size_t i = 0; i < s->n; i++) {
        utf8proc_int32_t parts[MAX_DECOMPOSITION];
        utf8proc_ssize_t n;
        int boundclass = 0;

        if (ims__cps_reserve(out, out->n + MAX_DECOMPOSITION))
            return IMS_E_NOMEM;
        n = s->at[i] < 0xC0
                ? 0
                : utf8proc_decompose_char((utf8proc_int32_t)s->at[i], parts, MAX_DECOMPOSITION,
                                          UTF8PROC_DECOMPOSE, &boundclass);
        if (n <= 0 || n > MAX_DECOMPOSITION) {
            out->at[out->n++] = s->at[i];
            continue;
        }
        for (utf8proc_ssize_t k = 0; k < n; k++)
            out->at[out->n++] = (uint32_t)parts[k];
    }
    return IMS_OK;
}

static ims_status reorder(struct ims__cps *s)
{
    for (size_t i = 0; i < s->n;) {
        size_t end = i;

        while (end < s->n && combining_class(s->at[end]) != 0)
            end++;
        if (end - i > 1 && sort_marks(s->at + i, end - i))
            return IMS_E_NOMEM;
        i = end + 1;
    }
    return IMS_OK;
}

ims_status ims__unicode_nfc(struct ims__cps *s)
{
    struct ims__cps d = { 0 };
    utf8proc_ssize_t n;
    size_t i = 0;
    ims_status st;

    /* Below U+0300 everything is a starter that stays as it is. */
    while (i < s->n && s->at[i] < 0x300)
        i++;
    if (i == s->n)
        return IMS_OK;

    st = decompose(s, &d);
    if (!st)
        st = reorder(&d);
    if (st)
        goto out;
    n = utf8proc_normalize_utf32((utf8proc_int32_t *)d.at, (utf8proc_ssize_t)d.n,
                                 UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n < 0) {
        st = IMS_E_INTERNAL;
        goto out;
    }
    d.n = (size_t)n;
    st = ims__cps_reserve(s, d.n);
    if (st)
        goto out;
    memcpy(s->at, d.at, d.n * sizeof(*d.at));
    s->n = d.n;
out:
    ims__cps_release(&d);
    return st;
}

static uint32_t lower_of(uint32_t cp)
{
    size_t lo = 0, hi = ims__unicode_n_lower_ranges;
    const struct ims__unicode_lower_range *r;

    if (cp < 128)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (ims__unicode_lower_ranges[mid].first <= cp)
            lo = mid;
        else
            hi = mid;
    }
    r = &ims__unicode_lower_ranges[lo];
    if (cp < r->first || cp > r->last || (cp - r->first) % r->stride)
        return cp;
    return (uint32_t)((int32_t)cp + r->delta);
}

static bool is_sigma_final(const uint32_t *at, size_t n, size_t i)
{
    size_t k = i;

    while (k > 0 && ims__unicode_props(at[k - 1]) & IMS__CHAR_IGNORABLE)
        k--;
    if (k == 0 || !(ims__unicode_props(at[k - 1]) & IMS__CHAR_CASED))
        return false;
    for (k = i + 1; k < n && ims__unicode_props(at[k]) & IMS__CHAR_IGNORABLE;)
        k++;
    return k == n || !(ims__unicode_props(at[k]) & IMS__CHAR_CASED);
}

ims_status ims__unicode_lower(struct ims__cps *s)
{
    struct ims__cps out = { 0 };
    ims_status st = ims__cps_reserve(&out, s->n + 8);

    for (size_t i = 0; i < s->n && !st; i++) {
        uint32_t cp = s->at[i];

        if (cp == 0x130) { /* the one capital whose lower case is two code points */
            st = ims__cps_add(&out, 'i');
            cp = 0x307;
        } else if (cp == 0x3A3) {
            cp = is_sigma_final(s->at, s->n, i) ? 0x3C2 : 0x3C3;
        } else {
            cp = lower_of(cp);
        }
        if (!st)
            st = ims__cps_add(&out, cp);
    }
    if (st) {
        ims__cps_release(&out);
        return st;
    }
    ims__cps_release(s);
    *s = out;
    return IMS_OK;
}

bool ims__unicode_is_grapheme_break(uint32_t a, uint32_t b, int32_t *state)
{
    utf8proc_int32_t s = *state;
    bool is_break = utf8proc_grapheme_break_stateful((utf8proc_int32_t)a, (utf8proc_int32_t)b, &s);

    *state = s;
    return is_break;
}

size_t ims__unicode_fix(uint32_t cp, uint32_t out[3])
{
    size_t lo = 0, hi = ims__unicode_n_fixes;
    size_t n = 0;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (ims__unicode_fixes[mid].cp <= cp)
            lo = mid;
        else
            hi = mid;
    }
    if (ims__unicode_fixes[lo].cp != cp)
        return 0;
    while (n < 3 && ims__unicode_fixes[lo].to[n]) {
        out[n] = ims__unicode_fixes[lo].to[n];
        n++;
    }
    return n;
}
