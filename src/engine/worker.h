/* Background workers: threads that take jobs from the library and do them.
 *
 * Each has its own handle on the library beside the host's and beats while it works. Ending them lets the job at
 * work stop at its next look; it goes back to the queue untouched and is taken up again by whoever comes next.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WORKER_H
#define IMS_ENGINE_WORKER_H

#include "ims/engine.h"

struct ims_worker;

/* Told once per job that ended badly; from the worker's thread. */
typedef void (*ims_worker_note_fn)(void *arg, int64_t job_id, const char *func, const ims_err *why);

/* index: tells workers of one process apart. host must outlive it. */
ims_status ims__worker_open(struct ims_worker **out, struct ims_engine *host, unsigned index, ims_worker_note_fn on_note,
                            void *arg, ims_err *err) IMS_MUST_CHECK;
void ims__worker_close(struct ims_worker *w);

#endif
