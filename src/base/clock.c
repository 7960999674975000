/* Clocks and the one date format.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts;

    if (clock_gettime(id, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int64_t ims__now_us(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000);
}

uint64_t ims__mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t ims__thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t ims__process_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Both conversions count in eras of 400 years that begin on 1 March, so that the leap day is the last
 * day of a year; the era of 146,097 days makes every division exact. */
int64_t ims__days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = ((int64_t)month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void ims__format_utc(int64_t us, char *out, size_t size)
{
    int64_t seconds = us / 1000000, micros = us % 1000000, days, rest, year;
    int month, day, n;

    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    days = seconds / 86400;
    rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    if (size)
        out[0] = '\0';
    if (year < 0 || year > 9999)
        return;
    n = snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
                 (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (n < 0 || (size_t)n >= size)
        return;
    if (micros)
        snprintf(out + n, size - (size_t)n, ".%06dZ", (int)micros);
    else
        snprintf(out + n, size - (size_t)n, "Z");
}
