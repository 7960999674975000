/* A hash table from 64-bit ids to row numbers, for the embedded vector index.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_ID_MAP_H
#define IMS_VECTORS_EMBEDDED_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Open addressing with linear probing; a slot whose row is IMS_NO_ROW is free. Removal moves later
 * members of the run back, so there are no tombstones. One thread at a time; reads may be shared. */
#define IMS_NO_ROW SIZE_MAX

struct ims_id_map {
    struct ims_id_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t n;
};

void ims__id_map_release(struct ims_id_map *m);
/* Makes room for n members in all; false when memory is short (the map is unchanged). */
bool ims__id_map_reserve(struct ims_id_map *m, size_t n);
void ims__id_map_clear(struct ims_id_map *m); /* keeps the room */
size_t ims__id_map_get(const struct ims_id_map *m, int64_t id);
/* There must be room (reserve). An id that is there gets the new row. */
void ims__id_map_put(struct ims_id_map *m, int64_t id, size_t row);
void ims__id_map_remove(struct ims_id_map *m, int64_t id);

#endif
