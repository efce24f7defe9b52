#include "etl/files_path.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char batch_word[] = "{batch}";
enum { BATCH_LENGTH = sizeof(batch_word) - 1, LONGEST_TEMPLATE = 1000, MOST_STARS = 8 };

static const char *
name_fault(const char *name, size_t length)
{
	size_t stars = 0;

	if (length == 0)
		return "has an empty name";
	if ((length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0))
		return "leads elsewhere: '.' and '..' are no names";
	for (size_t i = 0; i < length; i++)
		stars += name[i] == '*';
	if (length > 2 && memmem(name, length, "**", 2) != NULL)
		return "has '**' within a name; it stands for whole folders";
	if (stars > MOST_STARS)
		return "has too many stars in a name";
	return NULL;
}

const char *
path_template_fault(const char *template)
{
	const char *batch = strstr(template, batch_word), *last = strrchr(template, '/');

	if (strlen(template) > LONGEST_TEMPLATE)
		return "is too long";
	for (const unsigned char *c = (const unsigned char *)template; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f || *c == '\\')
			return "has a character that no path here may have";
	if (batch != NULL && strstr(batch + 1, batch_word) != NULL)
		return "has {batch} twice";
	for (const char *c = template; (c = strpbrk(c, "{}")) != NULL; c += BATCH_LENGTH)
		if (c != batch)
			return "has a brace that is none of {batch}";
	if (strstr(template, "**") != NULL && strstr(strstr(template, "**") + 2, "**") != NULL)
		return "has '**' twice";
	if (strcmp(last == NULL ? template : last + 1, "**") == 0)
		return "ends with '**', which stands for folders";
	for (const char *name = template;; name += strcspn(name, "/") + 1) {
		const char *fault = name_fault(name, strcspn(name, "/"));

		if (fault != NULL || strchr(name, '/') == NULL)
			return fault;
	}
}

const char *
path_date_fault(const char *format)
{
	bool year = false;

	for (const char *c = format; *c != '\0'; c++) {
		if (*c == '/')
			return "has a slash: {batch} is within one name";
		if (*c != '%')
			continue;
		c++;
		if (*c == '\0' || strchr("YmdHMS", *c) == NULL)
			return "may have %Y, %m, %d, %H, %M and %S";
		year = year || *c == 'Y';
	}
	return year ? NULL : "lacks %Y";
}

/* One part of the local time, as it is written with all its digits. */
static bool
take_digits(const char **text, int digits, int *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return true;
}

static bool
read_parts(const char *format, const char *text, struct tm *tm)
{
	const struct {
		char letter;
		int digits;
		int *field;
	} parts[] = {{'Y', 4, &tm->tm_year}, {'m', 2, &tm->tm_mon}, {'d', 2, &tm->tm_mday}, {'H', 2, &tm->tm_hour},
	    {'M', 2, &tm->tm_min}, {'S', 2, &tm->tm_sec}};

	for (; *format != '\0'; format++) {
		if (*format != '%') {
			if (*text++ != *format)
				return false;
			continue;
		}
		format++;
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
			if (parts[i].letter == *format && !take_digits(&text, parts[i].digits, parts[i].field))
				return false;
	}
	return *text == '\0';
}

bool
path_date_parse(const char *format, const char *text, char local[PATH_LOCAL_ROOM])
{
	struct tm tm = {.tm_mon = 1, .tm_mday = 1}, normal;

	if (!read_parts(format, text, &tm))
		return false;
	if (tm.tm_year < 1 || tm.tm_mon < 1)
		return false;
	normal = (struct tm){.tm_year = tm.tm_year - 1900,
	    .tm_mon = tm.tm_mon - 1,
	    .tm_mday = tm.tm_mday,
	    .tm_hour = tm.tm_hour,
	    .tm_min = tm.tm_min,
	    .tm_sec = tm.tm_sec};
	(void)timegm(&normal);
	if (normal.tm_year != tm.tm_year - 1900 || normal.tm_mon != tm.tm_mon - 1 || normal.tm_mday != tm.tm_mday ||
	    normal.tm_hour != tm.tm_hour || normal.tm_min != tm.tm_min || normal.tm_sec != tm.tm_sec)
		return false; /* the 31st of February */
	return snprintf(local, PATH_LOCAL_ROOM, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec) < PATH_LOCAL_ROOM;
}

static bool
takes_batch(const struct path_batch *rule, const char *text, size_t length, char *batch)
{
	char local[PATH_LOCAL_ROOM];

	if (length == 0 || length >= PATH_BATCH_ROOM)
		return false;
	memcpy(batch, text, length);
	batch[length] = '\0';
	return (rule->want == NULL || strcmp(rule->want, batch) == 0) &&
	       (rule->date == NULL || path_date_parse(rule->date, batch, local));
}

/* Names are short and stars few, so that trying every length is cheap enough. */
bool
path_name_matches(const char *pattern, size_t length, const char *name, const struct path_batch *rule, char *batch)
{
	for (; length > 0; pattern++, name++, length--) {
		bool is_batch = length >= BATCH_LENGTH && memcmp(pattern, batch_word, BATCH_LENGTH) == 0;

		if (*pattern == '*' || is_batch) {
			size_t word = is_batch ? BATCH_LENGTH : 1, left = strlen(name);

			for (size_t taken = 0; taken <= left; taken++)
				if ((!is_batch || takes_batch(rule, name, taken, batch)) &&
				    path_name_matches(pattern + word, length - word, name + taken, rule,
					is_batch ? NULL : batch))
					return true;
			return false;
		}
		if (*name == '\0' || *name != *pattern)
			return false;
	}
	return *name == '\0';
}
