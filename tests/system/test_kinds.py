"""A shop with a table of every kind, on a real service: what it has is what its source says, after every change, repeat and kill, and
after runs of every kind that overlap as densely as they can."""

import json
import random
import threading
import time

import pytest

from service import Service

PIPELINE = """\
spec: 1
pipeline: shop
warehouse: warehouse
timezone: Europe/Zurich
defaults: { retry: { attempts: 8, backoff: 100ms, limit: 1s }, guards: { empty: off, shrink: off, close: off, change: off } }
sources:
  shop: { type: postgres, connection: shop_source }
  scans: { type: files, connection: scans, path: "{batch}/*.json", batch: { date: "%Y%m%d" }, format: ndjson }
tables:
  dim_date: { kind: dimension, surrogate: date_key, source: { generate: date, start: 2024-01-01, years: 20 } }
  dim_time: { kind: dimension, surrogate: time_key, source: { generate: time } }
  dim_kind:
    { kind: dimension, surrogate: kind_key, source: { from: shop, query: kinds.sql }, key: kind_id,
      columns: { kind_id: integer, name: text } }
  dim_first:
    { kind: dimension, surrogate: first_key, source: { from: shop, query: kinds.sql }, key: kind_id,
      columns: { kind_id: integer, name: text }, history: { scd: 0 } }
  dim_city:
    { kind: dimension, surrogate: city_key, source: { from: shop, query: cities.sql }, key: city_id,
      columns: { city_id: integer, name: text }, write: replace }
  dim_customer:
    { kind: dimension, surrogate: customer_key, source: { from: shop, query: customers.sql }, key: customer_id,
      columns: { customer_id: integer, name: text, city_id: integer, since: timestamptz },
      history: { scd: 2, valid_from: since, deletes: close } }
  fact_payment:
    { kind: fact, source: { from: shop, query: payments.sql }, grain: payment_id, write: replace_all,
      columns: { payment_id: integer, order_id: integer, amount: "numeric(10,2)" },
      lookups: { order_key: { fact: fact_order, match: order_id, missing: quarantine } } }
  fact_order:
    { kind: fact, surrogate: order_key, source: { from: shop, query: orders.sql }, grain: order_id,
      columns: { order_id: integer, customer_id: integer, kind_id: integer, city_id: integer, ordered_at: timestamptz },
      time: ordered_at, begin: -P4M, slice: P1M,
      lookups: {
        customer_key: { dimension: dim_customer, match: customer_id, as_of: ordered_at, missing: infer },
        kind_key: { dimension: dim_kind, match: kind_id, missing: infer },
        city_key: { dimension: dim_city, match: city_id },
        date_key: { dimension: dim_date, match: ordered_at },
        time_key: { dimension: dim_time, match: ordered_at } } }
  fact_click:
    { kind: fact, source: { from: shop, query: clicks.sql }, write: append,
      columns: { customer_id: integer, page: text, at: timestamptz }, time: at, begin: -P4M, slice: P1M,
      lookups: { customer_key: { dimension: dim_customer, match: customer_id, as_of: at } } }
  fact_scan:
    { kind: fact, source: { from: scans }, grain: scan_id,
      columns: { scan_id: integer, customer_id: integer, at: timestamptz },
      lookups: { customer_key: { dimension: dim_customer, match: customer_id, as_of: at } } }
  fact_stock:
    { kind: fact, source: { from: shop, query: stock.sql }, grain: [city_id, kind_id], write: upsert,
      columns: { city_id: integer, kind_id: integer, pieces: integer },
      lookups: { city_key: { dimension: dim_city, match: city_id }, kind_key: { dimension: dim_kind, match: kind_id } } }
"""
QUERIES = {
    "kinds": "SELECT * FROM kinds", "cities": "SELECT * FROM cities", "customers": "SELECT * FROM customers",
    "payments": "SELECT * FROM payments", "stock": "SELECT * FROM stock",
    "orders": "SELECT * FROM orders WHERE ordered_at >= :from AND ordered_at < :to",
    "clicks": "SELECT * FROM clicks WHERE at >= :from AND at < :to",
}
START = "date_trunc('day', now() - interval '100 days')"
SAMPLE = """\
CREATE TABLE kinds (kind_id int, name text);
CREATE TABLE cities (city_id int, name text);
CREATE TABLE customers (customer_id int, name text, city_id int, since timestamptz);
CREATE TABLE orders (order_id int, customer_id int, kind_id int, city_id int, ordered_at timestamptz);
CREATE TABLE payments (payment_id int, order_id int, amount numeric(10,2));
CREATE TABLE clicks (customer_id int, page text, at timestamptz);
CREATE TABLE stock (city_id int, kind_id int, pieces int);
SELECT setseed(0.5);
INSERT INTO kinds SELECT n, 'kind ' || n FROM generate_series(1, 8) n;
INSERT INTO cities SELECT n, 'city ' || n FROM generate_series(1, 8) n;
INSERT INTO customers SELECT n, 'customer ' || n, n % 8 + 1, {start} + interval '15 days' FROM generate_series(1, 50) n;
INSERT INTO orders SELECT n, (random() * 60)::int, (random() * 9)::int, (random() * 9)::int,
    {start} + random() * interval '90 days' FROM generate_series(1, 1500) n;
INSERT INTO payments SELECT n, (random() * 1600)::int, n FROM generate_series(1, 1500) n;
INSERT INTO clicks SELECT (random() * 55)::int, 'page ' || (random() * 3)::int, {start} + (random() * 90)::int * interval '1 day'
    FROM generate_series(1, 3000);
INSERT INTO stock SELECT c, k, 10 FROM generate_series(0, 9) c, generate_series(0, 9) k;
"""
# Everything that can happen to a row: it changes, goes, comes, comes back, moves to another slice.
CHANGES = """\
SELECT setseed({seed});
UPDATE kinds SET name = name || '!' WHERE random() < 0.2;
INSERT INTO kinds SELECT n, 'late' FROM generate_series(0, 9) n WHERE n NOT IN (SELECT kind_id FROM kinds) AND random() < 0.5;
DELETE FROM cities WHERE random() < 0.3;
INSERT INTO cities SELECT n, 'city ' || n FROM generate_series(0, 9) n WHERE n NOT IN (SELECT city_id FROM cities) AND random() < 0.5;
DELETE FROM customers WHERE random() < 0.1;
UPDATE customers SET name = name || '!', since = since + random() * interval '60 days' WHERE random() < 0.3;
INSERT INTO customers SELECT n, 'back', 1, {start} + interval '30 days' FROM generate_series(0, 60) n
    WHERE n NOT IN (SELECT customer_id FROM customers) AND random() < 0.3;
DELETE FROM orders WHERE random() < 0.05;
UPDATE orders SET ordered_at = {start} + random() * interval '90 days' WHERE random() < 0.05;
UPDATE orders SET customer_id = (random() * 60)::int WHERE random() < 0.05;
INSERT INTO orders SELECT n, (random() * 60)::int, 3, 4, {start} + interval '33 days' FROM generate_series(1, 1600) n
    WHERE n NOT IN (SELECT order_id FROM orders) AND random() < 0.4;
UPDATE payments SET amount = amount + 1 WHERE random() < 0.05;
DELETE FROM payments WHERE random() < 0.05;
DELETE FROM clicks WHERE random() < 0.05;
INSERT INTO clicks SELECT * FROM clicks WHERE random() < 0.05;
UPDATE stock SET pieces = pieces - 1 WHERE random() < 0.2;
DELETE FROM stock WHERE random() < 0.1;
"""
TABLES = ["dim_date", "dim_time", "dim_kind", "dim_first", "dim_city", "dim_customer", "fact_payment", "fact_order", "fact_click",
          "fact_scan", "fact_stock"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "shop" / "sample").mkdir(parents=True)
    (folder / "shop" / "pipeline.yaml").write_text(PIPELINE)
    (folder / "shop" / "sample" / "010_shop.sql").write_text(SAMPLE.format(start=START))
    for name, query in QUERIES.items():
        (folder / "shop" / f"{name}.sql").write_text(query)
    scans = tmp_path_factory.mktemp("scans")
    with Service(pipelines=folder, env={"LOADSTAR_WORKERS": "4", "LOADSTAR_LEASE": "2s", "LOADSTAR_CONNECTION_SCANS": f"file://{scans}"}) as service:
        service.stock, service.scans = {}, scans
        for batch in range(3):
            write_scans(service, batch)
        yield service


def write_scans(shop, batch):
    """A file of a batch, the same whenever it is written: a customer is scanned once a day."""
    folder = shop.scans / f"202407{batch + 10}"
    folder.mkdir(exist_ok=True)
    rows = [{"scan_id": 100 * batch + n, "customer_id": n, "at": f"2024-07-{batch + 10}T08:00:00Z"} for n in range(40)]
    (folder / "a.json").write_text("".join(json.dumps(row) + "\n" for row in rows))


def load(shop):
    return shop.load("full", pipeline="shop", mode="all")


def source(shop, text):
    return shop.sql("shop_source", text)


def warehouse(shop, text):
    return shop.sql("warehouse", text)


def rows_as_they_are(shop):
    return {table: warehouse(shop, f"SELECT ctid::text, xmin::text FROM {table} ORDER BY 1") for table in TABLES}


def surrogates(shop):
    """Every key that a row has ever had, by its business key."""
    return {(table, *row[1:]): row[0] for table, text in {
        "dim_kind": "SELECT kind_key, kind_id FROM dim_kind", "dim_city": "SELECT city_key, city_id FROM dim_city",
        "dim_first": "SELECT first_key, kind_id FROM dim_first", "fact_order": "SELECT order_key, order_id FROM fact_order",
    }.items() for row in warehouse(shop, text)}


def check_against_source(shop):
    same = lambda ours, theirs: warehouse(shop, f"{ours} ORDER BY 1, 2, 3") == source(shop, f"{theirs} ORDER BY 1, 2, 3")
    assert same("SELECT city_id, name, city_id FROM dim_city WHERE city_key > 0", "SELECT city_id, name, city_id FROM cities")
    assert same("SELECT kind_id, name, kind_id FROM dim_kind WHERE kind_key > 0 AND NOT is_inferred", "SELECT kind_id, name, kind_id FROM kinds")
    assert same("SELECT customer_id, name, since FROM dim_customer WHERE customer_key > 0 AND is_current AND NOT is_inferred",
                "SELECT customer_id, name, since FROM customers")
    assert same("SELECT order_id, customer_id, ordered_at FROM fact_order", "SELECT order_id, customer_id, ordered_at FROM orders")
    assert same("SELECT customer_id, page, at FROM fact_click", "SELECT customer_id, page, at FROM clicks")
    assert same("SELECT payment_id, order_id, amount FROM fact_payment",
                "SELECT payment_id, order_id, amount FROM payments WHERE order_id IN (SELECT order_id FROM orders)")
    batches = len(list(shop.scans.iterdir()))
    assert warehouse(shop, "SELECT count(*), count(DISTINCT scan_id), max(scan_id) FROM fact_scan") == [(40 * batches, 40 * batches, 100 * batches - 61)]
    shop.stock |= {row[:2]: row[2] for row in source(shop, "SELECT city_id, kind_id, pieces FROM stock")}
    assert {row[:2]: row[2] for row in warehouse(shop, "SELECT city_id, kind_id, pieces FROM fact_stock")} == shop.stock
    rejects = "SELECT (raw_text::jsonb ->> 'payment_id')::int, 0, 0 FROM loadstar.quarantine WHERE state = 'open'"
    assert same(rejects, "SELECT payment_id, 0, 0 FROM payments WHERE order_id NOT IN (SELECT order_id FROM orders)")


def check_keys(shop):
    """Each fact refers to the member it names, at its time; to none when there is none."""
    none = lambda text: warehouse(shop, f"SELECT count(*) FROM ({text}) wrong")[0][0] == 0
    for fact, at in (("fact_order", "ordered_at"), ("fact_click", "at"), ("fact_scan", "at")):
        assert none(f"""SELECT FROM {fact} f WHERE customer_key <> COALESCE(
            (SELECT customer_key FROM dim_customer d WHERE d.customer_id = f.customer_id AND customer_key > 0
                AND effective_from <= {at} AND {at} < effective_to),
            (SELECT customer_key FROM dim_customer d WHERE d.customer_id = f.customer_id AND customer_key > 0 AND {at} <
                (SELECT min(effective_from) FROM dim_customer o WHERE o.customer_id = d.customer_id AND customer_key > 0)
                ORDER BY effective_from LIMIT 1), -1)""")
    assert none("SELECT FROM fact_order f JOIN dim_kind d USING (kind_key) WHERE d.kind_id <> f.kind_id")
    assert none("SELECT FROM fact_order f LEFT JOIN dim_kind d USING (kind_key) WHERE kind_key = -1 OR d.kind_id IS NULL")
    for fact in ("fact_order", "fact_stock"):
        assert none(f"SELECT FROM {fact} f LEFT JOIN dim_city d ON d.city_id = f.city_id AND d.city_key > 0"
                    " WHERE f.city_key <> COALESCE(d.city_key, -1)")
    assert none("SELECT FROM fact_payment f LEFT JOIN fact_order o USING (order_key) WHERE o.order_id IS DISTINCT FROM f.order_id")
    assert none("SELECT FROM fact_order WHERE date_key <> to_char(ordered_at AT TIME ZONE 'Europe/Zurich', 'YYYYMMDD')::int"
                " OR time_key <> to_char(ordered_at AT TIME ZONE 'Europe/Zurich', 'HH24MI')::int")
    assert none("SELECT FROM dim_customer a JOIN dim_customer b USING (customer_id) WHERE a.customer_key < b.customer_key"
                " AND a.customer_key > 0 AND (a.effective_from < b.effective_to AND b.effective_from < a.effective_to"
                " OR a.is_current AND b.is_current)")


def test_first_load_and_its_repeat(shop):
    run = load(shop)
    waves = {step["table"]: step["started_at"] for step in shop.steps(run["id"]) if step["table"]}
    assert max(at for table, at in waves.items() if table.startswith("dim_")) < waves["fact_order"] < waves["fact_payment"]
    check_against_source(shop)
    check_keys(shop)
    inferred = sum(step["effects"]["members_inferred"] for step in shop.steps(run["id"], table="fact_order"))
    assert inferred == warehouse(shop, "SELECT (SELECT count(*) FROM dim_kind WHERE is_inferred)"
                                       " + (SELECT count(*) FROM dim_customer WHERE is_inferred)")[0][0] > 0
    plan = shop.cli("plan", "shop", "full").stdout
    assert all(text in plan for text in ("generate_series", "infer members of dim_customer", "re-point fact_payment.order_key"))
    before = rows_as_they_are(shop)
    run = load(shop)
    assert rows_as_they_are(shop) == before
    for step in shop.steps(run["id"]):
        if step["table"]:
            assert step["rows"]["read"] == step["rows"]["unchanged"] + step["rows"]["rejected"], step
            assert sum(step["effects"].values()) == 0, step


@pytest.mark.parametrize("seed", [0.1, 0.2, 0.3])
def test_changes(shop, seed):
    keys = surrogates(shop)
    source(shop, CHANGES.format(seed=seed, start=START))
    if seed == 0.2:  # a run that is killed in the middle goes on
        run = shop.submit("full", pipeline="shop", mode="all")
        for _ in range(3):
            time.sleep(random.uniform(0.1, 0.6))
            shop.kill9()
            shop.start()
        assert shop.wait(run)["status"] == "succeeded"
    else:
        load(shop)
    check_against_source(shop)
    check_keys(shop)
    now = surrogates(shop)
    assert all(now[row] == key for row, key in keys.items() if row in now)
    before = rows_as_they_are(shop)
    load(shop)
    assert rows_as_they_are(shop) == before


# What does not hurt the guards, and moves and re-points a lot.
TURMOIL = """\
UPDATE customers SET name = name || '!', since = since + random() * interval '2 days' WHERE random() < 0.3;
UPDATE kinds SET name = name || '!' WHERE random() < 0.2;
UPDATE cities SET city_id = 109 - city_id WHERE random() < 0.05 OR city_id > 100;
UPDATE orders SET ordered_at = {start} + random() * interval '90 days' WHERE random() < 0.05;
UPDATE orders SET customer_id = (random() * 60)::int WHERE random() < 0.05;
UPDATE payments SET amount = amount + 1 WHERE random() < 0.2;
"""
CLIENTS = {  # runs of each kind, one after the other
    "days": {"type": "range", "slice": "P1D", "days": 7}, "more days": {"type": "range", "slice": "P1D", "days": 7},
    "weeks": {"type": "range", "slice": "P1W", "days": 21}, "months": {"type": "range", "slice": "P1M", "days": 60},
    "whole": {"type": "facts", "tables": ["fact_payment", "fact_stock"]}, "dimensions": {"type": "dimensions"},
    "files": {"type": "facts", "tables": ["fact_scan"]},
}
SECONDS, MOST = 8, 45  # of turmoil; that a run may take, on a slow machine


def test_everything_at_once(shop):
    """Days, weeks and months of one fact, whole tables, dimensions that re-point them, files, and a source that moves: each kind of run
    gets on, none waits long, nothing deadlocks, and once it is quiet everything is as in the source."""
    days = [d for (d,) in shop.sql("shop_source", f"SELECT ({START} + n * interval '1 day')::date::text FROM generate_series(0, 100) n")]
    deadlocks = "SELECT sum(deadlocks) FROM pg_stat_database"
    before, end = shop.sql("postgres", deadlocks), time.monotonic() + SECONDS
    ends, troubles, took = {name: 0 for name in CLIENTS}, [], {}
    shop.token()

    def drive(name):
        fields, rnd = dict(CLIENTS[name]), random.Random(name)
        span = fields.pop("days", 0)
        while time.monotonic() < end or ends[name] < 2:
            if span:
                first = rnd.randrange(30, 91 - span)
                fields |= {"from": days[first], "to": days[first + span]}
            began = time.monotonic()
            run = shop.wait(shop.submit(pipeline="shop", mode="all", **fields), 2 * MOST)
            took[name] = max(took.get(name, 0), time.monotonic() - began)
            ends[name] += 1
            if run["status"] != "succeeded":
                troubles.append((name, run["error"]))

    def stir():
        while time.monotonic() < end:
            source(shop, TURMOIL.format(start=START))
            write_scans(shop, random.randrange(3))
            time.sleep(0.3)

    threads = [threading.Thread(target=drive, args=(name,)) for name in CLIENTS] + [threading.Thread(target=stir)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(ends, {name: round(seconds, 1) for name, seconds in took.items()})
    assert not troubles
    assert shop.sql("postgres", deadlocks) == before
    assert max(took.values()) < MOST and min(ends.values()) * 4 >= max(ends.values()), (ends, took)
    load(shop)
    check_against_source(shop)
    check_keys(shop)
