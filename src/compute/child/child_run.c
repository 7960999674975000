/* A run in a child: tensors into the shared region, the request, results out of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_split.h"

#include <string.h>

struct layout {
    size_t in[IMS_MAX_PORTS], out[IMS_MAX_PORTS]; /* offsets in the region */
    size_t in_bytes[IMS_MAX_PORTS], out_bytes[IMS_MAX_PORTS];
    size_t end;
};

static ims_status place(size_t *end, const struct ims_tensor *t, size_t *out_offset,
                        size_t *out_bytes, ims_err *err)
{
    ims_status st = ims_tensor_measure(t, out_bytes, err);
    size_t next;

    if (st)
        return st;
    *out_offset = *end;
    if (!ims__add_size(*end, *out_bytes, &next) || !ims__add_size(next, CHILD_ALIGNMENT - 1, &next))
        return ims_fail(err, IMS_E_LIMIT, "child", 0, "the tensors are too large to address");
    *end = next / CHILD_ALIGNMENT * CHILD_ALIGNMENT;
    return IMS_OK;
}

static ims_status lay_out(struct layout *l, const struct ims_compute_binding *in, size_t n_in,
                          const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    ims_status st = IMS_OK;

    l->end = 0;
    for (size_t i = 0; !st && i < n_in; i++)
        st = place(&l->end, in[i].tensor, &l->in[i], &l->in_bytes[i], err);
    for (size_t i = 0; !st && i < n_out; i++) {
        if (out[i].tensor->data)
            st = place(&l->end, out[i].tensor, &l->out[i], &l->out_bytes[i], err);
    }
    return st;
}

static void put_run(struct ims_buf *b, const struct split_session *ss, const struct layout *l,
                    const struct ims_compute_binding *in, size_t n_in,
                    const struct ims_compute_binding *out, size_t n_out)
{
    ims__wire_u64(b, ss->number);
    ims__wire_u64(b, l->end);
    ims__wire_u64(b, n_in);
    ims__wire_u64(b, n_out);
    for (size_t i = 0; i < n_in; i++) {
        ims__wire_u64(b, in[i].port);
        ims__wire_tensor(b, in[i].tensor);
        ims__wire_u64(b, l->in[i]);
    }
    for (size_t i = 0; i < n_out; i++) {
        ims__wire_u64(b, out[i].port);
        ims__wire_u64(b, out[i].tensor->data != NULL);
        if (out[i].tensor->data) {
            ims__wire_tensor(b, out[i].tensor);
            ims__wire_u64(b, l->out[i]);
        }
    }
}

/* The results that the child allocated, out of the region into fresh memory. */
static ims_status take_results(struct child *c, struct wire_reader *r,
                               const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    struct ims_tensor fresh[IMS_MAX_PORTS] = { { .dtype = IMS_DTYPE_NONE } };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n_out; i++) {
        size_t bytes = 0;
        uint64_t offset;

        if (out[i].tensor->data)
            continue;
        ims__wire_get_tensor(r, &fresh[i]);
        offset = ims__wire_get_u64(r);
        if (r->is_bad || ims_tensor_measure(&fresh[i], &bytes, NULL) || offset > c->region.bytes ||
            bytes > c->region.bytes - offset)
            st = ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense");
        else
            st = ims_tensor_alloc(&fresh[i], err);
        if (!st)
            memcpy(fresh[i].data, c->region.data + offset, bytes);
    }
    for (size_t i = 0; i < n_out; i++) {
        if (st)
            ims_tensor_release(&fresh[i]);
        else if (!out[i].tensor->data)
            *out[i].tensor = fresh[i];
    }
    return st;
}

static ims_status fetch(struct split_session *ss, size_t bytes, struct ims_buf *body,
                        struct ims_buf *reply, ims_err *err)
{
    int fd = -1;
    ims_status st = ims__child_need_region(ss->child, bytes, &fd, err);

    ims__buf_clear(body);
    if (!st)
        st = ims__child_ask(ss->child, CHILD_FETCH, body, fd, ss->run_timeout_ms, reply, err);
    return st;
}

/* With the child's lock held. */
static ims_status run_locked(struct split_session *ss, const struct ims_compute_binding *in,
                            size_t n_in, const struct ims_compute_binding *out, size_t n_out,
                            struct ims_buf *body, struct ims_buf *reply, ims_err *err)
{
    struct child *c = ss->child;
    struct wire_reader r;
    struct layout l;
    int fd = -1;
    size_t more;
    ims_status st = lay_out(&l, in, n_in, out, n_out, err);

    if (!st && !c->is_dead)
        st = ims__child_need_region(c, l.end, &fd, err);
    for (size_t i = 0; !st && !c->is_dead && i < n_in; i++)
        memcpy(c->region.data + l.in[i], in[i].tensor->data, l.in_bytes[i]);
    if (st)
        return st;
    put_run(body, ss, &l, in, n_in, out, n_out);
    st = ims__child_ask(c, CHILD_RUN, body, fd, ss->run_timeout_ms, reply, err);
    if (st)
        return st;
    r = (struct wire_reader){ reply->data, reply->len, false };
    st = ims__wire_get_err(&r, err);
    if (st)
        return st;
    for (size_t i = 0; i < n_out; i++) {
        if (out[i].tensor->data)
            memcpy(out[i].tensor->data, c->region.data + l.out[i], l.out_bytes[i]);
    }
    more = ims__wire_get_u64(&r);
    if (more) {
        st = fetch(ss, more, body, reply, err);
        r = (struct wire_reader){ reply->data, reply->len, false };
        if (!st && ims__wire_get_u64(&r) != 0)
            st = ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense");
    }
    return st ? st : take_results(c, &r, out, n_out, err);
}

ims_status ims__split_run_there(struct split_session *ss, const struct ims_compute_binding *in,
                                size_t n_in, const struct ims_compute_binding *out, size_t n_out,
                                ims_err *err)
{
    struct ims_buf body, reply;
    ims_status st;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__lock(&ss->child->lock);
    st = run_locked(ss, in, n_in, out, n_out, &body, &reply, err);
    ims__unlock(&ss->child->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return st;
}
