/* The vector index's folder through the program: it is only a convenience, whatever happens to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct library *demo(void)
{
    static struct library l;
    char words[1200];

    if (l.data[0])
        return &l;
    library_init(&l);
    snprintf(words, sizeof(words), "index\n--quiet\n%s", test_source_path("demo"));
    library_run(&l, 0, words);
    return &l;
}

/* Ids and scores of an answer, as one text. */
static char *ask(const char *words, char *out, size_t size)
{
    ims_json *v = library_run(demo(), 0, words);
    const ims_json *results = ims__json_get(v, "results");
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ims__json_len(results) && n < size; i++) {
        const ims_json *hit = ims__json_at(results, i);

        n += (size_t)snprintf(out + n, size - n, "%lld:%.6f ",
                              (long long)ims__json_int(ims__json_get(ims__json_get(hit, "asset"), "id"), -1),
                              ims__json_num(ims__json_get(hit, "score"), -9));
    }
    ims__json_free(v);
    return out;
}

static long long info(const char *key)
{
    ims_json *v = library_run(demo(), 0, "index-info\n--json");
    long long n = ims__json_int(ims__json_get(v, key), -1);

    ims__json_free(v);
    return n;
}

static const char *file_of_index(const char *name)
{
    static char path[4][900];
    static unsigned at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof(path[at]), "%s/index/1/%s", demo()->data, name);
    return path[at];
}

static void damage(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    int c;

    CHECK(f != NULL);
    fseek(f, at, SEEK_SET);
    c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 4, f);
    fclose(f);
}

#define WORDS "search\na red car\n--json\n-n\n25"

TEST(folder, "an index that is deleted, damaged or of another library gives the same answers as one that is not")
{
    static char first[2000], again[2000];
    long long n = info("vectors");

    ask(WORDS, first, sizeof(first));
    CHECK(strlen(first) > 100 && n > 100);
    CHECK(access(file_of_index("manifest"), R_OK) == 0);
    CHECK_STR(ask(WORDS "\n--exact", again, sizeof(again)), first);

    CHECK(unlink(file_of_index("manifest")) == 0);
    CHECK_STR(ask(WORDS, again, sizeof(again)), first);
    CHECK(access(file_of_index("manifest"), R_OK) == 0); /* made again on the way */

    damage(file_of_index("manifest"), 40);
    CHECK_STR(ask(WORDS, again, sizeof(again)), first);
    CHECK_INT(info("vectors"), n);
    CHECK(info("orderedSegments") == 0 && info("readWholeSegments") == 0); /* so few rows are read as they lie */
}

TEST(rows, "a row that was changed on disk is noticed and read from the library again")
{
    static char first[2000], again[2000];
    char name[32] = "";

    ask(WORDS, first, sizeof(first));
    for (int i = 1; i < 50 && !name[0]; i++) { /* the folder was made anew before: its number is not 1 */
        snprintf(name, sizeof(name), "rows-%d", i);
        if (access(file_of_index(name), R_OK) != 0)
            name[0] = '\0';
    }
    CHECK(name[0]);
    damage(file_of_index(name), 4096 + 5000);
    CHECK_STR(ask(WORDS, again, sizeof(again)), first);
}

TEST(restored, "a library that is older than its index, as after a restored copy, is what counts")
{
    static char indexed[2000], exact[2000];
    long long n = info("vectors"), seq = info("seq");
    char sql[120];
    ims_json *v;

    CHECK(n > 100 && seq >= n);
    snprintf(sql, sizeof(sql), "DELETE FROM embeddings WHERE seq > %lld", seq - 7);
    CHECK(library_sql(demo(), sql));
    snprintf(sql, sizeof(sql), "UPDATE models SET vector_seq = %lld WHERE vector_seq = %lld", seq - 7, seq);
    CHECK(library_sql(demo(), sql));
    CHECK(library_sql(demo(), "UPDATE counters SET value = value + 1 WHERE name = 'epoch'"));
    CHECK_STR(ask(WORDS, indexed, sizeof(indexed)), ask(WORDS "\n--exact", exact, sizeof(exact)));
    CHECK(info("vectors") < n);
    CHECK_INT(info("seq"), seq - 7);
    v = library_run(demo(), 0, "index-info\n--verify\n--json");
    CHECK(ims__json_bool(ims__json_get(v, "sound"), false));
    ims__json_free(v);
}

TEST_MAIN
