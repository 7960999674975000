/* Interrupts: the first asks for an orderly end, the second ends at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Any thread may run the handler while the main one looks: so atomic, and lock-free as handlers need it. */
static _Atomic int n_interrupts;
static_assert(ATOMIC_INT_LOCK_FREE == 2, "signal handlers need lock-free atomics");

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
    action.sa_flags = SA_RESTART; /* nothing waits in a call that must be broken off: the flag is looked at */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_is_interrupted(void)
{
    return n_interrupts > 0;
}
