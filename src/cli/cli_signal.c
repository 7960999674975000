/* Interrupts: the first asks for an orderly end, the second ends at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t n_interrupts;

static void on_signal(int number)
{
    (void)number;
    if (++n_interrupts > 1)
        _exit(ims_status_exit(IMS_E_CANCELLED));
}

void cli_catch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_is_interrupted(void)
{
    return n_interrupts > 0;
}
