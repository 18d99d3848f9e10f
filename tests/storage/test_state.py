import stat
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.storage.database import open_database
from hoplon.storage.state import create_state


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_may_look_inside(tmp_path: Path) -> None:
    state = create_state(tmp_path / "state")
    open_database(state.database).dispose()
    assert [_mode(path) for path in (state.root, state.keys, state.database)] == [0o700, 0o700, 0o600]


def test_a_database_in_a_directory_that_others_may_read_is_still_private(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir(mode=0o755)
    open_database(create_state(root).database).dispose()
    assert _mode(root / "hoplon.db") == 0o600


@pytest.mark.parametrize("inside", ["", "keys", "bundles"])
def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path, inside: str) -> None:
    root = tmp_path / "state"
    (root / inside).mkdir(parents=True)
    (root / inside).chmod(0o777)
    with pytest.raises(HoplonError, match="everybody may write") as refused:
        create_state(root)
    assert refused.value.code == "state.unusable"
