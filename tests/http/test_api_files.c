/* Which files a client can have: those of the library, and nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int status_of(const struct serving *s, const char *path)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, "GET", path, NULL);
    status = r.status;
    http_reply_release(&r);
    return status;
}

TEST(files_served, "a picture and its thumbnail come with their types, and 304 when they are known")
{
    struct serving s;
    struct http_reply r;
    char headers[200], *original;
    size_t len;

    if (!serving_open(&s, 2, NULL))
        return;
    original = test_read_file(test_source_path(library_demo_jpeg(0)), &len);
    http_json(&r, s.port, "GET", "/api/v1/images/1/full", NULL);
    CHECK_INT(r.status, 200);
    CHECK_STR(http_header(&r, "Content-Type"), "image/jpeg");
    CHECK_INT(r.n_body, len);
    CHECK_MEM(r.body, original, len);
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", http_header(&r, "ETag"));
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/images/1/full", headers, NULL, 0);
    CHECK_INT(r.status, 304);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/images/2/full", headers, NULL, 0);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/images/1/full", "Range: bytes=2-5\r\n", NULL, 0);
    CHECK_INT(r.status, 206);
    CHECK_MEM(r.body, original + 2, 4);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/api/v1/images/1/thumbnail", NULL);
    CHECK_INT(r.status, 200);
    CHECK((unsigned char)r.body[0] == 0xff && (unsigned char)r.body[1] == 0xd8);
    http_reply_release(&r);
    free(original);
    serving_stop(&s, SIGTERM);
}

TEST(files_confined, "a path that leads out of the library's folders is refused, however it does so")
{
    struct serving s;
    char path[700], outside[700];

    if (!serving_open(&s, 3, NULL))
        return;
    CHECK_INT(status_of(&s, "/api/v1/images/1/full"), 200);
    snprintf(path, sizeof(path), "%s/p00.jpg", s.library.photos);
    snprintf(outside, sizeof(outside), "%s.secret", s.library.photos); /* the folder's own name is its beginning */
    CHECK(rename(path, outside) == 0 && symlink(outside, path) == 0);
    CHECK_INT(status_of(&s, "/api/v1/images/1/full"), 403);
    CHECK_INT(status_of(&s, "/api/v1/images/1/thumbnail"), 403);
    CHECK_INT(status_of(&s, "/api/v1/images/2/full"), 200);
    snprintf(path, sizeof(path), "%s/p01.jpg", s.library.photos);
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    CHECK_INT(status_of(&s, "/api/v1/images/2/full"), 403); /* and does not hang */
    snprintf(path, sizeof(path), "%s/p02.jpg", s.library.photos);
    CHECK(unlink(path) == 0);
    CHECK_INT(status_of(&s, "/api/v1/images/3/full"), 404);
    CHECK_INT(status_of(&s, "/api/v1/images/../../../etc/passwd/full"), 404);
    CHECK_INT(status_of(&s, "/api/v1/images/%2e%2e%2f/full"), 422);
    serving_stop(&s, SIGTERM);
}

TEST(files_previewed, "what a browser cannot show comes as a JPEG that is kept")
{
    struct serving s;
    struct http_reply r;
    char headers[200], first[4];
    size_t len;

    if (!serving_open(&s, 1, NULL))
        return;
    library_copy(&s.library, "demo/2022/ski-week/IMG_1041.HEIC", "p.heic");
    CHECK_INT(library_index(&s.library, "processed"), 1);
    library_write(&s.library, "cut.jpg", "\xff\xd8\xff", 3);
    CHECK_INT(library_index(&s.library, "processed"), 0);
    http_json(&r, s.port, "GET", "/api/v1/assets?sort=taken", NULL);
    CHECK(strstr(r.body, "\"total\":3"));
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/api/v1/assets?sort=taken&indexed=true", NULL);
    CHECK(strstr(r.body, "\"total\":2") && !strstr(r.body, "cut.jpg"));
    CHECK(strstr(r.body, "\"filename\":\"p.heic\"") < strstr(r.body, "\"filename\":\"p00.jpg\"")); /* taken later */
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/api/v1/images/3/preview?size=2400", NULL);
    CHECK_INT(r.status, 200);
    CHECK_STR(http_header(&r, "Content-Type"), "image/jpeg");
    CHECK(r.n_body > 4 && memcmp(r.body, "\xff\xd8\xff", 3) == 0);
    len = r.n_body;
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", http_header(&r, "ETag"));
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/images/3/preview?size=2400", headers, NULL, 0);
    CHECK_INT(r.status, 304);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/api/v1/images/3/preview?size=800", headers, NULL, 0);
    CHECK_INT(r.status, 200); /* another size is another picture */
    memcpy(first, r.body, 4);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/api/v1/images/3/preview?size=2400", NULL);
    CHECK(r.status == 200 && r.n_body == len && memcmp(r.body, first, 4) == 0);
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

/* A form with one file part and text fields. */
static void post_form(struct http_reply *r, const struct serving *s, const char *path, const void *file, size_t n,
                      const char *type, const char *fields)
{
    char *body = malloc(n + 4000);
    int at = sprintf(body, "%s--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.jpg\"\r\nContent-Type: %s\r\n\r\n",
                     fields, type);

    memcpy(body + at, file, n);
    memcpy(body + at + n, "\r\n--xyz--\r\n", 11);
    http_request(r, s->port, "POST", path, "Content-Type: multipart/form-data; boundary=xyz\r\n", body, (size_t)at + n + 11);
    free(body);
}

#define FIELD(name, value) "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

TEST(files_as_queries, "a picture that is sent finds itself; what is no picture is refused with a reason")
{
    struct serving s;
    struct http_reply r;
    size_t len;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(1)), &len);

    if (!serving_open(&s, 4, NULL))
        return;
    post_form(&r, &s, "/api/v1/search/image", jpeg, len, "image/jpeg", FIELD("limit", "1"));
    CHECK_INT(r.status, 200);
    CHECK(strstr(r.body, "\"results\":[{\"asset\":{\"id\":2,") && strstr(r.body, "<image: q.jpg>"));
    http_reply_release(&r);
    post_form(&r, &s, "/api/v1/search/hybrid", jpeg, len, "image/jpeg", FIELD("textQuery", "a boat"));
    CHECK_INT(r.status, 200);
    CHECK(strstr(r.body, "\"rank\":1") && !strstr(r.body, "\"textScore\":null") && strstr(r.body, "\"total\":4"));
    http_reply_release(&r);
    post_form(&r, &s, "/api/v1/search/compose", jpeg, len, "image/jpeg", FIELD("modifierText", "in winter") FIELD("alpha", "0"));
    CHECK_INT(r.status, 200);
    CHECK(strstr(r.body, "{\"id\":2,") && strstr(r.body, "\"modifierText\":\"in winter\""));
    http_reply_release(&r);
    post_form(&r, &s, "/api/v1/search/image", jpeg, 500, "image/jpeg", "");
    CHECK(r.status == 400 && strstr(r.body, "embedding_error"));
    http_reply_release(&r);
    post_form(&r, &s, "/api/v1/search/image", "hello", 5, "text/plain", "");
    CHECK(r.status == 400 && strstr(r.body, "invalid_file_type"));
    http_reply_release(&r);
    post_form(&r, &s, "/api/v1/search/image", jpeg, len, "image/jpeg", FIELD("limit", "many"));
    CHECK_INT(r.status, 422);
    http_reply_release(&r);
    http_request(&r, s.port, "POST", "/api/v1/search/hybrid", "Content-Type: multipart/form-data; boundary=xyz\r\n",
                 FIELD("textWeight", "0.5") "--xyz--\r\n", strlen(FIELD("textWeight", "0.5") "--xyz--\r\n"));
    CHECK(r.status == 400 && strstr(r.body, "missing_query"));
    http_reply_release(&r);
    free(jpeg);
    serving_stop(&s, SIGTERM);
}
