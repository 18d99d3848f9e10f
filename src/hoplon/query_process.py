"""One query of the API over the traffic records, in a process of its own: taken from stdin, answered on stdout.

DuckDB's memory limit does not count single values, and a crash of a query must not be one of the API. So the kernel
bounds this process (address space, processor time), and whoever started it kills it when its time is over.
"""

import resource
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic_core import to_json

from hoplon.errors import HoplonError
from hoplon.service.isolated_query import IsolatedQuery
from hoplon.service.records import query_records
from hoplon.storage.state import StateDirectory

OUT_OF_MEMORY = "records.limit"


def main() -> int:
    """Answer the `IsolatedQuery` on stdin; an error is an answer too."""
    query = IsolatedQuery.from_json(sys.stdin.read())
    _bound(query)
    try:
        answer = {"found": _run(query)}
    except HoplonError as error:
        answer = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    except MemoryError:
        message, hint = "the query needs more memory than it may use", "ask for fewer rows or columns, or aggregate"
        answer = {"error": {"code": OUT_OF_MEMORY, "message": message, "hint": hint}}
    sys.stdout.buffer.write(to_json(answer, bytes_mode="hex", inf_nan_mode="null"))
    return 0


def _bound(query: IsolatedQuery) -> None:
    seconds = int(query.limits.seconds) + 1
    resource.setrlimit(resource.RLIMIT_AS, (query.address_space_bytes, query.address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * seconds, 2 * seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run(query: IsolatedQuery) -> dict[str, Any]:
    state = StateDirectory(Path(query.state))
    with query_records(state, query.sql, query.selection(), query.limits) as found:
        rows = list(islice(_bounded_rows(found.batches, query.max_answer_bytes), query.max_rows + 1))
        return {
            "columns": found.batches.schema.names,
            "rows": rows[: query.max_rows],
            "is_complete": len(rows) <= query.max_rows,
            "skipped": [f"{item.path.name}: {item.reason}" for item in found.records.skipped],
        }


def _bounded_rows(batches: pa.RecordBatchReader, max_answer_bytes: int) -> Iterator[dict[str, Any]]:
    """The rows, as long as they fit into an answer: as Python values and as JSON they take several times as much."""
    bytes_left = max_answer_bytes
    for batch in batches:
        bytes_left -= batch.nbytes
        if bytes_left < 0:
            message = f"the answer would be larger than {max_answer_bytes // 2**20} MiB"
            raise HoplonError("records.limit", message, "ask for fewer rows or columns, or aggregate")
        try:
            yield from batch.to_pylist()
        except (OverflowError, ValueError) as error:
            raise HoplonError("records.query", f"a value cannot be shown: {error}", "cast it to VARCHAR") from error


if __name__ == "__main__":
    sys.exit(main())
