/* A server with a small contract of its own, for the tests of the listener.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HTTP_SMALL_SERVER_H
#define IMS_TESTS_HTTP_SMALL_SERVER_H

#include "http/http.h"

struct test_server {
    struct ims_spec *spec;
    struct ims_http *http;
    uint16_t port;
};

/* token NULL = none. Fails the test when it cannot be opened. */
bool test_server_open(struct test_server *s, const char *token, unsigned idle_timeout_s);
void test_server_close(struct test_server *s);
/* Opens one on that port and ends it: what came of the opening. */
ims_status test_server_try_port(uint16_t port);

/* Handlers of the operation "hold" wait until this is called; n_held counts them. */
void test_server_release_held(void);
unsigned test_server_n_held(void);
/* Streams of the operation "events" that were opened and closed so far. */
unsigned test_server_n_streams(bool closed);
/* Bytes that streams opened with "Last-Event-ID: flood" were asked for. */
size_t test_server_n_flooded(void);

#endif
