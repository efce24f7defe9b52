/* job: what the parent's two files share. */
#ifndef ETL_DUCK_JOB_H
#define ETL_DUCK_JOB_H

#include <sys/types.h>

#include "etl/duck/duck.h"

/* A pipe that is read line by line. */
struct lines {
	int fd; /* -1: ended */
	char *buffer;
	size_t length, capacity;
};

struct duck_job {
	struct ctx *ctx;
	const struct duck_request *request;
	const char *folder; /* the child's own */
	pid_t pid;          /* 0: waited for */
	int status;         /* of wait, when pid is 0 */
	int life;           /* the child ends when this is closed */
	int rows;           /* -1: ended */
	struct lines events, errors;
	bool done;            /* the child said so */
	char last_error[512]; /* the last line of its stderr */
	struct duck_result *result;
	const struct duck_listener *listener;
};

#endif
