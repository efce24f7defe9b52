#include "etl/template.h"

#include <string.h>

#include "base/fail.h"
#include "base/text.h"

enum piece_kind { PIECE_END, PIECE_SPACE, PIECE_CODE, PIECE_NAME, PIECE_SEMICOLON, PIECE_OPEN };

/* A stretch of the text that is one thing to us: white space or a comment, a literal or a character of SQL, a placeholder, something
 * that begins and does not end. */
struct piece {
	enum piece_kind kind;
	const char *at;
	size_t length;
	int line, column;
};

struct lexer {
	const char *start, *at;
	int line, column; /* of at; columns count characters */
};

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80) != 0;
}

static bool
is_letter(char c)
{
	return is_word(c) && !(c >= '0' && c <= '9');
}

/* The character n places before at; a space before the start. */
static char
before(const struct lexer *lexer, size_t n)
{
	return (size_t)(lexer->at - lexer->start) >= n ? lexer->at[-(ptrdiff_t)n] : ' ';
}

/* The measuring functions below give the length of what begins at s, 0 when it has no end. */

static size_t
quoted_length(const char *s, char quote, bool backslashes)
{
	for (const char *p = s + 1; *p != '\0'; p++) {
		if (backslashes && *p == '\\' && p[1] != '\0')
			p++;
		else if (*p == quote && p[1] == quote)
			p++;
		else if (*p == quote)
			return (size_t)(p + 1 - s);
	}
	return 0;
}

static size_t
comment_length(const char *s)
{
	int depth = 0;

	for (const char *p = s; *p != '\0'; p++) {
		if (p[0] == '/' && p[1] == '*') {
			depth++;
			p++;
		} else if (p[0] == '*' && p[1] == '/') {
			p++;
			if (--depth == 0)
				return (size_t)(p + 1 - s);
		}
	}
	return 0;
}

/* Length of the $tag$ at s, 0 when there is none. */
static size_t
tag_length(const char *s)
{
	const char *p = s + 1;

	if (is_letter(*p))
		while (is_word(*p))
			p++;
	return *p == '$' ? (size_t)(p + 1 - s) : 0;
}

static size_t
dollar_length(const char *s, size_t tag)
{
	for (const char *p = s + tag; (p = strchr(p, '$')) != NULL; p++)
		if (strncmp(p, s, tag) == 0)
			return (size_t)(p - s) + tag;
	return 0;
}

static size_t
name_length(const struct lexer *lexer)
{
	const char *p = lexer->at + 1;
	char previous = before(lexer, 1);

	if (is_word(previous) || strchr(":.$])", previous) != NULL || !((*p >= 'a' && *p <= 'z') || *p == '_'))
		return 0;
	while (is_word(*p))
		p++;
	return *p == '$' ? 0 : (size_t)(p - lexer->at); /* a$b is one name; behind a literal, $ would open another */
}

static bool
is_escape_string(const struct lexer *lexer)
{
	char previous = before(lexer, 1);

	return (previous == 'e' || previous == 'E') && !is_word(before(lexer, 2)) && before(lexer, 2) != '$';
}

/* Sets kind and length of what begins at the lexer's place. */
static void
measure(const struct lexer *lexer, struct piece *piece)
{
	const char *s = lexer->at;
	size_t tag;

	piece->kind = PIECE_CODE;
	piece->length = 1;
	if (strchr(" \t\r\n\f\v", *s) != NULL) {
		piece->kind = PIECE_SPACE;
	} else if (*s == '\'') {
		piece->length = quoted_length(s, '\'', is_escape_string(lexer));
	} else if (*s == '"') {
		piece->length = quoted_length(s, '"', false);
	} else if (s[0] == '-' && s[1] == '-') {
		piece->kind = PIECE_SPACE;
		piece->length = strcspn(s, "\r\n");
	} else if (s[0] == '/' && s[1] == '*') {
		piece->kind = PIECE_SPACE;
		piece->length = comment_length(s);
	} else if (*s == '$' && !is_word(before(lexer, 1)) && before(lexer, 1) != '$' && (tag = tag_length(s)) > 0) {
		piece->length = dollar_length(s, tag);
	} else if (*s == ':' && (tag = name_length(lexer)) > 0) {
		piece->kind = PIECE_NAME;
		piece->length = tag;
	} else if (*s == ';') {
		piece->kind = PIECE_SEMICOLON;
	}
}

static bool
next(struct lexer *lexer, struct piece *piece)
{
	*piece = (struct piece){.kind = PIECE_END, .at = lexer->at, .line = lexer->line, .column = lexer->column};
	if (*lexer->at == '\0')
		return false;
	measure(lexer, piece);
	if (piece->length == 0) {
		piece->kind = PIECE_OPEN;
		piece->length = strlen(lexer->at);
	}
	for (size_t i = 0; i < piece->length; i++, lexer->at++) {
		if (*lexer->at == '\n') {
			lexer->line++;
			lexer->column = 1;
		} else if ((*lexer->at & 0xc0) != 0x80) {
			lexer->column++;
		}
	}
	return true;
}

static struct lexer
begin(const char *sql)
{
	return (struct lexer){.start = sql, .at = sql, .line = 1, .column = 1};
}

/* 'text' with quotes doubled; with backslashes as E'…', which means the same whatever standard_conforming_strings says. */
static void
add_literal(struct text *out, const char *value)
{
	text_add(out, strchr(value, '\\') != NULL ? "E'" : "'");
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			text_add_bytes(out, value, 1);
		text_add_bytes(out, value, 1);
	}
	text_add(out, "'");
}

static bool
add_value(struct ctx *ctx, struct text *out, const struct template_value *value)
{
	static const char *const integers[] = {"smallint", "integer", "bigint"};
	int64_t n;

	if (value->type == NULL) {
		text_add(out, value->value != NULL ? value->value : "NULL");
		return true;
	}
	if (value->value == NULL) {
		text_addf(out, "NULL::%s", value->type);
		return true;
	}
	for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++) {
		if (strcmp(value->type, integers[i]) != 0)
			continue;
		if (!text_to_i64(value->value, &n))
			return fail(ctx, FAIL_INVALID_REQUEST, "the value of :%s is not a %s", value->name,
			    value->type);
		text_addf(out, n < 0 ? "(%lld)::%s" : "%lld::%s", (long long)n, value->type);
		return true;
	}
	text_addf(out, "%s ", value->type);
	add_literal(out, value->value);
	return true;
}

static bool
add_placeholder(struct ctx *ctx, struct text *out, const char *path, const struct piece *piece,
    const struct template_value *value)
{
	if (value == NULL)
		return fail(ctx, FAIL_SPEC_INVALID, "%s:%d:%d: unknown placeholder '%.*s'", path, piece->line,
		    piece->column, (int)piece->length, piece->at);
	if (!add_value(ctx, out, value))
		return false;
	if (piece->at[piece->length] == '\'') /* two literals side by side would be one */
		text_add(out, " ");
	return true;
}

static const struct template_value *
find_value(const struct piece *piece, const struct template_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(values[i].name) == piece->length - 1 &&
		    strncmp(values[i].name, piece->at + 1, piece->length - 1) == 0)
			return &values[i];
	return NULL;
}

bool
template_fill(struct ctx *ctx, const char *path, const char *sql, const struct template_value *values, size_t count,
    char **filled)
{
	struct lexer lexer = begin(sql);
	struct piece piece;
	struct text out;

	text_init(&out, ctx);
	while (next(&lexer, &piece)) {
		if (piece.kind == PIECE_OPEN)
			return fail(ctx, FAIL_SPEC_INVALID, "%s:%d:%d: this has no end", path, piece.line,
			    piece.column);
		if (piece.kind != PIECE_NAME)
			text_add_bytes(&out, piece.at, piece.length);
		else if (!add_placeholder(ctx, &out, path, &piece, find_value(&piece, values, count)))
			return false;
	}
	*filled = out.data;
	return true;
}

bool
template_scan(const char *sql, template_visitor *visit, void *arg)
{
	struct lexer lexer = begin(sql);
	struct piece piece;

	while (next(&lexer, &piece)) {
		char name[64];

		if (piece.kind != PIECE_NAME)
			continue;
		if (piece.length > sizeof(name)) /* longer than any name: shown by its beginning */
			piece.length = sizeof(name);
		memcpy(name, piece.at + 1, piece.length - 1);
		name[piece.length - 1] = '\0';
		if (!visit(arg, name, piece.line, piece.column))
			return false;
	}
	return true;
}

const char *
template_fault(const char *sql, int *line, int *column)
{
	struct lexer lexer = begin(sql);
	struct piece piece;
	bool code = false;

	while (next(&lexer, &piece)) {
		*line = piece.line;
		*column = piece.column;
		if (piece.kind == PIECE_OPEN)
			return "this literal, name or comment has no end";
		if (piece.kind == PIECE_SEMICOLON)
			return "a semicolon: the file is one SELECT, without it";
		code = code || piece.kind != PIECE_SPACE;
	}
	*line = *column = 1;
	return code ? NULL : "the file has no statement";
}

const char *
template_expression_fault(const char *sql)
{
	struct lexer lexer = begin(sql);
	struct piece piece;
	bool code = false;
	int depth = 0;

	while (next(&lexer, &piece)) {
		if (piece.kind == PIECE_OPEN)
			return "a literal, name or comment in it has no end";
		if (piece.kind == PIECE_SEMICOLON)
			return "a semicolon cannot stand in it";
		code = code || piece.kind != PIECE_SPACE;
		if (piece.kind == PIECE_CODE && piece.length == 1)
			depth += *piece.at == '(' ? 1 : *piece.at == ')' ? -1 : 0;
		if (depth < 0)
			return "a parenthesis is closed in it that was not opened";
	}
	if (depth > 0)
		return "a parenthesis in it is not closed";
	return code ? NULL : "nothing is in it";
}

bool
template_split(const char *sql, template_statement_visitor *visit, void *arg)
{
	struct template_statement statement = {0};
	struct lexer lexer = begin(sql);
	struct piece piece;
	bool more;

	do {
		more = next(&lexer, &piece);
		if (more && piece.kind != PIECE_SEMICOLON) {
			if (statement.at == NULL && piece.kind != PIECE_SPACE)
				statement = (struct template_statement){.at = piece.at,
				    .line = piece.line,
				    .column = piece.column};
			statement.open = statement.open || piece.kind == PIECE_OPEN;
			continue;
		}
		statement.length = statement.at != NULL ? (size_t)(piece.at - statement.at) : 0;
		if (statement.at != NULL && !visit(arg, &statement))
			return false;
		statement = (struct template_statement){0};
	} while (more);
	return true;
}

bool
template_words(const char *sql, template_word_visitor *visit, void *arg)
{
	struct lexer lexer = {.start = sql, .at = sql, .line = 1, .column = 1};
	struct template_word word = {0};
	bool dot = false, more = true;
	struct piece piece;

	while (more) {
		bool some = next(&lexer, &piece), letter = some && piece.kind == PIECE_CODE && is_word(*piece.at);

		if (letter && word.length > 0) {
			word.length++;
			continue;
		}
		if (word.length > 0)
			more = visit(arg, &word);
		word = (struct template_word){.at = piece.at, .length = letter, .after_dot = dot};
		if (!some)
			return more;
		if (piece.kind == PIECE_CODE && *piece.at == '"' && more)
			more = visit(arg, &(struct template_word){.at = piece.at + 1,
					      .length = piece.length - 2,
					      .quoted = true,
					      .after_dot = dot});
		if (piece.kind != PIECE_SPACE)
			dot = piece.kind == PIECE_CODE && *piece.at == '.';
	}
	return false;
}
