/* The splitting pattern of the reference as a hand-written matcher. Leftmost match, in this order:
 * the special tokens; 's 't 're 've 'm 'll 'd; a run of letters; one number; a run of what is
 * neither space, letter nor number. What no alternative takes is dropped. SPDX-License-Identifier:
 * Apache-2.0 */
#include "models/clip/tokenizer_split.h"

#include "base/mem.h"
#include "models/clip/unicode.h"

#include <string.h>

#define LONG_S 0x17Fu

/* The pattern ignores case. Of lower-cased text that leaves one surprise: the long s is an s. */
static bool is_same_letter(uint32_t cp, char c)
{
    return cp == (unsigned char)c || (c == 's' && cp == LONG_S);
}

static size_t match_word(const uint32_t *at, size_t n, const char *word)
{
    size_t len = strlen(word);

    if (n < len)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_same_letter(at[i], word[i]))
            return 0;
    }
    return len;
}

/* The spelling that open_clip gives to these two in text; tokenizer.json may name them otherwise.
 */
static size_t match_special(const uint32_t *at, size_t n, ims__piece_kind *out_kind)
{
    size_t len = match_word(at, n, "<start_of_text>");
    ims__piece_kind kind = IMS__PIECE_START;

    if (!len) {
        len = match_word(at, n, "<end_of_text>");
        kind = IMS__PIECE_END;
    }
    *out_kind = kind;
    for (size_t i = 0; i < len; i++) {
        if (at[i] == LONG_S) /* the pattern takes it whole, but it is not the token */
            *out_kind = IMS__PIECE_WORD;
    }
    return len;
}

static size_t match_contraction(const uint32_t *at, size_t n)
{
    static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(endings); i++) {
        size_t len = match_word(at, n, endings[i]);

        if (len)
            return len;
    }
    return 0;
}

bool ims__split_next(const uint32_t *at, size_t n, size_t *pos, struct ims__piece *out)
{
    size_t from = *pos;
    size_t len = 0;
    unsigned class = 0;

    while (from < n && !(class = ims__unicode_props(at[from]) & IMS__CHAR_CLASS))
        from++;
    *pos = from;
    if (from == n)
        return false;

    out->at = at + from;
    out->kind = IMS__PIECE_WORD;
    if (at[from] == '<')
        len = match_special(out->at, n - from, &out->kind);
    else if (at[from] == '\'')
        len = match_contraction(out->at, n - from);
    if (!len) {
        out->kind = IMS__PIECE_WORD;
        len = 1;
        while (class != IMS__CHAR_NUMBER && from + len < n &&
               (ims__unicode_props(at[from + len]) & IMS__CHAR_CLASS) == class)
            len++;
    }
    out->n = len;
    *pos = from + len;
    return true;
}
