"""The metrics page: that it can be read, has what dashboards rely on, and stays small whatever strangers ask for."""

import re
import threading

import api
from service import ROOT, wait_until

CONTRACT = {
    "loadstar_runs_total": {"pipeline", "type", "status"}, "loadstar_run_duration_seconds": {"pipeline", "type"},
    "loadstar_run_age_seconds": {"pipeline"}, "loadstar_queue_age_seconds": {"pipeline"},
    "loadstar_last_success_timestamp_seconds": {"pipeline"}, "loadstar_steps_running": set(), "loadstar_queue_depth": {"pipeline"},
    "loadstar_rows_total": {"pipeline", "table", "outcome"}, "loadstar_bytes_read_total": {"pipeline", "source"},
    "loadstar_check_results_total": {"pipeline", "table", "status"}, "loadstar_table_freshness_seconds": {"pipeline", "table"},
    "loadstar_step_retries_total": {"pipeline", "class"}, "loadstar_http_requests_total": {"route", "method", "code"},
    "loadstar_http_request_duration_seconds": {"route"}, "loadstar_build_info": {"version"}}


def value(found, name, **labels):
    return found.get(name, {}).get(tuple(sorted(labels.items())))


def test_every_promised_family_is_there(served):
    answer = served.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    api.parse_metrics(answer.text)
    told = set(re.findall(r"^# TYPE (\w+) ", answer.text, re.M))
    assert set(CONTRACT) <= told
    table = dict(re.findall(r'^METRIC\(\w+, "(\w+)", \w+, "([^"]*)"', (ROOT / "base/metrics_table.def").read_text(), re.M))
    for name, labels in CONTRACT.items():
        assert labels <= set(filter(None, table[name].split(","))), name
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                 "process_start_time_seconds"):
        assert name in told, name


def test_a_run_is_counted(served):
    labels = {"pipeline": "medrobotics", "type": "range", "status": "succeeded"}
    duration = {"pipeline": "medrobotics", "type": "range"}
    before = api.metrics(served)
    run = served.load("range", **api.MONTH)
    after = api.metrics(served)
    count = lambda found, name, **by: value(found, name, **by) or 0
    assert count(after, "loadstar_runs_total", **labels) == count(before, "loadstar_runs_total", **labels) + 1
    name = "loadstar_run_duration_seconds_count"
    assert count(after, name, **duration) == count(before, name, **duration) + 1
    assert value(after, "loadstar_run_duration_seconds_bucket", le="+Inf", **duration) == value(after, name, **duration)
    rows = lambda found: sum(v for k, v in found["loadstar_rows_total"].items() if ("table", "fact_procedures") in k)
    assert rows(after) - rows(before) == run["progress"]["rows_read"] > 0
    read = count(after, "loadstar_bytes_read_total", pipeline="medrobotics", source="rds")
    assert read - count(before, "loadstar_bytes_read_total", pipeline="medrobotics", source="rds") == run["progress"]["bytes_read"] > 0
    wait_until("the gauges are asked for again", 10, lambda: (value(
        api.metrics(served), "loadstar_last_success_timestamp_seconds", pipeline="medrobotics") or 0) > 1.7e9, 0.5)


def test_unfinished_runs_have_an_age(served):
    with api.running(served):
        age = lambda: value(api.metrics(served), "loadstar_run_age_seconds", pipeline="medrobotics")
        wait_until("the oldest run has an age", 10, age, 0.5)
        assert value(api.metrics(served), "loadstar_steps_running") >= 1
        cancelled = value(api.metrics(served), "loadstar_runs_total", pipeline="medrobotics", type="range", status="cancelled") or 0
    assert value(api.metrics(served), "loadstar_runs_total", pipeline="medrobotics", type="range", status="cancelled") == cancelled + 1
    wait_until("no run has an age", 10, lambda: age() is None, 0.5)


def test_strangers_make_no_series(served):
    def ask(number):
        served.session.get(f"{served.url}/v1/runs/{number}?x={number}")
        served.session.get(f"{served.url}/nothing/{number}")
        served.session.request(f"METHOD{number}", served.url + "/healthz")
        served.get(f"/v1/pipelines/p{number}")
        served.get("/v1/runs", params={"pipeline": f"p{number}"})
        served.post("/v1/runs", {"pipeline": f"p{number}", "type": "full"})

    series = lambda: sum(len(v) for k, v in api.metrics(served).items() if k != "loadstar_control_statements_total")
    ask(0)
    before = series()
    threads = [threading.Thread(target=lambda n=n: [ask(n * 10 + i) for i in range(10)]) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert series() <= before + 3
    routes = {dict(k)["route"] for k in api.metrics(served)["loadstar_http_requests_total"]}
    paths = set(re.findall(r'^ROUTE\(\w+, "([^"]+)"', (ROOT / "handlers/routes.def").read_text(), re.M))
    assert routes <= paths | {"none"}
    methods = {dict(k)["method"] for k in api.metrics(served)["loadstar_http_requests_total"]}
    assert methods <= {"GET", "HEAD", "POST", "OPTIONS", "other"}
