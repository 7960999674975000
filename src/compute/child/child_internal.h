/* A device in a process of its own: what the two sides share.
 *
 * One socket per child carries frames (a header and a body of plain values in this machine's byte
 * order: both ends are the same program), one region of shared memory carries graphs and tensors.
 * The parent asks, the child answers, one request at a time. Only the parent makes memory: a frame
 * may carry the descriptor of a new region, which replaces the old one.
 *
 *     parent                                child
 *     OPEN_RUNTIME path, folder, limit  ->  status
 *     OPEN session, options, graph      ->  status, ports, report
 *     RUN session, tensors with offsets ->  status, tensors | "needs N bytes": then FETCH
 *     CLOSE session                     ->  status
 *     SHRINK session                    ->  whether there is something to give back
 *     LOG                               ->  the runtime's last lines
 *     PROBE_CUDA                        ->  what NVIDIA's driver says
 *     PROBE_VULKAN                      ->  what Vulkan's drivers say
 *     QUIT                              ->  (the child releases everything and ends)
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_CHILD_INTERNAL_H
#define IMS_COMPUTE_CHILD_INTERNAL_H

#include "base/buf.h"
#include "compute/compute_internal.h"
#include "compute/log_ring.h"

#include <sys/types.h>

#define CHILD_ARGUMENT "--compute-child"
#define CHILD_SOCKET 3
#define CHILD_MAGIC 0x31534d49u /* "IMS1" */
#define CHILD_MAX_BODY_BYTES (4 * IMS_MIB)
#define CHILD_MAX_SESSIONS 64 /* struct child has a bit for each */
#define CHILD_MAX_DIMS 16
#define CHILD_ALIGNMENT 64
/* Freed memory that a child keeps from one batch to the next; ViT-B/32 takes 25 MB for 16 pictures. */
#define CHILD_KEPT_BYTES (256 * IMS_MIB)

typedef enum child_kind {
    CHILD_OPEN_RUNTIME = 1,
    CHILD_OPEN,
    CHILD_RUN,
    CHILD_FETCH,
    CHILD_CLOSE,
    CHILD_LOG,
    CHILD_PROBE_CUDA,
    CHILD_PROBE_VULKAN,
    CHILD_SHRINK,
    CHILD_QUIT,
    CHILD_REPLY
} child_kind;

struct child_header {
    uint32_t magic;
    uint32_t kind;
    uint32_t n_bytes; /* of the body */
    uint32_t reserved;
    uint64_t region_bytes; /* > 0: a descriptor comes along, of a region this large */
};

/* ---- bodies (child_wire.c) ---- */

/* Writers append to an ims_buf, whose status is looked at once at the end. */
void ims__wire_u64(struct ims_buf *b, uint64_t v);
void ims__wire_str(struct ims_buf *b, const char *s); /* NULL is kept apart from "" */
void ims__wire_err(struct ims_buf *b, ims_status st, const ims_err *err);
void ims__wire_tensor(struct ims_buf *b, const struct ims_tensor *t); /* without the data */
void ims__wire_raw(struct ims_buf *b, const void *p, size_t n);

/* Reads what a writer wrote; after the first mistake every further read gives zero. */
struct wire_reader {
    const char *p;
    size_t left;
    bool is_bad;
};
uint64_t ims__wire_get_u64(struct wire_reader *r);
/* A view into the body, NUL-terminated; NULL when it was NULL or the body is bad. */
const char *ims__wire_get_str(struct wire_reader *r);
ims_status ims__wire_get_err(struct wire_reader *r, ims_err *err);
void ims__wire_get_tensor(struct wire_reader *r, struct ims_tensor *t);
void ims__wire_get_raw(struct wire_reader *r, void *p, size_t n);

/* ---- frames (child_frame.c): blocking on the child's side, by poll on the parent's ---- */

/* fd < 0: none. EPIPE and its like give false. */
bool ims__frame_send(int sock, const struct child_header *h, const void *body, int fd);
/* As much as is there of n bytes; -1 when the other side is gone, 0 when nothing is there now. The
 * descriptor that came along goes to *fd (close-on-exec), which must be -1 or NULL. */
ssize_t ims__frame_receive(int sock, void *p, size_t n, int *fd, bool may_block);

/* ---- shared memory (child_memory_*.c) ---- */

/* A descriptor of bytes zeroed bytes that has no name and cannot shrink where the system can keep
 * it from shrinking. -1 with errno. */
int ims__child_memory_new(size_t bytes);

struct child_region {
    uint8_t *data;
    size_t bytes;
};
bool ims__child_region_map(struct child_region *r, int fd, size_t bytes);
void ims__child_region_unmap(struct child_region *r);

/* ---- the parent's side of a process (child_process.c) ---- */

struct child {
    struct child *next;
    struct ims_device_id device;
    char name[IMS_DEVICE_NAME_BYTES];
    unsigned n_sessions;  /* guarded by the context's lock */
    struct ims_lock lock; /* one request at a time; guards everything below */
    bool has_lock;
    pid_t pid; /* 0 = none, or waited for */
    int sock;
    int stderr_fd;
    atomic_bool is_dead; /* read without the lock, too: one that is about to die may still be found */
    char cause[160]; /* why it is dead */
    struct child_region region;
    uint64_t sessions;                  /* numbers in use, a bit each */
    char line[IMS_LOG_RING_LINE_BYTES]; /* of its stderr, not complete yet */
    size_t line_len;
    struct ims_log_ring *log;
};

/* Starts this program again with CHILD_ARGUMENT. */
ims_status ims__child_start(struct child *c, ims_err *err) IMS_MUST_CHECK;
/* Lets it end in order, or ends it after a moment. */
void ims__child_stop(struct child *c);
/* Ends it at once; cause is kept unless it was dead already. */
void ims__child_kill(struct child *c, const char *cause);
/* Makes the region at least this large. A new one goes along with the next request. */
ims_status ims__child_need_region(struct child *c, size_t bytes, int *out_fd,
                                  ims_err *err) IMS_MUST_CHECK;
/* One request and its reply. fd: of ims__child_need_region, closed here; -1 = none. reply is
 * initialised by the caller and cleared here. A status other than IMS_OK means that the child is
 * dead now: IMS_E_TIMEOUT when it did not answer within timeout_ms (0 = no limit), else
 * IMS_E_DEVICE. What the child itself says of the request is in the reply. */
ims_status ims__child_ask(struct child *c, child_kind kind, const struct ims_buf *body, int fd,
                          unsigned timeout_ms, struct ims_buf *reply, ims_err *err) IMS_MUST_CHECK;

/* How this program is started again. */
const char *ims__child_executable(void); /* what to start */
const char *ims__child_program(void);    /* its name, as argv[0] */

#endif
