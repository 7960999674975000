/* Any bytes on a connection to the server, with a contract that has a form, a JSON body, a file and an upload: it answers or
 * closes within seconds, what it answers is a status line, and it is well afterwards.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "harness/http_client.h"
#include "http/small_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t server_port(void)
{
    static struct test_server s;

    if (!s.http) {
        ims__log_setup(IMS_LOG_OFF, IMS_LOG_TEXT);
        if (!test_server_open(&s, NULL, 1))
            abort();
        test_server_release_held();
    }
    return s.port;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = http_connect(server_port());
    char some[4096];
    size_t n, total = 0;

    if (fd < 0)
        abort();
    (void)http_send_bytes(fd, data, size); /* it may have hung up in between */
    shutdown(fd, SHUT_WR);
    while ((n = http_read_some(fd, some, sizeof(some), 20000)) > 0) {
        if (total == 0 && n >= 5 && strncmp(some, "HTTP/", 5) != 0)
            abort();
        total += n;
    }
    close(fd);
    return 0;
}
