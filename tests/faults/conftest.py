"""One installation for every test that must leave it as it was."""

from collections.abc import Iterator

import pytest

from faults.plane import Plane, plane_in

pytest.importorskip("hoplon._native")


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with plane_in(tmp_path_factory.mktemp("faults") / "state") as plane:
        yield plane


@pytest.fixture
def unharmed(plane: Plane) -> Iterator[Plane]:
    """The installation; afterwards its store holds what it held, and no caller of the gateway noticed anything."""
    before, asked = plane.contents(), plane.traffic.asked
    yield plane
    assert plane.contents() == before
    assert plane.traffic.refused == []
    assert plane.traffic.asked >= asked
