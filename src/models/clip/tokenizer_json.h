/* A tokenizer.json in two parts: a small tree, and the two long lists read without building one.
 *
 * model.vocab and model.merges hold tens or hundreds of thousands of values; as a tree of nodes
 * they cost several times the rest of opening a tokenizer. So they are cut out (the tree has them
 * empty, so that their type still shows) and pulled value by value from the text. One thread at a
 * time. The text must outlive the document.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_JSON_H
#define IMS_MODELS_CLIP_TOKENIZER_JSON_H

#include "base/json.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS__MAX_TOKEN_BYTES 4096

struct ims__json_span {
    const char *at; /* from its first bracket to its last; NULL: no such list */
    size_t len;
};

struct ims__tokenizer_doc {
    const char *what; /* names the file in messages */
    const char *text;
    ims_json *root;
    struct ims__json_span vocab;
    struct ims__json_span merges;
};

ims_status ims__tokenizer_doc_open(struct ims__tokenizer_doc *out, const char *json, size_t len,
                                   const char *what, ims_err *err) IMS_MUST_CHECK;
void ims__tokenizer_doc_release(struct ims__tokenizer_doc *d);
/* How many bytes of a text to show in a message with %.*s: at most 64, and whole characters. */
int ims__tokenizer_shown(const char *text, size_t len);

/* A reader inside one list. The first failure sticks; a caller walks on false and then asks status.
 */
struct ims__json_pull {
    const char *at;
    const char *end;
    ims_status status; /* IMS_E_FORMAT: malformed, IMS_E_LIMIT: a string longer than text */
    size_t n_text;
    char text[2 * IMS__MAX_TOKEN_BYTES + 2]; /* the last string, unescaped, NUL-terminated */
};

void ims__pull_init(struct ims__json_pull *p, struct ims__json_span span);
/* Steps into a container that opens with this bracket. */
bool ims__pull_enter(struct ims__json_pull *p, char bracket);
/* Moves to the next element, or to the value of the next member with its key in text; false, behind
 * the closing bracket, when there is none. is_first is the caller's, true before the first call. */
bool ims__pull_element(struct ims__json_pull *p, bool *is_first);
bool ims__pull_member(struct ims__json_pull *p, bool *is_first);
/* Values. False without a status: the value is of another type, and nothing was read. */
bool ims__pull_string(struct ims__json_pull *p);
bool ims__pull_int(struct ims__json_pull *p, int64_t *out);
bool ims__pull_number(struct ims__json_pull *p, double *out);
/* Moves over any value without looking into it closely: what it spans is parsed elsewhere. False at
 * the end of the text. */
bool ims__pull_skip(struct ims__json_pull *p, struct ims__json_span *out);
/* What stands at the reader, in words: "a string", "an array" ... */
const char *ims__pull_found(struct ims__json_pull *p);
bool ims__pull_is_at_end(struct ims__json_pull *p);

#endif
