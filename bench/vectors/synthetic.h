/* Drawn sets of vectors with the shapes that embeddings have, for tests and measurements.
 *
 *   c10  like CLIP's, steep: off-centre with two outlying dimensions, topic > event > burst > picture,
 *        energy of the i-th principal direction ~ 1 / i
 *   c06  the same, flat: ~ i^-0.6
 *   g    n / 100 round clusters, off-centre
 *   u    uniform on the sphere: the worst case
 *
 * Queries are held-out pictures, or texts: across the modality gap, meaning something of an event, something of its
 * topic and something else, and with energy in directions that no picture has. The same arguments draw the same rows on every machine, up to rounding.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BENCH_SYNTHETIC_H
#define IMS_BENCH_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct synthetic;

/* family: "c10", "c06", "g" or "u"; dim: any. NULL: no such family, or out of memory. */
struct synthetic *synthetic_new(const char *family, uint32_t dim, size_t n, uint64_t seed);
void synthetic_free(struct synthetic *s);
/* Rows from .. from + n - 1 in the order of taking, unit length. Any thread. */
void synthetic_rows(const struct synthetic *s, size_t from, size_t n, float *out);
void synthetic_query(const struct synthetic *s, bool is_text, uint64_t i, float *out);

#endif
