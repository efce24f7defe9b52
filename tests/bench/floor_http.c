/*
 * floor_http: the floor of the poll measure. Answers every request with the bytes of a file, by libmicrohttpd alone: no routes,
 * no tokens, no handler threads, no counters.
 *
 * usage: floor_http STATUS BODY HEADERS     (HEADERS: a file of "Name: value" lines)
 * Prints its port. Ends when its standard input does.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, LIMIT_BYTES = 1024 * 1024 };

struct answer {
	struct MHD_Response *response;
	unsigned status;
};

static enum MHD_Result
answer_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state)
{
	const struct answer *answer = cls;
	static int seen;

	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, answer->status, answer->response);
}

static size_t
read_file(const char *path, char *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t length;

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	length = fread(bytes, 1, LIMIT_BYTES - 1, file);
	bytes[length] = '\0';
	(void)fclose(file);
	return length;
}

static void
add_headers(struct MHD_Response *response, char *lines)
{
	char *rest = lines, *line, *colon;

	while ((line = strsep(&rest, "\n")) != NULL) {
		colon = strstr(line, ": ");
		if (colon == NULL)
			continue;
		*colon = '\0';
		(void)MHD_add_response_header(response, line, colon + 2);
	}
}

int
main(int argc, char **argv)
{
	static char body[LIMIT_BYTES], headers[LIMIT_BYTES];
	struct sockaddr_in any = {.sin_family = AF_INET};
	struct answer answer;
	struct MHD_Daemon *daemon;

	if (argc != 4) {
		fprintf(stderr, "usage: floor_http STATUS BODY HEADERS\n");
		return 1;
	}
	answer.status = (unsigned)strtoul(argv[1], NULL, 10);
	answer.response = MHD_create_response_from_buffer(read_file(argv[2], body), body, MHD_RESPMEM_PERSISTENT);
	(void)read_file(argv[3], headers);
	add_headers(answer.response, headers);
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer_request, &answer,
	    MHD_OPTION_SOCK_ADDR, &any, MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_END);
	if (daemon == NULL)
		return 1;
	printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, headers, sizeof(headers)) > 0)
		continue;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(answer.response);
	return 0;
}
