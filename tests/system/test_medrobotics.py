"""The shipped pipeline end to end: what its owners run every night and look at every morning."""

import pytest

import warehouse
from service import ROOT

PROCEDURES = 2000
CHANGES = ROOT / "sql/pipelines/medrobotics/sample/changes.sql"


def totals(service, run_id):
    counts = {}
    for step in service.steps(run_id):
        for name, value in {**(step["rows"] or {}), **(step["effects"] or {})}.items():
            counts[name] = counts.get(name, 0) + value
    return counts


@pytest.mark.smoke
def test_full_run_loads_every_row_once(loaded):
    run = loaded.first_run
    assert run["progress"]["steps_done"] == run["progress"]["steps_total"]
    assert run["error"] is None
    source = loaded.sql("medrobotics_source", "SELECT count(*), min(start_time), max(start_time) FROM procedures")
    fact = loaded.sql("warehouse", "SELECT count(*), min(start_time), max(start_time) FROM fact_procedures")
    assert fact == source and fact[0][0] == PROCEDURES
    for table, (key, _) in warehouse.DIMENSIONS.items():
        assert loaded.sql("warehouse", f"SELECT count(DISTINCT {key}) FROM {table} WHERE is_current AND"
                          f" {warehouse.surrogate(loaded, table)} <> -1") == \
            loaded.sql("medrobotics_source", f"SELECT count(*) FROM {table.removeprefix('dim_')}")
    warehouse.check_invariants(loaded)


def test_rows_are_conserved_in_every_step(loaded):
    for step in loaded.steps(loaded.first_run["id"]):
        if step["rows"]:
            assert step["rows"]["read"] == sum(n for name, n in step["rows"].items() if name != "read"), step


def test_operations_point_to_their_day_and_minute(loaded):
    assert loaded.sql("warehouse", "SELECT count(*) FROM dim_date WHERE date_key <> -1") == [(3652,)]  # 2022 to 2031
    assert loaded.sql("warehouse", "SELECT count(*) FROM dim_time WHERE time_key <> -1") == [(1440,)]
    assert loaded.sql("warehouse", "SELECT count(*) FROM fact_procedures f JOIN dim_date d ON d.date_key = f.start_date_key"
                      " JOIN dim_time t ON t.time_key = f.start_time_key"
                      " WHERE d.full_date = (f.start_time AT TIME ZONE 'UTC')::date"
                      " AND t.minute_of_day = extract(hour FROM f.start_time AT TIME ZONE 'UTC') * 60"
                      "                     + extract(minute FROM f.start_time AT TIME ZONE 'UTC')") == [(PROCEDURES,)]


def test_fact_measures_equal_the_source(loaded):
    ask = "SELECT count(*), sum(duration_minutes), sum(blood_loss_ml), count(*) FILTER (WHERE complication_count > 0) FROM {}"
    extract = (ROOT / "sql/pipelines/medrobotics/extract/procedures.sql").read_text()
    extract = extract.replace(":from", "TIMESTAMPTZ '-infinity'").replace(":to", "TIMESTAMPTZ 'infinity'").rstrip().rstrip(";")
    assert loaded.sql("warehouse", ask.format("fact_procedures")) == \
        loaded.sql("medrobotics_source", ask.format(f"({extract}) AS x"))


def test_second_full_run_touches_no_row(make_service):
    service = make_service().start()
    service.load("full")
    marks = "SELECT sum(hashtextextended(ROW(t.*)::text, 0)::numeric) FROM {} t"
    tables = [*warehouse.DIMENSIONS, "fact_procedures"]
    before = [service.sql("warehouse", marks.format(table)) for table in tables]
    for mode in ("auto", "all"):
        counts = totals(service, service.load("full", mode=mode)["id"])
        assert counts["read"] > 0 and counts["read"] == counts["unchanged"], counts
        assert counts["rows_deleted"] == counts["versions_opened"] == counts["rows_repointed"] == 0, counts
        # not a bit of any row: keys, load_id and loaded_at included
        assert [service.sql("warehouse", marks.format(table)) for table in tables] == before


def test_past_changes_open_versions_and_repoint_facts(make_service):
    service = make_service().start()
    service.load("full")
    keys = "SELECT procedure_id, procedure_key FROM fact_procedures ORDER BY 1"
    fact_keys = service.sql("warehouse", keys)
    versions = {t: service.sql("warehouse", f"SELECT {k}, count(*) FROM {t} GROUP BY 1 ORDER BY 1")
                for t, (k, _) in warehouse.DIMENSIONS.items()}
    stamps = {t: dict(service.sql("medrobotics_source", f"SELECT {k}, updated_at FROM {t.removeprefix('dim_')}"))
              for t, (k, _) in warehouse.DIMENSIONS.items()}
    service.sql_file("medrobotics_source", CHANGES)
    changed = {t: {k: at for k, at in service.sql(
        "medrobotics_source", f"SELECT {key}, updated_at FROM {t.removeprefix('dim_')}") if stamps[t][k] != at}
        for t, (key, _) in warehouse.DIMENSIONS.items()}
    assert [len(changed[t]) for t in ("dim_surgeons", "dim_robots", "dim_facilities")] == [8, 8, 3]

    counts = totals(service, service.load("full")["id"])
    assert counts["versions_opened"] == 19, counts
    for table, (key, _) in warehouse.DIMENSIONS.items():
        after = dict(service.sql("warehouse", f"SELECT {key}, count(*) FROM {table} GROUP BY 1"))
        for k, n in versions[table]:
            assert after[k] == n + (k in changed[table]), (table, k)
    # each fact points to the version that held when it began
    moved = 0
    for dimension, number, key in warehouse.lookups(service).values():
        wrong = service.sql(
            "warehouse", f"SELECT count(*) FROM fact_procedures f JOIN {dimension} d USING ({number})"
            " WHERE f.start_time < d.effective_from OR f.start_time >= d.effective_to")[0][0]
        assert wrong == 0, dimension
        since = service.sql("warehouse", f"SELECT {key}, count(*) FROM fact_procedures f JOIN {dimension} d USING ({number})"
                            f" WHERE d.is_current AND f.{key} = ANY(%s) GROUP BY 1".replace(f"SELECT {key}", f"SELECT f.{key}"),
                            list(changed[dimension]))
        moved += sum(n for _, n in since)
    moved += service.sql("warehouse", "SELECT count(*) FROM fact_procedure_telemetry f JOIN dim_robots d USING (robot_key)"
                         " WHERE d.is_current AND f.robot_id = ANY(%s)", list(changed["dim_robots"]))[0][0]
    assert counts["rows_repointed"] == moved > 0
    # surrogate keys of the fact stay, and nothing is left to do
    assert service.sql("warehouse", keys) == fact_keys
    warehouse.check_invariants(service)
    again = totals(service, service.load("full", mode="all")["id"])
    assert again["read"] == again["unchanged"] and again["rows_repointed"] == 0


def test_range_loads_only_its_slices(make_service):
    service = make_service().start()
    service.load("dimensions")
    month = "date_trunc('month', now(), 'UTC') - interval '{} months'"
    first, last = service.sql("warehouse", f"SELECT ({month.format(5)})::date::text, ({month.format(3)})::date::text")[0]
    run = service.load("range", **{"from": first, "to": last})
    steps = service.steps(run["id"], table="fact_procedures")
    assert [s["slice"]["from"][:10] for s in steps] == \
        [first, service.sql("warehouse", f"SELECT ({month.format(4)})::date::text")[0][0]]
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures WHERE start_time < %s OR start_time >= %s",
                       first, last)[0][0] == 0
    days = service.load("range", slice="P1W", mode="missing", **{"from": first, "to": last})
    assert service.steps(days["id"], table="fact_procedures") == [], "a month's load covers its weeks"
    weeks = service.load("range", slice="P1W", **{"from": first, "to": last})
    counts = totals(service, weeks["id"])
    assert counts["read"] == counts["unchanged"] == run["progress"]["rows_read"]


def test_reload_brings_and_takes_rows_with_their_keys(make_service):
    service = make_service().start()
    service.load("full")
    lost = service.sql("warehouse", "SELECT procedure_id, procedure_key FROM fact_procedures ORDER BY 1 LIMIT 3")
    ids = [i for i, _ in lost]
    service.sql("medrobotics_source", "CREATE TABLE kept AS SELECT * FROM procedures WHERE procedure_id = ANY(%s)", ids)
    service.sql("medrobotics_source", "SET session_replication_role = replica;"
                " DELETE FROM procedures WHERE procedure_id IN (SELECT procedure_id FROM kept)")
    counts = totals(service, service.load("full", mode="all")["id"])
    assert counts["rows_deleted"] == 3
    assert service.sql("warehouse", "SELECT count(*) FROM fact_procedures WHERE procedure_id = ANY(%s)", ids) == [(0,)]
    service.sql("medrobotics_source", "SET session_replication_role = replica; INSERT INTO procedures SELECT * FROM kept")
    assert totals(service, service.load("full", mode="all")["id"])["inserted"] == 3
    assert service.sql("warehouse", "SELECT procedure_id, procedure_key FROM fact_procedures WHERE procedure_id = ANY(%s)"
                       " ORDER BY 1", ids) == lost
    warehouse.check_invariants(service)
