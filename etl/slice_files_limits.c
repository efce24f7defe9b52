#include "etl/slice_files.h"

enum { MIB = 1024 * 1024 };

struct duck_limits
files_limits(const struct config *config, const struct spec_table *table)
{
	(void)config;
	return (struct duck_limits){.memory_bytes = 512 * (int64_t)MIB,
	    .temp_bytes = INT64_C(16) << 30,
	    .reject_rows = table->rejects_rows,
	    .reject_share = 1};
}
