/* SentencePiece's precompiled character map: loading and applying it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_charsmap.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

/* The reference looks a whole user-perceived character up only when it is shorter than this. */
#define MAX_GRAPHEME_BYTES 6

/* ---- loading ---- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the number of bytes, or SIZE_MAX. */
static size_t decode_base64(const char *s, size_t len, uint8_t *out)
{
    size_t n_pad = len > 0 && s[len - 1] == '=' ? 1 + (len > 1 && s[len - 2] == '=') : 0;
    size_t n = 0;

    if (len % 4)
        return SIZE_MAX;
    for (size_t i = 0; i < len; i += 4) {
        size_t n_chars = i + 4 == len ? 4 - n_pad : 4;
        uint32_t word = 0;
        for (size_t k = 0; k < 4; k++) {
            int v = k < n_chars ? base64_value(s[i + k]) : 0;
            if (v < 0)
                return SIZE_MAX;
            word = word << 6 | (uint32_t)v;
        }
        for (size_t k = 0; k + 1 < n_chars; k++)
            out[n++] = (uint8_t)(word >> (16 - 8 * k));
    }
    return n;
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

ims_status ims__charsmap_load(struct ims__charsmap *out, const char *base64, size_t len,
                              const char *what, ims_err *err)
{
    struct ims__charsmap m = { 0 };
    uint8_t *bytes = ims__alloc(len / 4 + 1, 3);
    size_t trie_bytes = 0;
    ims_status st = IMS_OK;
    size_t n;

    if (!bytes)
        return ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "%s: decoding the character map", what);
    n = decode_base64(base64, len, bytes);
    if (n != SIZE_MAX && n >= 4)
        trie_bytes = read_u32(bytes);
    if (n == SIZE_MAX || n < 9 || trie_bytes < 4 || trie_bytes % 4 || trie_bytes > n - 5 ||
        bytes[n - 1] != 0 ||
        !ims__utf8_is_valid((const char *)bytes + 4 + trie_bytes, n - 4 - trie_bytes)) {
        st = ims_fail(err, IMS_E_FORMAT, "tokenizer", 0,
                      "%s: normalizer.precompiled_charsmap: expected base64 of a trie's size, the "
                      "trie and NUL-ended texts, found %zu characters of something else",
                      what, len);
        goto out;
    }
    m.n_units = trie_bytes / 4;
    m.n_texts = n - 4 - trie_bytes;
    m.units = ims__alloc(m.n_units, sizeof(*m.units));
    m.texts = ims__memdup(bytes + 4 + trie_bytes, m.n_texts);
    if (!m.units || !m.texts) {
        st = ims_fail(err, IMS_E_NOMEM, "tokenizer", 0, "%s: keeping the character map", what);
        goto out;
    }
    for (size_t i = 0; i < m.n_units; i++)
        m.units[i] = read_u32(bytes + 4 + 4 * i);
    *out = m;
    m = (struct ims__charsmap){ 0 };
out:
    ims__charsmap_release(&m);
    ims__free(bytes);
    return st;
}

void ims__charsmap_release(struct ims__charsmap *m)
{
    ims__free(m->units);
    ims__free(m->texts);
    *m = (struct ims__charsmap){ 0 };
}

/* ---- applying ---- */

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200u) >> 6);
}

/* The text of the shortest entry that these bytes begin with, or NULL. A broken trie leads outside,
 * which is no match. */
static const char *find(const struct ims__charsmap *m, const char *bytes, size_t n)
{
    size_t at = offset_of(m->units[0]);

    for (size_t i = 0; i < n && bytes[i]; i++) {
        const uint8_t c = (uint8_t)bytes[i];
        uint32_t unit;

        at ^= c;
        if (at >= m->n_units)
            return NULL;
        unit = m->units[at];
        if ((unit & 0x800000FFu) != c)
            return NULL;
        at ^= offset_of(unit);
        if (at >= m->n_units)
            return NULL;
        if (unit & 0x100u) {
            size_t value = m->units[at] & 0x7FFFFFFFu;
            return value < m->n_texts ? m->texts + value : NULL;
        }
    }
    return NULL;
}

/* One user-perceived character: as a whole if it is short and known, else character by character.
 * As a whole it is replaced even where only its beginning is known. */
static ims_status map_grapheme(const struct ims__charsmap *m, const uint32_t *at, size_t n,
                               struct ims__cps *out)
{
    char bytes[4 * MAX_GRAPHEME_BYTES];
    const char *text;
    size_t len = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < n && len < MAX_GRAPHEME_BYTES; i++)
        len += ims__utf8_encode(at[i], bytes + len);
    text = len < MAX_GRAPHEME_BYTES ? find(m, bytes, len) : NULL;
    if (text)
        return ims__cps_add_utf8(out, text, strlen(text));
    for (size_t i = 0; i < n && !st; i++) {
        len = ims__utf8_encode(at[i], bytes);
        text = find(m, bytes, len);
        st = text ? ims__cps_add_utf8(out, text, strlen(text)) : ims__cps_add(out, at[i]);
    }
    return st;
}

ims_status ims__charsmap_apply(const struct ims__charsmap *m, struct ims__cps *s, size_t max)
{
    struct ims__cps out = { 0 };
    int32_t state = 0;
    ims_status st = ims__cps_reserve(&out, s->n + 1);

    for (size_t from = 0, to; from < s->n && !st; from = to) {
        to = from + 1;
        while (to < s->n && !ims__unicode_is_grapheme_break(s->at[to - 1], s->at[to], &state))
            to++;
        st = map_grapheme(m, s->at + from, to - from, &out);
        if (!st && out.n > max)
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
