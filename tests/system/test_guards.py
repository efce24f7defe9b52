"""A source that lost most of a month does not erase it: stopped, told, and passed when somebody says so."""

MONTH = {"from": "2025-03-01", "to": "2025-04-01"}
HELD = "SELECT count(*) FROM fact_procedures WHERE start_time >= '2025-03-01Z' AND start_time < '2025-04-01Z'"


def test_a_shrunk_month_is_stopped_and_can_be_allowed(make_service):
    service = make_service()
    service.start()
    service.load("dimensions")
    service.load("range", **MONTH, tables=["fact_procedures"])
    held = service.sql("warehouse", HELD)[0][0]
    assert held >= 20
    with service.connect("medrobotics_source") as source:
        source.execute("SET session_replication_role = replica")  # what refers to them does not matter here
        source.execute("DELETE FROM procedures WHERE start_time >= '2025-03-05Z' AND start_time < '2025-04-01Z'")

    run = service.wait(service.submit("range", **MONTH, tables=["fact_procedures"]))
    assert run["status"] == "partial"
    [step] = service.steps(run["id"], status="failed")
    assert step["error"]["code"] == "guard_stopped" and step["error"]["class"] == "data"
    assert "allow shrink lets it pass" in step["error"]["message"] and f"of {held} rows" in step["error"]["message"]
    assert service.sql("warehouse", HELD) == [(held,)]
    coverage = service.get("/v1/pipelines/medrobotics/coverage", params={"table": "fact_procedures", **MONTH}).json()
    [item] = coverage["items"]
    assert item["state"] == "failed" and item["rows"] == held and item["step"]["run_id"] == run["id"]
    assert item["step"]["error"]["code"] == "guard_stopped" and item["run_id"] != run["id"]
    tables = service.get("/v1/tables", params={"status": "failed"}).json()["items"]
    assert [(table["table"], table["failed_run_id"]) for table in tables] == [("fact_procedures", run["id"])]

    run = service.wait(service.submit("range", **MONTH, tables=["fact_procedures"], allow=["shrink"]))
    assert run["status"] == "succeeded"
    assert service.sql("warehouse", HELD)[0][0] < held / 2
    lines = service.get(f"/v1/runs/{run['id']}/logs", params={"level": "warn"}).json()["items"]
    said = [line["fields"] for line in lines if line["message"] == "a guard let it pass"]
    assert [(fields["guard"], fields["passed"], fields["held"]) for fields in said] == [("shrink", "allowed", held)]
    [entry] = service.get("/v1/audit", params={"action": "guard.pass"}).json()["items"]
    assert (entry["subject"], entry["pipeline"], entry["target"]) == (run["requested_by"], "medrobotics", run["id"])
    left = service.sql("warehouse", HELD)[0][0]
    assert entry["detail"] == {"step_id": service.steps(run["id"], table="fact_procedures")[0]["id"], "table": "fact_procedures",
                               "slice": "2025-03-01T00:00:00Z/2025-04-01T00:00:00Z", "guard": "shrink", "count": held - left,
                               "held": held, "limit_percent": 50, "passed": "allowed"}
