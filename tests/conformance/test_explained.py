"""The table of exceptions is held to what happened, both ways."""

import pytest

from conformance.explained import Explanation, Outcome, complaints

FILE = "api_gateway/test_operations.py"
NODE = f"tests/api_resources/{FILE}::TestAsyncOperations::"
ROW = Explanation(FILE, "bulk_delete", "Error code: 400", "no body")


def outcome(name: str, complaint: str | None) -> Outcome:
    return Outcome.of(NODE + name, "passed" if complaint is None else "failed", complaint or "")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("test_method_bulk_delete[strict]", "bulk_delete"),
        ("test_raw_response_bulk_delete[aiohttp]", "bulk_delete"),
        ("test_streaming_response_bulk_delete[loose]", "bulk_delete"),
        ("test_method_list_with_all_params[loose]", "list_with_all_params"),
        ("test_path_params_bulk_delete[loose]", "test_path_params_bulk_delete"),
    ],
)
def test_a_test_is_known_by_its_file_and_call(name: str, call: str) -> None:
    found = outcome(name, None)
    assert (found.file, found.call) == (FILE, call)


def test_what_passes_and_what_is_explained_is_no_complaint() -> None:
    outcomes = [
        outcome("test_method_get[loose]", None),
        outcome("test_method_bulk_delete[loose]", "Error code: 400 - …"),
    ]
    assert list(complaints(outcomes, [ROW])) == []


@pytest.mark.parametrize(
    ("outcomes", "rows", "said"),
    [
        ([outcome("test_method_get[loose]", "boom")], [], "failed: boom"),
        ([outcome("test_method_bulk_delete[loose]", None)], [ROW], "passes: its row"),
        ([outcome("test_method_bulk_delete[loose]", "Error code: 500")], [ROW], "for another reason"),
        ([], [ROW], "calls bulk_delete: the row goes"),
    ],
)
def test_what_is_not_explained_or_needs_no_explanation_is_a_complaint(
    outcomes: list[Outcome], rows: list[Explanation], said: str
) -> None:
    (only,) = complaints(outcomes, rows)
    assert said in only
