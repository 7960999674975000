/* The ten best of every query under every filter, found in full while the rows of a set are drawn: nothing of the
 * index takes part, and no row needs to stay.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BENCH_TRUTH_H
#define IMS_BENCH_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_K 10
#define TRUTH_FILTERS 8

struct truth;

/* Is the row of this id among the one in so many that a filter allows? 1: all are. */
bool truth_allows(unsigned one_in, size_t id);
/* queries: n_queries x dim, of unit length, borrowed; one_in: n_filters <= TRUTH_FILTERS filters. NULL: no memory. */
struct truth *truth_new(const float *queries, size_t n_queries, uint32_t dim, const unsigned *one_in, size_t n_filters);
void truth_free(struct truth *t);
/* Rows with the ids from .. from + n - 1, n x dim, of unit length. Uses two threads. */
void truth_pass(struct truth *t, const float *rows, size_t from, size_t n);
/* n_queries x TRUTH_K ids, best first; -1 where there are fewer. */
const int64_t *truth_of(const struct truth *t, size_t filter);
/* Keeps what was found, and takes it from there: false when the file is not there or of another size. */
bool truth_save(const struct truth *t, size_t filter, const char *path);
bool truth_load(struct truth *t, size_t filter, const char *path);

#endif
