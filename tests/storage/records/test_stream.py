"""A stream may end anywhere, or hold rubbish: what is complete counts, and nothing raises."""

import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.storage.records.stream import StreamFollower, parse_stream, read_stream

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.uint16()), ("tags", pa.list_(pa.string()))])
BATCH_ROWS = 10


def _stream(batches: int, ended: bool) -> bytes:
    sink = io.BytesIO()
    writer = pa.ipc.new_stream(sink, SCHEMA)
    for number in range(batches):
        ids = [f"{number}-{row}" for row in range(BATCH_ROWS)]
        writer.write_batch(pa.record_batch([ids, range(BATCH_ROWS), [["a", "b"]] * BATCH_ROWS], schema=SCHEMA))
    content = sink.getvalue()
    if ended:
        writer.close()
        return sink.getvalue()
    return content


ENDED = _stream(4, ended=True)
UNENDED = _stream(4, ended=False)


@pytest.mark.parametrize("ended", [True, False])
def test_a_stream_cut_anywhere_gives_exactly_its_complete_batches(ended: bool) -> None:
    content = ENDED if ended else UNENDED
    ends = [len(_stream(number, ended=False)) for number in range(5)]
    for cut in range(len(content) + 1):
        complete = sum(end <= cut for end in ends)
        found = parse_stream(content[:cut])
        assert found.damage is None, f"cut at {cut}"
        assert (0 if found.table is None else found.table.num_rows) == max(0, complete - 1) * BATCH_ROWS
        assert found.torn_bytes == (0 if content[found.end_bytes : cut] == ENDED[-8:] else cut - found.end_bytes)


@given(st.lists(st.tuples(st.integers(0, len(UNENDED) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_never_raise_and_never_add_rows(flips: list[tuple[int, int]]) -> None:
    content = bytearray(UNENDED)
    for place, mask in flips:
        content[place] ^= mask
    found = parse_stream(bytes(content))
    if found.table is not None:
        found.table.validate(full=True)
        assert found.table.num_rows <= 4 * BATCH_ROWS


def test_damage_in_the_middle_is_named_and_what_came_before_is_kept() -> None:
    content = bytearray(UNENDED)
    second = len(_stream(1, ended=False))
    content[second : second + 4] = b"rubb"
    found = parse_stream(bytes(content))
    assert found.table is not None and found.table.num_rows == BATCH_ROWS
    assert found.damage is not None and f"byte {second}" in found.damage


def test_a_zero_filled_tail_after_a_power_cut_is_no_damage() -> None:
    found = parse_stream(UNENDED + bytes(4096))
    assert found.damage is None
    assert found.table is not None and found.table.num_rows == 4 * BATCH_ROWS


def test_a_missing_or_empty_stream_is_empty(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert read_stream(tmp_path / "none.arrows").table is None
    assert parse_stream(b"").damage is None


@given(st.lists(st.integers(1, 700), max_size=30))
def test_a_follower_gives_every_batch_once_however_the_stream_grows(tmp_path_factory, pieces) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("follow") / "records.arrows"
    path.touch()
    follower = StreamFollower(path)
    seen: list[str] = []
    written = 0
    for piece in [*pieces, len(ENDED)]:
        with path.open("ab") as file:
            file.write(ENDED[written : written + piece])
        written += piece
        table = follower.read_new()
        seen += [] if table is None else table.column("id").to_pylist()
    follower.close()
    assert seen == [f"{number}-{row}" for number in range(4) for row in range(BATCH_ROWS)]
