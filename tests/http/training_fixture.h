/* A served library with a small tree of folders for the tests of training.
 *
 *     p00.jpg, p01.jpg   indexed before the server starts
 *     a/1.jpg a/2.jpg a/broken.jpg   a/deep/3.JpG a/deep/4.jpg   b/copy.jpg (of a/1.jpg)   skip/5.jpg
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HTTP_TRAINING_FIXTURE_H
#define IMS_TESTS_HTTP_TRAINING_FIXTURE_H

#include "harness/http_client.h"
#include "serving.h"

/* Opens the server; without_faces: no face models are found. */
bool training_open(struct serving *s, const char *const *env);
/* The folder of the photos as an address has it: with %20 for a space. Static. */
const char *training_photos(const struct serving *s);
/* Sends a formatted request and gives the reply's JSON (ims__json_free); wants the status. Path and body may hold
 * "$P" for the folder of the photos. */
ims_json *training_ask(const struct serving *s, const char *method, const char *path, const char *body, int status);
/* The same, without a look at the reply but for the text it must hold. */
void training_want(const struct serving *s, const char *method, const char *path, const char *body, int status,
                   const char *has);
/* Asks until the reply holds the text; fails after a while. */
bool training_await(const struct serving *s, const char *path, const char *has);
/* A session over $P and below; returns its id. subdirectories: JSON or NULL. */
long long training_session(const struct serving *s, const char *subdirectories);
/* A number or text in a reply: "a.b.0.c". */
long long training_int(const ims_json *o, const char *path);
const char *training_str(const ims_json *o, const char *path);

#endif
