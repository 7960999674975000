/* imgsearch: parses the command line, runs the command, reports its error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "compute/compute.h"

#include <stdio.h>

static void print_error(const struct cli *cli, const ims_err *err)
{
    fflush(stdout);
    fprintf(stderr, "imgsearch: %s\n", err->text);
    if (ims__log_level() == IMS_LOG_DEBUG)
        fprintf(stderr, "  [%s, %s, code %d]\n", ims_status_name(err->status), err->origin, err->native);
    if (err->status == IMS_E_USAGE && cli->command)
        fprintf(stderr, "  imgsearch %s --help explains the command\n", cli->command->name);
}

int main(int argc, char **argv)
{
    struct cli cli = { 0 };
    ims_err err = { 0 };
    bool is_answered = false;
    ims_status st;
    int exit_code;

    if (ims_compute_child_main(argc, argv, NULL, &exit_code))
        return exit_code;
    cli_program = argv[0];
    st = cli_parse(&cli, argc, argv, &is_answered, &err);
    if (!st && !is_answered)
        st = cli_load_config(&cli, &err);
    if (!st && !is_answered)
        st = cli_finish_config(&cli, &err);
    if (!st && !is_answered)
        st = cli.command->run(&cli, &err);
    if (!st)
        st = cli_flush(&err);
    if (st)
        print_error(&cli, &err);
    cli_release(&cli);
    return ims_status_exit(st);
}
