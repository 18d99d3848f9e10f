"""Locks of the state directory: one process per part, one policy change at a time, nothing left over from the dead."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.storage.locks import changing_policy, holding_part, part_holder
from hoplon.storage.state import StateDirectory, create_state, open_state

HOLD = """
import pathlib, sys
from hoplon.storage.locks import holding_part
from hoplon.storage.state import open_state
with holding_part(open_state(pathlib.Path(sys.argv[1])), "gateway"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return create_state(tmp_path / "state")


def test_a_second_process_of_a_part_is_told_who_has_it(state: StateDirectory) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert part_holder(state, "gateway") == other.pid
        with pytest.raises(HoplonError, match=f"pid {other.pid}") as caught, holding_part(state, "gateway"):
            pass
        assert caught.value.code == "part.in_use"
        other.kill()
    with holding_part(state, "gateway"):
        assert part_holder(state, "gateway") == os.getpid()
    assert part_holder(state, "gateway") is None


def test_parts_do_not_exclude_each_other(state: StateDirectory) -> None:
    with holding_part(state, "gateway"), holding_part(state, "worker"):
        assert part_holder(state, "supervisor") is None


def test_policy_changes_wait_for_each_other(state: StateDirectory) -> None:
    order: list[str] = []

    def change() -> None:
        with changing_policy(state):
            order.append("second")

    with changing_policy(state):
        other = threading.Thread(target=change)
        other.start()
        time.sleep(0.1)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_policy_change_that_never_ends_is_reported(state: StateDirectory) -> None:
    with changing_policy(state), pytest.raises(HoplonError) as caught, changing_policy(state, 0.05):
        pass
    assert caught.value.code == "policy.locked"


def test_the_state_directory_is_private_and_must_exist_to_be_opened(tmp_path: Path) -> None:
    with pytest.raises(HoplonError) as caught:
        open_state(tmp_path / "none")
    assert caught.value.code == "state.missing"
    assert create_state(tmp_path / "made").root.stat().st_mode & 0o777 == 0o700
    assert open_state(tmp_path / "made").root == tmp_path / "made"


def test_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HoplonError) as caught:
        create_state(tmp_path / "file")
    assert caught.value.code == "state.unusable"
