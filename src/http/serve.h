/* The service: a library, its workers and the HTTP interface, until told to stop.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_SERVE_H
#define IMS_HTTP_SERVE_H

#include "engine/watch.h"
#include "ims/engine.h"

#include <stdbool.h>
#include <stdint.h>

struct ims_serve_options {
    struct ims_engine *engine; /* its model, devices and index serve every request; the caller's, not used meanwhile */
    const char *host; /* NULL = 127.0.0.1 */
    uint16_t port;    /* 0 = any free one */
    const char *token, *allowed_hosts, *cors_origins; /* as struct ims_http_guard_options has them */
    bool no_cors, allow_destructive, check_replies;
    bool no_worker; /* others do the background jobs */
    bool is_watching; /* from the start; clients may start and stop the watcher at any time */
    struct ims_watch_options watch; /* but for on_note: what it has to say is logged */
    const char *root; /* IMAGE_ROOT_DIR: registered as a root; NULL = none */
    /* Called once it listens, then waits for is_stopped, from the calling thread. */
    void (*on_ready)(void *arg, const char *url);
    bool (*is_stopped)(void *arg); /* asked a few times a second */
    void *arg;
};

/* Returns when is_stopped says so and everything is closed in order. */
ims_status ims__serve(const struct ims_serve_options *options, ims_err *err) IMS_MUST_CHECK;

#endif
