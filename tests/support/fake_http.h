/*
 * fake_http: the HTTP server with handlers of the test's own, and a client that speaks in raw bytes.
 *
 *   /wait[?short]  waits for a change of FAKE_RUN       /stream[?sse]  its lines          /slow  takes 300 ms
 *   /broken        fails                                others         "METHOD PATH BYTES"
 *   ?now           on the library's own thread
 *
 * Asserts run in the main thread alone: cmocka cannot fail elsewhere.
 */
#ifndef TESTS_SUPPORT_FAKE_HTTP_H
#define TESTS_SUPPORT_FAKE_HTTP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "server/http.h"

#define FAKE_RUN "0190a000-0000-7000-8000-000000000001"
#define HOST "Host: x\r\n"
#define CLOSE "Connection: close\r\n"
#define WAIT "GET /wait HTTP/1.1\r\n" HOST "If-None-Match: \"1\"\r\n\r\n"

enum { BODY_LIMIT = 64 * 1024 };

struct fake_http {
	struct ctx *ctx;
	struct config config;
	struct app app;
	struct http_server *server;
	int port;
};

/* What the fake knows of the one run. */
extern atomic_int fake_version;
extern atomic_int fake_line_count;
extern atomic_bool fake_finished;

#define FAKE_HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, fake_http_start, fake_http_stop)
int fake_http_start(void **state);
/* Fails when the server took long: something was left open until the drain's end. */
int fake_http_stop(void **state);

int connect_to(int port);
void send_text(int fd, const char *s);
/* Reads until the text is there, or the end; "" at once when the peer has closed. */
char *read_until(struct ctx *ctx, int fd, const char *wanted);
/* Sends a request, returns all that comes until the connection ends. */
char *exchange_text(struct fake_http *fixture, int port, const char *request);
void assert_status(const char *answer, int status);

#endif
