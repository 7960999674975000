/* The text cleaning that open_clip puts before its tokenizer, step by step.
 *
 * clean = fix (ftfy without its mojibake heuristics), HTML-unescape twice, white space collapsed to
 * single spaces, lower case. The steps work in place on code points; thread-safe.
 * docs/notes/tokenizer.md lists what is left out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TEXTCLEAN_H
#define IMS_MODELS_CLIP_TEXTCLEAN_H

#include "ims/status.h"
#include "models/clip/unicode.h"

/* open_clip's names for what a model's texts go through. */
typedef enum ims_clean {
    IMS_CLEAN_LOWER,    /* everything above */
    IMS_CLEAN_CANONICAL /* "canonicalize": '_' is a space and other ASCII punctuation goes, too */
} ims_clean;

/* All of it, from UTF-8; replaces the content of *out. IMS_E_LIMIT above IMS_MAX_TEXT_BYTES
 * or when undoing nested escapes would take more than IMS__CLEAN_MAX_WORK. */
ims_status ims__textclean(const char *utf8, size_t len, ims_clean kind, struct ims__cps *out,
                          ims_err *err) IMS_MUST_CHECK;

/* ftfy.fix_text(fix_encoding=False) */
ims_status ims__textclean_fix(struct ims__cps *s, ims_err *err) IMS_MUST_CHECK;
/* html.unescape: every form that HTML5 accepts */
void ims__textclean_unescape(struct ims__cps *s);
/* '_' becomes a space, the other punctuation of ASCII goes. */
void ims__textclean_punctuation(struct ims__cps *s);
/* " ".join(text.split()) */
void ims__textclean_spaces(struct ims__cps *s);

/* The careful form of ftfy: only complete references with their semicolon, and some in capitals. */
void ims__textclean_unescape_careful(struct ims__cps *s);
/* "ESC [ digits and semicolons letter" goes. */
void ims__textclean_terminal(struct ims__cps *s);
/* Characters that have no place in text go. */
void ims__textclean_controls(struct ims__cps *s);

/* ftfy repeats its steps until nothing changes; each round of a line counts its length against
 * this. */
#define IMS__CLEAN_MAX_WORK ((size_t)4 * 1024 * 1024)

#endif
