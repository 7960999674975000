/* Clusters of rows by recursive k-means: which rows are like each other.
 *
 * All rows are split into up to 16 branches (k-means of a sample, by the bytes of their residuals), each of those again,
 * until a cluster fits a cell. A row on the border of two branches may then have come into the wrong one, far from the rows it is
 * like; so every row goes down the finished tree again, along the BEAM nearest branches of each level, to the
 * nearest cluster at the end of them. That step decides how much a query can skip, and whether what it skips holds hits:
 * docs/notes/vectors.md has the figures. Clusters that have grown too large by it are split, means follow their rows, and rows settle
 * once more.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_ORDER_TREE_H
#define IMS_VECTORS_EMBEDDED_ORDER_TREE_H

#include "vectors/embedded/snapshot.h"

/* Brings rows (IMS_AT places of coded rows in `of`, n of them) into the order of their clusters. *out_starts: where the clusters begin,
 * ascending, *out_n of them, none of more than IMS_CELL_ROWS rows; to be freed with ims__free. The same rows in the
 * same order give the same clusters. Two threads. false: memory is short, and nothing was changed but the order. */
bool ims__cluster_rows(const struct ims_snapshot *of, uint32_t dim, uint32_t *rows, size_t n, uint32_t **out_starts,
                       size_t *out_n);

#endif
