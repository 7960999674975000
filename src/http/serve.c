/* Brings the service up and down.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/serve.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/process.h"
#include "base/thread.h"
#include "device/device.h"
#include "engine/engine_parts.h"
#include "engine/worker.h"
#include "http/api/api.h"
#include "http/guard.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LEAST_ARENAS 2
#define STOP_LOOK_US 100000

struct service {
    struct ims_http_api api;
    struct ims_spec *spec;
    struct ims_worker *worker;
    bool has_watch_lock;
};

static void note_job(void *arg, int64_t job_id, const char *func, const ims_err *why)
{
    (void)arg;
    ims__log_err(IMS_LOG_WARN, why, "job %lld (%s)", (long long)job_id, func);
}

/* IMAGE_ROOT_DIR is a root from the start: what lies below it may be served. */
static ims_status add_root(struct ims_engine *host, const char *root, ims_err *err)
{
    char *real = NULL;
    int64_t id;
    ims_status st;

    if (!root || !*root)
        return IMS_OK;
    st = ims__real_path(root, &real, err);
    if (!st)
        st = ims_store_add_root(ims__engine_store(host), real, &id, err);
    ims__free(real);
    return st ? ims_fail_in(err, st, "IMAGE_ROOT_DIR") : IMS_OK;
}

static void note_watch(void *arg, bool is_warning, const char *text)
{
    (void)arg;
    ims__log(is_warning ? IMS_LOG_WARN : IMS_LOG_INFO, "watch", "%s", text);
}

static ims_status open_watch(struct service *s, const struct ims_serve_options *o, ims_err *err)
{
    ims_status st = ims__lock_init(&s->api.watch_lock);

    if (st)
        return ims_fail(err, st, "http", 0, "starting");
    s->has_watch_lock = true;
    s->api.watch_options = o->watch;
    s->api.watch_options.on_note = note_watch;
    s->api.is_watch_enabled = o->is_watching;
    return o->is_watching ? ims__watch_open(&s->api.watch, s->api.host, &s->api.watch_options, err) : IMS_OK;
}

static ims_status open_http(struct service *s, const struct ims_serve_options *o, ims_err *err)
{
    const char *host = o->host && *o->host ? o->host : "127.0.0.1";
    struct ims_http_options http = { .host = host,
                                     .port = o->port,
                                     .guard = { .bind = host,
                                                .token = o->token,
                                                .hosts = o->allowed_hosts,
                                                .origins = o->cors_origins,
                                                .no_cors = o->no_cors },
                                     .routes = ims__api_routes,
                                     .n_routes = ims__api_n_routes,
                                     .spec = s->spec,
                                     .open_context = ims__api_context_open,
                                     .close_context = ims__api_context_close,
                                     .arg = &s->api,
                                     .check_replies = o->check_replies,
                                     .allow_destructive = o->allow_destructive };
    ims_status st = ims__guard_open(&s->api.guard, &http.guard, err);

    return st ? st : ims__http_open(&s->api.http, &http, err);
}

/* sd_notify(3), the protocol: one datagram to the socket that the environment names. */
static void tell_systemd(const char *what)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof(at.sun_path) || !strchr("/@", *path))
        return;
    memcpy(at.sun_path, path, n);
    if (*path == '@')
        at.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return;
    if (sendto(fd, what, strlen(what), 0, (const struct sockaddr *)&at,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        ims__log(IMS_LOG_WARN, "http", "telling systemd: %s", strerror(errno));
    close(fd);
}

static void close_service(struct service *s)
{
    ims__http_close(s->api.http); /* first: no request finds a part missing */
    ims__watch_close(s->api.watch);
    if (s->has_watch_lock)
        ims__lock_release(&s->api.watch_lock);
    ims_engine_close(s->api.watcher);
    ims__worker_close(s->worker);
    ims__guard_close(s->api.guard);
    ims__spec_close(s->spec);
}

ims_status ims__serve(const struct ims_serve_options *options, ims_err *err)
{
    struct service s = { .api = { .host = options->engine, .started_ns = ims__mono_ns() } };
    char url[320];
    ims_status st;

    ims__limit_arenas(ims_device_usable_cores() < LEAST_ARENAS ? LEAST_ARENAS : ims_device_usable_cores());
    st = ims__spec_open(&s.spec, err);
    s.api.spec = s.spec;
    if (!st)
        st = add_root(s.api.host, options->root, err);
    if (!st)
        st = open_watch(&s, options, err);
    if (!st)
        st = open_http(&s, options, err);
    if (!st && !options->no_worker)
        st = ims__worker_open(&s.worker, s.api.host, 0, note_job, NULL, err);
    if (!st) {
        const char *host = options->host && *options->host ? options->host : "127.0.0.1";

        snprintf(url, sizeof(url), strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u", host,
                 (unsigned)ims__http_port(s.api.http));
        ims_engine_warm_index(s.api.host);
        options->on_ready(options->arg, url);
        tell_systemd("READY=1");
        while (!options->is_stopped(options->arg))
            usleep(STOP_LOOK_US);
        tell_systemd("STOPPING=1");
    }
    close_service(&s);
    return st;
}
