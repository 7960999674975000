/* Fuzz target: the files of an index folder with edits. Byte 0 says which file, byte 1 whether its checksums are
 * set right after the edits (bit 0: so that what they guard is reached) and whether it is cut (bit 1: to bytes 2
 * and 3, in 256ths of its length and bytes); then edits of three bytes: place (two), value.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "vectors/embedded/cells.h"
#include "vectors/embedded/index_dir.h"
#include "vectors/vectors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIM = 64, ROWS = 70, N_FILES = 3 };

static const char *const names[N_FILES] = { "manifest", "rows-1", "codes-1" };
static struct ims_buf files[N_FILES]; /* as they should be */
static char dir[64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_fine)
{
    if (!is_fine)
        abort();
}

static char *path_of(size_t file)
{
    static char path[N_FILES][128];

    snprintf(path[file], sizeof(path[file]), "%s/%s", dir, names[file]);
    return path[file];
}

static struct ims_segment *make_segment(const struct ims_rotation *r, struct ims_spreads *spreads)
{
    struct ims_segment *s = ims__segment_new(DIM, 1, ROWS);
    float row[DIM], room[2 * DIM];

    must(s != NULL);
    for (uint32_t slot = 0; slot < ROWS; slot++) {
        for (int i = 0; i < DIM; i++)
            row[i] = (float)(((int)slot * 31 + i * 17) % 101) - 50.0f;
        s->ids[slot] = (int64_t)(slot * 7 % ROWS);
        ims__segment_put_row(s, slot, row);
    }
    s->epoch = ims__epoch_new(r, row, 2);
    must(s->epoch && ims__segment_seal(s, ROWS));
    ims__segment_encode(s, r, 0, ROWS, room, spreads);
    must(ims__cells_new(s, (const uint32_t[]){ 0, 40, 41 }, 3, ROWS - ROWS % IMS_CODE_BLOCK));
    ims__segment_sum_up(s, 0, ROWS - ROWS % IMS_CODE_BLOCK, room);
    ims__cells_encode(s, 0, 3, room, &spreads->spread);
    return s;
}

/* One full segment of few rows, some of them dead. */
static void make_folder(void)
{
    struct ims_saved_segment saved = { .number = 1, .epoch_number = 2, .n_rows = ROWS, .n_dead = 1, .is_sealed = 1, .level = 1 };
    struct ims_index_manifest m = { .dim = DIM, .generation = 3, .seq = 9, .next_number = 4, .key = "fuzz",
                                    .n_segments = 1, .n_epochs = 1 };
    struct ims_rotation r;
    struct ims_segment *s;
    struct ims_dead *dead = ims__dead_copy(NULL);

    snprintf(dir, sizeof(dir), "/tmp/ims-fuzz-index-XXXXXX");
    must(mkdtemp(dir) && dead && ims__rotation_init(&r, DIM, 1));
    s = make_segment(&r, &saved.spreads);
    dead->bits[0] = 4;
    dead->n = 1;
    m.segments = &saved;
    m.dead = &dead;
    m.epochs = &s->epoch;
    must(ims__rows_append(dir, s, 0, ROWS, false, NULL) == IMS_OK &&
         ims__codes_write(dir, s, ROWS, false, NULL) == IMS_OK && ims__index_manifest_write(dir, &m, NULL) == IMS_OK);
    for (size_t i = 0; i < N_FILES; i++)
        must(ims__read_file(path_of(i), (size_t)1 << 24, &files[i], NULL, NULL) == IMS_OK);
    ims__segment_unref(s);
    ims__dead_unref(dead);
    ims__rotation_release(&r);
}

static void remove_folder(void)
{
    char path[128];

    for (size_t i = 0; i < N_FILES; i++)
        (void)unlink(path_of(i));
    snprintf(path, sizeof(path), "%s/lock", dir);
    (void)unlink(path);
    rmdir(dir);
    for (size_t i = 0; i < N_FILES; i++)
        ims__buf_release(&files[i]);
}

static void put_u32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, 4);
}

/* As the writer does. */
static void set_checksums(size_t which, uint8_t *p, size_t n)
{
    const struct ims_kernels *k = ims__kernels();
    uint64_t bytes = n;

    if (which == 0 && n > 24) {
        memcpy(p + 16, &bytes, 8);
        put_u32(p + 12, k->crc32c(0, p + 16, n - 16));
    } else if (which == 1 && n >= 24) {
        put_u32(p + 20, k->crc32c(0, p, 20));
    } else if (which == 2 && n >= 88) {
        put_u32(p + 84, k->crc32c(0, p, 84));
    }
}

static void search(struct ims_vectors *v)
{
    struct ims_vectors_hit hits[5];
    float query[DIM];
    struct ims_vectors_query q = { .vector = query, .k = 5 };
    size_t n;

    for (int i = 0; i < DIM; i++)
        query[i] = (float)(i % 7) - 2.5f;
    for (int exact = 0; exact < 2; exact++) {
        q.is_exact = exact;
        must(ims_vectors_search(v, &q, hits, &n, NULL, NULL) == IMS_OK);
    }
}

static void use_folder(void)
{
    static const struct ims_vectors_tuning tuning = { .bytes_rows = 1, .skip_rows = 64 };
    struct ims_vectors_options options = { .dim = DIM, .dir = dir, .key = "fuzz", .tuning = &tuning };
    struct ims_vectors *v = NULL;
    float row[DIM];
    int64_t id = 5;

    must(ims_vectors_open(&v, "embedded", &options, NULL) == IMS_OK); /* damage is never a failure */
    search(v);
    if (ims_vectors_verify(v, NULL) == IMS_OK)
        search(v);
    must(ims_vectors_get(v, id, row, NULL) <= IMS_OK);
    must(ims_vectors_remove(v, &id, 1, NULL) == IMS_OK);
    ims_vectors_close(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t which, n;
    uint8_t *copy;

    if (size < 4)
        return 0;
    make_folder();
    which = data[0] % N_FILES;
    n = files[which].len;
    copy = ims__memdup(files[which].data, n);
    must(copy != NULL);
    for (size_t i = 4; i + 3 <= size; i += 3) {
        size_t at = (size_t)data[i] << 8 | data[i + 1];

        copy[at % n] = data[i + 2];
    }
    if (data[1] & 2)
        n = n * data[2] / 256 + data[3] < n ? n * data[2] / 256 + data[3] : n;
    if (data[1] & 1)
        set_checksums(which, copy, n);
    must(ims__write_file(path_of(which), copy, n, NULL) == IMS_OK);
    ims__free(copy);
    use_folder();
    remove_folder();
    return 0;
}
