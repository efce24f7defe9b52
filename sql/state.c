#include "sql/state.h"

#include <string.h>

#include "base/bug.h"

static const char *const run_names[] = {
    [RUN_QUEUED] = "queued",
    [RUN_RUNNING] = "running",
    [RUN_PAUSED] = "paused",
    [RUN_CANCELLING] = "cancelling",
    [RUN_SUCCEEDED] = "succeeded",
    [RUN_PARTIAL] = "partial",
    [RUN_FAILED] = "failed",
    [RUN_CANCELLED] = "cancelled",
};

static const char *const step_names[] = {
    [STEP_WAITING] = "waiting",
    [STEP_QUEUED] = "queued",
    [STEP_RUNNING] = "running",
    [STEP_SUCCEEDED] = "succeeded",
    [STEP_FAILED] = "failed",
    [STEP_SKIPPED] = "skipped",
    [STEP_CANCELLED] = "cancelled",
};

_Static_assert(LENGTH_OF(run_names) == RUN_STATUS_COUNT, "every run status has a name");
_Static_assert(LENGTH_OF(step_names) == STEP_STATUS_COUNT, "every step status has a name");

const struct state_change run_changes[] = {
#define RUN_CHANGE(from, event, to, why) {RUN_##from, #event, RUN_##to, why},
#include "sql/run_states.def"
#undef RUN_CHANGE
};
const size_t run_changes_count = LENGTH_OF(run_changes);

const struct state_change step_changes[] = {
#define STEP_CHANGE(from, event, to, why) {STEP_##from, #event, STEP_##to, why},
#include "sql/step_states.def"
#undef STEP_CHANGE
};
const size_t step_changes_count = LENGTH_OF(step_changes);

static bool
find_name(const char *const *names, int count, const char *name, int *index)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0) {
			*index = i;
			return true;
		}
	return false;
}

const char *
run_status_name(enum run_status status)
{
	ASSERT(status < RUN_STATUS_COUNT);
	return run_names[status];
}

bool
run_status_find(const char *name, enum run_status *status)
{
	int index;

	if (!find_name(run_names, RUN_STATUS_COUNT, name, &index))
		return false;
	*status = (enum run_status)index;
	return true;
}

bool
run_status_is_final(enum run_status status)
{
	return status >= RUN_SUCCEEDED;
}

const char *
step_status_name(enum step_status status)
{
	ASSERT(status < STEP_STATUS_COUNT);
	return step_names[status];
}

bool
step_status_find(const char *name, enum step_status *status)
{
	int index;

	if (!find_name(step_names, STEP_STATUS_COUNT, name, &index))
		return false;
	*status = (enum step_status)index;
	return true;
}

bool
step_status_is_final(enum step_status status)
{
	return status >= STEP_SUCCEEDED;
}

bool
run_change_is_known(enum run_status from, const char *event, enum run_status to)
{
	for (size_t i = 0; i < run_changes_count; i++)
		if (run_changes[i].from == (int)from && run_changes[i].to == (int)to &&
		    strcmp(run_changes[i].event, event) == 0)
			return true;
	return false;
}
