/* Who may be inside libvips when a message is read from its one buffer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_lib.h"

#include "base/thread.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 1000
#define VENDOR_TEXT_BYTES 256

static struct {
    struct ims_lock lock;
    struct ims_cond changed;
    unsigned n_inside;     /* threads at work together */
    unsigned n_want_alone; /* threads waiting to be alone; they go before new sharers */
    bool is_held_alone;
    uint64_t n_entered; /* ever: tells whether somebody came while a thread was inside */
} gate;

ims_status ims__vips_gate_init(ims_err *err)
{
    if (ims__lock_init(&gate.lock))
        return ims_fail(err, IMS_E_NOMEM, "vips", 0, "making a lock");
    if (ims__cond_init(&gate.changed)) {
        ims__lock_release(&gate.lock);
        return ims_fail(err, IMS_E_NOMEM, "vips", 0, "making a condition");
    }
    return IMS_OK;
}

/* What is in the buffer on one line, each message once, as clean UTF-8. The lock is held. */
static void take_text(const struct vips_api *v, char *out, size_t size)
{
    char *raw = v->vips_error_buffer_copy(); /* empties it, too */
    size_t len = 0;

    out[0] = '\0';
    for (char *line = raw; line && *line;) {
        char *end = strchr(line, '\n');

        if (end)
            *end = '\0';
        if (*line && !strstr(out, line) && len + 1 < size) {
            int n = snprintf(out + len, size - len, "%s%s", len ? "; " : "", line);

            len = n < 0 || (size_t)n >= size - len ? size - 1 : len + (size_t)n;
        }
        line = end ? end + 1 : NULL;
    }
    v->g_free(raw);
    for (size_t i = 0; out[i]; i++) {
        if ((uint8_t)out[i] < ' ' || (uint8_t)out[i] > '~')
            out[i] = '?';
    }
}

struct visit {
    uint64_t ticket;
    bool was_first; /* nobody was inside on entering */
};

static void enter_shared(const struct vips_api *v, struct visit *out)
{
    ims__lock(&gate.lock);
    while (gate.is_held_alone || gate.n_want_alone)
        ims__cond_wait(&gate.changed, &gate.lock, WAIT_MS);
    out->was_first = gate.n_inside == 0;
    if (out->was_first)
        v->vips_error_clear();
    gate.n_inside++;
    out->ticket = ++gate.n_entered;
    ims__unlock(&gate.lock);
}

/* true when nobody else was inside at any moment of the visit; out has the text then. */
static bool leave_shared(const struct vips_api *v, const struct visit *visit, char *out,
                         size_t size)
{
    bool was_alone;

    ims__lock(&gate.lock);
    was_alone = visit->was_first && gate.n_entered == visit->ticket;
    if (was_alone)
        take_text(v, out, size);
    gate.n_inside--;
    ims__cond_broadcast(&gate.changed);
    ims__unlock(&gate.lock);
    return was_alone;
}

static void enter_alone(const struct vips_api *v)
{
    ims__lock(&gate.lock);
    gate.n_want_alone++;
    while (gate.is_held_alone || gate.n_inside)
        ims__cond_wait(&gate.changed, &gate.lock, WAIT_MS);
    gate.n_want_alone--;
    gate.is_held_alone = true;
    v->vips_error_clear();
    ims__unlock(&gate.lock);
}

static void leave_alone(const struct vips_api *v, char *out, size_t size)
{
    ims__lock(&gate.lock);
    take_text(v, out, size);
    gate.is_held_alone = false;
    ims__cond_broadcast(&gate.changed);
    ims__unlock(&gate.lock);
}

ims_status ims__vips_run(const struct vips_api *v, const struct vips_work *work, ims_err *err)
{
    char text[VENDOR_TEXT_BYTES] = "";
    struct visit visit;
    bool has_text;
    ims_status st;

    enter_shared(v, &visit);
    st = work->fn(v, work->arg, err);
    has_text = leave_shared(v, &visit, text, sizeof(text));
    if (st == IMS_E_FORMAT && !has_text && err) {
        enter_alone(v);
        st = work->fn(v, work->arg, err);
        leave_alone(v, text, sizeof(text));
    }
    v->vips_thread_shutdown(); /* this thread's buffers; a pool's idle threads would keep them */
    if (st == IMS_E_FORMAT && err && text[0]) {
        size_t len = strlen(err->text);

        if (len < sizeof(err->text))
            snprintf(err->text + len, sizeof(err->text) - len, ": %s", text);
    }
    return st;
}
