/* `imgsearch serve` of the build under test on a small library, as a process of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HTTP_SERVING_H
#define IMS_TESTS_HTTP_SERVING_H

#include "integration/library.h"

#include <stdint.h>
#include <sys/types.h>

struct serving {
    struct library library;
    pid_t pid;
    int out; /* its stdout */
    uint16_t port;
    char log[700]; /* file with its stderr */
};

/* Copies n pictures of the demo library, indexes them and starts the server, every reply held against the contract.
 * env: further "NAME=value", ended by NULL; may be NULL. */
bool serving_open(struct serving *s, size_t n_pictures, const char *const *env);
/* Starts it again on the same library after serving_stop. */
bool serving_start(struct serving *s, const char *const *env);
/* The same in two steps: the process, then its port. */
bool serving_spawn(struct serving *s, const char *const *env);
bool serving_await(struct serving *s);
/* Starts `imgsearch WORDS` (separated by '\n') on its library beside it; the caller ends it with serving_end. */
pid_t serving_beside(struct serving *s, const char *words);
/* SIGTERM, and wants it to end well. */
void serving_end(pid_t pid);
/* Asks it to end, and wants it to end well; signal: SIGTERM, SIGKILL ...; 0 when it was
 * asked already. */
void serving_stop(struct serving *s, int signal);

struct serving_request {
    const char *method, *path, *body; /* JSON; NULL = none */
    int status;
    const char *has; /* somewhere in the reply; NULL = anything */
};
/* Sends each and wants its status and text. */
void serving_ask(const struct serving *s, const struct serving_request *rows, size_t n);
/* Sends one, wants that status, and gives the reply: ims__json_free. NULL after a failure that was reported. */
ims_json *serving_json(const struct serving *s, const char *method, const char *path, const char *body, int status);

#endif
