"""What the warehouse must look like, read from the warehouse itself."""

DIMENSIONS = {
    "dim_surgeons": ("surgeon_id", "dim_surgeons_key"),
    "dim_robots": ("robot_id", "dim_robots_key"),
    "dim_facilities": ("facility_id", "dim_facilities_key"),
}
BOOKKEEPING = {"load_id", "loaded_at"}


def columns(service, table):
    return [name for (name,) in service.sql(
        "warehouse", "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum", table)]


def surrogate(service, table):
    """The identity column of a table."""
    return service.sql(
        "warehouse", "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''", table)[0][0]


def lookups(service):
    """fact column -> (dimension, its surrogate, its business key), by name."""
    found = {}
    fact = columns(service, "fact_procedures")
    for dimension, (key, _) in DIMENSIONS.items():
        number = surrogate(service, dimension)
        found[number] = (dimension, number, key)
        assert number in fact, (number, fact)
    return found


def content_hash(service, table):
    """Business columns and, for dimensions, the history; for facts the versions they point to: no surrogate keys, no
    load marks."""
    own = surrogate(service, table)
    names = [c for c in columns(service, table) if c not in BOOKKEEPING and c != own]
    if table.startswith("fact_"):
        points = lookups(service)
        names = [c for c in names if c not in points]
        joins = " ".join(f"JOIN {d} ON {d}.{n} = t.{n}" for d, n, _ in points.values())
        extra = [f"{d}.{k} || '@' || {d}.effective_from" for d, _, k in points.values()]
        select = ", ".join([f"t.{c}" for c in names] + extra)
        source = f"{table} t {joins}"
    else:
        select, source = ", ".join(f"t.{c}" for c in names), f"{table} t"
    return service.sql(
        "warehouse", f"SELECT count(*), coalesce(sum(hashtextextended(ROW({select})::text, 0)::numeric), 0) FROM {source}")[0]


def telemetry_hash(service):
    """Points, the operation and the version of the robot they refer to; the numbers of files differ from warehouse to warehouse."""
    names = [f"t.{c}" for c in columns(service, "fact_procedure_telemetry") if c not in BOOKKEEPING | {"file_id", "procedure_key", "robot_key"}]
    return service.sql(
        "warehouse", f"SELECT count(*), coalesce(sum(hashtextextended(ROW({', '.join(names)}, p.procedure_id, r.robot_id,"
        " r.effective_from)::text, 0)::numeric), 0) FROM fact_procedure_telemetry t JOIN fact_procedures p USING (procedure_key)"
        " JOIN dim_robots r ON r.robot_key = t.robot_key")[0]


def all_hashes(service):
    return {**{table: content_hash(service, table) for table in [*DIMENSIONS, "fact_procedures"]},
            "fact_procedure_telemetry": telemetry_hash(service)}


def check_invariants(service):
    """No row twice, no dangling key, no overlap, one current version, the ledger consistent."""
    one = lambda text: service.sql("warehouse", text)[0][0]
    assert one("SELECT count(*) - count(DISTINCT procedure_id) FROM fact_procedures") == 0
    for dimension, number, key in lookups(service).values():
        assert one(f"SELECT count(*) FROM fact_procedures f LEFT JOIN {dimension} d USING ({number})"
                   f" WHERE d.{number} IS NULL") == 0
        assert one(f"SELECT count(*) FROM fact_procedures f JOIN {dimension} d USING ({number})"
                   f" WHERE d.{key} IS DISTINCT FROM f.{key}") == 0
        assert one(f"SELECT count(*) FROM (SELECT effective_to, lead(effective_from) OVER"
                   f" (PARTITION BY {key} ORDER BY effective_from) AS next FROM {dimension}) x WHERE effective_to > next") == 0
        assert one(f"SELECT count(*) FROM (SELECT 1 FROM {dimension} WHERE is_current GROUP BY {key}"
                   f" HAVING count(*) > 1) x") == 0
    assert one("SELECT count(*) - count(DISTINCT step_id) FROM loadstar.slice_ledger") == 0
    # each row of the fact belongs to the newest committed load that covers it, or was untouched by it
    assert one("SELECT count(*) FROM fact_procedures f WHERE NOT EXISTS (SELECT 1 FROM loadstar.slice_ledger l"
               " WHERE l.load_id = f.load_id AND f.start_time >= l.slice_from AND f.start_time < l.slice_to)") == 0
