/* Opening and closing a session in a child.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_split.h"

#include <string.h>

#define CLOSE_MS 30000

static void put_open(struct ims_buf *b, const struct split_session *ss,
                     const struct ims_compute_graph *graph,
                     const struct ims_compute_session_options *o)
{
    ims__wire_u64(b, ss->number);
    ims__wire_str(b, o->label);
    ims__wire_u64(b, (uint64_t)o->device->kind);
    ims__wire_u64(b, o->device->index);
    ims__wire_u64(b, o->n_threads);
    ims__wire_u64(b, (o->is_shape_fixed ? 1u : 0) | (o->no_cpu_fallback ? 2u : 0) |
                         (o->no_optimisation ? 4u : 0) | (o->no_prepacking ? 8u : 0) | (o->keep_memory ? 16u : 0));
    ims__wire_u64(b, o->n_dims);
    for (size_t i = 0; i < o->n_dims; i++) {
        ims__wire_str(b, o->dims[i].symbol);
        ims__wire_u64(b, (uint64_t)o->dims[i].value);
    }
    ims__wire_str(b, graph->external_dir);
    ims__wire_str(b, graph->path);
    ims__wire_u64(b, graph->path ? 0 : graph->n_bytes);
}

static const char *keep(struct split_session *ss, struct wire_reader *r)
{
    const char *s = ims__wire_get_str(r);
    const char *kept = s ? ims__arena_strndup(&ss->texts, s, strlen(s)) : NULL;

    if (!kept)
        r->is_bad = true;
    return kept;
}

static void get_ports(struct split_session *ss, struct wire_reader *r,
                      struct ims_compute_port *ports, size_t n)
{
    for (size_t i = 0; i < n && !r->is_bad; i++) {
        struct ims_compute_port *p = &ports[i];

        p->name = keep(ss, r);
        p->dtype = (ims_dtype)ims__wire_get_u64(r);
        p->rank = (unsigned)ims__wire_get_u64(r);
        if (p->rank > IMS_MAX_TENSOR_RANK)
            r->is_bad = true;
        for (unsigned k = 0; k < p->rank && !r->is_bad; k++) {
            p->shape[k] = (int64_t)ims__wire_get_u64(r);
            p->symbol[k] = keep(ss, r);
        }
    }
}

static ims_status get_opened(struct split_session *ss, const struct ims_buf *reply, ims_err *err)
{
    struct wire_reader r = { reply->data, reply->len, false };
    ims_status st = ims__wire_get_err(&r, err);

    if (st)
        return st;
    ss->is_open = true;
    ss->child->sessions |= (uint64_t)1 << ss->number;
    ss->n_inputs = ims__wire_get_u64(&r);
    ss->n_outputs = ims__wire_get_u64(&r);
    if (ss->n_inputs > IMS_MAX_PORTS || ss->n_outputs > IMS_MAX_PORTS)
        r.is_bad = true;
    get_ports(ss, &r, ss->inputs, ss->n_inputs);
    get_ports(ss, &r, ss->outputs, ss->n_outputs);
    ims__wire_get_raw(&r, &ss->report, sizeof(ss->report));
    return r.is_bad ? ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense")
                    : IMS_OK;
}

ims_status ims__split_open_there(struct split_session *ss, const struct ims_compute_graph *graph,
                             const struct ims_compute_session_options *o, ims_err *err)
{
    struct child *c = ss->child;
    struct ims_buf body, reply;
    int fd = -1;
    ims_status st;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__lock(&c->lock);
    st = ims__split_need_started(ss->ctx, c, &reply, err);
    while (ss->number < CHILD_MAX_SESSIONS && (c->sessions >> ss->number & 1))
        ss->number++;
    if (!st && ss->number == CHILD_MAX_SESSIONS)
        st = ims_fail(err, IMS_E_LIMIT, "child", 0, "%s has %d sessions already", c->name,
                      CHILD_MAX_SESSIONS);
    if (!st && o->n_dims > CHILD_MAX_DIMS)
        st = ims_fail(err, IMS_E_LIMIT, "child", 0, "%zu dimensions are fixed, at most %d can be",
                      o->n_dims, CHILD_MAX_DIMS);
    if (!st && !graph->path && !c->is_dead) {
        st = ims__child_need_region(c, graph->n_bytes, &fd, err);
        if (!st)
            memcpy(c->region.data, graph->bytes, graph->n_bytes);
    }
    if (!st) {
        put_open(&body, ss, graph, o);
        st = ims__child_ask(c, CHILD_OPEN, &body, fd, o->open_timeout_ms, &reply, err);
    }
    if (!st)
        st = get_opened(ss, &reply, err);
    ims__unlock(&c->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return st;
}

void ims__split_close_there(struct split_session *ss)
{
    struct child *c = ss->child;
    struct ims_buf body, reply;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__wire_u64(&body, ss->number);
    ims__lock(&c->lock);
    if (!c->is_dead && ims__child_ask(c, CHILD_CLOSE, &body, -1, CLOSE_MS, &reply, NULL) == IMS_OK)
        c->sessions &= ~((uint64_t)1 << ss->number); /* otherwise the process is gone */
    ims__unlock(&c->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
}

bool ims__split_shrink_there(struct split_session *ss)
{
    struct child *c = ss->child;
    struct wire_reader r = { NULL, 0, true };
    struct ims_buf body, reply;
    bool can;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__wire_u64(&body, ss->number);
    ims__lock(&c->lock);
    if (!c->is_dead && ims__child_ask(c, CHILD_SHRINK, &body, -1, CLOSE_MS, &reply, NULL) == IMS_OK)
        r = (struct wire_reader){ reply.data, reply.len, false };
    ims__unlock(&c->lock);
    can = ims__wire_get_u64(&r) != 0;
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return can;
}
