/* Draws the vectors of the golden clusterings: the formula of make.py.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_CLUSTER_DRAW_H
#define IMS_TESTS_CLUSTER_DRAW_H

#include "people/cluster/graph.h"

#include <stdint.h>

struct draw {
    uint64_t seed;
    size_t n, dim;
    int groups; /* negative: each half as large as the one before */
    double spread;
    size_t strangers, copies;
    bool is_grid;
};

/* n unit vectors with ids 10, 20, ...; draw_free. */
struct ims_points draw_points(const struct draw *d);
void draw_free(struct ims_points *p);

#endif
