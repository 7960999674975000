/* imgsearch worker: does background jobs of a library that a server, or another machine, has queued.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "engine/worker.h"

#include <stdio.h>
#include <unistd.h>

#define STOP_LOOK_US 100000

static const struct cli_option options[] = {
    { "device", 0, "NAME", "Do its work on this device only: cpu, cuda:1, webgpu ...", IMS_CFG_DEVICE },
    { "model", 'm', "NAME", "Index with this installed model.", IMS_CFG_MODEL },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static void on_note(void *arg, int64_t job_id, const char *func, const ims_err *why)
{
    (void)arg;
    ims__log_err(IMS_LOG_WARN, why, "job %lld (%s)", (long long)job_id, func);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_worker *w = NULL;
    ims_status st;

    cli_catch_signals();
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = cli_settle_device(e, err);
    if (!st)
        st = ims__worker_open(&w, e, 0, on_note, NULL, err);
    if (!st) {
        printf("imgsearch worker waits for jobs\n");
        fflush(stdout);
        while (!cli_is_interrupted())
            usleep(STOP_LOOK_US);
    }
    ims__worker_close(w);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_worker = {
    .name = "worker",
    .summary = "Do background jobs, on a device of its own.",
    .words = "",
    .details = "Takes jobs that `imgsearch serve` queues, one at a time, until SIGTERM or Ctrl-C; a job at work then goes\n"
               "back to the queue and is taken up where it was. Several workers may run, each on its own device, on any\n"
               "machine that reaches the database (PostgreSQL) and sees the pictures under the same paths.\n"
               "`imgsearch serve --no-worker` leaves all jobs to them.",
    .examples = "imgsearch worker --device cuda:1  on the second GPU\n"
                "DATABASE_URL=postgresql://nas/photos imgsearch worker  for a library on another machine",
    .options = options,
    .run = run,
};
