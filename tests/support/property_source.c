/* property_source: what happens to the source, told to its database and to the model of it. */
#include "base/clock.h"
#include "tests/support/property.h"

enum { MINUTE_US = 60 * 1000000 };

static int64_t
begin_us(void)
{
	static const int64_t epoch_2024_us = INT64_C(1704067200) * 1000000;

	return epoch_2024_us;
}

void
source_pass(struct world *world, int64_t us)
{
	int64_t end_us = begin_us() + DAYS * CLOCK_DAY_US - MINUTE_US;

	world->source.now_us += us;
	if (world->source.now_us > end_us)
		world->source.now_us = end_us;
	WORLD_DO(world->origin, "UPDATE fake.clock SET at = '%s'", clock_format(world->own, world->source.now_us));
}

void
source_begin(struct world *world)
{
	world->source = (struct source){0};
	world->source.now_us = begin_us();
	WORLD_DO(world->origin, "DELETE FROM sale; DELETE FROM part; DELETE FROM kind");
	source_pass(world, CLOCK_DAY_US / 4 + world_random(world, 42) * 60 * MINUTE_US);
	for (int64_t i = 3 + world_random(world, 6); i > 0; i--)
		source_change(world);
}

/* Any time since the first day, more often a late one. */
static int64_t
some_time(struct world *world)
{
	int64_t span_us = world->source.now_us - begin_us();
	int64_t a_us = world_random(world, span_us), b_us = world_random(world, span_us);

	return (begin_us() + (a_us > b_us ? a_us : b_us)) / 1000000 * 1000000;
}

static void
write_order(struct world *world, int i)
{
	const struct order *order = &world->source.orders[i];
	struct text sql;

	text_init(&sql, world->own);
	text_addf(&sql, "DELETE FROM sale WHERE sale_id / 2 = %d;", i);
	for (int line = 2 * i; order->there && line < 2 * i + 2; line++)
		text_addf(&sql, "INSERT INTO sale VALUES (%d, %d, %d, '%s', %d, %d, '%s');", line, order->part,
		    order->kind, clock_format(world->own, order->sold_us), model_amount(order, line), order->grade,
		    clock_format(world->own, order->changed_us));
	world_do(world, world->origin, sql.data);
	world_say(world, "order %d: %s, sold %s, part %d, kind %d, amount %d, grade %d", i,
	    order->there ? "is" : "is gone", clock_format(world->own, order->sold_us), order->part, order->kind,
	    order->amount, order->grade);
}

static void
change_order(struct world *world)
{
	int i = (int)world_random(world, ORDERS);
	struct order *order = &world->source.orders[i];
	int64_t what = world_random(world, 100);

	if (order->there && what < 15) {
		order->there = false;
	} else {
		if (!order->there || what < 40)
			order->sold_us = some_time(world); /* new, late, or moved */
		order->there = true;
		order->amount = (int)world_random(world, WHOLE);
		order->part = (int)world_random(world, PARTS);
		order->kind = (int)world_random(world, KINDS);
		order->grade = world_chance(world, 6) ? 1 + (int)world_random(world, 2) : 0;
		order->changed_us = world->source.now_us;
	}
	write_order(world, i);
}

static void
change_part(struct world *world)
{
	int i = (int)world_random(world, PARTS);
	struct part *part = &world->source.parts[i];

	if (part->name == 0 || !world_chance(world, 30)) /* else a correction */
		part->since_us = world_chance(world, 40) ? some_time(world) : world->source.now_us;
	part->name = 1 + (int)world_random(world, 3);
	WORLD_DO(world->origin,
	    "INSERT INTO part VALUES (%d, %d, '%s') ON CONFLICT (part_id) DO UPDATE SET name = excluded.name, since = excluded.since",
	    i, part->name, clock_format(world->own, part->since_us));
	world_say(world, "part %d: name %d since %s", i, part->name, clock_format(world->own, part->since_us));
}

static void
change_kind(struct world *world)
{
	int i = (int)world_random(world, KINDS);

	world->source.labels[i] = world_chance(world, 20) ? 0 : 1 + (int)world_random(world, 3);
	WORLD_DO(world->origin, "DELETE FROM kind WHERE kind_id = %d", i);
	if (world->source.labels[i] > 0)
		WORLD_DO(world->origin, "INSERT INTO kind VALUES (%d, %d)", i, world->source.labels[i]);
	world_say(world, "kind %d: label %d", i, world->source.labels[i]);
}

void
source_change(struct world *world)
{
	int64_t what = world_random(world, 100);

	source_pass(world, (1 + world_random(world, 30)) * MINUTE_US);
	if (what < 65)
		change_order(world);
	else if (what < 85)
		change_part(world);
	else
		change_kind(world);
}

void
source_heal(struct world *world)
{
	for (int i = 0; i < ORDERS; i++) {
		if (!world->source.orders[i].there || world->source.orders[i].grade == 0)
			continue;
		source_pass(world, MINUTE_US);
		world->source.orders[i].grade = 0;
		world->source.orders[i].changed_us = world->source.now_us;
		write_order(world, i);
	}
}
