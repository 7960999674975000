/* What this process takes, from the Mach kernel.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <libproc.h>
#include <mach/mach.h>
#include <pthread.h>
#include <unistd.h>

uint64_t ims__resident_bytes(void)
{
    struct mach_task_basic_info info;
    mach_msg_type_number_t n = MACH_TASK_BASIC_INFO_COUNT;

    return task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &n) == KERN_SUCCESS ? info.resident_size
                                                                                                     : 0;
}

unsigned ims__open_files(void)
{
    int n = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, NULL, 0);

    return n > 0 ? (unsigned)n / PROC_PIDLISTFD_SIZE : 0;
}

void ims__yield_to_others(void)
{
    (void)pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
}

void ims__limit_arenas(unsigned n)
{
    (void)n;
}

void ims__keep_memory(size_t bytes)
{
    (void)bytes;
}

void ims__return_memory(void)
{
}
