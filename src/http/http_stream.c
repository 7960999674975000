/* Event streams: one thread asks each source what is new; a client that has nothing to read sleeps.
 *
 * A stream's buffer is filled here and emptied by libmicrohttpd's callback. When the callback finds nothing, it
 * suspends the connection and says so (is_asleep); whoever adds bytes resumes it. A client that reads too slowly
 * stops its own source (nothing is asked while the buffer is full) and is cut off after a while.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http_internal.h"

#include <string.h>

#define TICK_MS 50
#define STALLED_MS 60000
#define ASKED_BELOW_BYTES (IMS_HTTP_MAX_STREAM_BYTES / 2) /* that the client has not read: then the source is asked */
#define MAX_BYTES (ASKED_BELOW_BYTES + IMS_HTTP_MAX_STREAM_BYTES)

struct stream {
    struct stream *next;
    struct ims_http_streams *owner;
    struct MHD_Connection *connection;
    const struct ims_http_stream_ops *ops;
    void *source;
    struct ims_buf out;
    size_t n_read; /* of out, by the client */
    uint64_t due_ns, interval_ns;
    uint64_t sent_ns; /* when something was last added */
    uint64_t read_ns; /* when the client last took something */
    bool is_asleep, is_done, is_gone;
};

struct ims_http_streams {
    struct ims_lock lock; /* everything below, and every stream */
    struct ims_cond wake;
    struct stream *first;
    unsigned n;
    bool is_closing;
    struct ims_thread thread;
};

static void free_stream(struct stream *s)
{
    s->ops->close(s->source);
    ims__buf_release(&s->out);
    ims__free(s);
}

/* Under the lock. */
static void wake(struct stream *s)
{
    if (!s->is_asleep)
        return;
    s->is_asleep = false;
    MHD_resume_connection(s->connection);
}

/* What a source's answer means, under the lock. The clock is read under it too: a client may have read while the
 * source was asked, and no time that others noted may lie ahead of ours. */
static void take_events(struct stream *s, struct ims_buf *events, ims_status st, bool is_done)
{
    uint64_t now = ims__mono_ns();

    ims__buf_drop(&s->out, s->n_read); /* room for what comes */
    s->n_read = 0;
    if (events->len)
        (void)ims__buf_add(&s->out, events->data, events->len);
    else if (now - s->sent_ns >= (uint64_t)IMS_HTTP_HEARTBEAT_MS * 1000000)
        (void)ims__buf_add_str(&s->out, ": still here\n\n");
    if (s->out.status || st || is_done || now - s->read_ns >= (uint64_t)STALLED_MS * 1000000)
        s->is_done = true;
    if (s->out.len)
        s->sent_ns = now;
    if (s->out.len || s->is_done)
        wake(s);
}

/* Asks one source, without the lock: it may read the database. Streams are only freed by this thread. */
static void ask(struct ims_http_streams *o, struct stream *s)
{
    struct ims_buf events;
    bool is_done = false;
    ims_err err = { 0 };
    ims_status st;

    ims__buf_init(&events, IMS_HTTP_MAX_STREAM_BYTES);
    ims__unlock(&o->lock);
    st = s->ops->next(s->source, &events, &is_done, &err);
    if (st)
        ims__log_err(IMS_LOG_WARN, &err, "an event stream ends");
    ims__lock(&o->lock);
    take_events(s, &events, st, is_done);
    ims__buf_release(&events);
}

static void sweep(struct ims_http_streams *o)
{
    uint64_t now = ims__mono_ns();
    struct stream **at = &o->first;

    while (*at) {
        struct stream *s = *at;

        if (s->is_gone) {
            *at = s->next;
            o->n--;
            ims__unlock(&o->lock);
            free_stream(s);
            ims__lock(&o->lock);
            at = &o->first; /* others may have been added in front */
            continue;
        }
        if (o->is_closing && !s->is_done) {
            s->is_done = true;
            wake(s);
        }
        if (!s->is_done && now >= s->due_ns && s->out.len - s->n_read < ASKED_BELOW_BYTES) {
            s->due_ns = now + s->interval_ns;
            ask(o, s);
        }
        at = &s->next;
    }
}

static void run_streams(void *arg)
{
    struct ims_http_streams *o = arg;

    ims__lock(&o->lock);
    while (!o->is_closing || o->first) {
        sweep(o);
        ims__cond_wait(&o->wake, &o->lock, o->first ? TICK_MS : 1000);
    }
    ims__unlock(&o->lock);
}

/* libmicrohttpd asks for bytes. */
static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct stream *s = cls;
    bool is_asleep = false;
    size_t n;

    (void)pos;
    ims__lock(&s->owner->lock);
    n = s->out.len - s->n_read;
    if (n > max)
        n = max;
    if (n) {
        memcpy(out, s->out.data + s->n_read, n);
        s->n_read += n;
        s->read_ns = ims__mono_ns();
        if (s->n_read == s->out.len) {
            ims__buf_clear(&s->out);
            s->n_read = 0;
        }
    } else if (!s->is_done && !s->owner->is_closing) {
        s->is_asleep = is_asleep = true;
        s->read_ns = ims__mono_ns();
        MHD_suspend_connection(s->connection);
    }
    ims__unlock(&s->owner->lock);
    return n || is_asleep ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void leave_stream(void *cls)
{
    struct stream *s = cls;

    ims__lock(&s->owner->lock);
    s->is_gone = true; /* the streams' thread frees it: it may be asking its source right now */
    ims__cond_signal(&s->owner->wake);
    ims__unlock(&s->owner->lock);
}

struct MHD_Response *ims__http_stream_response(struct ims_http_streams *o, struct ims_http_exchange *x)
{
    struct stream *s = ims__zalloc(1, sizeof(*s));
    struct MHD_Response *r = s ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8 * IMS_KIB, read_stream, s,
                                                                   leave_stream)
                               : NULL;

    if (!r) {
        ims__free(s);
        return NULL;
    }
    s->owner = o;
    s->connection = x->connection;
    s->ops = x->reply.stream_ops;
    s->source = x->reply.stream;
    x->reply.stream = NULL;
    s->interval_ns = (uint64_t)(x->reply.interval_ms ? x->reply.interval_ms : 1000) * 1000000;
    s->sent_ns = s->read_ns = ims__mono_ns();
    ims__buf_init(&s->out, MAX_BYTES);
    /* Something at once: the head goes out with the first bytes. A client that was cut off comes back after that time. */
    (void)ims__buf_add_str(&s->out, "retry: 3000\n\n");
    ims__lock(&o->lock);
    s->next = o->first;
    o->first = s;
    o->n++;
    ims__cond_signal(&o->wake);
    ims__unlock(&o->lock);
    return r;
}

unsigned ims__http_streams_count(struct ims_http_streams *o)
{
    unsigned n;

    ims__lock(&o->lock);
    n = o->n;
    ims__unlock(&o->lock);
    return n;
}

ims_status ims__http_streams_open(struct ims_http_streams **out, ims_err *err)
{
    struct ims_http_streams *o = ims__zalloc(1, sizeof(*o));
    ims_status st;

    if (!o)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "opening the event streams");
    if (ims__lock_init(&o->lock)) {
        ims__free(o);
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "opening the event streams");
    }
    st = ims__cond_init(&o->wake);
    if (!st)
        st = ims__thread_start(&o->thread, "ims-streams", run_streams, o, err);
    if (st) {
        ims__lock_release(&o->lock);
        ims__free(o);
        return st;
    }
    *out = o;
    return IMS_OK;
}

void ims__http_streams_end(struct ims_http_streams *o)
{
    ims__lock(&o->lock);
    o->is_closing = true;
    ims__cond_broadcast(&o->wake);
    ims__unlock(&o->lock);
}

void ims__http_streams_close(struct ims_http_streams *o)
{
    if (!o)
        return;
    ims__http_streams_end(o);
    ims__thread_join(&o->thread);
    ims__cond_release(&o->wake);
    ims__lock_release(&o->lock);
    ims__free(o);
}
