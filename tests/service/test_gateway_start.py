"""What must hold before a gateway starts: each fault is one clear error, and nothing is half started."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.service.changes import local_actor
from hoplon.service.gateway_start import prepare_gateway
from hoplon.service.workspace import open_workspace
from hoplon.service.zones import create_zone, edit_zone, list_zones
from hoplon.settings.fields import Settings, TlsSettings
from hoplon.settings.load import load_settings
from hoplon.storage.locks import holding_part
from hoplon.storage.state import create_state
from support.installation import make_certificate

pytest.importorskip("hoplon._native")
PARTS = ("supervisor", "gateway", "worker")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def settings(state: Path, **values: Any) -> Settings:
    values = {
        "upstream": "http://127.0.0.1:9000",
        "listen": "127.0.0.1:0",
        "status": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        **values,
    }
    return load_settings(flags={"state": state, **values}, environ={})


def failure(given: Settings, parts: tuple[str, ...] = PARTS) -> HoplonError:
    with pytest.raises(HoplonError) as caught, prepare_gateway(given, parts):
        pass
    return caught.value


def test_the_first_start_makes_a_zone_a_bundle_and_the_configuration(state: Path) -> None:
    with prepare_gateway(settings(state), PARTS) as start:
        configuration = json.loads((state / "run" / "gateway.json").read_text())
        assert configuration["listen"] == [
            {"address": start.listeners.traffic[0].address, "fd": start.listeners.traffic[0].fd, "tls": None}
        ]
        assert start.notices == ()
        assert [zone.upstreams for zone in start.zones] == [("http://127.0.0.1:9000",)]
        assert (state / "bundles" / "current").exists()
        assert (state / "keys" / "records.key").stat().st_mode & 0o777 == 0o600


def test_a_second_start_with_another_upstream_says_so_and_changes_nothing(state: Path) -> None:
    with prepare_gateway(settings(state), PARTS):
        before = (state / "bundles" / "current").read_bytes()
    with prepare_gateway(settings(state, upstream="http://127.0.0.1:9001"), PARTS) as start:
        assert "is ignored" in start.notices[0]
        assert (state / "bundles" / "current").read_bytes() == before
    with prepare_gateway(settings(state, upstream="http://127.0.0.1:9000/"), PARTS) as start:
        assert start.notices == ()


def test_without_a_zone_there_is_nothing_to_start_and_nothing_is_made(state: Path) -> None:
    assert failure(settings(state, upstream=None)).code == "zone.missing"
    assert not state.exists()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_runs_already_is_named(state: Path, part: str) -> None:
    with holding_part(create_state(state), part):
        error = failure(settings(state))
    assert error.code == "part.in_use"
    assert ("hoplon up" if part == "supervisor" else part) in error.message


@pytest.mark.parametrize("setting", ["listen", "status"])
def test_a_port_in_use_is_named_before_anything_is_made(state: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        error = failure(settings(state, **{setting: address}))
    assert (error.code, error.message) == ("listen.in_use", f"{address} is already in use")
    assert f"--{setting}" in str(error.hint)
    assert not state.exists()


def test_an_address_of_another_machine_is_told_apart(state: Path) -> None:
    assert failure(settings(state, listen="192.0.2.1:8080")).code == "listen.unknown"


def test_an_upstream_that_is_hoplon_itself_is_refused(state: Path) -> None:
    error = failure(settings(state, listen="127.0.0.1:9000"))
    assert error.code == "settings.invalid"
    assert "on which Hoplon listens" in error.message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def tls_failure(state: Path, certificate: Path, key: Path) -> str:
    given = settings(state).model_copy(update={"tls": TlsSettings(certificate=certificate, key=key)})
    error = failure(given)
    assert error.code == "tls.unusable"
    assert not state.exists()
    return error.message


def test_certificate_files_are_checked(state: Path, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    good, key = certificate
    other = make_certificate(tmp_path)[1]
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("hello")
    assert "No such file" in tls_failure(state, tmp_path / "none.pem", key)
    assert "is not that of" in tls_failure(state, good, other)
    assert "no PEM" in tls_failure(state, garbage, key)


def test_every_pair_of_the_directory_is_checked(state: Path, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    tls = TlsSettings(certificate=certificate[0], key=certificate[1], directory=tmp_path)
    make_certificate(tmp_path)[1].unlink()
    error = failure(settings(state).model_copy(update={"tls": tls}))
    assert error.code == "tls.unusable"
    assert "the key cannot be read" in error.message
    assert (
        "tls.directory"
        in failure(
            settings(state).model_copy(update={"tls": tls.model_copy(update={"directory": tmp_path / "none"})})
        ).message
    )


def test_tls_listeners_name_their_files(state: Path, certificate: tuple[Path, Path]) -> None:
    given = load_settings(
        flags={"state": state, "upstream": "http://127.0.0.1:9000", "status": "127.0.0.1:0"}
        | {"listen": "127.0.0.1:0,https://127.0.0.1:0", "tls": {"certificate": certificate[0], "key": certificate[1]}},
        environ={},
    )
    with prepare_gateway(given, PARTS) as start:
        listen = json.loads((state / "run" / "gateway.json").read_text())["listen"]
        assert [entry["tls"] is None for entry in listen] == [True, False]
        assert listen[1]["tls"] == {"certificate": str(certificate[0]), "key": str(certificate[1]), "directory": None}
        assert start.listeners.traffic[1].url.startswith("https://")


def test_a_newer_database_stops_up_but_not_a_gateway_alone(state: Path) -> None:
    import sqlite3

    with prepare_gateway(settings(state), PARTS):
        pass
    with sqlite3.connect(state / "hoplon.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert failure(settings(state)).code == "database.newer"
    with prepare_gateway(settings(state), ("gateway",)) as start:
        assert "newer version" in start.notices[0]


def test_without_an_upstream_there_is_nothing_to_serve(state: Path) -> None:
    with open_workspace(state, create=True) as workspace:
        create_zone(workspace, local_actor(), "waiting.test")
    error = failure(settings(state, upstream=None))
    assert (error.code, error.message) == ("zone.missing", "no zone has an upstream yet")
    assert "hoplon zones upstreams" in str(error.hint)


def test_a_bundle_that_cannot_be_made_leaves_the_one_before(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prepare_gateway(settings(state), PARTS):
        pass

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device", "bundles")

    monkeypatch.setattr("hoplon.storage.bundles.replace_file", full)
    with open_workspace(state) as workspace:
        zone_id = list_zones(workspace)[0].id
        with pytest.raises(HoplonError, match="No space left"):
            edit_zone(workspace, local_actor(), zone_id, {"merge_slashes": True})
    with prepare_gateway(settings(state), PARTS) as start:
        assert "the gateway serves the bundle that is in place" in start.notices[0]
    (state / "bundles" / "current").unlink()
    assert failure(settings(state)).code == "bundle.unwritable"


def test_what_would_be_a_control_plane_itself_follows_none(tmp_path: Path) -> None:
    control_plane = {"url": "https://hoplon.example", "credential": tmp_path / "token"}
    settings = Settings.model_validate({"state": tmp_path / "state", "control_plane": control_plane})
    with pytest.raises(HoplonError, match="this would be another one"), prepare_gateway(settings, ("supervisor",)):
        raise AssertionError
    assert not settings.state.exists()
