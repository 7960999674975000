/* The job "ingest": indexes a folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/work.h"

#include <stdio.h>

bool ims__task_on_index(void *arg, const struct ims_index_progress *p)
{
    struct ims_task *t = arg;
    char text[400];

    if (p->done)
        ims__task_gets_on(t);
    snprintf(text, sizeof(text),
             "{\"phase\":\"%s\",\"current\":%llu,\"total\":%llu,\"failed\":%llu,\"rate\":%.3f,\"etaSeconds\":%.0f,"
             "\"message\":\"%llu of %llu pictures\"}",
             p->is_walking ? "discovering" : "running", (unsigned long long)p->done, (unsigned long long)p->total,
             (unsigned long long)p->failed, p->rate, p->eta_s < 0 ? -1 : p->eta_s, (unsigned long long)p->done,
             (unsigned long long)p->total);
    return ims__task_beat(t, text);
}

ims_status ims__work_ingest(struct ims_task *t, ims_err *err)
{
    const char *dir = ims__json_str(ims__json_get(t->args, "path"), NULL);
    struct ims_index_options o = { .dirs = &dir, .n_dirs = 1, .on_progress = ims__task_on_index, .arg = t };
    struct ims_index_summary s;
    ims_status st;

    if (!dir)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "the job names no path");
    st = ims_engine_index(t->engine, &o, &s, err);
    if (st)
        return st;
    if (s.is_cancelled)
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped after %llu pictures", (unsigned long long)s.processed);
    t->result = ims__strfmt("{\"processed\":%llu,\"errors\":%llu,\"unchanged\":%llu,\"elapsedSeconds\":%.3f}",
                            (unsigned long long)s.processed, (unsigned long long)s.errors,
                            (unsigned long long)s.unchanged, s.elapsed_s);
    return IMS_OK;
}
