/*
 * Files carried inside the binary: the control database's queries and
 * migrations, the warehouse's statements, and the OpenAPI document. scripts/embed.py generates the tables
 * at build time; see the Makefile.
 */
#ifndef LOADSTAR_BASE_EMBED_H
#define LOADSTAR_BASE_EMBED_H

#include <stddef.h>

struct embedded_file {
	const char *name;  /* file name without its extension */
	const char *text;  /* contents; a NUL follows them */
	size_t size_bytes; /* length of text without that NUL */
};

/* Sorted by name (byte order), read-only, static storage. An empty folder gives a count of 0. */
extern const struct embedded_file embedded_queries[];
extern const size_t embedded_queries_count;
extern const struct embedded_file embedded_migrations[];
extern const size_t embedded_migrations_count;
extern const struct embedded_file embedded_warehouse[]; /* sql/warehouse/postgres */
extern const size_t embedded_warehouse_count;

/* openapi/openapi.yaml; empty text when the build had none. */
extern const struct embedded_file embedded_openapi;

#endif
