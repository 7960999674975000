/* A hash table from ids to row numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/id_map.h"

#include "base/hash.h"
#include "base/mem.h"

#define MIN_CAP 64

struct ims_id_slot {
    int64_t id;
    size_t row;
};

static size_t home_of(const struct ims_id_map *m, int64_t id)
{
    return (size_t)ims__hash64(&id, sizeof(id)) & (m->cap - 1);
}

/* The slot that holds id, or the free one where it would go. */
static size_t find_slot(const struct ims_id_map *m, int64_t id)
{
    size_t i = home_of(m, id);

    while (m->slots[i].row != IMS_NO_ROW && m->slots[i].id != id)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void ims__id_map_release(struct ims_id_map *m)
{
    ims__free(m->slots);
    *m = (struct ims_id_map){ 0 };
}

bool ims__id_map_reserve(struct ims_id_map *m, size_t n)
{
    struct ims_id_map bigger = { .cap = m->cap ? m->cap : MIN_CAP };

    if (m->cap && n <= m->cap / 2)
        return true;
    if (n > SIZE_MAX / 4)
        return false;
    while (bigger.cap / 2 < n)
        bigger.cap *= 2;
    bigger.slots = ims__alloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < bigger.cap; i++)
        bigger.slots[i] = (struct ims_id_slot){ .row = IMS_NO_ROW };
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].row != IMS_NO_ROW)
            ims__id_map_put(&bigger, m->slots[i].id, m->slots[i].row);
    }
    ims__id_map_release(m);
    *m = bigger;
    return true;
}

void ims__id_map_clear(struct ims_id_map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        m->slots[i].row = IMS_NO_ROW;
    m->n = 0;
}

size_t ims__id_map_get(const struct ims_id_map *m, int64_t id)
{
    return m->cap ? m->slots[find_slot(m, id)].row : IMS_NO_ROW;
}

void ims__id_map_put(struct ims_id_map *m, int64_t id, size_t row)
{
    size_t i = find_slot(m, id);

    if (m->slots[i].row == IMS_NO_ROW)
        m->n++;
    m->slots[i] = (struct ims_id_slot){ .id = id, .row = row };
}

void ims__id_map_remove(struct ims_id_map *m, int64_t id)
{
    size_t hole, i;

    if (!m->cap)
        return;
    hole = find_slot(m, id);
    if (m->slots[hole].row == IMS_NO_ROW)
        return;
    m->n--;
    for (i = (hole + 1) & (m->cap - 1); m->slots[i].row != IMS_NO_ROW; i = (i + 1) & (m->cap - 1)) {
        size_t home = home_of(m, m->slots[i].id);

        /* A member may move into the hole unless its home lies behind the hole on the way to it. */
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].row = IMS_NO_ROW;
}
