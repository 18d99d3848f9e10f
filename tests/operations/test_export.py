"""Exports: what is written can be read again, and nothing is said that is not known."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

from hypothesis import given

from hoplon.model.operation import Operation
from hoplon.model.policy import Policy
from hoplon.operations.export import CSV_COLUMNS, csv_text, openapi_documents
from hoplon.operations.importing import plan_import
from hoplon.operations.policy import SavedOperation
from policy.test_document import POLICIES

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def stored(saved: SavedOperation, updated: datetime = NOW) -> Operation:
    return Operation(saved.id, saved.method, saved.host, saved.path, saved.template, NOW, updated)


@given(POLICIES)
def test_an_exported_description_imports_as_the_same_operations(policy: Policy) -> None:
    operations = [stored(each) for each in policy.features["operations"].saved if each.method != "PROPFIND"]
    for document in openapi_documents(operations, "shop"):
        found = plan_import([("export.json", json.dumps(document).encode())], (), ())
        assert {each.id for each in found.new} == {each.id for each in operations}
        assert found.notes == ()


def test_one_document_for_each_host_with_its_newest_date() -> None:
    operations = [
        stored(SavedOperation("b.example", "/x/{id}", "GET")),
        stored(SavedOperation("{tenant}.example", "/", "PUT"), NOW + timedelta(days=1)),
        stored(SavedOperation("*", "/any", "PROPFIND")),
    ]
    first, second = openapi_documents(operations, "shop")
    assert first["info"] == {"title": "shop", "version": "2026-11-21"}
    assert first["servers"] == [{"url": "https://b.example"}]
    assert first["paths"]["/x/{var1}"]["get"]["operationId"] == operations[0].id
    assert second["info"]["version"] == "2026-11-22"
    assert second["servers"][0]["variables"] == {"tenant": {"default": "tenant"}}


@given(POLICIES)
def test_csv_has_a_line_for_each_operation(policy: Policy) -> None:
    operations = [stored(each) for each in policy.features["operations"].saved]
    heading, *lines = csv.reader(io.StringIO(csv_text(operations), newline=""))
    assert tuple(heading) == CSV_COLUMNS
    assert [tuple(line[:4]) for line in lines] == [
        (each.id, each.method, each.host, each.template) for each in operations
    ]
