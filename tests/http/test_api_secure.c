/* What is closed from the start, as it is served: the address, the login, the folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int get(const struct serving *s, const char *path, const char *headers)
{
    struct http_reply r;
    int status;

    http_request(&r, s->port, "GET", path, headers, NULL, 0);
    status = r.status;
    http_reply_release(&r);
    return status;
}

/* An address of this machine that others can reach; false when it has none. */
static bool outer_address(struct sockaddr_in *out)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
    socklen_t n = sizeof(*out);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool is_good;

    inet_pton(AF_INET, "192.0.2.1", &to.sin_addr); /* nothing is sent: the kernel only chooses the way */
    is_good = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && getsockname(fd, (struct sockaddr *)out, &n) == 0 &&
              (ntohl(out->sin_addr.s_addr) >> 24) != 127;
    close(fd);
    return is_good;
}

TEST(secure_loopback, "without settings only this machine reaches the service")
{
    struct sockaddr_in other;
    struct serving s;
    int fd;

    if (!serving_open(&s, 1, NULL))
        return;
    CHECK_INT(get(&s, "/health", NULL), 200);
    if (outer_address(&other)) {
        other.sin_port = htons(s.port);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(fd, (struct sockaddr *)&other, sizeof(other)) != 0);
        close(fd);
    } else
        test_note("this machine has no other address");
    serving_stop(&s, SIGTERM);
}

TEST(secure_cookie, "a login's cookie opens what the token does, to its own origin, until the token changes")
{
    static const char *const first[] = { "IMS_TOKEN=0123456789abcdef0123", NULL }, *const second[] = { "IMS_TOKEN=0123456789abcdef0124", NULL };
    struct serving s;
    struct http_reply r;
    char headers[500], cookie[300];

    if (!serving_open(&s, 1, first))
        return;
    http_json(&r, s.port, "POST", "/api/v1/login", "{\"token\":\"0123456789abcdef0123\"}");
    CHECK_INT(r.status, 204);
    snprintf(cookie, sizeof(cookie), "%.*s", (int)strcspn(http_header(&r, "Set-Cookie"), ";"), http_header(&r, "Set-Cookie"));
    CHECK(strstr(http_header(&r, "Set-Cookie"), "SameSite=Strict"));
    http_reply_release(&r);
    snprintf(headers, sizeof(headers), "Cookie: a=b; %s\r\n", cookie);
    CHECK_INT(get(&s, "/api/v1/assets", headers), 200);
    CHECK_INT(get(&s, "/metrics", headers), 200);
    CHECK_INT(get(&s, "/metrics", NULL), 401);
    snprintf(headers, sizeof(headers), "Cookie: %s\r\nOrigin: https://evil.example\r\n", cookie);
    CHECK_INT(get(&s, "/api/v1/assets", headers), 403);
    snprintf(headers, sizeof(headers), "Cookie: %s\r\nHost: rebound.example\r\n", cookie);
    CHECK_INT(get(&s, "/api/v1/assets", headers), 421);
    snprintf(headers, sizeof(headers), "Cookie: %s0\r\n", cookie);
    CHECK_INT(get(&s, "/api/v1/assets", headers), 401);
    CHECK_INT(get(&s, "/api/v1/assets", "Authorization: Bearer 0123456789abcdef0124\r\n"), 401);
    serving_stop(&s, SIGTERM);
    snprintf(headers, sizeof(headers), "Cookie: %s\r\n", cookie);
    CHECK(serving_start(&s, first));
    CHECK_INT(get(&s, "/api/v1/assets", headers), 200); /* it outlives a restart */
    serving_stop(&s, SIGTERM);
    CHECK(serving_start(&s, second));
    CHECK_INT(get(&s, "/api/v1/assets", headers), 401);
    serving_stop(&s, SIGTERM);
}

TEST(secure_roots, "D-O2: without a folder that is the library's no file is served, whatever the library holds")
{
    struct serving s;
    char away[800];

    if (!serving_open(&s, 1, NULL))
        return;
    CHECK_INT(get(&s, "/api/v1/images/1/full", NULL), 200);
    snprintf(away, sizeof(away), "UPDATE roots SET path = CAST('/nowhere' AS %s)", s.library.database_env[0] ? "BYTEA" : "BLOB");
    CHECK(library_sql(&s.library, away));
    CHECK_INT(get(&s, "/api/v1/images/1/full", NULL), 403);
    CHECK_INT(get(&s, "/api/v1/images/1/thumbnail", NULL), 403);
    CHECK_INT(get(&s, "/api/v1/images/1/preview", NULL), 403);
    serving_stop(&s, SIGTERM);
}
