/* A strict reader of the text form of metrics (Prometheus 0.0.4), for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HTTP_EXPOSITION_H
#define IMS_TESTS_HTTP_EXPOSITION_H

#include <stdbool.h>

/* Fails the test at the first line that breaks a rule: names and labels by their grammar, a HELP and a TYPE before the
 * samples of a family, which stand together, no sample twice, counters that end in _total and are not negative,
 * histograms whose buckets grow up to +Inf, which equals the count. Returns the number of samples. */
int exposition_check(const char *text);
/* The same without failing: *out_wrong is NULL or what is wrong at *out_line. */
int exposition_read(const char *text, const char **out_wrong, const char **out_line);

/* The value of the sample that is written like this ("name" or "name{a=\"b\"}"); -1 when it is not there. */
double exposition_value(const char *text, const char *sample);

#endif
