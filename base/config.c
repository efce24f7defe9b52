#include "base/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

extern char **environ;

enum {
	VALUE_FILE_LIMIT_BYTES = 64 * 1024,
	RETENTION_DEFAULT_DAYS = 400,
	RETENTION_LOGS_DEFAULT_DAYS = 30,
	RETENTION_LEAST_DAYS = 1,
	RETENTION_MOST_DAYS = 36500 /* what a database's calendar can be set back by */
};

const struct config_setting config_settings[] = {
#define SETTING(field, variable_, flag_, type_, default_, secret_, doc_) \
	{.variable = variable_, \
	    .flag = flag_, \
	    .type = CONFIG_##type_, \
	    .default_text = default_, \
	    .secret = secret_, \
	    .doc = doc_, \
	    .offset = offsetof(struct config, field)},
#include "base/config_table.def"
#undef SETTING
};
const size_t config_settings_count = LENGTH_OF(config_settings);

const char *
config_env(const char *variable)
{
	return getenv(variable);
}

bool
config_parse_size(const char *s, int64_t *bytes)
{
	static const struct {
		const char *unit;
		int64_t bytes;
	} units[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
	size_t digits = strspn(s, "0123456789");
	int64_t n;

	if (digits == 0 || digits > 12)
		return false;
	n = strtoll(s, NULL, 10);
	for (size_t i = 0; i < LENGTH_OF(units); i++) {
		if (strcmp(s + digits, units[i].unit) == 0)
			return !__builtin_mul_overflow(n, units[i].bytes, bytes);
	}
	return false;
}

static bool
fail_value(struct ctx *ctx, const struct config_setting *setting, const char *value, const char *want)
{
	return fail(ctx, FAIL_CONFIG_INVALID, "%s is %s, but must be %s", setting->variable,
	    setting->secret ? "***" : text_sanitize(ctx, value), want);
}

static bool
assign(struct ctx *ctx, struct config *config, const struct config_setting *setting, const char *value)
{
	void *field = (char *)config + setting->offset;
	int64_t *number = field;

	switch (setting->type) {
	case CONFIG_TEXT:
		if (setting->secret)
			*(struct secret *)field = secret_make(ctx, value);
		else
			*(const char **)field = ctx_strdup(ctx, value);
		return true;
	case CONFIG_COUNT:
		return (text_to_i64(value, number) && *number >= 0 && *number <= 100000) ||
		       fail_value(ctx, setting, value, "a whole number from 0 to 100000");
	case CONFIG_SIZE:
		return config_parse_size(value, number) ||
		       fail_value(ctx, setting, value, "a size such as 65536, 64KiB or 1MiB");
	case CONFIG_DURATION:
		return (duration_parse_ms(value, number) && *number > 0) ||
		       fail_value(ctx, setting, value, "a duration such as 500ms, 15s or 2m");
	case CONFIG_BOOL:
		*(bool *)field = text_equal(value, "1") || text_equal(value, "true");
		return *(bool *)field || text_equal(value, "0") || text_equal(value, "false") ||
		       fail_value(ctx, setting, value, "1, 0, true or false");
	}
	return false;
}

/* The variable's value, or the content of the file that VARIABLE_FILE names, without its last line end. */
static bool
read_variable(struct ctx *ctx, const char *variable, const char **value)
{
	const char *path;
	char *text;
	size_t length;

	*value = config_env(variable);
	if (*value != NULL)
		return true;
	path = config_env(ctx_printf(ctx, "%s_FILE", variable));
	if (path == NULL)
		return true;
	if (!file_read(ctx, path, VALUE_FILE_LIMIT_BYTES, &text, &length))
		return false;
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		text[--length] = '\0';
	*value = text;
	return true;
}

static bool
load_environment(struct ctx *ctx, struct config *config)
{
	for (size_t i = 0; i < config_settings_count; i++) {
		const struct config_setting *setting = &config_settings[i];
		const char *value;

		if (!read_variable(ctx, setting->variable, &value))
			return false;
		if (value == NULL || *value == '\0')
			value = setting->default_text;
		if (value != NULL && !assign(ctx, config, setting, value))
			return false;
	}
	return true;
}

static const struct config_setting *
find_flag(const char *flag, size_t length)
{
	for (size_t i = 0; i < config_settings_count; i++) {
		const char *name = config_settings[i].flag;

		if (strlen(name) == length && strncmp(name, flag, length) == 0)
			return &config_settings[i];
	}
	return NULL;
}

static bool
load_flags(struct ctx *ctx, int *argc, char **argv, struct config *config)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		const char *flag = argv[i] + 2;
		size_t length = strncmp(argv[i], "--", 2) == 0 ? strcspn(flag, "=") : 0;
		const struct config_setting *setting = length > 0 ? find_flag(flag, length) : NULL;
		const char *value;

		if (setting == NULL) {
			argv[kept++] = argv[i];
			continue;
		}
		if (flag[length] == '=')
			value = flag + length + 1;
		else if (setting->type == CONFIG_BOOL)
			value = "true";
		else if (i + 1 < *argc)
			value = argv[++i];
		else
			return fail(ctx, FAIL_CONFIG_INVALID, "--%s needs a value", setting->flag);
		if (!assign(ctx, config, setting, value))
			return false;
	}
	argv[kept] = NULL;
	*argc = kept;
	return true;
}

static void
add_named(struct ctx *ctx, struct config_connection **list, const char *name, const char *url)
{
	struct config_connection *named;

	for (named = *list; named != NULL; named = named->next)
		if (strcmp(named->name, name) == 0)
			return;
	named = ctx_alloc(ctx, sizeof(*named));
	named->name = ctx_strdup(ctx, name);
	named->url = secret_make(ctx, url);
	named->next = *list;
	*list = named;
}

void
config_add_connection(struct ctx *ctx, struct config *config, const char *name, const char *url)
{
	add_named(ctx, &config->connections, name, url);
}

/* PREFIX<NAME> or PREFIX<NAME>_FILE for every NAME. */
static bool
load_named(struct ctx *ctx, const char *prefix, struct config_connection **list)
{
	for (char **entry = environ; *entry != NULL; entry++) {
		size_t length = strcspn(*entry, "=");
		char *variable, *name;
		const char *value;

		if (!text_starts_with(*entry, prefix))
			continue;
		variable = ctx_strndup(ctx, *entry, length);
		if (text_ends_with(variable, "_FILE"))
			variable[length - strlen("_FILE")] = '\0';
		if (!read_variable(ctx, variable, &value))
			return false;
		name = ctx_strdup(ctx, variable + strlen(prefix));
		for (char *p = name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		add_named(ctx, list, name, value);
	}
	return true;
}

/* What can be delivered to; what stands behind the scheme is not shown. */
static bool
check_notify(struct ctx *ctx, const struct config *config)
{
	for (const struct config_connection *target = config->notify; target != NULL; target = target->next) {
		const char *url = secret_is_set(&target->url) ? secret_reveal(&target->url) : "";

		if (*url == '\0')
			continue;
		if (text_starts_with(url, "slack:"))
			url += strlen("slack:");
		if (!text_starts_with(url, "https://") && !text_starts_with(url, "http://"))
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "LOADSTAR_NOTIFY_<NAME> of %s must be https://…, http://… or slack:https://…%s",
			    target->name, text_starts_with(url, "sns:") ? "; sns: is not available yet" : "");
	}
	return true;
}

/* Each its own, else that of all, else what this programme thinks right. */
static void
resolve_retention(struct config *config)
{
	struct {
		int64_t *ms;
		int64_t days;
	} each[] = {
	    {&config->retention_runs_ms, RETENTION_DEFAULT_DAYS},
	    {&config->retention_logs_ms, RETENTION_LOGS_DEFAULT_DAYS},
	    {&config->retention_quality_ms, RETENTION_DEFAULT_DAYS},
	    {&config->retention_audit_ms, RETENTION_DEFAULT_DAYS},
	};

	for (size_t i = 0; i < LENGTH_OF(each); i++) {
		if (*each[i].ms == 0)
			*each[i].ms = config->retention_ms;
		if (*each[i].ms == 0)
			*each[i].ms = each[i].days * (CLOCK_DAY_US / 1000);
	}
}

/* A time so short that what still goes on, or is being read, would vanish is a slip of the pen. */
static bool
check_retention(struct ctx *ctx, struct config *config)
{
	const int64_t day_ms = CLOCK_DAY_US / 1000;

	for (size_t i = 0; i < config_settings_count; i++) {
		const struct config_setting *setting = &config_settings[i];
		int64_t ms;

		if (!text_starts_with(setting->variable, "LOADSTAR_RETENTION"))
			continue;
		ms = *(const int64_t *)(const void *)((const char *)config + setting->offset);
		if (ms != 0 && (ms < RETENTION_LEAST_DAYS * day_ms || ms > RETENTION_MOST_DAYS * day_ms))
			return fail(ctx, FAIL_CONFIG_INVALID, "%s is %lldms, but must be from %dd to %dd",
			    setting->variable, (long long)ms, RETENTION_LEAST_DAYS, RETENTION_MOST_DAYS);
	}
	resolve_retention(config);
	return true;
}

bool
config_notify(const struct config *config, const char *name, struct secret *url)
{
	for (const struct config_connection *target = config->notify; target != NULL; target = target->next) {
		*url = target->url;
		if (strcmp(target->name, name) == 0)
			return secret_is_set(url) && *secret_reveal(url) != '\0';
	}
	return false;
}

bool
config_load(struct ctx *ctx, int *argc, char **argv, struct config *config)
{
	*config = (struct config){.workers = -1};
	if (!load_environment(ctx, config) || !load_flags(ctx, argc, argv, config) ||
	    !load_named(ctx, "LOADSTAR_CONNECTION_", &config->connections))
		return false;
	config_split_pipelines(ctx, config);
	return load_named(ctx, "LOADSTAR_NOTIFY_", &config->notify) && check_notify(ctx, config) &&
	       check_retention(ctx, config);
}

static char *
show(struct ctx *ctx, const struct config *config, const struct config_setting *setting)
{
	const void *field = (const char *)config + setting->offset;
	const char *text;

	switch (setting->type) {
	case CONFIG_TEXT:
		if (setting->secret)
			return ctx_strdup(ctx, secret_show(field));
		text = *(const char *const *)field;
		return ctx_strdup(ctx, text != NULL ? text : "(unset)");
	case CONFIG_COUNT:
	case CONFIG_SIZE: return ctx_printf(ctx, "%lld", (long long)*(const int64_t *)field);
	case CONFIG_DURATION: return ctx_printf(ctx, "%lldms", (long long)*(const int64_t *)field);
	case CONFIG_BOOL: return ctx_strdup(ctx, text_from_bool(*(const bool *)field));
	}
	return NULL;
}

char *
config_dump(struct ctx *ctx, const struct config *config)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < config_settings_count; i++)
		text_addf(&out, "%s = %s\n", config_settings[i].variable, show(ctx, config, &config_settings[i]));
	for (const struct config_connection *c = config->connections; c != NULL; c = c->next)
		text_addf(&out, "%s = %s%s%s\n", config_connection_variable(ctx, c->name),
		    secret_redact_url(ctx, &c->url), c->pipelines != NULL ? " only for " : "",
		    c->pipelines != NULL ? c->pipelines : "");
	return out.data;
}

bool
config_is_loopback(const char *listen)
{
	/* Nothing but digits and dots: 127.example.org is a name like any other. */
	bool numeric = listen[strspn(listen, "0123456789.")] == ':';

	return (numeric && text_starts_with(listen, "127.")) || text_starts_with(listen, "[::1]:") ||
	       text_starts_with(listen, "localhost:");
}
