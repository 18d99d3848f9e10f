"""Files of older schema versions read as the current one, in Arrow and in SQL alike; path forms are computed once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("hoplon._native")

import duckdb

from hoplon.storage.records.form import FORM_KEY, FORM_VERSION, form_sql, path_forms
from hoplon.storage.records.layout import KINDS, Layout, open_segments
from hoplon.storage.records.reader import open_records
from hoplon.storage.records.schema import (
    VERSION_KEY,
    Migration,
    RecordSchema,
    conform,
    current_schema,
    parse_schema,
)
from hoplon.storage.records.seal import Sealer
from support.records import START, Traffic, generate, segment_name, write_segment

CURRENT = current_schema()


def newer_schema() -> RecordSchema:
    """A later version: `host` is called `authority`, `country` and `attempts` are new, `bundle` is gone."""
    tables = {kind: [vars_of(column) for column in CURRENT.tables[kind] if not column.derived] for kind in KINDS}
    records = [column for column in tables["records"] if column["name"] != "bundle"]
    for column in records:
        column["name"] = {"host": "authority"}.get(str(column["name"]), column["name"])
    records.append({"name": "country", "type": "string", "nullable": True, "doc": ""})
    records.append({"name": "attempts", "type": "uint16", "nullable": False, "doc": ""})
    return parse_schema({"version": CURRENT.version + 1, **tables, "records": records})


def vars_of(column: object) -> dict[str, object]:
    return {name: getattr(column, name) for name in ("name", "type", "nullable", "doc")}


STEPS = (Migration(CURRENT.version, renamed={"records": {"host": "authority"}}, added={"records": {"attempts": 1}}),)


def test_the_schema_is_the_engines_own() -> None:
    for kind in KINDS:
        names = [column.name for column in CURRENT.tables[kind] if not column.derived]
        assert CURRENT.streamed(kind).names == names and len(names) == len(set(names)) > 5
    assert CURRENT.streamed("records").metadata == {VERSION_KEY: str(CURRENT.version).encode()}


def test_a_renamed_a_new_and_a_dropped_column_migrate_open_and_sealed_alike(layout: Layout) -> None:
    newer = newer_schema()
    tables = generate(Traffic(rows=100))
    write_segment(layout, segment_name(START, 1), tables)
    Sealer(layout, CURRENT).seal(open_segments(layout)[0])
    write_segment(layout, segment_name(START, 2), tables)
    with open_records(layout, schema=newer, migrations=STEPS) as records:
        found = records.arrow("records").read_all()
    assert found.schema.names == newer.arrow("records").names
    assert found["authority"].to_pylist() == ["shop.example.com"] * 200
    assert found["country"].to_pylist() == [None] * 200
    assert found["attempts"].to_pylist() == [1] * 200
    assert set(found["path_form"].to_pylist()) == set(path_forms(tables["records"]["path"]).to_pylist())


def test_an_older_open_segment_is_sealed_in_the_newer_schema(layout: Layout) -> None:
    write_segment(layout, segment_name(START), generate(Traffic(rows=100)))
    Sealer(layout, newer_schema(), STEPS).seal(open_segments(layout)[0])
    with open_records(layout, schema=newer_schema(), migrations=STEPS) as records:
        assert pq.read_schema(records.files[0].path).metadata[VERSION_KEY] == str(CURRENT.version + 1).encode()
        assert records.connection.execute("SELECT DISTINCT attempts FROM records").fetchall() == [(1,)]


def test_steps_apply_in_order_over_several_versions() -> None:
    tables = {kind: [vars_of(c) for c in CURRENT.tables[kind] if not c.derived] for kind in KINDS}
    records = [{**c, "name": "site" if c["name"] == "host" else c["name"]} for c in tables["records"]]
    third = parse_schema({"version": CURRENT.version + 2, **tables, "records": records})
    steps = (*STEPS, Migration(CURRENT.version + 1, renamed={"records": {"authority": "site"}}))
    found = conform(generate(Traffic(rows=3))["records"], "records", third, steps)
    assert found["site"].to_pylist() == ["shop.example.com"] * 3


def test_a_newer_file_gives_the_columns_that_are_known() -> None:
    table = generate(Traffic(rows=3))["records"].append_column("later", pa.array([1, 2, 3]))
    table = table.replace_schema_metadata({VERSION_KEY: b"99"})
    assert conform(table, "records", CURRENT).schema.names == CURRENT.arrow("records").names


def test_forms_of_an_older_pattern_are_computed_anew(layout: Layout, tmp_path: Path) -> None:
    write_segment(layout, segment_name(START), generate(Traffic(rows=50)))
    Sealer(layout, CURRENT).seal(open_segments(layout)[0])
    with open_records(layout) as records:
        file = next(f for f in records.files if f.kind == "records")
        expected = sorted(records.arrow("records").read_all()["path_form"].to_pylist())
    stale = pq.read_table(file.path, partitioning=None)
    stale = stale.set_column(stale.column_names.index("path_form"), "path_form", pa.array(["stale"] * 50))
    pq.write_table(stale.replace_schema_metadata({FORM_KEY: str(FORM_VERSION - 1).encode()}), file.path)
    with open_records(layout) as records:
        assert sorted(records.arrow("records").read_all()["path_form"].to_pylist()) == expected


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/users/17/orders", "/users/{}/orders"),
        ("/users/17/18/-3/", "/users/{}/{}/{}"),
        ("/", "/"),
        ("/1", "/{}"),
        ("/v1/users", "/v1/users"),
        ("/a//7", "/a//{}"),
        ("/orders/0190163D-8694-739B-AEA5-966C26F8AD91", "/orders/{}"),
        ("/files/507f1f77bcf86cd799439011", "/files/{}"),
        ("/files/deadbeef", "/files/deadbeef"),
        ("/ids/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/ids/{}"),
        ("/reset/<token:0a1b2c3d>/confirm", "/reset/{}/confirm"),
        ("/reports/2024-05-01", "/reports/2024-05-01"),
        ("/1.1/statuses", "/1.1/statuses"),
        ("/item;v=1/7", "/item;v=1/{}"),
        ("/a%2F1", "/a%2F1"),
        ("/1%2F2", "/1%2F2"),
        (None, None),
    ],
)
def test_path_forms(path: str | None, form: str | None) -> None:
    assert path_forms(pa.chunked_array([pa.array([path], pa.string())])).to_pylist() == [form]


@given(st.lists(st.text("/1a-<>:0fé{}", max_size=40).map(lambda text: "/" + text), min_size=1, max_size=20))
def test_arrow_and_sql_give_the_same_forms(paths: list[str]) -> None:
    table = pa.table({"path": pa.array(paths, pa.string())})
    with duckdb.connect() as connection:
        connection.register("given", table)
        found = connection.sql(f"SELECT {form_sql('path')} AS form FROM given").fetchall()
    assert [row[0] for row in found] == path_forms(table["path"]).to_pylist()
