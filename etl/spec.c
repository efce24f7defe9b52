#include "etl/spec.h"

#include <string.h>

enum { LONGEST_SLICE_MONTHS = 1200, LONGEST_SLICE_DAYS = 36525 };

const struct spec_table *
spec_find_table(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->table_count; i++)
		if (strcmp(spec->tables[i].name, name) == 0)
			return &spec->tables[i];
	return NULL;
}

bool
spec_param_is_required(const struct spec_param *param)
{
	return param->default_text == NULL && (!param->picks_batch || param->in_query);
}

bool
spec_table_is_fed_by_files(const struct spec_table *table)
{
	return table->source != NULL && table->source->kind == SOURCE_FILES;
}

bool
spec_table_has_slices(const struct spec_table *table)
{
	if (table->kind != TABLE_FACT)
		return false;
	if (spec_table_is_fed_by_files(table))
		return table->source->batch_date != NULL && strstr(table->source->path, "{batch}") != NULL;
	return table->time != NULL;
}

const struct spec_view *
spec_find_view(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->view_count; i++)
		if (strcmp(spec->views[i].name, name) == 0)
			return &spec->views[i];
	return NULL;
}

const struct spec_column *
spec_find_column(const struct spec_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

bool
spec_slice_parse(const char *text, struct period *slice)
{
	return period_parse(text, slice) && period_is_grid(slice) && slice->months <= LONGEST_SLICE_MONTHS &&
	       slice->days <= LONGEST_SLICE_DAYS;
}

int64_t
spec_begin(const struct spec_table *table, int64_t now_us)
{
	int64_t at_us = table->begin_us;

	if (table->time == NULL)
		return CLOCK_MINUS_INFINITY;
	if (!period_is_zero(&table->begin_before))
		at_us = period_add(now_us, &table->begin_before, -1);
	return period_floor(at_us, &table->slice);
}

const struct spec_script *
spec_find_script(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->script_count; i++)
		if (strcmp(spec->scripts[i].name, name) == 0)
			return &spec->scripts[i];
	return NULL;
}
