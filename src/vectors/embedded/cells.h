/* Cells: runs of rows that are like each other, in a segment whose rows were put in order of likeness.
 *
 * A row's code describes what is left of its residual r when the mean m of its cell is taken away,
 *
 *     <q,x> = a <c,x> + <q',m> + <q',r - m>
 *
 * with the first two terms known but for rounding. What is left is shorter than r, and the error of a code is proportional
 * to that: fewer rows have to be looked at again. And a cell whose mean is far below the best hits need not be read; for most
 * cells that is told by a code of the mean itself, made like a row's from m, at an eighth of the bytes.
 * The bytes of rows stay those of r.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_CELLS_H
#define IMS_VECTORS_EMBEDDED_CELLS_H

#include "vectors/embedded/segment.h"

#define IMS_CELL_ROWS 192 /* at most */

/* Room for the cells of a segment in memory that begin at n slots: ascending, the first 0, none at or beyond n_coded;
 * the last one ends at n_coded. false: memory is short. */
bool ims__cells_new(struct ims_segment *s, const uint32_t *starts, uint32_t n, uint32_t n_coded);
/* Codes the means of cells from .. until - 1 and their rows, from the rows' bytes, raising *out_spread. room: 2 * dim floats. */
void ims__cells_encode(struct ims_segment *s, uint32_t from, uint32_t until, float *room, float *out_spread);
/* Of each cell a score that its mean's does not exceed, but for the probability that goes with `deviations` of a code's error.
 * out: n_cells floats. */
void ims__cells_bound(const struct ims_segment *s, const struct ims_query_code *q, float deviations, float *out);
/* The cell of a coded row, which is one of low .. high - 1; 0 if there are none. */
uint32_t ims__cell_between(const struct ims_segment *s, uint32_t slot, uint32_t low, uint32_t high);
/* The same once its unit knows where it begins. */
uint32_t ims__cell_of(const struct ims_segment *s, uint32_t slot);
/* Whether cells that come from a file follow each other from slot 0 to n_coded, and units know their first ones. */
bool ims__cells_are_sound(const struct ims_segment *s, uint32_t n_coded);

#endif
