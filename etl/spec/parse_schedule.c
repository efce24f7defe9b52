/* parse_schedule: time zones, when runs start by themselves, and who is told how they end. */
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/spec/parse.h"
#include "sql/notice_store.h"

enum { MOST_NOTIFY = 20 };

const char *const spec_run_types[] = {"full", "dimensions", "facts"};
const char *const spec_run_modes[] = {"auto", "all", "missing", "failed"};
const char *const spec_overlap_modes[] = {"skip", "queue", "cancel"};
const char *const spec_catchup_modes[] = {"last", "all", "none"};

/* NULL after a finding. */
static const struct zone *
find_zone(struct parse *parse, const struct node *node, const char *name)
{
	struct ctx *ctx = parse->findings.ctx;
	const struct zone *zone;

	if (zone_load(ctx, name, &zone))
		return zone;
	fail_clear(ctx);
	(void)finding(&parse->findings, &node->place, "'%s' is no time zone; write it as in Europe/Zurich", name);
	return NULL;
}

void
read_zone(struct parse *parse)
{
	parse->spec->zone = find_zone(parse, node_get(parse->root, "timezone"), parse->spec->timezone);
}

static const struct spec_param *
find_param(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->param_count; i++)
		if (strcmp(spec->params[i].name, name) == 0)
			return &spec->params[i];
	return NULL;
}

static void
read_value(struct parse *parse, const struct node *value, json_t *values)
{
	struct ctx *ctx = parse->findings.ctx;
	const struct spec_param *param = find_param(parse->spec, value->key);

	if (param == NULL)
		(void)finding(&parse->findings, &value->key_place, "the pipeline has no parameter '%s'", value->key);
	else if (value->kind != NODE_SCALAR || node_is_null(value))
		(void)finding(&parse->findings, &value->place, "'%s' must be a value", value->key);
	else if (!spec_param_accepts(ctx, param, value->text))
		(void)finding(&parse->findings, &value->place, "'%s' is no %s%s", value->text,
		    spec_type_name(ctx, &param->type), param->pattern != NULL ? " that matches the pattern" : "");
	else
		json_put_string(ctx, values, value->key, value->text);
}

/* Every parameter that a run must carry has a value. */
static json_t *
read_values(struct parse *parse, const struct node *schedule)
{
	const struct node *map = node_get(schedule, "params");
	json_t *values = json_new_object(parse->findings.ctx);
	bool is_map = map != NULL && map->kind == NODE_MAP;

	for (const struct node *value = is_map ? map->first : NULL; value != NULL; value = value->next)
		read_value(parse, value, values);
	return values;
}

void
check_schedule_params(struct parse *parse)
{
	const struct node *schedule = node_get(parse->root, "schedule"), *map = node_get(schedule, "params");

	if (parse->spec->schedule == NULL)
		return;
	for (size_t i = 0; i < parse->spec->param_count; i++) {
		const struct spec_param *param = &parse->spec->params[i];

		if (spec_param_is_required(param) && node_get(map, param->name) == NULL)
			(void)finding(&parse->findings, &schedule->key_place,
			    "the schedule's params lack '%s', which has no default", param->name);
	}
}

/* A cron that can be understood and fires some time. */
static void
check_cron(struct parse *parse, struct spec_schedule *schedule, const struct node *node)
{
	const char *fault;
	int64_t next_us;

	if (!cron_parse(parse->findings.ctx, schedule->cron_text, &schedule->cron, &fault))
		(void)finding(&parse->findings, &node->place, "'%s' is no cron: %s", schedule->cron_text, fault);
	else if (schedule->zone != NULL &&
		 !cron_next(&schedule->cron, schedule->zone, INT64_C(1700000000) * CLOCK_SECOND_US, &next_us))
		(void)finding(&parse->findings, &node->place, "'%s' never fires", schedule->cron_text);
}

void
read_schedule(struct parse *parse)
{
	const struct node *map = node_get(parse->root, "schedule"), *zone = node_get(map, "timezone");
	struct spec_schedule *schedule;

	if (map == NULL || map->kind != NODE_MAP)
		return;
	schedule = ctx_alloc(parse->findings.ctx, sizeof(*schedule));
	parse->spec->schedule = schedule;
	(void)read_section(parse, IN(SCHEDULE), map, schedule);
	schedule->params = read_values(parse, map);
	schedule->zone = parse->spec->zone;
	if (schedule->timezone == NULL)
		schedule->timezone = parse->spec->timezone;
	else
		schedule->zone = find_zone(parse, zone, schedule->timezone);
	if (schedule->cron_text != NULL)
		check_cron(parse, schedule, node_get(map, "cron"));
	if (schedule->catchup == CATCHUP_ALL && schedule->overlap != OVERLAP_QUEUE)
		(void)finding(&parse->findings, &node_get(map, "catchup")->place,
		    "'catchup: all' needs 'overlap: queue': of several runs at once '%s' leaves one",
		    spec_overlap_modes[schedule->overlap]);
	if (schedule->catchup == CATCHUP_NONE && schedule->window_ms != 0)
		(void)finding(&parse->findings, &node_get(map, "window")->place,
		    "with 'catchup: none' there is nothing a window could limit");
}

static void
check_event(struct parse *parse, const struct node *list, const char *event)
{
	const struct node *node = list;

	for (const struct node *item = list->kind == NODE_LIST ? list->first : NULL; item != NULL; item = item->next)
		if (item->kind == NODE_SCALAR && strcmp(item->text, event) == 0)
			node = item;
	if (!notice_event_is_known(event))
		(void)finding(&parse->findings, &node->place, "'%s' is no event: %s", event,
		    notice_event_list(parse->findings.ctx));
}

static void
read_notify_item(struct parse *parse, const struct node *item, struct spec_notify *notify)
{
	const struct node *events = node_get(item, "events");

	if (!read_section(parse, IN(NOTIFY), item, notify) ||
	    !read_names(parse, events, &notify->events, &notify->event_count))
		return;
	for (size_t i = 0; i < notify->event_count; i++)
		check_event(parse, events, notify->events[i]);
	for (const struct spec_notify *other = parse->spec->notify; other < notify; other++)
		if (text_equal(other->to, notify->to))
			(void)finding(&parse->findings, &node_get(item, "to")->place, "'%s' is here twice", notify->to);
}

void
read_notify(struct parse *parse)
{
	const struct node *list = node_get(parse->root, "notify");
	struct spec_notify *notify;

	if (list == NULL || node_is_null(list))
		return;
	if (list->kind != NODE_LIST || list->count > MOST_NOTIFY) {
		(void)finding(&parse->findings, &list->place, "'notify' must be a list of at most %d mappings",
		    MOST_NOTIFY);
		return;
	}
	parse->spec->notify = notify = ctx_alloc_array(parse->findings.ctx, list->count + 1, sizeof(*notify));
	parse->spec->notify_count = list->count;
	for (const struct node *item = list->first; item != NULL; item = item->next)
		read_notify_item(parse, item, notify++);
}
