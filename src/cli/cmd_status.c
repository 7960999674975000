/* imgsearch status: counts of the library, and what failed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    { "failures", 'f', NULL, "List the files that failed, with the reason.", CLI_NO_CFG },
    { "limit", 'n', "N", "List at most N of them (default 1000).", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static void print_failure(void *arg, int64_t id, const char *path, const char *task, const char *reason,
                          const char *detail)
{
    (void)arg;
    (void)id;
    cli_print_path(path);
    printf("\n    %s%s: %s\n", strcmp(task, "faces") == 0 ? "faces: " : "", reason, detail ? detail : "");
}

static void add_failure(void *arg, int64_t id, const char *path, const char *task, const char *reason,
                        const char *detail)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "id", ims__json_new_int(id));
    (void)ims__json_set(o, "path", cli_path_json(path));
    (void)ims__json_set(o, "task", ims__json_new_str(task));
    (void)ims__json_set(o, "reason", ims__json_new_str(reason));
    (void)ims__json_set(o, "detail", ims__json_new_str(detail));
    (void)ims__json_add(arg, o);
}

static ims_json *status_json(const struct ims_library_status *s, const struct ims_device_used *used,
                             const ims_err *device_err)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "assets", ims__json_new_int(s->assets));
    (void)ims__json_set(o, "done", ims__json_new_int(s->done));
    (void)ims__json_set(o, "failed", ims__json_new_int(s->failed));
    (void)ims__json_set(o, "queued", ims__json_new_int(s->queued));
    (void)ims__json_set(o, "faces", ims__json_new_int(s->faces));
    (void)ims__json_set(o, "persons", ims__json_new_int(s->persons));
    (void)ims__json_set(o, "facesDone", ims__json_new_int(s->faces_done));
    (void)ims__json_set(o, "facesFailed", ims__json_new_int(s->faces_failed));
    (void)ims__json_set(o, "facesQueued", ims__json_new_int(s->faces_queued));
    (void)ims__json_set(o, "faceModel", ims__json_new_str(s->face_model));
    (void)ims__json_set(o, "deleted", ims__json_new_int(s->deleted));
    (void)ims__json_set(o, "contents", ims__json_new_int(s->contents));
    (void)ims__json_set(o, "vectors", ims__json_new_int(s->vectors));
    (void)ims__json_set(o, "model", ims__json_new_str(s->model));
    if (!s->model)
        (void)ims__json_set(o, "modelProblem", ims__json_new_str(s->model_problem));
    (void)ims__json_set(o, "device", ims__json_new_str(used->device[0] ? used->device : NULL));
    (void)ims__json_set(o, "provider", ims__json_new_str(used->provider[0] ? used->provider : NULL));
    (void)ims__json_set(o, "deviceReason",
                        ims__json_new_str(used->device[0] ? used->reason : device_err->text));
    (void)ims__json_set(o, "database", ims__json_new_str(s->database));
    (void)ims__json_set(o, "version", ims__json_new_str(IMS_VERSION));
    return o;
}

static void print_status(const struct ims_library_status *s, const struct ims_device_used *used,
                         const ims_err *device_err)
{
    printf("pictures   %lld: %lld done, %lld queued, %lld failed\n", (long long)s->assets, (long long)s->done,
           (long long)s->queued, (long long)s->failed);
    printf("contents   %lld different, %lld vectors\n", (long long)s->contents, (long long)s->vectors);
    if (s->face_model)
        printf("faces      %lld; %lld persons have a name; %lld pictures are to be looked at, %lld failed\n",
               (long long)s->faces, (long long)s->persons, (long long)s->faces_queued, (long long)s->faces_failed);
    if (s->deleted)
        printf("gone       %lld\n", (long long)s->deleted);
    printf("model      %s%s\n", s->model ? s->model : "none: ", s->model ? "" : s->model_problem);
    if (used->device[0])
        printf("device     %s (%s)\n           %s\n", used->device, used->provider, used->reason);
    else
        printf("device     none: %s\n", device_err->text);
    printf("database   %s (%s)\n", s->database, s->database_version);
}

static ims_status run_with(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_library_status s;
    struct ims_device_used used = { 0 };
    ims_err device_err = { 0 };
    int64_t limit;
    ims_json *o, *failures;
    ims_status st;

    st = cli_number(cli, "limit", 1, 10000000, 1000, &limit, err);
    if (!st)
        st = ims_engine_status(e, &s, err);
    if (st)
        return st;
    if (ims_engine_device_chosen(e, &used, &device_err)) /* its failure is part of the answer */
        used.device[0] = '\0';
    if (!cli->is_json) {
        print_status(&s, &used, &device_err);
        return cli_has(cli, "failures") ? ims_engine_failures(e, (size_t)limit, print_failure, NULL, err) : IMS_OK;
    }
    o = status_json(&s, &used, &device_err);
    if (cli_has(cli, "failures")) {
        failures = ims__json_new_array();
        st = ims_engine_failures(e, (size_t)limit, add_failure, failures, err);
        (void)ims__json_set(o, "failures", failures);
    }
    if (st) {
        ims__json_free(o);
        return st;
    }
    return cli_print_json(o, err);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_status st = cli_open_engine(cli, true, &e, err);

    if (!st)
        st = run_with(cli, e, err);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_status = {
    .name = "status",
    .summary = "Show how much is in the library, and what failed.",
    .words = "",
    .details = "Every picture is in one state for the model that serves: done, queued, or failed with a reason.",
    .examples = "imgsearch status\n"
                "imgsearch status --failures",
    .options = options,
    .run = run,
};
