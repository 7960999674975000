/* Time. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_CLOCK_H
#define IMS_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970-01-01 UTC: what the database stores. */
int64_t ims__now_us(void);
/* Nanoseconds of a clock that never goes back; for durations. */
uint64_t ims__mono_ns(void);
/* CPU time used by the calling thread / by the whole process, nanoseconds. */
uint64_t ims__thread_cpu_ns(void);
uint64_t ims__process_cpu_ns(void);

/* "2026-01-02T03:04:05Z", six fractional digits when the microseconds are not zero.
 * size >= 32. Years 0000..9999; outside it writes "". */
void ims__format_utc(int64_t us, char *out, size_t size);
/* Days since 1970-01-01 of a proleptic Gregorian date; no checks. */
int64_t ims__days_from_civil(int64_t year, unsigned month, unsigned day);

#endif
