/* Requests with their redirects, refusals and further attempts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/fetch.h"

#include "base/mem.h"
#include "models/fetch_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ORIGIN "fetch"
#define N_ATTEMPTS 5
#define STALL_S 60
#define MAX_REDIRECTS 5
#define FIRST_WAIT_MS 1000
#define SLICE_MS 100

ims_status ims__fetch_open(struct ims_fetch **out, const struct ims_fetch_options *options,
                           ims_err *err)
{
    struct ims_fetch *f = ims__zalloc(1, sizeof(*f));
    ims_status st;

    if (!f)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "preparing to fetch");
    f->options = *options;
    if (!f->options.n_attempts)
        f->options.n_attempts = N_ATTEMPTS;
    if (!f->options.stall_s)
        f->options.stall_s = STALL_S;
    st = ims__fetch_http_open(&f->http, err);
    if (st) {
        ims__free(f);
        return st;
    }
    *out = f;
    return IMS_OK;
}

void ims__fetch_close(struct ims_fetch *f)
{
    if (!f)
        return;
    ims__fetch_http_close(f->http);
    ims__free(f);
}

/* ---- waiting ---- */

static bool wait_in_silence(struct ims_fetch *f, unsigned wait_ms)
{
    const struct timespec slice = { .tv_nsec = SLICE_MS * 1000000L };

    for (unsigned left = wait_ms; left > 0; left -= left < SLICE_MS ? left : SLICE_MS) {
        if (f->options.on_progress && !f->options.on_progress(f->options.arg, 0, 0))
            return false;
        (void)nanosleep(&slice, NULL);
    }
    return true;
}

static ims_status wait_again(struct ims_fetch *f, unsigned wait_ms, ims_err *err)
{
    ims_err why = *err;

    if (f->options.on_wait ? f->options.on_wait(f->options.arg, wait_ms, why.text)
                           : wait_in_silence(f, wait_ms))
        return IMS_OK;
    return ims_fail(err, IMS_E_CANCELLED, ORIGIN, 0, "interrupted after: %.400s", why.text);
}

/* ---- one response ---- */

static ims_status refuse_status(const struct ims_http_head *h, const struct ims_url *u,
                                ims_err *err)
{
    int code = (int)h->status;

    switch (h->status) {
    case 404:
    case 410:
        return ims_fail(err, IMS_E_NOT_FOUND, ORIGIN, code, "%s has no %.300s (%d)", u->host,
                        u->path, code);
    case 401:
    case 403:
        return ims_fail(
            err, IMS_E_PERMISSION, ORIGIN, code,
            "%s refuses %.250s (%d): it wants a sign-in, or there is no such repository", u->host,
            u->path, code);
    case 407:
        return ims_fail(err, IMS_E_PERMISSION, ORIGIN, code, "the proxy wants a sign-in (407)");
    case 429:
        if (h->retry_after_s > IMS_MAX_RETRY_AFTER_S)
            return ims_fail(err, IMS_E_PERMISSION, ORIGIN, code,
                            "%s limits requests (429) and asks to come back in %ld minutes",
                            u->host, (h->retry_after_s + 59) / 60);
        return ims_fail(err, IMS_E_TIMEOUT, ORIGIN, code, "%s limits requests (429)", u->host);
    case 507:
        return ims_fail(err, IMS_E_IO, ORIGIN, code, "%s has no space left (507)", u->host);
    default:
        return ims_fail(err, IMS_E_IO, ORIGIN, code, "%s answers %.250s with status %d", u->host,
                        u->path, code);
    }
}

ims_status ims__fetch_refuse(const struct ims_http_head *h, const char *url, ims_err *err)
{
    struct ims_url u;
    ims_status st = ims__url_parse(&u, url, err);

    if (st)
        return st;
    if (h->status != 200 && h->status != 206)
        return refuse_status(h, &u, err);
    if (ims__http_is_page(h))
        return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                        "%s answers with a web page instead of the file %.250s: a sign-in page of "
                        "the network, or "
                        "an address that is no mirror of the hub",
                        u.host, u.path);
    if (h->encoding[0] && strcmp(h->encoding, "identity") != 0)
        return ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                        "%s sends %.200s packed as %s, which was not asked for", u.host, u.path,
                        h->encoding);
    return IMS_OK;
}

/* Runs the request and those it is redirected to. *out_url: the address that answered, a new string.
 * A HEAD of the hub ends at the redirect that carries the facts about the file. */
ims_status ims__fetch_follow(struct ims_fetch *f, struct ims_http_request *r,
                             struct ims_http_head *out_head, char **out_url, ims_err *err)
{
    char *url = ims__strdup(r->url), *next = NULL;
    char commit[sizeof(((struct ims_http_head *)NULL)->commit)] = "";
    struct ims_http_head head;
    ims_status st = url ? IMS_OK : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "fetching");

    for (unsigned n = 0; !st; n++) {
        struct ims_http_request hop = *r;

        hop.url = url;
        st = ims__http_run(f->http, &hop, &head, err);
        if (!st &&
            !commit[0]) /* the first to say it is the hub; what it redirects to may not know */
            memcpy(commit, head.commit, sizeof(commit));
        if (st || !ims__http_is_redirect(head.status) || (r->is_head && head.linked_etag[0]))
            break;
        if (n == MAX_REDIRECTS || !head.location[0]) {
            st = ims_fail(err, IMS_E_IO, ORIGIN, 0, "%s",
                          n == MAX_REDIRECTS ? "too many redirects"
                                             : "a redirect that leads nowhere");
            break;
        }
        st = ims__url_join(&next, url, head.location, err);
        if (!st)
            st = ims__url_may_follow(r->url, url, next, err);
        if (!st) {
            ims__free(url);
            url = next;
            next = NULL;
        }
    }
    ims__free(next);
    if (st) {
        ims__free(url);
        return st;
    }
    memcpy(head.commit, commit, sizeof(commit));
    *out_head = head;
    *out_url = url;
    return IMS_OK;
}

/* ---- attempts ---- */

static bool is_worth_trying(const ims_err *err)
{
    if (strcmp(err->origin, ORIGIN) == 0)
        return (err->status == IMS_E_TIMEOUT && err->native == 429) ||
               (err->status == IMS_E_IO && err->native >= 500) || err->status == IMS_E_TRUNCATED;
    return ims__http_is_broken(err);
}

ims_status ims__fetch_try(struct ims_fetch *f,
                          ims_status (*once)(struct ims_fetch *f, void *arg, ims_err *err),
                          void *arg, ims_err *err)
{
    unsigned n_failed = 0;

    for (;;) {
        ims_err why = { 0 };
        unsigned wait_ms;
        ims_status st;

        f->retry_after_s = -1;
        f->has_progress = false;
        st = once(f, arg, &why);
        if (!st)
            return IMS_OK;
        n_failed = f->has_progress ? 1 : n_failed + 1;
        if (!is_worth_trying(&why) || n_failed >= f->options.n_attempts) {
            if (err)
                *err = why;
            return st;
        }
        wait_ms = FIRST_WAIT_MS << (n_failed - 1 < 5 ? n_failed - 1 : 5);
        if (f->retry_after_s >= 0)
            wait_ms = (unsigned)f->retry_after_s * 1000;
        st = wait_again(f, wait_ms, &why);
        if (st) {
            if (err)
                *err = why;
            return st;
        }
    }
}

/* ---- probing, small texts ---- */

struct probe {
    const char *url;
    struct ims_fetch_meta meta;
};

static bool tick(void *arg)
{
    struct ims_fetch *f = arg;

    return !f->options.on_progress || f->options.on_progress(f->options.arg, 0, 0);
}

static ims_status probe_once(struct ims_fetch *f, void *arg, ims_err *err)
{
    struct probe *p = arg;
    struct ims_http_request r = {
        .url = p->url, .is_head = true, .stall_s = f->options.stall_s, .on_tick = tick, .arg = f
    };
    struct ims_http_head head;
    char *url = NULL;
    ims_status st = ims__fetch_follow(f, &r, &head, &url, err);

    if (st)
        return st;
    f->retry_after_s = head.retry_after_s;
    if (!ims__http_is_redirect(head.status))
        st = ims__fetch_refuse(&head, url, err);
    if (!st)
        ims__http_meta(&head, &p->meta);
    ims__free(url);
    return st;
}

ims_status ims__fetch_probe(struct ims_fetch *f, const char *url, struct ims_fetch_meta *out,
                            ims_err *err)
{
    struct probe p = { .url = url };
    ims_status st = ims__fetch_try(f, probe_once, &p, err);

    if (!st)
        *out = p.meta;
    return st;
}

struct text_fetch {
    struct ims_fetch *f;
    const char *url;
    size_t max_bytes;
    struct ims_buf buf;
};

static ims_status text_head(void *arg, const struct ims_http_head *head, ims_err *err)
{
    struct text_fetch *t = arg;

    ims__buf_clear(&t->buf);
    if (ims__http_is_redirect(head->status))
        return IMS_OK;
    t->f->retry_after_s = head->retry_after_s;
    return ims__fetch_refuse(head, t->url, err);
}

static ims_status text_bytes(void *arg, const void *p, size_t n, ims_err *err)
{
    struct text_fetch *t = arg;

    if (ims__buf_add(&t->buf, p, n))
        return ims_fail(err, ims__buf_status(&t->buf), ORIGIN, 0, "%s holds more than %zu bytes",
                        t->url, t->max_bytes);
    return IMS_OK;
}

static bool text_tick(void *arg)
{
    return tick(((struct text_fetch *)arg)->f);
}

static ims_status text_once(struct ims_fetch *f, void *arg, ims_err *err)
{
    struct text_fetch *t = arg;
    struct ims_http_request r = { .url = t->url,
                                  .stall_s = f->options.stall_s,
                                  .on_head = text_head,
                                  .on_bytes = text_bytes,
                                  .on_tick = text_tick,
                                  .arg = t };
    struct ims_http_head head;
    char *url = NULL;
    ims_status st;

    ims__buf_release(&t->buf);
    ims__buf_init(&t->buf, t->max_bytes);
    st = ims__fetch_follow(f, &r, &head, &url, err);
    ims__free(url);
    return st;
}

ims_status ims__fetch_text(struct ims_fetch *f, const char *url, size_t max_bytes,
                           struct ims_buf *out, ims_err *err)
{
    struct text_fetch t = { .f = f, .url = url, .max_bytes = max_bytes };
    ims_status st;

    ims__buf_init(&t.buf, max_bytes);
    st = ims__fetch_try(f, text_once, &t, err);
    if (st) {
        ims__buf_release(&t.buf);
        return st;
    }
    *out = t.buf;
    return IMS_OK;
}

bool ims__fetch_is_offline(const ims_err *err)
{
    return ims__http_is_offline(err);
}
