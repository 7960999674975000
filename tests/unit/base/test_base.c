/* Status, memory, buffers, files, JSON, hashes, threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(status_rows, "every status has a name, a text, an HTTP status and an exit code of its own sign")
{
#define X(name, value, text, http, exit_code, retry)                                              \
    CHECK_STR(ims_status_name(IMS_##name), "IMS_" #name);                                         \
    CHECK((IMS_##name == 0) == (ims_status_exit(IMS_##name) == 0));                               \
    CHECK(ims_status_exit(IMS_##name) >= 0 && ims_status_exit(IMS_##name) < 256);                 \
    CHECK(ims_status_http(IMS_##name) >= 200 && ims_status_http(IMS_##name) < 600);
    IMS_STATUS_TABLE(X)
#undef X
    CHECK_STR(ims_status_name((ims_status)-999), "IMS_E_UNKNOWN");
}

TEST(fail_in, "context is put before the text, and a text may quote itself")
{
    ims_err err;

    CHECK_INT(ims_fail(&err, IMS_E_IO, "fs", 5, "reading %s", "a.jpg"), IMS_E_IO);
    CHECK_STR(err.text, "reading a.jpg");
    CHECK_INT(ims_fail_in(&err, IMS_E_FORMAT, "page %d", 3), IMS_E_FORMAT);
    CHECK_STR(err.text, "page 3: reading a.jpg");
    CHECK_INT(err.native, 5);
    CHECK_INT(ims_fail(&err, IMS_E_IO, "fs", 0, "<%s>", err.text), IMS_E_IO);
    CHECK_STR(err.text, "<page 3: reading a.jpg>");
    CHECK_INT(ims_fail(NULL, IMS_E_IO, "fs", 0, "x"), IMS_E_IO);
}

TEST(sizes, "sizes that overflow are refused, not wrapped")
{
    size_t v = 7;

    CHECK(!ims__mul_size(SIZE_MAX / 2, 3, &v) && v == 7);
    CHECK(!ims__add_size(SIZE_MAX, 1, &v) && v == 7);
    CHECK(ims__zalloc(SIZE_MAX / 4, 8) == NULL);
    CHECK(ims__alloc(SIZE_MAX / 4, 8) == NULL);
}

TEST(buffer, "a buffer grows to its maximum, remembers failure and gives its memory away")
{
    struct ims_buf b;
    char *taken;
    size_t n;

    ims__buf_init(&b, 10);
    CHECK_INT(ims__buf_add(&b, "0123456789", 10), IMS_OK);
    CHECK_STR(b.data, "0123456789");
    ims__buf_drop(&b, 4);
    CHECK_STR(b.data, "456789");
    CHECK_INT(b.len, 6);
    ims__buf_drop(&b, 99);
    CHECK_INT(b.len, 0);
    ims__buf_drop(&b, 1);
    CHECK_INT(ims__buf_add(&b, "0123456789", 10), IMS_OK);
    CHECK_INT(ims__buf_add_char(&b, 'x'), IMS_E_LIMIT);
    CHECK_INT(ims__buf_add_char(&b, 'x'), IMS_E_LIMIT);
    CHECK(b.data == NULL);
    ims__buf_init(&b, 1000);
    CHECK_INT(ims__buf_addf(&b, "%d-%s", 42, "ok"), IMS_OK);
    taken = ims__buf_take(&b, &n);
    CHECK_STR(taken, "42-ok");
    CHECK_INT(n, 5);
    ims__free(taken);
    ims__buf_release(&b);
}

TEST(arena, "an arena keeps its limit and gives aligned zeroed memory")
{
    struct ims_arena a;
    unsigned char *p;

    ims__arena_init(&a, 100000);
    for (int i = 1; i < 100; i++) {
        p = ims__arena_alloc(&a, (size_t)i, 7);
        CHECK(p && (uintptr_t)p % 16 == 0);
        for (int k = 0; k < i * 7; k++)
            CHECK(p[k] == 0);
        memset(p, 0xff, (size_t)i * 7);
    }
    CHECK(ims__arena_alloc(&a, 100000, 1) == NULL);
    CHECK(ims__arena_alloc(&a, SIZE_MAX, 2) == NULL);
    ims__arena_release(&a);
}

TEST(files, "a file is written whole, read whole, mapped, and limits hold")
{
    char path[700];
    struct ims_buf b;
    struct ims_map map;
    struct ims_file_info info;
    ims_err err;

    snprintf(path, sizeof(path), "%s/sub/file", test_tmp_dir());
    CHECK_STATUS(ims__write_file(path, "hello", 5, &err), IMS_E_NOT_FOUND, err);
    CHECK_OK(ims__write_derived(path, "hello", 5, &err), err);
    CHECK_OK(ims__write_file(path, "hello again", 11, &err), err);
    CHECK_OK(ims__read_file(path, 11, &b, &info, &err), err);
    CHECK_STR(b.data, "hello again");
    CHECK_INT(info.size_bytes, 11);
    ims__buf_release(&b);
    CHECK_STATUS(ims__read_file(path, 10, &b, NULL, &err), IMS_E_LIMIT, err);
    CHECK_OK(ims__map_open(&map, path, &err), err);
    CHECK_INT(map.size_bytes, 11);
    CHECK_MEM(map.data, "hello again", 11);
    ims__map_close(&map);
    CHECK_OK(ims__write_file(path, "", 0, &err), err);
    CHECK_OK(ims__map_open(&map, path, &err), err);
    CHECK(map.data == NULL && map.size_bytes == 0);
    CHECK_OK(ims__read_file(path, 10, &b, NULL, &err), err);
    CHECK_INT(b.len, 0);
    ims__buf_release(&b);
}

TEST(path_is_in, "a folder holds itself and what is below it, and not what only begins alike")
{
    CHECK(ims__path_is_in("/a/b", "/a/b") && ims__path_is_in("/a/b/c", "/a/b") && ims__path_is_in("/a", "/"));
    CHECK(!ims__path_is_in("/a/bc", "/a/b") && !ims__path_is_in("/a", "/a/b") && !ims__path_is_in("/b", "/a"));
}

TEST(umask_holds, "a written file is as private as the umask says")
{
    char path[700];
    struct stat s;
    mode_t before = umask(077);
    ims_err err;

    snprintf(path, sizeof(path), "%s/private", test_tmp_dir());
    test_check_ok(__FILE__, __LINE__, "write", ims__write_file(path, "x", 1, &err), &err);
    umask(022);
    CHECK_INT(stat(path, &s), 0);
    CHECK_INT(s.st_mode & 0777, 0600);
    CHECK_OK(ims__write_file(path, "x", 1, &err), err);
    umask(before);
    CHECK_INT(stat(path, &s), 0);
    CHECK_INT(s.st_mode & 0777, 0644);
}

TEST(special_target, "a pipe is written to, not replaced by a file of its name")
{
    char path[700], got[8] = "";
    struct stat s;
    ims_err err;
    int fd;

    snprintf(path, sizeof(path), "%s/pipe", test_tmp_dir());
    CHECK_INT(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    CHECK_OK(ims__write_file(path, "hello", 5, &err), err);
    CHECK_INT(read(fd, got, sizeof(got)), 5);
    close(fd);
    CHECK_STR(got, "hello");
    CHECK(stat(path, &s) == 0 && S_ISFIFO(s.st_mode));
}

TEST(bytes_in_messages, "messages show the display form of a path")
{
    struct ims_buf b;
    ims_err err;

    CHECK_STATUS(ims__read_file("/nowhere/a\nb\xff", 100, &b, NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "/nowhere/a\\x0Ab\\xFF"));
}

TEST(odd_files, "folders, FIFOs and missing files are typed errors, and a FIFO does not block")
{
    char path[700];
    struct ims_buf b;
    ims_err err;
    const char *dir = test_tmp_dir();

    CHECK_STATUS(ims__read_file(dir, 100, &b, NULL, &err), IMS_E_UNSUPPORTED, err);
    snprintf(path, sizeof(path), "%s/fifo", dir);
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_STATUS(ims__read_file(path, 100, &b, NULL, &err), IMS_E_UNSUPPORTED, err);
    snprintf(path, sizeof(path), "%s/none", dir);
    CHECK_STATUS(ims__read_file(path, 100, &b, NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK_STATUS(ims__read_file("/proc/self/mem", 100, &b, NULL, &err), IMS_E_IO, err);
}

TEST(growing_file, "a file that reports no size is read to its end")
{
    struct ims_buf b;
    ims_err err;

    if (access("/proc/self/status", R_OK) != 0)
        SKIP("no /proc on this system");
    CHECK_OK(ims__read_file("/proc/self/status", 1 << 20, &b, NULL, &err), err);
    CHECK(b.len > 100 && strstr(b.data, "Pid:"));
    ims__buf_release(&b);
    CHECK_STATUS(ims__read_file("/proc/self/status", 50, &b, NULL, &err), IMS_E_LIMIT, err);
}

TEST(folders, "folders are made with their parents; a file in the way is an error")
{
    char path[700];
    ims_err err;
    const char *dir = test_tmp_dir();

    snprintf(path, sizeof(path), "%s/a/b/c", dir);
    CHECK_OK(ims__mkdir_p(path, &err), err);
    CHECK_OK(ims__mkdir_p(path, &err), err);
    snprintf(path, sizeof(path), "%s/a/file", dir);
    CHECK_OK(ims__write_file(path, "x", 1, &err), err);
    CHECK(ims__mkdir_p(path, &err) == IMS_E_NOT_FOUND);
    snprintf(path, sizeof(path), "%s/a/file/deeper", dir);
    CHECK(ims__mkdir_p(path, &err) == IMS_E_NOT_FOUND);
    CHECK_STATUS(ims__mkdir_p("", &err), IMS_E_NOT_FOUND, err);
    CHECK_OK(ims__mkdir_p("/", &err), err);
    snprintf(path, sizeof(path), "%s/with//double/", dir);
    CHECK_OK(ims__mkdir_p(path, &err), err);
}

TEST(json_round_trip, "JSON is read and written, with order, escapes, NUL and big integers kept")
{
    static const char text[] = "{\"b\":[1,2.5,true,null,\"\\u0000\\u00e9\"],\"a\":9007199254740993}";
    struct ims_buf out;
    ims_json *v = NULL;
    size_t n;
    ims_err err;

    CHECK_OK(ims__json_parse(&v, text, strlen(text), "test", &err), err);
    CHECK_INT(ims__json_int(ims__json_get(v, "a"), 0), 9007199254740993);
    CHECK_INT(ims__json_len(ims__json_get(v, "b")), 5);
    CHECK_MEM(ims__json_str(ims__json_at(ims__json_get(v, "b"), 4), &n), "\0\xc3\xa9", 3);
    CHECK_INT(n, 3);
    CHECK(ims__json_get(ims__json_get(v, "nowhere"), "deeper") == NULL);
    CHECK_STR(ims__json_iter_key(ims__json_iter(v)), "b");
    ims__buf_init(&out, 1000);
    CHECK_OK(ims__json_write(v, 0, &out, &err), err);
    CHECK_STR(out.data, "{\"b\":[1,2.5,true,null,\"\\u0000\xc3\xa9\"],\"a\":9007199254740993}");
    ims__buf_release(&out);
    ims__json_free(v);
}

TEST(json_bad, "bad JSON is an error with its place; odd values become null or are escaped")
{
    ims_json *v = NULL;
    size_t n;
    ims_err err;
    static const char *const bad[] = { "", "{", "{\"a\":1,\"a\":2}", "[1,]", "nul", "\"\xff\"", "1 2" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(bad); i++) {
        CHECK_STATUS(ims__json_parse(&v, bad[i], strlen(bad[i]), "f.json", &err), IMS_E_FORMAT, err);
        CHECK(strstr(err.text, "f.json: line"));
    }
    v = ims__json_new_num(0.0 / 0.0 * 1.0);
    CHECK_INT(ims__json_type(v), IMS_JSON_NULL);
    ims__json_free(v);
    v = ims__json_new_str("a\xff");
    CHECK_STR(ims__json_str(v, &n), "a\\xFF");
    ims__json_free(v);
}

TEST(sha256, "SHA-256 gives the published values, in one piece and in several")
{
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];
    struct ims_sha256 *h = NULL;
    ims_err err;

    CHECK_OK(ims__sha256("abc", 3, sum, &err), err);
    ims__hex(sum, sizeof(sum), hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_OK(ims__sha256_new(&h, &err), err);
    CHECK_OK(ims__sha256_add(h, "a", 1, &err), err);
    CHECK_OK(ims__sha256_add(h, "bc", 2, &err), err);
    CHECK_OK(ims__sha256_end(h, sum, &err), err);
    ims__sha256_free(h);
    ims__hex(sum, sizeof(sum), hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

struct pipe_test {
    struct ims_chan *chan;
    _Atomic size_t sum;
};

static void consume(void *arg)
{
    struct pipe_test *t = arg;
    void *item;

    while (ims__chan_pop(t->chan, &item))
        t->sum += (size_t)(uintptr_t)item;
}

TEST(channel, "a bounded queue carries everything once through several threads and closes clean")
{
    struct pipe_test t = { 0 };
    struct ims_thread threads[3] = { 0 };
    void *item;
    bool closed;
    ims_err err;

    CHECK_STATUS(ims__chan_new(&t.chan, 0, &err), IMS_E_INVALID, err);
    CHECK_OK(ims__chan_new(&t.chan, 4, &err), err);
    CHECK(!ims__chan_pop_timed(t.chan, &item, 1, &closed) && !closed);
    for (int i = 0; i < 3; i++)
        CHECK_OK(ims__thread_start(&threads[i], "consumer", consume, &t, &err), err);
    for (uintptr_t i = 1; i <= 10000; i++)
        CHECK(ims__chan_push(t.chan, (void *)i));
    ims__chan_close(t.chan);
    CHECK(!ims__chan_push(t.chan, (void *)1));
    for (int i = 0; i < 3; i++)
        ims__thread_join(&threads[i]);
    CHECK_INT(t.sum, 10000 * 10001 / 2);
    CHECK(!ims__chan_pop_timed(t.chan, &item, 1, &closed) && closed);
    ims__chan_free(t.chan);
}

TEST_MAIN
