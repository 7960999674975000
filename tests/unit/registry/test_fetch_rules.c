/* Tests of the rules of fetching: addresses, redirects, headers, pointer files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "harness/test.h"
#include "models/fetch_rules.h"

#include <stdio.h>
#include <string.h>

#define HUB "https://huggingface.co"
#define SUM "b9ce24b91a8c62ef8d40ea786051709c93140104cbf2b6b4a2cc270df3838f9c"
#define BLOB "a661b1a138dac6dc5590367402d100765010ffd6"

TEST(parse, "an address must be http or https, without a user, a password or blanks")
{
    static const char *const bad[] = {
        "ftp://a/b",      "file:///etc/passwd", "https://", "https:///x", "https://u:p@host/x",
        "https://u@host", "https://a b/",       "a/b",      "",           "https://good\\@evil/",
        "HTTPS//x"
    };
    struct ims_url u;
    ims_err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STATUS(ims__url_parse(&u, bad[i], &err), IMS_E_INVALID, err);
    CHECK_OK(ims__url_parse(&u, "https://Hub.Example:8443/a?b", &err), err);
    CHECK_STR(u.host, "hub.example:8443");
    CHECK_STR(u.path, "/a?b");
    CHECK(u.is_https);
}

TEST(secret, "a password in an address is not repeated in the message")
{
    struct ims_url u;
    ims_err err;

    CHECK_STATUS(ims__url_parse(&u, "https://user:hunter2@host/x", &err), IMS_E_INVALID, err);
    CHECK(!strstr(err.text, "hunter2"));
}

static bool joins(const char *from, const char *location, const char *want)
{
    char *got = NULL;
    ims_err err;
    bool is_same = !ims__url_join(&got, from, location, &err) && strcmp(got, want) == 0;

    if (!is_same)
        test_note("%s + %s = %s", from, location, got ? got : err.text);
    ims__free(got);
    return is_same;
}

TEST(join, "a Location may be whole, without scheme, from the root or beside")
{
    CHECK(joins(HUB "/a/b?c", "https://x/y", "https://x/y"));
    CHECK(joins(HUB "/a/b", "//cdn.hf.co/y", "https://cdn.hf.co/y"));
    CHECK(joins(HUB "/a/b?c=/d", "/x", HUB "/x"));
    CHECK(joins(HUB "/a/b?c=/d", "x?u=http://v", HUB "/a/x?u=http://v"));
    CHECK(joins(HUB, "x", HUB "/x"));
}

TEST(follow, "a redirect leads to the same host or, over https, to the hub's own storage")
{
    static const struct {
        const char *first, *from, *to;
        bool is_allowed;
    } cases[] = {
        { HUB "/a", HUB "/a", HUB "/b", true },
        { HUB "/a", HUB "/a", "https://cdn-lfs-us-1.hf.co/x?sig=1", true },
        { HUB "/a", HUB "/a", "https://cas-bridge.xethub.hf.co/x", true },
        { "https://github.com/a", "https://github.com/a", "https://objects.githubusercontent.com/x",
          true },
        { "https://mirror.example/a", "https://mirror.example/a", "https://cdn-lfs.hf.co/x", true },
        { "http://127.0.0.1:80/a", "http://127.0.0.1:80/a", "http://127.0.0.1:80/b", true },
        { HUB "/a", HUB "/a", "http://huggingface.co/b", false },
        { HUB "/a", HUB "/a", "http://cdn-lfs.hf.co/x", false },
        { HUB "/a", HUB "/a", "https://evil.example/x", false },
        { HUB "/a", HUB "/a", "https://hf.co.evil.example/x", false },
        { HUB "/a", HUB "/a", "https://evilhf.co/x", false },
        { HUB "/a", HUB "/a", "https://user:pw@cdn-lfs.hf.co/x", false },
        { HUB "/a", HUB "/a", "https://hf.co@evil.example/x", false },
        { HUB "/a", HUB "/a", "file:///etc/passwd", false },
        { "http://127.0.0.1:80/a", "http://127.0.0.1:80/a", "http://127.0.0.1:81/b", false },
        { "http://mirror/a", "http://mirror/a", "http://cdn-lfs.hf.co/x", false },
        { "https://mirror/a", "https://cdn.hf.co/a", "https://mirror/b", true },
    };
    ims_err err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ims_status st = ims__url_may_follow(cases[i].first, cases[i].from, cases[i].to, &err);

        if ((st == IMS_OK) != cases[i].is_allowed)
            test_note("%s -> %s", cases[i].from, cases[i].to);
        CHECK_INT(st, cases[i].is_allowed ? IMS_OK : IMS_E_PERMISSION);
        if (st)
            CHECK(!strstr(err.text, "pw"));
    }
}

static void feed(struct ims_http_head *h, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n") + 1;

        ims__http_head_line(h, text, n);
        text += n;
    }
}

TEST(hub_head, "the hub's headers say size, sum and commit of a large file")
{
    struct ims_http_head h;
    struct ims_fetch_meta m = { 0 };

    feed(&h,
         "HTTP/1.1 302 Found\r\nX-Linked-Size: 351613724\r\nX-Linked-ETag: \"" SUM
         "\"\r\nX-Repo-Commit: " BLOB
         "\r\nLocation: https://cdn-lfs.hf.co/x\r\nContent-Length: 1200\r\nETag: \"other\"\r\n");
    CHECK(ims__http_is_redirect(h.status));
    CHECK_STR(h.location, "https://cdn-lfs.hf.co/x");
    ims__http_meta(&h, &m);
    CHECK(m.has_size);
    CHECK_INT(m.size_bytes, 351613724);
    CHECK_STR(m.sha256, SUM);
    CHECK_STR(m.commit, BLOB);
    CHECK_STR(m.git_sha1, "");
}

TEST(small_head, "a small file is known by its Git object, on the hub only")
{
    struct ims_http_head h;
    struct ims_fetch_meta m = { 0 }, other = { 0 };

    feed(&h,
         "HTTP/2 200\r\netag: \"" BLOB "\"\r\nx-repo-commit: " BLOB "\r\ncontent-length: 28\r\n");
    ims__http_meta(&h, &m);
    CHECK_STR(m.git_sha1, BLOB);
    CHECK_INT(m.size_bytes, 28);
    feed(&h, "HTTP/2 200\r\netag: \"" BLOB "\"\r\ncontent-length: 28\r\n");
    ims__http_meta(&h, &other);
    CHECK_STR(other.git_sha1, "");
    CHECK(other.has_size);
}

TEST(odd_heads, "headers that are odd are taken for none")
{
    struct ims_http_head h;
    struct ims_fetch_meta m = { 0 };

    feed(&h, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\nX-Linked-Size: 12x\r\nX-Repo-Commit: "
             "zz\r\nETag: W/\"a\"\r\n"
             "Content-Range: bytes 9-5/7\r\nRetry-After: soon\r\nno colon\r\n: empty\r\n");
    CHECK(!h.has_length && !h.has_linked_size && !h.has_range);
    CHECK_STR(h.commit, "");
    CHECK_STR(h.etag, "");
    CHECK_INT(h.retry_after_s, -1);
    ims__http_meta(&h, &m);
    CHECK(!m.has_size);
    feed(&h, "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nRetry-After: 7\r\n");
    CHECK(h.has_range);
    CHECK_INT(h.range_start, 5);
    CHECK_INT(h.range_total, 10);
    CHECK_INT(h.retry_after_s, 7);
    feed(&h, "HTTP/1.1 429 Slow\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n");
    CHECK_INT(h.retry_after_s, 0);
}

TEST(long_head, "a header line of any length is no danger")
{
    static char line[20000];
    struct ims_http_head h = { 0 };

    memset(line, 'a', sizeof(line));
    memcpy(line, "Location: ", 10);
    ims__http_head_line(&h, line, sizeof(line));
    CHECK_STR(h.location, "");
    memcpy(line, "ETag: \"", 7);
    ims__http_head_line(&h, line, 400);
    CHECK_STR(h.etag, "");
}

TEST(pages, "a web page is known by its type")
{
    struct ims_http_head h;

    feed(&h, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n");
    CHECK(ims__http_is_page(&h));
    feed(&h, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n");
    CHECK(!ims__http_is_page(&h));
}

TEST(pointer, "a Git LFS pointer says size and sum; other texts say nothing")
{
    static const char good[] =
        "version https://git-lfs.github.com/spec/v1\noid sha256:" SUM "\nsize 1234\n";
    static const char *const bad[] = {
        "",
        "{\"a\": 1}",
        "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1234\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:" SUM "\nsize -4\n",
        "version https://git-lfs.github.com/spec/v1\nsize 4\n",
        "version https://example.org/v1\noid sha256:" SUM "\nsize 1234\n",
    };
    struct ims_fetch_meta m = { 0 };

    CHECK(ims__lfs_pointer(good, sizeof(good) - 1, &m));
    CHECK_STR(m.sha256, SUM);
    CHECK_INT(m.size_bytes, 1234);
    m = (struct ims_fetch_meta){ 0 };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!ims__lfs_pointer(bad[i], strlen(bad[i]), &m));
        CHECK(!m.has_size && !m.sha256[0]);
    }
}

TEST_MAIN
