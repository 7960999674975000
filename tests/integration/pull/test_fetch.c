/* Tests of fetching one file, against a server with faults on demand.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/fetch.h"

#include "base/fs.h"
#include "base/hash.h"
#include "harness/http_server.h"
#include "harness/run.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG 3000000u

/* What happens is counted, and no wait takes time. */
struct events {
    unsigned n_waits, last_wait_ms;
    char why[600];
    uint64_t stop_at; /* cancelled from so many bytes on; 0 = never */
    uint64_t last_done, last_total;
};

static struct http_server *server;
static struct ims_fetch *fetch;
static struct events events;
static char path[700];
static uint8_t big[BIG];
static char big_sum[IMS_SHA256_HEX];

static bool on_wait(void *arg, unsigned wait_ms, const char *why)
{
    struct events *e = arg;

    e->n_waits++;
    e->last_wait_ms = wait_ms;
    snprintf(e->why, sizeof(e->why), "%s", why);
    return true;
}

static bool on_progress(void *arg, uint64_t done, uint64_t total)
{
    struct events *e = arg;

    e->last_done = done;
    e->last_total = total;
    return !e->stop_at || done < e->stop_at;
}

static void setup(void)
{
    struct ims_fetch_options o = { .on_wait = on_wait, .on_progress = on_progress, .arg = &events };
    uint8_t sum[IMS_SHA256_BYTES];
    uint64_t state = 7;
    ims_err err;

    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)test_random(&state);
    CHECK_OK(ims__sha256(big, BIG, sum, &err), err);
    ims__hex(sum, sizeof(sum), big_sum);
    events = (struct events){ 0 };
    server = http_server_start();
    snprintf(path, sizeof(path), "%s/file.bin", test_tmp_dir());
    CHECK_OK(ims__fetch_open(&fetch, &o, &err), err);
}

static void teardown(void)
{
    ims__fetch_close(fetch);
    http_server_stop(server);
    fetch = NULL;
}

static void serve(struct http_route r)
{
    r.path = r.path ? r.path : "/big";
    if (!r.body) {
        r.body = big;
        r.body_bytes = BIG;
    }
    http_server_route(server, &r);
}

static ims_status get(const char *route, const struct ims_fetch_meta *want, ims_err *err)
{
    static const struct ims_fetch_meta any;
    char url[400];

    snprintf(url, sizeof(url), "%s%s", http_server_url(server), route);
    *err = (ims_err){ 0 };
    return ims__fetch_file(fetch, url, path, want ? want : &any, err);
}

static struct ims_fetch_meta sum_of_big(void)
{
    struct ims_fetch_meta m = { .has_size = true, .size_bytes = BIG };

    memcpy(m.sha256, big_sum, sizeof(m.sha256));
    return m;
}

static bool is_there(const char *suffix)
{
    char full[800];

    snprintf(full, sizeof(full), "%s%s", path, suffix);
    return access(full, F_OK) == 0;
}

static void check_big(void)
{
    size_t n;
    char *data = test_read_file(path, &n);

    CHECK_INT(n, BIG);
    CHECK_MEM(data, big, BIG);
    free(data);
    CHECK(!is_there(".part"));
    CHECK(!is_there(".part.etag"));
}

TEST(whole, "a file arrives as it is, and nothing else stays")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    serve((struct http_route){ 0 });
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_INT(events.last_total, BIG);
    CHECK_INT(events.n_waits, 0);
    CHECK(http_server_had_header(server, "/big", "Accept-Encoding: identity"));
    CHECK(!http_server_had_header(server, "/big", "Authorization:"));
    CHECK(!http_server_had_header(server, "/big", "Cookie:"));
    teardown();
}

TEST(empty, "an empty file is a file")
{
    ims_err err;

    setup();
    serve((struct http_route){ .path = "/empty", .body = "", .body_bytes = 0 });
    CHECK_OK(get("/empty", NULL, &err), err);
    CHECK(is_there(""));
    teardown();
}

TEST(cut, "a cut connection is gone on with from where it was cut")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    serve(
        (struct http_route){ .headers = "ETag: \"v1\"\r\n", .cut_times = 3, .cut_bytes = BIG / 5 });
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_INT(http_server_count(server, "GET /big"), 4);
    CHECK_INT(http_server_sent(server), BIG);
    CHECK(http_server_had_header(server, "/big", "If-Range: \"v1\""));
    CHECK_INT(events.n_waits, 3);
    CHECK(strstr(events.why, "127.0.0.1"));
    teardown();
}

TEST(no_ranges, "a server without ranges is asked for the whole again")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    serve((struct http_route){
        .headers = "ETag: \"v1\"\r\n", .cut_times = 1, .cut_bytes = BIG / 2, .no_ranges = true });
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_INT(http_server_sent(server), BIG + BIG / 2);
    teardown();
}

TEST(no_etag, "without an ETag only a file whose sum is known is gone on with")
{
    struct ims_fetch_meta want, size_only = { .has_size = true, .size_bytes = BIG };
    ims_err err;

    setup();
    want = sum_of_big();
    serve((struct http_route){ .cut_times = 1, .cut_bytes = BIG / 2 });
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_INT(http_server_sent(server), BIG);
    serve((struct http_route){ .cut_times = 1, .cut_bytes = BIG / 2 });
    CHECK_OK(get("/big", &size_only, &err), err);
    check_big();
    CHECK_INT(http_server_sent(server), BIG + BIG + BIG / 2);
    teardown();
}

TEST(later, "what a run leaves behind the next one goes on with")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    events.stop_at = BIG / 3;
    serve((struct http_route){ .headers = "ETag: \"v1\"\r\n" });
    CHECK_STATUS(get("/big", &want, &err), IMS_E_CANCELLED, err);
    CHECK(is_there(".part"));
    CHECK(!is_there(""));
    events.stop_at = 0;
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK(http_server_had_header(server, "/big", "If-Range: \"v1\""));
    teardown();
}

TEST(changed, "a file that changed on the server is fetched anew")
{
    static uint8_t other[BIG];
    ims_err err;

    setup();
    memset(other, 'x', BIG);
    events.stop_at = BIG / 3;
    serve((struct http_route){ .headers = "ETag: \"v1\"\r\n", .body = other, .body_bytes = BIG });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_CANCELLED, err);
    events.stop_at = 0;
    serve((struct http_route){ .headers = "ETag: \"v2\"\r\n" });
    CHECK_OK(get("/big", NULL, &err), err);
    check_big();
    teardown();
}

TEST(complete_part, "a partial file that is whole already is only checked")
{
    struct ims_fetch_meta want;
    char part[800];
    ims_err err;

    setup();
    want = sum_of_big();
    snprintf(part, sizeof(part), "%s.part", path);
    CHECK_OK(ims__write_file(part, big, BIG, &err), err);
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_INT(http_server_count(server, NULL), 0);
    teardown();
}

TEST(long_part, "a partial file that is too long or past the end is thrown away")
{
    struct ims_fetch_meta want, sum_only = { .has_size = false };
    static uint8_t longer[BIG + 10];
    char part[800];
    ims_err err;

    setup();
    want = sum_of_big();
    memcpy(sum_only.sha256, big_sum, sizeof(sum_only.sha256));
    snprintf(part, sizeof(part), "%s.part", path);
    serve((struct http_route){ .headers = "ETag: \"v1\"\r\n" });
    CHECK_OK(ims__write_file(part, longer, sizeof(longer), &err), err);
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    CHECK_OK(ims__write_file(part, longer, sizeof(longer), &err), err);
    CHECK_OK(get("/big", &sum_only, &err), err); /* 416 */
    check_big();
    teardown();
}

TEST(wrong_range, "a server that goes on elsewhere than asked is asked for the whole")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    serve((struct http_route){ .headers = "ETag: \"v1\"\r\n",
                               .cut_times = 1,
                               .cut_bytes = BIG / 2,
                               .is_wrong_range = true });
    CHECK_OK(get("/big", &want, &err), err);
    check_big();
    teardown();
}

TEST(wrong_sum, "a wrong sum is refused, and nothing of the file is kept")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    want.sha256[0] = want.sha256[0] == 'a' ? 'b' : 'a';
    serve((struct http_route){ .headers = "ETag: \"v1\"\r\n" });
    CHECK_STATUS(get("/big", &want, &err), IMS_E_CORRUPT, err);
    CHECK(strstr(err.text, "wrong sum") && strstr(err.text, big_sum));
    CHECK(!is_there("") && !is_there(".part") && !is_there(".part.etag"));
    teardown();
}

TEST(git_sum, "a small file is checked by its Git object")
{
    struct ims_fetch_meta want = {
        .git_sha1 = "ce013625030ba8dba906f756967f9e9ca394464a"
    }; /* of "hello\n" */
    ims_err err;

    setup();
    serve((struct http_route){ .path = "/small", .body = "hello\n", .body_bytes = 6 });
    CHECK_OK(get("/small", &want, &err), err);
    serve((struct http_route){ .path = "/small", .body = "hallo\n", .body_bytes = 6 });
    CHECK_STATUS(get("/small", &want, &err), IMS_E_CORRUPT, err);
    teardown();
}

TEST(wrong_size, "a server that has another size is refused before its bytes are taken")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    want.size_bytes = BIG - 1;
    serve((struct http_route){ 0 });
    CHECK_STATUS(get("/big", &want, &err), IMS_E_CORRUPT, err);
    CHECK(!is_there("") && !is_there(".part"));
    serve((struct http_route){ .no_length = true });
    CHECK_STATUS(get("/big", &want, &err), IMS_E_CORRUPT, err);
    CHECK(strstr(err.text, "more than"));
    want.size_bytes = BIG + 1;
    CHECK_STATUS(get("/big", &want, &err), IMS_E_TRUNCATED, err);
    teardown();
}

TEST(not_found, "a file that is not there is not asked for twice")
{
    ims_err err;

    setup();
    CHECK_STATUS(get("/none", NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "/none"));
    CHECK_INT(http_server_count(server, NULL), 1);
    CHECK(!is_there(""));
    teardown();
}

TEST(sign_in, "a server that wants a sign-in is refused with that reason")
{
    ims_err err;

    setup();
    serve((struct http_route){ .fail_times = 9, .fail_status = 401 });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_PERMISSION, err);
    CHECK(strstr(err.text, "sign-in"));
    CHECK_INT(http_server_count(server, NULL), 1);
    teardown();
}

TEST(too_many, "a limit on requests is waited out as long as the server says")
{
    ims_err err;

    setup();
    serve((struct http_route){
        .fail_times = 2, .fail_status = 429, .fail_headers = "Retry-After: 7\r\n" });
    CHECK_OK(get("/big", NULL, &err), err);
    CHECK_INT(events.n_waits, 2);
    CHECK_INT(events.last_wait_ms, 7000);
    check_big();
    teardown();
}

TEST(much_too_many, "a limit that lasts too long is an error that says how long")
{
    ims_err err;

    setup();
    serve((struct http_route){
        .fail_times = 9, .fail_status = 429, .fail_headers = "Retry-After: 3600\r\n" });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_PERMISSION, err);
    CHECK(strstr(err.text, "60 minutes"));
    CHECK_INT(events.n_waits, 0);
    serve((struct http_route){
        .fail_times = 99, .fail_status = 429, .fail_headers = "Retry-After: 1\r\n" });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_TIMEOUT, err);
    CHECK_INT(events.n_waits, 4);
    teardown();
}

TEST(server_error, "a server's own error is tried again, longer and longer, and then reported")
{
    ims_err err;

    setup();
    serve((struct http_route){ .fail_times = 2, .fail_status = 503 });
    CHECK_OK(get("/big", NULL, &err), err);
    CHECK_INT(events.n_waits, 2);
    CHECK_INT(events.last_wait_ms, 2000);
    serve((struct http_route){ .fail_times = 99, .fail_status = 500 });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_IO, err);
    CHECK(strstr(err.text, "500"));
    teardown();
}

TEST(page, "a web page in place of a file is refused")
{
    ims_err err;

    setup();
    serve((struct http_route){ .path = "/page",
                               .headers = "Content-Type: text/html\r\n",
                               .body = "<html>",
                               .body_bytes = 6 });
    CHECK_STATUS(get("/page", NULL, &err), IMS_E_FORMAT, err);
    CHECK(strstr(err.text, "web page"));
    CHECK(!is_there(""));
    teardown();
}

TEST(packed, "a body packed without being asked is refused")
{
    ims_err err;

    setup();
    serve((struct http_route){ .headers = "Content-Encoding: gzip\r\n" });
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_UNSUPPORTED, err);
    teardown();
}

TEST(redirect, "a redirect on the same host is followed, and its text is not taken for the file")
{
    struct ims_fetch_meta want;
    ims_err err;

    setup();
    want = sum_of_big();
    serve((struct http_route){ 0 });
    serve((struct http_route){ .path = "/here",
                               .status = 302,
                               .headers = "Location: /big\r\n",
                               .body = "moved",
                               .body_bytes = 5 });
    CHECK_OK(get("/here", &want, &err), err);
    check_big();
    teardown();
}

TEST(redirect_away, "a redirect to another host is not followed")
{
    struct http_server *other;
    char location[200];
    ims_err err;

    setup();
    other = http_server_start();
    snprintf(location, sizeof(location), "Location: %s/big\r\n", http_server_url(other));
    serve((struct http_route){
        .path = "/away", .status = 302, .headers = location, .body = "", .body_bytes = 0 });
    CHECK_STATUS(get("/away", NULL, &err), IMS_E_PERMISSION, err);
    CHECK(strstr(err.text, "another host"));
    CHECK_INT(http_server_count(other, NULL), 0);
    http_server_stop(other);
    teardown();
}

TEST(loop, "redirects in a circle end")
{
    ims_err err;

    setup();
    serve((struct http_route){
        .path = "/a", .status = 302, .headers = "Location: /a\r\n", .body = "", .body_bytes = 0 });
    CHECK_STATUS(get("/a", NULL, &err), IMS_E_IO, err);
    CHECK(http_server_count(server, NULL) < 10);
    serve((struct http_route){ .path = "/b", .status = 302, .body = "", .body_bytes = 0 });
    CHECK_STATUS(get("/b", NULL, &err), IMS_E_IO, err);
    teardown();
}

TEST(probe,
     "the facts about a file come from the hub's answer, without following it to the storage")
{
    struct ims_fetch_meta m;
    char headers[600], url[400];
    ims_err err;

    setup();
    snprintf(headers, sizeof(headers),
             "Location: https://cdn-lfs.hf.co/x\r\nX-Linked-Size: %u\r\nX-Linked-Etag: \"%s\"\r\n"
             "X-Repo-Commit: 0123456789012345678901234567890123456789\r\n",
             BIG, big_sum);
    serve((struct http_route){
        .path = "/lfs", .status = 302, .headers = headers, .body = "", .body_bytes = 0 });
    snprintf(url, sizeof(url), "%s/lfs", http_server_url(server));
    CHECK_OK(ims__fetch_probe(fetch, url, &m, &err), err);
    CHECK_INT(m.size_bytes, BIG);
    CHECK_STR(m.sha256, big_sum);
    CHECK_STR(m.commit, "0123456789012345678901234567890123456789");
    CHECK_INT(http_server_count(server, "HEAD /lfs"), 1);
    teardown();
}

TEST(offline, "a server that cannot be reached is told from one that refuses")
{
    char url[200];
    struct ims_fetch_meta m;
    ims_err err;

    setup();
    snprintf(url, sizeof(url), "%s/x", http_server_url(server));
    http_server_stop(server);
    CHECK_STATUS(ims__fetch_probe(fetch, url, &m, &err), IMS_E_IO, err);
    CHECK(ims__fetch_is_offline(&err));
    CHECK_INT(events.n_waits, 0);
    ims__fetch_close(fetch);
}

TEST(read_only, "a folder that cannot be written is an error that names it")
{
    ims_err err;

    setup();
    serve((struct http_route){ 0 });
    snprintf(path, sizeof(path), "/proc/none/file");
    CHECK_STATUS(get("/big", NULL, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "/proc/none"));
    teardown();
}

/* Runs this very test again where SMALL_DISK is a file system of one megabyte, in a mount namespace. */
static void run_on_small_disk(void)
{
    static const char script[] = "mount -t tmpfs -o size=1m none \"$1\" || exit 99; "
                                 "IMS_TEST_SMALL_DISK=\"$1\" exec \"$2\" 'full disk'";
    char self[700];
    const char *argv[] = { "/usr/bin/unshare",
                           geteuid() == 0 ? "-m" : "-rm",
                           "sh",
                           "-c",
                           script,
                           "sh",
                           test_tmp_dir(),
                           self,
                           NULL };
    struct run_result r;

    snprintf(self, sizeof(self), "%s", test_build_path("bin/test_fetch"));
    if (access(argv[0], X_OK) != 0)
        SKIP("there is no unshare program to make a small disk with");
    run_program(&r, NULL, argv);
    if (r.exit_code == 99 || strstr(r.err, "unshare"))
        test_skip("no file system may be mounted here");
    else if (r.exit_code != 0 || !strstr(r.out, "ok 1"))
        test_fail(__FILE__, __LINE__, "on the small disk: %s%s", r.out, r.err);
    run_release(&r);
}

TEST(full, "a full disk keeps what has arrived and says so")
{
    const char *disk = getenv("IMS_TEST_SMALL_DISK");
    struct ims_fetch_meta want;
    ims_err err;

    if (!disk) {
        run_on_small_disk();
        return;
    }
    setup();
    want = sum_of_big();
    serve((struct http_route){ 0 });
    snprintf(path, sizeof(path), "%s/file.bin", disk);
    CHECK_STATUS(get("/big", &want, &err), IMS_E_NO_SPACE, err);
    CHECK(strstr(err.text, "kept"));
    CHECK(is_there(".part"));
    teardown();
}

TEST_MAIN
