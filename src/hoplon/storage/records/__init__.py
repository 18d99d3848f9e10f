"""Traffic records on disk: the gateway writes Arrow streams, the worker seals them to Parquet, one function reads both.

`open_records` is the one way to read them; `Sealer`, `Compactor` and `retain` are the worker's. Nothing here decides
what the rows mean.
"""

from hoplon.storage.records.layout import KINDS, Layout
from hoplon.storage.records.lock import RecordsBusyError
from hoplon.storage.records.reader import Records, Selection, Skipped, open_records

__all__ = ["KINDS", "Layout", "Records", "RecordsBusyError", "Selection", "Skipped", "open_records"]
