/* The folder of the embedded index: coming back, growing, damage of every kind, being killed, two writers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "synthetic.h"
#include "vectors/vectors.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 64, SEGMENT = 65536 };

static struct synthetic *the_set(void)
{
    static struct synthetic *set;

    if (!set)
        set = synthetic_new("c06", DIM, 200000, 3);
    return set;
}

/* So many rows in full segments are put in order of likeness. */
static struct ims_vectors_tuning tuning = { .skip_rows = SIZE_MAX };

static ims_status open_in(struct ims_vectors **out, const char *dir, const char *key, ims_err *err)
{
    struct ims_vectors_options options = { .dim = DIM, .n_threads = 2, .dir = dir, .key = key, .tuning = &tuning };

    return ims_vectors_open(out, "embedded", &options, err);
}

static bool add_rows(struct ims_vectors *v, size_t from, size_t n, int64_t first_id)
{
    float *rows = malloc(n * DIM * sizeof(*rows));
    int64_t *ids = malloc(n * sizeof(*ids));
    ims_err err;
    bool is_fine;

    synthetic_rows(the_set(), from, n, rows);
    for (size_t i = 0; i < n; i++)
        ids[i] = first_id + (int64_t)i;
    is_fine = ims_vectors_add(v, ids, rows, n, &err) == IMS_OK;
    free(rows);
    free(ids);
    return is_fine;
}

static bool remove_rows(struct ims_vectors *v, int64_t from, int64_t until, int64_t step)
{
    bool is_fine = true;
    ims_err err;

    for (int64_t id = from; is_fine && id < until; id += step)
        is_fine = ims_vectors_remove(v, &id, 1, &err) == IMS_OK;
    return is_fine;
}

static bool is_same(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].id != b[i].id || a[i].score < b[i].score || a[i].score > b[i].score)
            return false;
    }
    return true;
}

/* Two indexes answer alike. */
static bool are_alike(struct ims_vectors *a, struct ims_vectors *b)
{
    struct ims_vectors_hit x[30], y[30];
    float query[DIM];
    ims_err err;

    if (ims_vectors_count(a) != ims_vectors_count(b))
        return false;
    for (uint64_t i = 0; i < 12; i++) {
        struct ims_vectors_query q = { .vector = query, .k = 30, .is_exact = i % 3 == 0 };
        size_t n = 0, m = 0;

        synthetic_query(the_set(), i % 2, i, query);
        if (ims_vectors_search(a, &q, x, &n, NULL, &err) || ims_vectors_search(b, &q, y, &m, NULL, &err))
            return false;
        if (n != m || !is_same(x, y, n))
            return false;
    }
    return true;
}

TEST(restarts, "an index comes back as it was left, with its dead rows, its epochs and its place")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *kept = NULL, *v = NULL;
    struct ims_vectors_info info;
    ims_err err;

    CHECK_OK(open_in(&kept, NULL, NULL, &err), err);
    for (size_t step = 0; step < 9; step++) { /* sizes that end within blocks, and cross segments */
        static const size_t sizes[] = { 1, 30, 4000, 5000, 60000, 7, 70000, 20000, 33 };
        size_t from = step * 10000;
        int64_t first_id = (int64_t)(step * 60000);

        CHECK_OK(open_in(&v, dir, "library model", &err), err);
        CHECK_INT(ims_vectors_seq(v), (int64_t)step);
        CHECK(are_alike(v, kept));
        CHECK(add_rows(v, from, sizes[step], first_id) && add_rows(kept, from, sizes[step], first_id));
        CHECK(remove_rows(v, first_id - 300, first_id + 900, 7) && remove_rows(kept, first_id - 300, first_id + 900, 7));
        CHECK_OK(ims_vectors_save(v, (int64_t)step + 1, &err), err);
        CHECK(are_alike(v, kept));
        CHECK_OK(ims_vectors_verify(v, &err), err);
        ims_vectors_close(v);
    }
    CHECK_OK(open_in(&v, dir, "library model", &err), err);
    ims_vectors_info(v, &info);
    CHECK_STR(info.note, "");
    CHECK(info.n_mapped >= 2 && info.is_writer && info.disk_bytes > info.row_bytes);
    CHECK_INT(info.n_rows, ims_vectors_count(kept));
    ims_vectors_close(v);
    CHECK_OK(open_in(&v, dir, "another library", &err), err); /* is not taken for one's own */
    CHECK_INT(ims_vectors_count(v), 0);
    CHECK_INT(ims_vectors_seq(v), 0);
    ims_vectors_close(v);
    ims_vectors_close(kept);
}

TEST(not_saved, "what was not saved is not there, and what was is not harmed by it")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *v = NULL, *again = NULL;
    ims_err err;

    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK(add_rows(v, 0, 6000, 0));
    CHECK_OK(ims_vectors_save(v, 5, &err), err);
    CHECK(add_rows(v, 6000, 100, 0));
    ims_vectors_close(v);
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_INT(ims_vectors_count(v), 6000);
    CHECK_INT(ims_vectors_seq(v), 5);
    /* a second handle reads, and keeps what it adds to itself */
    CHECK_OK(open_in(&again, dir, "k", &err), err);
    CHECK(add_rows(again, 9000, 50, 70000));
    CHECK_OK(ims_vectors_save(again, 9, &err), err);
    CHECK_INT(ims_vectors_count(again), 6050);
    ims_vectors_close(again);
    CHECK_OK(ims_vectors_save(v, 6, &err), err);
    ims_vectors_close(v);
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_INT(ims_vectors_count(v), 6000);
    CHECK_INT(ims_vectors_seq(v), 6);
    ims_vectors_close(v);
}

TEST(tidy, "segments of which much is dead are written anew, and files that nothing needs go")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *v = NULL, *kept = NULL;
    struct ims_vectors_info before, after;
    ims_err err;

    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_OK(open_in(&kept, NULL, NULL, &err), err);
    CHECK(add_rows(v, 0, 2 * SEGMENT + 500, 0) && add_rows(kept, 0, 2 * SEGMENT + 500, 0));
    CHECK_OK(ims_vectors_save(v, 1, &err), err);
    ims_vectors_info(v, &before);
    CHECK(remove_rows(v, 0, SEGMENT, 2) && remove_rows(kept, 0, SEGMENT, 2));
    CHECK_OK(ims_vectors_save(v, 2, &err), err);
    ims_vectors_info(v, &after);
    CHECK_INT(after.n_dead, 0);
    CHECK(after.disk_bytes < before.disk_bytes * 8 / 10);
    CHECK(are_alike(v, kept));
    ims_vectors_close(v);
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK(are_alike(v, kept));
    CHECK(remove_rows(v, SEGMENT, 2 * SEGMENT, 1)); /* a whole one */
    CHECK_OK(ims_vectors_save(v, 3, &err), err);
    ims_vectors_info(v, &after);
    CHECK_INT(after.n_segments, 2);
    CHECK_OK(ims_vectors_clear(v, &err), err);
    CHECK_INT(ims_vectors_count(v), 0);
    CHECK_INT(ims_vectors_seq(v), 0);
    CHECK(add_rows(v, 0, 100, 0));
    CHECK_OK(ims_vectors_save(v, 4, &err), err);
    ims_vectors_close(v);
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_INT(ims_vectors_count(v), 100);
    ims_vectors_close(v);
    ims_vectors_close(kept);
}

TEST(new_numbers, "an index made anew leaves alone what somebody still reads of the former one")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *reader = NULL, *v = NULL;
    float row[DIM], want[DIM];
    char manifest[600];
    ims_err err;

    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK(add_rows(v, 0, SEGMENT + 10, 0));
    CHECK_OK(ims_vectors_save(v, 1, &err), err);
    ims_vectors_close(v);
    CHECK_OK(open_in(&reader, dir, "k", &err), err); /* has the lock, */
    CHECK_OK(open_in(&v, dir, "k", &err), err);      /* so this one reads */
    ims_vectors_close(reader);
    reader = v;
    snprintf(manifest, sizeof(manifest), "%s/manifest", dir);
    CHECK(unlink(manifest) == 0);
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK(add_rows(v, 70000, 500, 0));
    CHECK_OK(ims_vectors_save(v, 2, &err), err);
    synthetic_rows(the_set(), 77, 1, want);
    CHECK_OK(ims_vectors_get(reader, 77, row, &err), err);
    for (int d = 0; d < DIM; d++)
        CHECK_NEAR((double)row[d], (double)want[d], 1e-6);
    CHECK_OK(ims_vectors_verify(reader, &err), err);
    ims_vectors_close(reader);
    ims_vectors_close(v);
}

/* ---- damage ---- */

static char *path_in(const char *dir, const char *name)
{
    static char path[4][600];
    static unsigned at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof(path[at]), "%s/%s", dir, name);
    return path[at];
}

static void write_file(const char *path, const char *data, size_t n)
{
    FILE *f = fopen(path, "wb");

    fwrite(data, 1, n, f);
    fclose(f);
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    int c;

    fseek(f, at, SEEK_SET);
    c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 0x10, f);
    fclose(f);
}

static long size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? -1 : (long)st.st_size;
}

/* Opened with a damaged file it either answers as before, or is empty and says so; or verifying finds it. */
static void check_damaged(const char *dir, struct ims_vectors *kept, const char *what, long at)
{
    struct ims_vectors *v = NULL;
    struct ims_vectors_info info;
    bool is_sound;
    ims_err err;

    CHECK_OK(open_in(&v, dir, "k", &err), err);
    ims_vectors_info(v, &info);
    is_sound = ims_vectors_verify(v, &err) == IMS_OK;
    if (info.n_rows == 0) /* nothing is said of a manifest that is not there: so it is before the first save */
        CHECK_SOFT((info.note[0] || at < 0) && ims_vectors_seq(v) == 0);
    else if (is_sound && !are_alike(v, kept))
        test_fail(__FILE__, __LINE__, "%s at %ld: other answers and no word of it (%s)", what, at, info.note);
    ims_vectors_close(v);
}

static void check_damages(const char *dir, const char *const names[4])
{
    struct ims_vectors *kept = NULL;
    uint64_t state = 11;
    ims_err err;

    CHECK_OK(open_in(&kept, dir, "k", &err), err);
    CHECK(add_rows(kept, 0, SEGMENT + 600, 0));
    CHECK(remove_rows(kept, 0, 3000, 3));
    CHECK_OK(ims_vectors_save(kept, 1, &err), err);
    for (size_t i = 0; i < 4; i++) {
        char *path = path_in(dir, names[i]), *copy;
        size_t n;

        CHECK(size_of(path) > 0);
        copy = test_read_file(path, &n);
        for (int round = 0; round < 9 && !test_has_failed(); round++) {
            size_t at = round < 3 ? (size_t)round * 7 : (size_t)(test_random(&state) % n);

            if (round % 3 == 2) { /* a shorter file in place of the mapped one */
                unlink(path);
                write_file(path, copy, at);
            } else {
                flip(path, (long)at);
            }
            check_damaged(dir, kept, names[i], (long)at);
            unlink(path);
            write_file(path, copy, n);
        }
        unlink(path);
        check_damaged(dir, kept, names[i], -1);
        write_file(path, copy, n);
        free(copy);
    }
    check_damaged(dir, kept, "nothing", 0);
    ims_vectors_close(kept);
}

/* 2 is the centre's number. */
TEST(damage, "a file cut or changed at any place never changes an answer unnoticed")
{
    check_damages(test_tmp_dir(), (const char *const[]){ "manifest", "codes-1", "rows-1", "rows-3" });
}

TEST(damage_in_order, "nor does one of a segment in order of likeness")
{
    tuning.skip_rows = SEGMENT;
    check_damages(test_tmp_dir(), (const char *const[]){ "manifest", "codes-4", "rows-4", "rows-3" });
    tuning.skip_rows = SIZE_MAX;
}

static void check_healing(const char *dir, const char *codes, size_t n_ordered)
{
    struct ims_vectors *v = NULL, *kept = NULL;
    struct ims_vectors_info info;
    ims_err err;

    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_OK(open_in(&kept, NULL, NULL, &err), err);
    CHECK(add_rows(v, 0, SEGMENT + 9, 0) && add_rows(kept, 0, SEGMENT + 9, 0));
    CHECK_OK(ims_vectors_save(v, 1, &err), err);
    ims_vectors_close(v);
    flip(path_in(dir, codes), 4096 + 77);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(open_in(&v, dir, "k", &err), err);
        ims_vectors_info(v, &info);
        CHECK((strstr(info.note, "made again from rows") != NULL) == (round == 0));
        CHECK_INT(info.n_mapped, round);
        CHECK_INT(info.n_ordered, round * n_ordered);
        CHECK(are_alike(v, kept));
        CHECK_OK(ims_vectors_save(v, 1, &err), err);
        ims_vectors_close(v);
    }
    ims_vectors_close(kept);
}

TEST(healing, "codes that lie are made again from rows and written at the next save")
{
    check_healing(test_tmp_dir(), "codes-1", 0);
}

TEST(healing_in_order, "those of rows in order of likeness too, which then are put in order again")
{
    tuning.skip_rows = SEGMENT;
    check_healing(test_tmp_dir(), "codes-4", 1);
    tuning.skip_rows = SIZE_MAX;
}

/* ---- in order of likeness ---- */

/* The first full segment and the centre have the numbers 1 and 2, so what takes the segment's place has 3. */
static void check_second_order(const char *dir, size_t order_from, bool is_moved_again)
{
    struct ims_vectors *v = NULL, *kept = NULL;
    struct ims_vectors_info info;
    ims_err err;

    tuning.skip_rows = order_from;
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    tuning.skip_rows = SIZE_MAX;
    CHECK_OK(open_in(&kept, NULL, NULL, &err), err);
    for (int64_t round = 0; round < 2; round++) {
        CHECK(add_rows(v, (size_t)round * SEGMENT, SEGMENT, round * SEGMENT) &&
              add_rows(kept, (size_t)round * SEGMENT, SEGMENT, round * SEGMENT));
        CHECK_OK(ims_vectors_save(v, round, &err), err);
        ims_vectors_info(v, &info);
        CHECK_INT(info.n_ordered, (size_t)round + 1);
        CHECK_INT(size_of(path_in(dir, "codes-3")) > 0, round == 0 || !is_moved_again);
        CHECK(are_alike(v, kept));
    }
    ims_vectors_close(v);
    ims_vectors_close(kept);
}

TEST(levels, "rows are put in order together with others once these have become eight times as many, and let be before")
{
    char dirs[2][600];

    snprintf(dirs[0], sizeof(dirs[0]), "%s/again", test_tmp_dir());
    snprintf(dirs[1], sizeof(dirs[1]), "%s/once", test_tmp_dir());
    check_second_order(dirs[0], SEGMENT / 4, true);
    check_second_order(dirs[1], SEGMENT, false);
}

TEST(tidy_in_order, "what lives of rows in order of likeness stays in order")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *v = NULL, *kept = NULL;
    struct ims_vectors_info info;
    ims_err err;

    tuning.skip_rows = SEGMENT;
    CHECK_OK(open_in(&v, dir, "k", &err), err);
    CHECK_OK(open_in(&kept, NULL, NULL, &err), err);
    CHECK(add_rows(v, 0, SEGMENT + 40, 0) && add_rows(kept, 0, SEGMENT + 40, 0));
    CHECK_OK(ims_vectors_save(v, 1, &err), err);
    CHECK(remove_rows(v, 0, SEGMENT, 3) && remove_rows(kept, 0, SEGMENT, 3)); /* of events of a hundred rows each */
    CHECK(remove_rows(v, 0, SEGMENT / 8, 1) && remove_rows(kept, 0, SEGMENT / 8, 1)); /* and some events whole */
    for (int round = 0; round < 2; round++) {
        CHECK_OK(ims_vectors_save(v, 2, &err), err);
        ims_vectors_info(v, &info);
        CHECK_INT(info.n_dead, 0);
        CHECK_INT(info.n_ordered, 1);
        CHECK_OK(ims_vectors_verify(v, &err), err);
        CHECK(are_alike(v, kept));
        ims_vectors_close(v);
        CHECK_OK(open_in(&v, dir, "k", &err), err);
    }
    tuning.skip_rows = SIZE_MAX;
    ims_vectors_close(v);
    ims_vectors_close(kept);
}

/* ---- killed ---- */

/* Row i has id i; a save says how many there are. Whatever moment it dies at, what it left must be so. */
static void fill_until_killed(const char *dir, int tell)
{
    struct ims_vectors *v = NULL;
    ims_err err;

    tuning.skip_rows = SEGMENT;
    if (open_in(&v, dir, "k", &err))
        _exit(1);
    for (;;) {
        size_t n = ims_vectors_count(v), more = 700 + n % 1300;

        if (n + more > 190000 || write(tell, "", 1) != 1 || !add_rows(v, n, more, (int64_t)n) ||
            write(tell, "", 1) != 1 || ims_vectors_save(v, (int64_t)(n + more), &err))
            _exit(2);
    }
}

TEST(killed, "killed at any moment, the folder holds what the last save said")
{
    const char *dir = test_tmp_dir();
    int64_t last = 0;
    uint64_t state = 5;
    ims_err err;

    (void)the_set();
    for (int round = 0; round < 15; round++) {
        struct ims_vectors *v = NULL;
        struct ims_vectors_info info;
        volatile uint64_t n_turns = test_random(&state) % 3000000;
        int told[2], n_steps = 1 + (int)(test_random(&state) % 8);
        pid_t child;
        int64_t seq;
        char byte;

        CHECK(pipe(told) == 0);
        child = fork();
        if (child == 0)
            fill_until_killed(dir, told[1]);
        close(told[1]);
        for (int i = 0; i < n_steps; i++)
            CHECK(read(told[0], &byte, 1) == 1);
        while (n_turns)
            n_turns--; /* somewhere within a step */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(told[0]);
        CHECK_OK(open_in(&v, dir, "k", &err), err);
        ims_vectors_info(v, &info);
        seq = ims_vectors_seq(v);
        CHECK_STR(info.note, "");
        CHECK(seq >= last);
        CHECK_INT(ims_vectors_count(v), seq);
        CHECK_OK(ims_vectors_verify(v, &err), err);
        for (int i = 0; seq && i < 20; i++) {
            int64_t id = (int64_t)(test_random(&state) % (uint64_t)seq);
            float row[DIM], want[DIM];

            synthetic_rows(the_set(), (size_t)id, 1, want);
            CHECK_OK(ims_vectors_get(v, id, row, &err), err);
            for (int d = 0; d < DIM; d++)
                CHECK_NEAR((double)row[d], (double)want[d], 1e-6);
        }
        last = seq;
        ims_vectors_close(v);
    }
    CHECK(last > 0);
}

TEST_MAIN
