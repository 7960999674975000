/* What this process takes. Thread-safe. 0 where the system does not say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_PROCESS_H
#define IMS_BASE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

uint64_t ims__resident_bytes(void); /* memory in use now, shared pages included */
unsigned ims__open_files(void);

/* The calling thread, and every thread it starts from now on, gives way to the others of this machine where all cores
 * are wanted. There is no way back. Where the system has no such thing nothing happens. */
void ims__yield_to_others(void);

/* Threads share at most n pools of small memory from now on, where the system's allocator has such a limit (glibc: eight a
 * core otherwise, each of which keeps what its threads once needed). Before threads are started; no effect elsewhere. */
void ims__limit_arenas(unsigned n);

/* Up to so many bytes at the end of the heap (INT_MAX at most) stay with this process when they are freed, for the next
 * allocations, instead of going back to the system and being faulted in again. Where the allocator is glibc's, which otherwise
 * keeps twice the largest block that was freed, 64 MiB at most; blocks above 32 MiB may go back all the same. Before threads are
 * started; no effect elsewhere. */
void ims__keep_memory(size_t bytes);

/* Gives freed memory back now, kept or not: for when something large has gone for good. No effect elsewhere. */
void ims__return_memory(void);

#endif
