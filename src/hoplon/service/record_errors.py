"""What storage and DuckDB raise about records, as errors that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from hoplon.errors import HoplonError
from hoplon.storage.records import KINDS, RecordsBusyError
from hoplon.storage.records.query import DamagedError, NotASelectError, QueryLimits
from hoplon.storage.records.schema import current_schema


@contextmanager
def explained(limits: QueryLimits = QueryLimits()) -> Iterator[None]:  # noqa: B008 - frozen
    """Turn what a reading raises into a `HoplonError`. Batches read late fail as Arrow errors with DuckDB's text."""
    try:
        yield
    except NotASelectError as error:
        raise HoplonError("records.query", str(error), "records cannot be changed; ask with SELECT") from error
    except RecordsBusyError as error:
        raise HoplonError("records.busy", str(error), "try again; a long query may be under way") from error
    except DamagedError as error:
        hint = "move what is damaged to records/quarantine; everything else stays readable"
        raise HoplonError("records.damaged", f"damaged: {error}", hint) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise explain(error, limits) from error


def explain(error: Exception, limits: QueryLimits) -> HoplonError:
    """The error that says what is wrong with a query, and what to do."""
    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, duckdb.InterruptException) or "Interrupted" in first or "INTERRUPT" in first:
        hint = "narrow it (WHERE time > now() - INTERVAL 1 HOUR), or give it more: --timeout SECONDS"
        return HoplonError("records.limit", f"stopped after {limits.seconds:g} s", hint)
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in first:
        hint = "narrow it or aggregate, or give it more: --memory 4GB"
        return HoplonError("records.limit", f"needs more than {limits.memory_bytes // 2**20} MiB of memory", hint)
    if isinstance(error, duckdb.PermissionException):
        hint = "the tables are records, violations and observations; files and networks are out of reach"
        return HoplonError("records.query", first, hint)
    message = "\n".join(line for line in text.splitlines() if line.strip())
    return HoplonError("records.query", message, _columns_hint(text))


def _columns_hint(message: str) -> str:
    """The columns of the tables that the message is about, or of `records`."""
    tables = [kind for kind in KINDS if re.search(rf"\b{kind}\b", message)] or ["records"]
    names = {kind: ", ".join(column.name for column in current_schema().tables[kind]) for kind in tables}
    return "; ".join(f"columns of {kind}: {listed}" for kind, listed in names.items())
