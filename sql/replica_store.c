#include "sql/replica_store.h"

#include "base/text.h"
#include "sql/statement.h"

bool
replica_register(struct ctx *ctx, struct pg *db, const char *boot_id, const char *host, int64_t lease_ms)
{
	return sql_run(ctx, db, SQL_REPLICA_REGISTER, PG_PARAMS(boot_id, host, text_from_i64(ctx, lease_ms)), NULL);
}

bool
replica_heartbeat(struct ctx *ctx, struct pg *db, const char *boot_id, int64_t lease_ms, bool *alive)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_REPLICA_HEARTBEAT, PG_PARAMS(boot_id, text_from_i64(ctx, lease_ms)), &rows))
		return false;
	*alive = rows.count > 0;
	return true;
}

bool
replica_leave(struct ctx *ctx, struct pg *db, const char *boot_id)
{
	return sql_run(ctx, db, SQL_REPLICA_LEAVE, PG_PARAMS(boot_id), NULL);
}

bool
control_identity(struct ctx *ctx, struct pg *db, const char **control_id, int64_t *epoch)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_CONTROL_IDENTITY, PG_NO_PARAMS, &rows))
		return false;
	*control_id = pg_value(&rows, 0, 0);
	*epoch = pg_i64(&rows, 0, 1);
	return true;
}

bool
control_next_load_number(struct ctx *ctx, struct pg *db, int64_t *number)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_CONTROL_NEXT_LOAD_NUMBER, PG_NO_PARAMS, &rows))
		return false;
	*number = pg_i64(&rows, 0, 0);
	return true;
}
